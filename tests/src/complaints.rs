//! What processes log that none should.

use std::fs;
use std::path::Path;

/// Errors that openraft logs where nothing is wrong: whenever a task of it finds its core gone, as after it was told to stop or its
/// machine's disk failed; where whoever asked does not wait any more; and when the members cannot be changed just now, which whoever
/// asked is told as well. A core that ends by anything wrong says so by itself (`RaftCore::main error`, or it panics), and those are not
/// here. From reading every `error!` of 0.10.0-alpha.37.
const EXPECTED: &[&str] = &[
    "error: raft stopped",
    "RaftCore stopped: raft stopped",
    "failed to receive from RaftCore",
    "failed to send RaftMsg to RaftCore",
    " to RaftCore; when:(",
    "with_raft_state: rx recv error",
    "all rx_notify senders are dropped",
    "all rx_install_snapshot senders are dropped",
    "rx_notify is disconnected, quit",
    "failed to send apply complete event",
    "sm::Worker may have shutdown",
    "to-Raft tx send error",
    "failed to send response to user tx",
    "openraft::raft::api::management: the first step error",
    "openraft::raft::api::management: the second step error",
];

/// Whether this error is logged where nothing is wrong.
pub fn is_expected(line: &str) -> bool {
    EXPECTED.iter().any(|text| line.contains(text))
}

/// The errors and panics in a daemon's log, but for those that are expected. A log that is not there has none.
pub fn in_log(path: &Path, excused: impl Fn(&str) -> bool) -> Vec<String> {
    let log = fs::read_to_string(path).unwrap_or_default();
    let is_wrong = |line: &&str| line.contains(" ERROR ") || line.contains("panicked at");
    log.lines().filter(is_wrong).filter(|line| !is_expected(line) && !excused(line)).map(str::to_owned).collect()
}
