//! Namespaces for the whole run: what it does to networks and mounts nobody else sees, and all of its processes end with it.

use std::process::{Command, Stdio};

/// What has to be there besides the kernel.
const PROGRAMS: &[(&str, &str)] = &[("unshare", "util-linux"), ("nsenter", "util-linux"), ("ip", "iproute2")];

/// Runs this program again, inside. Whether all was well there.
#[expect(clippy::print_stdout, reason = "a program that people run")]
pub(crate) fn enter(arguments: &[String], may_skip: bool) -> Result<bool, String> {
    if let Err(reason) = possible() {
        if may_skip {
            println!("chaos: skipped, hence not passed: {reason}");
            return Ok(true);
        }
        return Err(reason);
    }
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut inside = unshare();
    let status = inside.arg("--").arg(this).args(arguments).arg("--inside").status();
    Ok(status.map_err(|error| format!("unshare cannot be run: {error}"))?.success())
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command
}

/// Whether this process is the machine's own root, or one in a namespace that may as much there.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn possible() -> Result<(), String> {
    for (program, package) in PROGRAMS {
        let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        let found = found.or_else(|_| Command::new(program).arg("-V").stdout(Stdio::null()).status());
        found.map_err(|_| format!("there is no {program} (on Debian: apt-get install {package})"))?;
    }
    let tried = unshare().arg("true").output().map_err(|error| format!("unshare cannot be run: {error}"))?;
    if !tried.status.success() {
        let why = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
        return Err(format!("this user gets no namespaces ({why}); root does"));
    }
    let tun = std::fs::File::options().read(true).write(true).open("/dev/net/tun");
    tun.map(drop).map_err(|error| format!("/dev/net/tun, of which networks are made, cannot be opened: {error}"))
}
