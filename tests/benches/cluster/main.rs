//! `cargo xtask bench`: three nodes on loopback, 256-byte messages, every acknowledgement synced on a
//! majority; each figure beside the rate of synced LMDB commits taken on the same disk in the same run.
//!
//! Absolute figures move with the machine; the ratio to the baseline is the one to watch. Whatever was
//! acknowledged is read back and counted, so a figure that was bought with a loss fails the run.

#![allow(clippy::print_stdout, reason = "figures are what a benchmark is for")]

mod baseline;
mod failover;
mod load;
mod person;
mod restart;
mod search;
mod statistics;
mod ui;

use std::process::ExitCode;

use tests::Cluster;

/// The text of every message of the benchmark, in bytes.
const MESSAGE_SIZE_BYTES: usize = 256;

fn main() -> ExitCode {
    // cargo passes `--bench`; whatever else there is names what to run, or is a number: of clients for the load, and of kills.
    let words = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let (counts, wanted): (Vec<_>, Vec<_>) = words.map(|word| word.parse().map_err(|_| word)).partition(Result::is_ok);
    let counts: Vec<usize> = counts.into_iter().flatten().collect();
    let wanted: Vec<String> = wanted.into_iter().filter_map(Result::err).collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    let mut whole = true;
    if runs("load") {
        whole &= runtime.block_on(load::measure(if counts.is_empty() { load::CLIENTS } else { &counts }));
    }
    if runs("failover") {
        let kills = counts.first().filter(|_| !runs("load")).copied();
        whole &= runtime.block_on(failover::measure(kills.unwrap_or(failover::KILLS)));
    }
    if runs("restart") {
        whole &= runtime.block_on(restart::measure());
    }
    if runs("search") {
        whole &= runtime.block_on(search::measure());
    }
    // It needs a desktop, so it has to be asked for.
    if wanted.iter().any(|one| one == "ui") {
        runtime.block_on(ui::measure());
    }
    if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Three nodes, each of which has applied how they were founded: one that has not lets nobody in yet.
fn cluster() -> Cluster {
    let cluster = Cluster::start(3);
    // The real client waits until the record is in; the check, until every node has applied it.
    cluster.cli().as_account("first").run(&["account", "create", "first"]).ok();
    cluster.cli().run(&["cluster", "check"]).ok();
    cluster
}
