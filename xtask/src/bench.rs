//! `cargo xtask bench`: the figures, from builds as they are packaged.

use crate::command::{Outcome, WITHOUT_THE_WINDOW, step};
use crate::desktop::{self, Desktop};

/// Builds the benchmark and runs it; it brings the daemon up to date itself. Arguments name the benchmarks to run.
pub(crate) fn bench(arguments: &[String]) -> Outcome {
    let is_of_the_window = arguments.iter().any(|argument| argument == "ui");
    // Each as it is packaged.
    let profile = if is_of_the_window { "release" } else { "dist" };
    if is_of_the_window && let Desktop::Skipped(reason) = desktop::prepare_to_drive()? {
        return Err(format!("skipped, hence not measured: {reason}"));
    }
    let mut all = vec!["bench", "--locked", "--profile", profile];
    all.extend(WITHOUT_THE_WINDOW);
    all.extend(["--bench", "figures", "--"]);
    all.extend(arguments.iter().map(String::as_str));
    step("cargo", &all)
}
