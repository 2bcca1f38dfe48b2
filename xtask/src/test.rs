//! `cargo xtask test`: every test there is.

use crate::command::{Outcome, WITHOUT_THE_WINDOW, step};

/// Runs all tests. Arguments are passed on to cargo.
pub(crate) fn test(arguments: &[String]) -> Outcome {
    let mut all = vec!["test", "--locked"];
    all.extend(WITHOUT_THE_WINDOW);
    all.extend(arguments.iter().map(String::as_str));
    step("cargo", &all)
}
