//! `cargo xtask crash`: what power cuts may leave of real disks, from an optimised build.

use crate::command::{Outcome, WITHOUT_THE_WINDOW, step};

/// How many states are tried, unless it is said.
const STATES: &str = "3000";

/// And how many kinds of damage to a node's files.
const DAMAGES: &str = "1000";

/// And how many daemons are killed within their writes.
const KILLS: &str = "100";

/// And how many of the states are started as clusters.
const REVIVALS: &str = "50";

/// Tries states. Arguments are the trial's own.
pub(crate) fn crash(arguments: &[String]) -> Outcome {
    let mut all = vec!["test", "--locked", "--release"];
    all.extend(WITHOUT_THE_WINDOW);
    all.extend(["--test", "crash", "--"]);
    let says = |options: &[&str]| arguments.iter().any(|argument| options.contains(&argument.as_str()));
    if !says(&["--states", "--state"]) {
        all.extend(["--states", STATES]);
    }
    if !says(&["--damages", "--damage"]) {
        all.extend(["--damages", DAMAGES]);
    }
    if !says(&["--kills", "--kill"]) {
        all.extend(["--kills", KILLS]);
    }
    if !says(&["--revivals", "--revival"]) {
        all.extend(["--revivals", REVIVALS]);
    }
    all.extend(arguments.iter().map(String::as_str));
    step("cargo", &all)
}
