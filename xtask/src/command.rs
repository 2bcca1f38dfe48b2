//! Running other programs, in the open.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What went wrong, as one sentence.
pub(crate) type Outcome = Result<(), String>;

/// Everything that needs neither WebKit nor npm. The window does, so it is asked for by its name.
pub(crate) const WITHOUT_THE_WINDOW: [&str; 3] = ["--workspace", "--exclude", "five9schat"];

/// The window, for itself. Together with the rest, in one go, a fifth fewer libraries would be built from a cold start; but
/// then everything that is built without WebKit, by hand or by the tests themselves, would build them once more.
pub(crate) const THE_WINDOW: [&str; 2] = ["--package", "five9schat"];

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let mut here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.pop();
    here
}

/// Prints the command, runs it in the workspace's folder, and fails where it fails.
pub(crate) fn step(program: &str, arguments: &[&str]) -> Outcome {
    step_with(program, arguments, &[])
}

/// The same with variables in its environment.
pub(crate) fn step_with(program: &str, arguments: &[&str], variables: &[(&str, &OsStr)]) -> Outcome {
    let set: String = variables.iter().map(|(name, value)| format!("{name}={} ", value.display())).collect();
    eprintln!("$ {set}{program} {}", arguments.join(" "));
    let status = as_typed(program)
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(workspace())
        .status()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{program} {}` failed ({status})", arguments.join(" "))) }
}

/// A program as a person starts it. What cargo told this program about itself must not reach the cargo that it starts: some build
/// scripts look at these, and would run anew each time that a person types the command without xtask.
pub(crate) fn as_typed(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_about_xtask(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
}

fn is_about_xtask(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

/// What the program says on its standard output; None where it is missing or fails.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the program is there and answers to these arguments.
pub(crate) fn answers(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
