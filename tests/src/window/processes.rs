//! What the system tells about processes.

use std::fs;

use crate::process::{share_bytes, status};

/// All processes that this one started, and those that they started.
pub(super) fn descendants(process: u32) -> Vec<u32> {
    let mut found = vec![process];
    let all: Vec<(u32, u32)> = fs::read_dir("/proc")
        .expect("a Linux")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|id| Some((id, parent(id)?)))
        .collect();
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
        next += 1;
    }
    found.remove(0);
    found
}

/// The memory that is theirs, with their share of what they have in common with others (PSS).
pub fn memory_bytes(processes: &[u32]) -> u64 {
    processes.iter().map(|id| one_memory_bytes(*id)).sum()
}

/// Whether the process runs; one that has ended and was not noticed by its parent does not.
pub(super) fn runs(process: u32) -> bool {
    status(process, "State:").is_some_and(|state| !state.starts_with('Z'))
}

fn parent(process: u32) -> Option<u32> {
    status(process, "PPid:")?.parse().ok()
}

fn one_memory_bytes(process: u32) -> u64 {
    // One that has ended meanwhile has none.
    share_bytes(process).unwrap_or_default()
}
