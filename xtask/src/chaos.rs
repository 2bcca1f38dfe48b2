//! `cargo xtask chaos`: real daemons and clients while things go wrong.

use crate::command::{Outcome, WITHOUT_THE_WINDOW, step};
use crate::desktop::{self, Desktop};

/// What makes networks and disks.
const PACKAGES: &[&str] = &["iproute2", "util-linux", "mount", "e2fsprogs"];

/// Runs it from an optimised build. Arguments are its own.
pub(crate) fn chaos(arguments: &[String]) -> Outcome {
    prepare();
    // Said at least once, so that what cannot be done here is an error.
    let mut all = vec!["test", "--locked", "--release"];
    all.extend(WITHOUT_THE_WINDOW);
    all.extend(["--test", "chaos", "--", "--minutes", "3"]);
    all.extend(arguments.iter().map(String::as_str));
    step("cargo", &all)
}

/// As a part of all tests: with what they are built with, and for as long as it says itself.
pub(crate) fn a_few_minutes() -> Outcome {
    let mut all = vec!["test", "--locked"];
    all.extend(WITHOUT_THE_WINDOW);
    all.extend(["--test", "chaos"]);
    step("cargo", &all)
}

/// Installs what it needs, where that is possible; what is missing after that it says itself.
pub(crate) fn prepare() {
    if let Ok(Desktop::Skipped(reason)) = desktop::packages(PACKAGES) {
        eprintln!("{reason}");
    }
}
