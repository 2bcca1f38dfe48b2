//! The desktop part: what it needs on this machine, its page, and its window.
//!
//! Everything else builds without npm and without WebKit. Where they are missing and cannot be installed, the desktop
//! part is reported as skipped, with the line that brings it: never as passed.

use std::io::IsTerminal;
use std::path::Path;
use std::time::SystemTime;

use crate::command::{Outcome, WITHOUT_THE_WINDOW, answers, output, step, workspace};

/// An older npm does not install what Vite brings for this kind of machine.
const NPM_MIN: u32 = 11;

/// What compiles the window.
const WINDOW_PACKAGES: &[&str] =
    &["libwebkit2gtk-4.1-dev", "libayatana-appindicator3-dev", "build-essential", "pkg-config"];

/// What drives the page in its tests, and shows it as people see it.
const BROWSER_PACKAGES: &[&str] = &["chromium", "fonts-noto-color-emoji", "fonts-noto-core"];

/// What shows the window in its tests, and drives it.
const DISPLAY_PACKAGES: &[&str] = &["webkit2gtk-driver", "xvfb", "dbus-daemon"];

/// What became of the desktop part.
pub(crate) enum Desktop {
    Done,
    /// Why not, and what to do about it.
    Skipped(String),
}

/// What the page is made of, in `ui`.
const PAGE_SOURCES: &[&str] =
    &["src", "public", "index.html", "package-lock.json", "svelte.config.js", "vite.config.ts"];

/// Builds the page into `ui/dist`, unless it is there as its sources are: the window is built anew after each time.
pub(crate) fn build_page() -> Result<Desktop, String> {
    if let Some(reason) = npm_is_missing() {
        return Ok(Desktop::Skipped(reason));
    }
    let ui = workspace().join("ui");
    let built = changed(&ui.join("dist/index.html"));
    if built.is_some() && PAGE_SOURCES.iter().all(|source| changed(&ui.join(source)) <= built) {
        return Ok(Desktop::Done);
    }
    install_page()?;
    npm(&["run", "build"])?;
    Ok(Desktop::Done)
}

/// When the file, or the file of the folder that was written last, was written. None: it is not there.
fn changed(path: &Path) -> Option<SystemTime> {
    let own = path.metadata().and_then(|file| file.modified()).ok();
    let inside = std::fs::read_dir(path).into_iter().flatten().flatten();
    inside.filter_map(|entry| changed(&entry.path())).max().max(own)
}

/// Types and unit tests, and whether the page can be built.
pub(crate) fn test_page() -> Result<Desktop, String> {
    if let Some(reason) = npm_is_missing() {
        return Ok(Desktop::Skipped(reason));
    }
    install_page()?;
    npm(&["run", "check"])?;
    npm(&["test"])?;
    npm(&["run", "build"])?;
    Ok(Desktop::Done)
}

/// The page with its fake back end, in a real browser.
pub(crate) fn walk_page() -> Result<Desktop, String> {
    if let Some(reason) = npm_is_missing() {
        return Ok(Desktop::Skipped(reason));
    }
    if let Desktop::Skipped(reason) = packages(BROWSER_PACKAGES)? {
        return Ok(Desktop::Skipped(reason));
    }
    install_page()?;
    npm(&["run", "e2e"])?;
    Ok(Desktop::Done)
}

/// The app in its real window. The tests build it themselves.
pub(crate) fn test_window() -> Result<Desktop, String> {
    let prepared = prepare_to_drive()?;
    if matches!(prepared, Desktop::Done) {
        let mut test = vec!["test", "--locked"];
        test.extend(WITHOUT_THE_WINDOW);
        // Each has three nodes and two windows: side by side, more of them would only wait for each other.
        test.extend(["--test", "window", "--", "--test-threads", "2"]);
        step("cargo", &test)?;
    }
    Ok(prepared)
}

/// Makes sure that the window can be built, and driven on a display of its own.
pub(crate) fn prepare_to_drive() -> Result<Desktop, String> {
    for prepare in [prepare_window, || packages(DISPLAY_PACKAGES), build_page] {
        if let Desktop::Skipped(reason) = prepare()? {
            return Ok(Desktop::Skipped(reason));
        }
    }
    Ok(Desktop::Done)
}

/// Makes sure that the window can be compiled.
pub(crate) fn prepare_window() -> Result<Desktop, String> {
    packages(WINDOW_PACKAGES)
}

fn npm_is_missing() -> Option<String> {
    let version = output("npm", &["--version"]).unwrap_or_default();
    let major: Option<u32> = version.trim().split('.').next().and_then(|number| number.parse().ok());
    let wanted =
        format!("Node.js 20.19 or newer with npm {NPM_MIN} or newer is needed for the desktop app: https://nodejs.org");
    major.is_none_or(|major| major < NPM_MIN).then_some(wanted)
}

/// Installs what the lock file names, unless that is there. Scripts of packages are not run: nothing of ours needs one.
fn install_page() -> Outcome {
    let ui = workspace().join("ui");
    let installed = changed(&ui.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= changed(&ui.join("package-lock.json")) {
        return Ok(());
    }
    npm(&["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
}

fn npm(arguments: &[&str]) -> Outcome {
    let mut all = vec!["--prefix", "ui"];
    all.extend(arguments);
    step("npm", &all)
}

/// Installs those of Debian's packages that are missing: as root at once; else through sudo, which asks for itself, but
/// only where there is a person to ask.
pub(crate) fn packages(wanted: &[&'static str]) -> Result<Desktop, String> {
    let missing: Vec<&str> = wanted.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(Desktop::Done);
    }
    let mut install = vec!["apt-get", "install", "--yes", "--no-install-recommends"];
    install.extend(&missing);
    let line = format!("sudo {}", install.join(" "));
    if !answers("apt-get", &["--version"]) {
        return Ok(Desktop::Skipped(format!("{} must be installed (on Debian: {line})", missing.join(", "))));
    }
    let installed = if output("id", &["-u"]).is_some_and(|user| user.trim() == "0") {
        step("apt-get", &["update"]).and_then(|()| step(install[0], &install[1..]))
    } else if std::io::stdin().is_terminal() && answers("sudo", &["--version"]) {
        eprintln!("This needs {}. sudo may ask for your password.", missing.join(", "));
        step("sudo", &["apt-get", "update"]).and_then(|()| step("sudo", &install))
    } else {
        return Ok(Desktop::Skipped(format!("run this first: {line}")));
    };
    // Without a network, say: everything but the desktop part works all the same.
    Ok(installed
        .map_or_else(|reason| Desktop::Skipped(format!("{reason}; run this first: {line}")), |()| Desktop::Done))
}

fn is_installed(package: &str) -> bool {
    output("dpkg-query", &["--show", "--showformat=${db:Status-Status}", package]).as_deref() == Some("installed")
}
