//! `cargo xtask bench`: the figures, from an optimised build.

use crate::command::{Outcome, step};

/// Builds the daemon and the benchmark, and runs it. Arguments name the benchmarks to run.
pub(crate) fn bench(arguments: &[String]) -> Outcome {
    step("cargo", &["build", "--release", "--locked", "--package", "node"])?;
    let mut all = vec!["bench", "--locked", "--package", "tests", "--bench", "cluster", "--"];
    all.extend(arguments.iter().map(String::as_str));
    step("cargo", &all)
}
