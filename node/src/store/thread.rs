//! Threads of their own, for what waits for a disk or takes long.

use std::thread::{Builder, JoinHandle};

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
