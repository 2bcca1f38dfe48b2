//! `cargo xtask sim`: the deterministic simulation, from an optimised build.

use crate::command::{Outcome, WITHOUT_THE_WINDOW, step};

/// Runs seeds. Arguments are the simulation's own.
pub(crate) fn sim(arguments: &[String]) -> Outcome {
    let mut all = vec!["test", "--locked", "--release"];
    all.extend(WITHOUT_THE_WINDOW);
    all.extend(["--test", "sim", "--"]);
    all.extend(arguments.iter().map(String::as_str));
    step("cargo", &all)
}
