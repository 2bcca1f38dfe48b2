//! `cargo xtask check`: what a reviewer should not have to look for. Never writes to a source file.

use crate::command::{Outcome, THE_WINDOW, WITHOUT_THE_WINDOW, answers, step};
use crate::desktop::{self, Desktop};
use crate::tidy;

/// Formatting, layering, lints, and (where cargo-deny is installed) licences and bans. The bans that
/// matter most are held by `tidy` as well, from Cargo.lock, so that they hold on every machine.
pub(crate) fn check(_arguments: &[String]) -> Outcome {
    step("cargo", &["fmt", "--all", "--check"])?;
    tidy::check()?;
    lints(&WITHOUT_THE_WINDOW)?;
    match desktop::prepare_window()? {
        Desktop::Done => lints(&THE_WINDOW)?,
        Desktop::Skipped(reason) => eprintln!("skipped, hence not passed: the lints of the window. {reason}"),
    }
    if answers("cargo", &["deny", "--version"]) {
        step("cargo", &["deny", "--offline", "check", "licenses", "bans", "sources"])
    } else {
        eprintln!("skipped: cargo deny (not installed; `cargo install --locked cargo-deny` brings it)");
        Ok(())
    }
}

fn lints(selection: &[&str]) -> Outcome {
    let mut all = vec!["clippy", "--locked"];
    all.extend(selection);
    all.extend(["--all-targets", "--", "--deny", "warnings"]);
    step("cargo", &all)
}
