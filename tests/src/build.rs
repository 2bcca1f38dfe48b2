//! Bringing a program of the workspace up to date, once for the whole test run.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the program is, after cargo has built this selection.
pub(crate) fn build(program: &str, selection: &[&str]) -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(workspace()).args(["build", "--quiet", "--bins"]);
    // What cargo told the test run about itself would have some build scripts run anew.
    let about_us = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| about_us(&name.to_string_lossy())) {
        build.env_remove(name);
    }
    let built = build.args(selection).status().expect("cargo runs");
    assert!(built.success(), "the program {program} builds");
    folder().join(format!("{program}{}", std::env::consts::EXE_SUFFIX))
}

/// The profile of this build, for a program that is to be built like it.
pub(crate) fn profile() -> String {
    let folder = folder();
    let name = folder.file_name().expect("it is target/*").to_string_lossy();
    // Cargo has its own word for the folder of this one alone.
    if name == "debug" { "dev".to_owned() } else { name.into_owned() }
}

/// Where cargo puts the programs of this build.
fn folder() -> PathBuf {
    let this = std::env::current_exe().expect("a program knows where it is");
    this.ancestors().nth(2).expect("cargo puts tests into target/*/deps").to_owned()
}

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is in the workspace")
}
