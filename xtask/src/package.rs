//! `cargo xtask package`: one .deb with the app, the node as `five9s-node`, and a systemd unit for users.
//!
//! Put together here and closed by `dpkg-deb`, not by Tauri's bundler: that is one more tool, from npm, that builds the
//! program its own way, takes what it depends on from a list kept by hand, and strips nothing. What is in the package is
//! this file and the folder `packaging`.

mod libraries;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::{Outcome, step, workspace};
use crate::desktop::{self, Desktop};

const NAME: &str = "five9schat";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Debian asks for a name and an address. Whoever builds the package has it from nobody else: mail about it stays on the machine.
const MAINTAINER: &str = "FIVE9sCHAT developers <root@localhost>";

/// (where it is below `target` once built, what it is called once installed). `node` is another program on many machines.
const PROGRAMS: &[(&str, &str)] = &[("release/five9schat", "usr/bin/five9schat"), ("dist/node", "usr/bin/five9s-node")];

/// (where it is in the sources, where it is once installed).
const FILES: &[(&str, &str)] = &[
    ("packaging/five9schat.desktop", "usr/share/applications/five9schat.desktop"),
    ("packaging/five9s-node.service", "usr/lib/systemd/user/five9s-node.service"),
    ("packaging/copyright", "usr/share/doc/five9schat/copyright"),
    ("src-tauri/icons/32x32.png", "usr/share/icons/hicolor/32x32/apps/five9schat.png"),
    ("src-tauri/icons/128x128.png", "usr/share/icons/hicolor/128x128/apps/five9schat.png"),
    ("src-tauri/icons/128x128@2x.png", "usr/share/icons/hicolor/256x256/apps/five9schat.png"),
    ("src-tauri/icons/icon.png", "usr/share/icons/hicolor/512x512/apps/five9schat.png"),
    ("src-tauri/icons/icon.svg", "usr/share/icons/hicolor/scalable/apps/five9schat.svg"),
];

/// Builds the window as `run` does, and the node for speed, and packs them.
pub(crate) fn package(arguments: &[String]) -> Outcome {
    if let Some(argument) = arguments.first() {
        return Err(format!("`package` takes no arguments, such as {argument}"));
    }
    for prepare in [desktop::prepare_window, desktop::build_page] {
        if let Desktop::Skipped(reason) = prepare()? {
            return Err(reason);
        }
    }
    // The node, too, though it is not packed: the window alone would have other features of the libraries, and all of them built anew.
    step("cargo", &["build", "--release", "--locked", "--package", "node", "--package", NAME])?;
    // The window waits for people; the node's speed is the chat's.
    step("cargo", &["build", "--profile", "dist", "--locked", "--package", "node"])?;
    let architecture = said("dpkg", &["--print-architecture"])?;
    let folder = workspace().join("target/package");
    // Where Debian's own tools expect it.
    let tree = folder.join("debian").join(NAME);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("cannot remove {}: {error}", folder.display()))?;
    }
    fill(&tree)?;
    write(&tree.join("DEBIAN/md5sums"), &md5sums(&tree)?)?;
    let depends = depends(&folder, &tree)?;
    write(&tree.join("DEBIAN/control"), &control(&architecture, &depends, installed_kib(&tree)?))?;
    let package = folder.join(format!("{NAME}_{VERSION}_{architecture}.deb"));
    // Whatever the umask of whoever builds it.
    step("chmod", &["-R", "u=rwX,go=rX", &text(&tree)])?;
    step("dpkg-deb", &["--build", "--root-owner-group", &text(&tree), &text(&package)])?;
    eprintln!("to install it: sudo apt install {}", package.display());
    println!("{}", package.display());
    Ok(())
}

/// Everything that will be installed, where it will be.
fn fill(tree: &Path) -> Outcome {
    for (built, installed) in PROGRAMS {
        let program = tree.join(installed);
        copy(&workspace().join("target").join(built), &program)?;
        step("strip", &["--strip-unneeded", "--remove-section=.comment", &text(&program)])?;
    }
    for (source, installed) in FILES {
        copy(&workspace().join(source), &tree.join(installed))?;
    }
    let doc = tree.join("usr/share/doc").join(NAME);
    let (libraries, changelog) = (doc.join("libraries"), doc.join("changelog"));
    write(&libraries, &libraries::with_terms()?)?;
    write(&changelog, &changes(&said("date", &["--rfc-email"])?))?;
    step("gzip", &["--best", "--no-name", &text(&libraries), &text(&changelog)])
}

/// The packages of the libraries that the programs are linked with, as Debian's own tool finds them.
fn depends(folder: &Path, tree: &Path) -> Result<String, String> {
    // It looks for the sources of a Debian package, of which this is as much as it wants to see.
    write(&folder.join("debian/control"), &format!("Source: {NAME}\n\nPackage: {NAME}\nArchitecture: any\n"))?;
    let programs: Vec<String> = PROGRAMS.iter().map(|(_, installed)| text(&tree.join(installed))).collect();
    let mut arguments = vec!["-O"];
    arguments.extend(programs.iter().map(String::as_str));
    let found = said_in(folder, "dpkg-shlibdeps", &arguments)?;
    found.strip_prefix("shlibs:Depends=").map(str::to_owned).ok_or_else(|| format!("dpkg-shlibdeps said {found:?}"))
}

/// Recommended, hence installed unless somebody says no: an icon beside the clock, links that open, pictures in text. The
/// app does without any of them.
fn control(architecture: &str, depends: &str, installed_kib: u64) -> String {
    format!(
        "\
Package: {NAME}
Version: {VERSION}
Architecture: {architecture}
Maintainer: {MAINTAINER}
Installed-Size: {installed_kib}
Depends: {depends}
Recommends: libayatana-appindicator3-1, xdg-utils, fonts-noto-color-emoji
Section: net
Priority: optional
Description: chat for the people in one place
 A chat for an office, a lab, a ship, a clinic: no server room, no internet, no
 owner machine. Any three computers run a small daemon, five9s-node, and the app
 finds them by itself. What was shown as stored is not lost, doubled or
 reordered, whichever machine dies.
"
    )
}

/// Debian wants to know when; what changed is in the repository.
fn changes(now: &str) -> String {
    format!("{NAME} ({VERSION}) unstable; urgency=medium\n\n  * Built from the sources.\n\n -- {MAINTAINER}  {now}\n")
}

/// A line for each file that will be installed.
fn md5sums(tree: &Path) -> Result<String, String> {
    let mut lines = String::new();
    for file in files(&tree.join("usr"))? {
        let sum = said("md5sum", &[&text(&file)])?;
        let sum = sum.split_whitespace().next().unwrap_or_default();
        let place = file.strip_prefix(tree).map_err(|error| error.to_string())?;
        lines.push_str(&format!("{sum}  {}\n", place.display()));
    }
    Ok(lines)
}

/// What it takes on a disk, counted as Debian does.
fn installed_kib(tree: &Path) -> Result<u64, String> {
    let mut kib = 0;
    for file in files(&tree.join("usr"))? {
        let about = fs::metadata(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        kib += about.len().div_ceil(1024);
    }
    Ok(kib)
}

/// All files below the folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// What is in the folder, in order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let listed =
        fs::read_dir(folder).and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    let mut paths: Vec<PathBuf> = listed.map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    paths.sort();
    Ok(paths)
}

fn copy(from: &Path, to: &Path) -> Outcome {
    make_folder_of(to)?;
    let copied = fs::copy(from, to).map(drop);
    copied.map_err(|error| format!("cannot copy {} to {}: {error}", from.display(), to.display()))
}

fn write(file: &Path, text: &str) -> Outcome {
    make_folder_of(file)?;
    fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

fn make_folder_of(file: &Path) -> Outcome {
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))
}

/// What the program says, without the line's end; why it fails, it says itself.
fn said(program: &str, arguments: &[&str]) -> Result<String, String> {
    said_in(&workspace(), program, arguments)
}

fn said_in(folder: &Path, program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    let said = command.args(arguments).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let said = said.map_err(|error| format!("cannot run {program}: {error}"))?;
    if said.status.success() {
        Ok(String::from_utf8_lossy(&said.stdout).trim_end().to_owned())
    } else {
        Err(format!("`{program} {}` failed ({})", arguments.join(" "), said.status))
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::{FILES, workspace};

    #[test]
    fn everything_that_is_packed_is_in_the_sources() {
        for (source, _) in FILES {
            assert!(workspace().join(source).is_file(), "{source}");
        }
    }
}
