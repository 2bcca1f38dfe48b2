//! Rules about the sources that no compiler knows: which module may name which, and which versions
//! must never come back into Cargo.lock.
//!
//! Text is compared, so this is a signpost and no wall; the walls are the crates themselves.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Outcome, workspace};

/// (where, what must not be named there). The layering of ARCHITECTURE.md, as data.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "chat/src",
        &["tokio", "rand::", "HashMap", "HashSet", "SystemTime", "Instant", "std::fs", "std::net", "std::env"],
    ),
    ("wire/src", &["openraft", "heed"]),
    ("wire/src/message.rs", &["libp2p", "tokio"]),
    ("wire/src/codec", &["libp2p"]),
    ("client/src", &["openraft", "heed", "node::", "tauri", "libp2p::"]),
    ("node/src", &["tauri"]),
    ("node/src/raft", &["chat::", "heed", "crate::app", "crate::api", "crate::net", "crate::cli", "client::"]),
    (
        "node/src/store",
        &[
            "libp2p",
            "openraft",
            "chat::",
            "wire::message",
            "crate::raft",
            "crate::app",
            "crate::net",
            "crate::api",
            "client::",
        ],
    ),
    ("node/src/app", &["openraft", "heed", "libp2p", "crate::net", "crate::api", "client::"]),
    ("node/src/api", &["openraft", "heed", "libp2p", "client::"]),
    ("node/src/net", &["openraft", "heed", "client::"]),
    ("node/src/formation", &["openraft", "heed", "client::"]),
    ("node/src/autopilot.rs", &["openraft", "heed", "tokio", "Instant::now"]),
    ("node/src/cli", &["openraft", "heed", "libp2p", "crate::raft", "crate::store", "crate::app"]),
    ("client/src/failover.rs", &["tokio", "Instant", "rand::"]),
    ("src-tauri/src", &["client::", "node::", "wire::", "chat::", "libp2p", "openraft", "heed"]),
    ("src-tauri/api/src", &["openraft", "heed", "node::", "wire::", "chat::", "libp2p", "tauri::"]),
    ("src-tauri/bridge/src", &["client::", "node::", "wire::", "chat::", "libp2p", "openraft", "heed", "tauri::"]),
    ("xtask/src", &["extern crate"]),
];

/// (package, the first version that is fine; None: none is) and why. cargo-deny holds the same list;
/// here it holds on a machine that does not have it.
const BANS: &[(&str, Option<[u32; 3]>, &str)] = &[
    ("yamux", Some([0, 13, 10]), "one frame makes it panic (CVE-2026-32314)"),
    ("libp2p", Some([0, 57, 0]), "pulls in such a yamux"),
    ("bincode", None, "unmaintained (RUSTSEC-2025-0141)"),
    ("libp2p-gossipsub", None, "three advisories in 2026, and not needed"),
];

/// Fails with every breach, as `file:line`.
pub(crate) fn check() -> Outcome {
    let mut breaches = Vec::new();
    for (place, words) in LAYERS {
        let files = sources(&workspace().join(place));
        // A rule about a place that has moved would hold for ever.
        if files.is_empty() {
            breaches.push(format!("xtask/src/tidy.rs: there is nothing at {place}"));
        }
        for file in files {
            look_for(words, &file, &mut breaches);
        }
    }
    breaches.extend(banned(&read(&workspace().join("Cargo.lock"))));
    if breaches.is_empty() {
        eprintln!("tidy: the layers and the bans hold");
        Ok(())
    } else {
        Err(format!("tidy found {} breaches:\n{}", breaches.len(), breaches.join("\n")))
    }
}

fn look_for(words: &[&str], file: &Path, breaches: &mut Vec<String>) {
    for (number, line) in read(file).lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for word in words.iter().filter(|word| names(code, word)) {
            breaches.push(format!("{}:{}: must not name `{word}`: {}", file.display(), number + 1, line.trim()));
        }
    }
}

/// Whether the code has the word, standing by itself at its start: not as the end of a longer word, nor as
/// a module of some other path.
fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '"' | ':'))
    })
}

/// The Rust files at or below the place; a place that is `name` may also be `name.rs`.
fn sources(place: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let file = place.with_extension("rs");
    if place.is_file() {
        found.push(place.to_owned());
    } else if file.is_file() {
        found.push(file);
    }
    let Ok(entries) = fs::read_dir(place) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found.dedup();
    found
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

/// The banned packages that the lock file has.
fn banned(lock: &str) -> Vec<String> {
    let mut found = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let name = field(package, "name");
        let version = field(package, "version");
        for (banned, fine_from, why) in BANS.iter().filter(|(banned, ..)| *banned == name) {
            if fine_from.is_none_or(|fine| parts(&version) < fine) {
                found.push(format!("Cargo.lock: {banned} {version}: {why}"));
            }
        }
    }
    found
}

fn field(package: &str, name: &str) -> String {
    let start = format!("{name} = \"");
    let line = package.lines().find_map(|line| line.strip_prefix(start.as_str()));
    line.unwrap_or_default().trim_end_matches('"').to_owned()
}

fn parts(version: &str) -> [u32; 3] {
    let mut numbers = version.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{banned, check, names};

    #[test]
    fn the_layers_and_the_bans_hold() {
        if let Err(breaches) = check() {
            panic!("{breaches}");
        }
    }

    #[test]
    fn a_breach_is_seen_and_a_longer_word_is_none() {
        assert!(names("use heed::Env;", "heed"));
        assert!(!names("let unheeded = 1;", "heed"));
        assert!(!names("use wire::transport::libp2p::Libp2p;", "libp2p::"));
        assert!(names("let name: chat::Name;", "chat::"));
    }

    #[test]
    fn an_old_yamux_and_any_bincode_are_seen() {
        let lock = "[[package]]\nname = \"yamux\"\nversion = \"0.12.1\"\n\n[[package]]\nname = \"bincode\"\nversion = \"2.0.0\"\n";
        assert_eq!(banned(lock).len(), 2);
        assert!(banned("[[package]]\nname = \"yamux\"\nversion = \"0.14.1\"\n").is_empty());
    }
}
