//! Which libraries are in the programs and in the page, and on what terms: most licences ask that they go along.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{entries, said, text};
use crate::command::workspace;

/// How files begin that state terms.
const TERMS: &[&str] = &["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// A library: what it is called, what it says its licence is, and where its sources lie.
struct Library {
    title: String,
    folder: PathBuf,
}

/// Each library by name, followed by each text of terms once, with the libraries that it came with.
pub(crate) fn with_terms() -> Result<String, String> {
    let mut libraries = of_the_programs()?;
    libraries.extend(of_the_page()?);
    let mut terms: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for library in &libraries {
        for text in terms_in(&library.folder)? {
            let with = terms.entry(text).or_default();
            if with.last() != Some(&library.title.as_str()) {
                with.push(&library.title);
            }
        }
    }
    let mut all = String::from("These libraries of others are in FIVE9sCHAT.\n\n");
    all.extend(libraries.iter().map(|library| format!("{}\n", library.title)));
    for (text, with) in terms {
        all.push_str(&format!("\n{}\n\n{}\n\n{}\n", "=".repeat(80), with.join("\n"), text.trim_end()));
    }
    Ok(all)
}

/// What cargo links in, ours aside.
fn of_the_programs() -> Result<Vec<Library>, String> {
    let tree = "tree --locked --package node --package five9schat --edges normal --prefix none --no-dedupe --format";
    let mut arguments: Vec<&str> = tree.split(' ').collect();
    arguments.push("{p}\t{l}");
    let mut lines: Vec<String> = said("cargo", &arguments)?.lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    let sources = registry()?;
    let mut libraries = Vec::new();
    for (package, licence) in lines.iter().filter_map(|line| line.split_once('\t')) {
        // Ours have a path behind the version, and those that run at build time only a word about it.
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else { continue };
        if package.contains(&format!("({}", workspace().display())) {
            continue;
        }
        let folder = format!("{name}-{}", version.trim_start_matches('v'));
        let folder = sources.iter().map(|sources| sources.join(&folder)).find(|folder| folder.is_dir());
        let folder = folder.ok_or_else(|| format!("the sources of {package} are not in cargo's folder"))?;
        libraries.push(Library { title: format!("{name} {version} ({licence})"), folder });
    }
    Ok(libraries)
}

/// Where cargo keeps the sources of what it builds.
fn registry() -> Result<Vec<PathBuf>, String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let sources = home.ok_or("there is no home folder to find cargo's in")?.join("registry/src");
    entries(&sources)
}

/// What the page is built from, and what that needs.
fn of_the_page() -> Result<Vec<Library>, String> {
    let ui = workspace().join("ui");
    let folders = said("npm", &["--prefix", &text(&ui), "ls", "--omit=dev", "--all", "--parseable"])?;
    let folders = folders.lines().map(PathBuf::from).filter(|folder| *folder != ui);
    let named = folders.map(|folder| {
        let name = text(&folder);
        let name = name.rsplit_once("node_modules/").map_or(name.as_str(), |(_, name)| name).to_owned();
        Library { title: format!("{name} (npm)"), folder }
    });
    Ok(named.collect())
}

/// The terms that lie beside the sources; some have none there, and only say what their licence is.
fn terms_in(folder: &Path) -> Result<Vec<String>, String> {
    let states_terms = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        file.is_file() && TERMS.iter().any(|terms| name.starts_with(terms))
    };
    let files = entries(folder)?.into_iter().filter(states_terms);
    let read = |file: PathBuf| fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()));
    files.map(|file| Ok(String::from_utf8_lossy(&read(file)?).into_owned())).collect()
}
