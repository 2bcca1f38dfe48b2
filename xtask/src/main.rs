//! `cargo xtask run | test | check | bench`: what a person types, as one command each.
//!
//! Only std is used, so that this compiles in seconds on a machine that has nothing built yet. Every
//! command that is run is printed first: the output doubles as documentation of how to do it by hand.

mod bench;
mod check;
mod command;
mod run;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  run [--nodes N] [--headless] [--fresh]
            build, start N nodes (3) on this machine, and open the chat; --headless: the nodes only;
            --fresh: forget what earlier runs left
  test      every test of every crate
  check     formatting, lints, layering, licences and bans; never writes to a source file
  bench [NAME...]
            measure, each figure beside a baseline taken in the same run
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("", &[][..]),
    };
    let outcome = match name {
        "run" => run::run(rest),
        "test" => test::test(rest),
        "check" => check::check(rest),
        "bench" => bench::bench(rest),
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
