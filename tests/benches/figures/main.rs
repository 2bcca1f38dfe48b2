//! `cargo xtask bench`: nodes on loopback, 256-byte messages, every acknowledgement synced on a majority; each figure beside what bare
//! processes without consensus or encryption do on the same disk in the same run.
//!
//! Absolute figures move with the machine; the ratio to the floor is the one to watch. Whatever was acknowledged is read back and
//! counted, so a figure that was bought with a loss fails the run.

#![allow(clippy::print_stdout, reason = "figures are what a benchmark is for")]

mod arguments;
mod cluster;
mod crowd;
mod failover;
mod fanout;
mod floor;
mod history;
mod idle;
mod loader;
mod machine;
mod person;
mod real;
mod restart;
mod search;
mod sender;
mod stages;
mod statistics;
mod ui;

use std::process::{Command, ExitCode};

use arguments::{Subject, Wanted};
use tests::Cluster;

/// The text of every message of the benchmark, in bytes.
const MESSAGE_SIZE_BYTES: usize = 256;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments::parse(&arguments) {
        Ok(Wanted::Figures(subjects)) => figures(&subjects),
        Ok(Wanted::Loader(start)) => sender::run(&start),
        Ok(Wanted::RealLoader(start)) => real::run(&start),
        Ok(Wanted::Idle(start)) => idle::run(&start),
        Ok(Wanted::FloorNode { folder, followers }) => floor::server::run(&folder, &followers),
        Ok(Wanted::FloorLoader { address, clients, window }) => floor::sender::run(address, clients, window),
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a program that people run")]
            {
                eprintln!("bench: {error}");
            }
            ExitCode::from(2)
        }
    }
}

fn figures(subjects: &[Subject]) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    let mut whole = true;
    for subject in subjects {
        whole &= match subject {
            Subject::Cluster(wanted) => cluster::measure(wanted),
            Subject::Failover { kills, kinds } => runtime.block_on(failover::measure(*kills, kinds)),
            Subject::Fanout { readers } => runtime.block_on(fanout::measure(*readers)),
            Subject::History { messages } => runtime.block_on(history::measure(messages)),
            Subject::Idle { clients } => idle::measure(*clients),
            Subject::Restart => runtime.block_on(restart::measure()),
            Subject::Stages { clients } => stages::measure(clients),
            Subject::Search => runtime.block_on(search::measure()),
            Subject::Ui => {
                runtime.block_on(ui::measure());
                true
            }
        };
    }
    if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Nodes, each of which has applied how they were founded: one that has not lets nobody in yet.
fn founded(nodes: usize) -> Cluster {
    let cluster = Cluster::start(nodes);
    founded_by(&cluster);
    cluster
}

/// Returns once that is so of these.
fn founded_by(cluster: &Cluster) {
    // The real client waits until the record is in; the check, until every node has applied it.
    cluster.cli().as_account("first").run(&["account", "create", "first"]).ok();
    cluster.cli().run(&["cluster", "check"]).ok();
}

/// This program once more.
pub(crate) fn this() -> Command {
    Command::new(std::env::current_exe().expect("this program has a path"))
}
