//! `cargo xtask test`: every test there is.

use crate::command::{Outcome, step};

/// Runs all tests. Arguments are passed on to cargo.
pub(crate) fn test(arguments: &[String]) -> Outcome {
    let mut all = vec!["test", "--workspace", "--locked"];
    all.extend(arguments.iter().map(String::as_str));
    step("cargo", &all)
}
