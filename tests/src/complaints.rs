//! What processes log that none should.

use std::fs;
use std::path::Path;

/// Errors that openraft logs where nothing is wrong: whenever it is asked something after it was told to stop, as it is when a machine
/// loses its power; and when the members cannot be changed just now, which whoever asked is told as well.
const EXPECTED: &[&str] = &[
    "error: raft stopped",
    "failed to receive from RaftCore",
    "RaftCore stopped: raft stopped",
    "failed to send HeartbeatProgress",
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
