//! `cargo xtask run | test | check | page | window | package | bench | sim | crash | chaos | fuzz | mutants`: what a person types.
//!
//! Only std is used, so that this compiles in seconds on a machine that has nothing built yet. Every
//! command that is run is printed first: the output doubles as documentation of how to do it by hand.

mod bench;
mod chaos;
mod check;
mod command;
mod crash;
mod desktop;
mod fuzz;
mod mutants;
mod package;
mod run;
mod sim;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  run [--nodes N] [--cli] [--headless] [--fresh]
            build, start N nodes (3) on this machine, and open the chat, in a window where that is possible;
            --cli: in this terminal; --headless: the nodes only; --fresh: forget what earlier runs left
  test      every test of every crate, and of the app's page
  page      the app's page in a real browser, screen by screen, with the fake back end
  window    the app in its real window, against real nodes, on a display of its own (it is a part of test)
  check     formatting, lints, layering, licences and bans; never writes to a source file
  package   a Debian package of the app and the daemon; its path is printed
  bench [cluster [--clients N,…] [--client lean|real] [--pipelined] [--seconds S] [--rounds R] [--nodes 3|5] [--format json]]
        [failover [KILLS] [--only killed|silent]] [fanout [READERS]] [history [MESSAGES,…]] [idle [CLIENTS]] [restart] [search] [stages [CLIENTS,…]] [ui]
            measure, each figure beside a baseline taken in the same run; ui: the window, which needs a desktop
  sim [--seeds A..B [--twice COUNT] [--jobs COUNT]] | --seed N [--trace]
            whole clusters and their clients in simulated time, with faults that the seed draws; each seed is one run
  chaos [--minutes M] [--seed N] [--nodes 3|5] [--only FAULT,…]
            real daemons and clients on a network and disks of their own, with faults that the seed draws; as root it cuts
            their power, too, otherwise it says what it leaves out
  fuzz [--seconds S | --runs N] [--seed N] [--jobs N] [TARGET...] | --replay TARGET FILE | --seeds-to FOLDER
            hands hostile bytes to every place that reads some, and keeps those that get somewhere new; 20 s for each target
  crash [--states COUNT] [--revivals COUNT] [--damages COUNT] [--kills COUNT] [--seed S]
        | --kill N | --recording FOLDER --state N | --damage N | --revival N
            records what a real cluster writes and syncs, and opens what a power cut may leave of it, at thousands of moments, or
            starts it as a cluster; damages a node's files; and kills daemons within their writes
  mutants [NAME...]
            plants mistakes in a copy of the sources, and has the simulation find each
";

/// A part that was asked for by its name. Skipped is not passed.
fn alone(part: fn() -> Result<desktop::Desktop, String>) -> command::Outcome {
    match part()? {
        desktop::Desktop::Done => Ok(()),
        desktop::Desktop::Skipped(reason) => Err(format!("skipped, hence not passed: {reason}")),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(compiled) = fuzz::compile(&arguments) {
        return compiled;
    }
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("", &[][..]),
    };
    let outcome = match name {
        "run" => run::run(rest),
        "test" => test::test(rest),
        "check" => check::check(rest),
        "bench" => bench::bench(rest),
        "page" => alone(desktop::walk_page),
        "window" => alone(desktop::test_window),
        "package" => package::package(rest),
        "sim" => sim::sim(rest),
        "chaos" => chaos::chaos(rest),
        "fuzz" => fuzz::fuzz(rest),
        "crash" => crash::crash(rest),
        "mutants" => mutants::mutants(rest),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}
