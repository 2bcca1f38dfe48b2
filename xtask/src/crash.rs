//! `cargo xtask crash`: what power cuts may leave of real disks, from an optimised build.

use crate::command::{Outcome, WITHOUT_THE_WINDOW, step};

/// How many states are tried, unless it is said.
const STATES: &str = "3000";

/// Tries states. Arguments are the trial's own.
pub(crate) fn crash(arguments: &[String]) -> Outcome {
    let mut all = vec!["test", "--locked", "--release"];
    all.extend(WITHOUT_THE_WINDOW);
    all.extend(["--test", "crash", "--"]);
    let is_counted = arguments.iter().any(|argument| argument == "--states" || argument == "--state");
    if !is_counted {
        all.extend(["--states", STATES]);
    }
    all.extend(arguments.iter().map(String::as_str));
    step("cargo", &all)
}
