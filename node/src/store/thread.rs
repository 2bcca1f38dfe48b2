//! Threads of their own, for what waits for a disk or takes long.

use std::thread::{Builder, JoinHandle};

use wire::blocking::while_others_go_on;

use super::StoreError;

/// Starts a thread that the system shows under this name; `what` says in a sentence what it is for.
pub(crate) fn start(
    name: &str,
    what: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    Builder::new().name(name.to_owned()).spawn(work).map_err(|error| StoreError::Io {
        action: "start",
        place: format!("the thread that {what}"),
        reason: error.to_string(),
    })
}

/// Waits for the end of a thread that was told to stop. That may take as long as its disk hangs.
pub(crate) fn end(thread: JoinHandle<()>) {
    let name = thread.thread().name().unwrap_or_default().to_owned();
    if while_others_go_on(|| thread.join()).is_err() {
        tracing::error!(name, "a thread panicked");
    }
}
