//! The histories that the processes of a run leave, as one.

use std::fs;
use std::path::Path;

use tests::history::Event;

/// What a process took down that may have been killed while it wrote.
pub(crate) fn of_killed(path: &Path) -> Result<Vec<Event>, String> {
    let text = fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let text = String::from_utf8_lossy(&text);
    // What does not end in a new line was not written to its end.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let events = whole.lines().map(serde_json::from_str).collect::<Result<Vec<Event>, _>>();
    events.map_err(|error| format!("{} is no history: {error}", path.display()))
}

/// All events of all files, in the order in which they happened.
pub(crate) fn merged(folder: &Path) -> Result<Vec<Event>, String> {
    let failed = |error| format!("{} cannot be read: {error}", folder.display());
    let mut events = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            events.extend(of_killed(&path)?);
        }
    }
    // Stable: within a process the order is that of its file.
    events.sort_by_key(|event| event.at_ns);
    Ok(events)
}
