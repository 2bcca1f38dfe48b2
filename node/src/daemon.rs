//! The composition root: builds a node in order and knows everyone; no rules here.

use crate::config::DaemonConfig;

/// Why the daemon stopped, with the exit code that goes with it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct DaemonError {
    pub message: String,
    pub exit_code: u8,
}

/// Runs the daemon until it is told to stop.
pub fn run(_config: DaemonConfig) -> Result<(), DaemonError> {
    todo!()
}
