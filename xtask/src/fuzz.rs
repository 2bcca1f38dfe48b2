//! `cargo xtask fuzz`: the fuzz targets, in a build that counts where it runs.
//!
//! LLVM's coverage counters are options of a stable compiler, and only the workspace's own crates are worth counting in: so cargo is told
//! to call this very program in the compiler's place for those, and everything else stays as it was built before. Cargo keeps what is
//! compiled this way apart from the rest.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::command::{Outcome, WITHOUT_THE_WINDOW, step_with};

/// Set where this program is called in the compiler's place.
const IS_COMPILER: &str = "FIVE9S_COUNTS_COVERAGE";

/// One counter of a byte on each edge, in line.
const COUNTERS: [&str; 3] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=3",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
];

/// What counts: the product, and the targets with what they tell apart. Not what changes the inputs.
const COUNTING: [&str; 5] = ["chat", "wire", "client", "node", "tests"];

/// Runs targets: those that are named, or all. Other arguments are the fuzzer's own.
pub(crate) fn fuzz(arguments: &[String]) -> Outcome {
    let this = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let mut all = vec!["test", "--locked"];
    all.extend(WITHOUT_THE_WINDOW);
    all.extend(["--test", "fuzz", "--"]);
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        if argument.starts_with("--") {
            all.push(argument);
            // Each of them has a value, and --replay two.
            all.extend(rest.by_ref().take(if argument == "--replay" { 2 } else { 1 }));
        } else {
            all.extend(["--target", argument]);
        }
    }
    // Optimised a little: more takes minutes longer to build than it gains. The checks of an unoptimised build stay.
    let variables = [
        ("RUSTC_WORKSPACE_WRAPPER", this.as_os_str()),
        (IS_COMPILER, "1".as_ref()),
        ("CARGO_PROFILE_DEV_OPT_LEVEL", "1".as_ref()),
    ];
    step_with("cargo", &all, &variables)
}

/// Does the compiler's work, where cargo has called this program for that: the compiler and its arguments follow. None: it has not.
pub(crate) fn compile(arguments: &[String]) -> Option<ExitCode> {
    std::env::var_os(IS_COMPILER)?;
    let (compiler, rest) = arguments.split_first()?;
    if Path::new(compiler).file_stem()? != "rustc" {
        return None;
    }
    let mut compile = Command::new(compiler);
    compile.args(rest);
    let is_counting = rest.windows(2).any(|pair| pair[0] == "--crate-name" && COUNTING.contains(&pair[1].as_str()));
    // A program would need the other end of the counters, which the fuzzer has.
    if is_counting && !rest.iter().any(|argument| argument == "--test") {
        compile.args(COUNTERS);
    }
    match compile.status() {
        Ok(status) if status.success() => Some(ExitCode::SUCCESS),
        Ok(_) => Some(ExitCode::FAILURE),
        Err(error) => {
            eprintln!("xtask: cannot run {compiler}: {error}");
            Some(ExitCode::FAILURE)
        }
    }
}
