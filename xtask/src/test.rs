//! `cargo xtask test`: every test there is.

use crate::command::{Outcome, THE_WINDOW, WITHOUT_THE_WINDOW, step};
use crate::desktop::{self, Desktop};

/// Runs all tests. Arguments are passed on to cargo; with any, only its tests are run.
pub(crate) fn test(arguments: &[String]) -> Outcome {
    let mut all = vec!["test", "--locked"];
    all.extend(WITHOUT_THE_WINDOW);
    all.extend(arguments.iter().map(String::as_str));
    step("cargo", &all)?;
    if !arguments.is_empty() {
        return Ok(());
    }
    match desktop::prepare_window()? {
        Desktop::Done => step("cargo", &[&["test", "--locked"], &THE_WINDOW[..]].concat())?,
        Desktop::Skipped(reason) => eprintln!("skipped, hence not passed: the tests of the window. {reason}"),
    }
    if let Desktop::Skipped(reason) = desktop::test_page()? {
        eprintln!("skipped, hence not passed: the desktop app's page. {reason}");
    }
    if let Desktop::Skipped(reason) = desktop::test_window()? {
        eprintln!("skipped, hence not passed: the desktop app in its window. {reason}");
    }
    Ok(())
}
