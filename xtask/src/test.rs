//! `cargo xtask test`: every test there is.

use crate::chaos;
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
    chaos::prepare();
    // Side by side: chaos waits most of the time, and the other builds.
    std::thread::scope(|scope| {
        let chaos = scope.spawn(chaos::a_few_minutes);
        let desktop = test_without_display();
        chaos.join().map_err(|_| "the chaos run cannot be waited for".to_owned())??;
        desktop
    })?;
    if let Desktop::Skipped(reason) = desktop::test_window()? {
        eprintln!("skipped, hence not passed: the desktop app in its window. {reason}");
    }
    Ok(())
}

/// The page, and what of the window needs no display.
fn test_without_display() -> Outcome {
    if let Desktop::Skipped(reason) = desktop::test_page()? {
        eprintln!("skipped, hence not passed: the desktop app's page. {reason}");
    }
    match desktop::prepare_window()? {
        Desktop::Done => step("cargo", &[&["test", "--locked"], &THE_WINDOW[..]].concat())?,
        Desktop::Skipped(reason) => eprintln!("skipped, hence not passed: the tests of the window. {reason}"),
    }
    Ok(())
}
