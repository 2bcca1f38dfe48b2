//! `cargo xtask mutants`: do the simulation and the crash states find what they are there to find?
//!
//! Each mutant is a mistake that somebody could make, planted in a copy of the sources. The copy is built and tried, seed after seed or
//! state after state, until a promise breaks. A mutant that outlives them all shows a hole in the harness, or in what is checked.

mod planted;

use std::fs;
use std::path::Path;

use crate::command::{Outcome, WITHOUT_THE_WINDOW, as_typed, workspace};
use planted::{Harness, MUTANTS, Mutant};

/// How many seeds a mutant has to outlive.
const SEEDS: &str = "0..200";

/// Or how many states that a power cut may leave.
const STATES: &str = "1000";

/// What the copy does without: what was built, and what is not Rust.
const LEFT_OUT: &[&str] = &["target", "fuzz/target", "ui/node_modules", "ui/dist", "ui/screenshots", ".git", "run"];

/// Where mutants live, in the folder of what is built.
const HOME: &str = "target/mutants";

/// Plants each mutant in its turn, or those that are named, and says what found it.
pub(crate) fn mutants(names: &[String]) -> Outcome {
    if let Some(unknown) = names.iter().find(|name| MUTANTS.iter().all(|mutant| mutant.name != **name)) {
        let known: Vec<_> = MUTANTS.iter().map(|mutant| mutant.name).collect();
        return Err(format!("there is no mutant {unknown}; there are: {}", known.join(", ")));
    }
    let home = workspace().join(HOME);
    let copy = home.join("source");
    mirror(&workspace(), &copy)?;
    eprintln!("without a mutant");
    for (harness, few) in [(Harness::Simulation, "0..10"), (Harness::CrashStates, "100")] {
        if let Some(found) = try_out(&home, &copy, harness, few)? {
            return Err(format!("{harness:?} finds something where nothing is planted:\n{found}"));
        }
    }
    let mut alive = Vec::new();
    for mutant in MUTANTS.iter().filter(|mutant| names.is_empty() || names.iter().any(|name| name == mutant.name)) {
        eprintln!("{}: {}", mutant.name, mutant.what);
        plant(mutant, &copy)?;
        let many = match mutant.found_by {
            Harness::Simulation => SEEDS,
            Harness::CrashStates => STATES,
        };
        let found = try_out(&home, &copy, mutant.found_by, many)?;
        mirror(&workspace(), &copy)?;
        match found {
            Some(found) => eprintln!("  found: {found}"),
            None => {
                eprintln!("  NOT found by {:?} in {many}", mutant.found_by);
                alive.push(mutant.name);
            }
        }
    }
    if alive.is_empty() { Ok(()) } else { Err(format!("not found: {}", alive.join(", "))) }
}

/// Makes the copy what the original is. Files that are so already are left alone, or cargo would build them again.
fn mirror(from: &Path, to: &Path) -> Outcome {
    let failed = |error| format!("{} cannot be copied: {error}", from.display());
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if LEFT_OUT.iter().any(|left_out| path == workspace().join(left_out)) {
            continue;
        }
        let copy = to.join(entry.file_name());
        if path.is_dir() {
            mirror(&path, &copy)?;
        } else if fs::read(&path).ok() != fs::read(&copy).ok() {
            fs::copy(&path, &copy).map_err(failed)?;
        }
    }
    Ok(())
}

fn plant(mutant: &Mutant, copy: &Path) -> Outcome {
    for (file, find, plant) in mutant.edits {
        let path = copy.join(file);
        let source = fs::read_to_string(&path).map_err(|error| format!("{file} cannot be read: {error}"))?;
        if source.matches(find).count() != 1 {
            return Err(format!("{}: {file} does not have exactly one `{find}` any more", mutant.name));
        }
        fs::write(&path, source.replace(find, plant)).map_err(|error| format!("{file} cannot be written: {error}"))?;
    }
    Ok(())
}

/// What the harness finds first, in a line or two; None: nothing.
fn try_out(home: &Path, copy: &Path, harness: Harness, many: &str) -> Result<Option<String>, String> {
    let (test, arguments) = match harness {
        Harness::Simulation => ("sim", vec!["--", "--seeds", many, "--until-found"]),
        Harness::CrashStates => ("crash", vec!["--", "--states", many, "--damages", "0", "--kills", "0"]),
    };
    let cargo = |also: &[&str]| {
        let mut cargo = as_typed("cargo");
        cargo.current_dir(copy).env("CARGO_TARGET_DIR", home.join("target"));
        // A mutant may leave something unused.
        cargo.args(["test", "--locked", "--quiet"]).args(WITHOUT_THE_WINDOW).args(["--test", test]).args(also);
        cargo.output().map_err(|error| format!("cannot run cargo: {error}"))
    };
    let built = cargo(&["--no-run"])?;
    if !built.status.success() {
        return Err(format!("it cannot be built:\n{}", String::from_utf8_lossy(&built.stderr)));
    }
    let ran = cargo(&arguments)?;
    if ran.status.success() {
        return Ok(None);
    }
    let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
    let tell = |line: &&str| {
        ["I", "seed", "state "].iter().any(|start| line.trim_start().starts_with(start)) || line.contains("NOT clean")
    };
    let lines: Vec<_> =
        printed.lines().filter(tell).take(3).map(|line| line.chars().take(240).collect::<String>()).collect();
    if lines.is_empty() {
        // It was stopped by something else: that finds nothing.
        let said = printed + &String::from_utf8_lossy(&ran.stderr);
        let last: Vec<_> = said.lines().rev().take(20).collect();
        return Err(format!(
            "{harness:?} ends without a finding:\n{}",
            last.into_iter().rev().collect::<Vec<_>>().join("\n")
        ));
    }
    Ok(Some(lines.join("\n         ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_can_still_be_planted() {
        for mutant in MUTANTS {
            for (file, find, plant) in mutant.edits {
                let source = fs::read_to_string(workspace().join(file)).expect("the file of a mutant");
                assert_eq!(source.matches(find).count(), 1, "{}: {file}: {find}", mutant.name);
                assert_ne!(find, plant, "{}", mutant.name);
            }
        }
    }
}
