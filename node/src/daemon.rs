//! The composition root: builds a node in order and knows everyone; no rules here.

use std::path::PathBuf;

use wire::Address;

/// How a daemon was asked to run.
#[derive(Clone, Debug)]
pub struct DaemonConfig {
    pub name: Option<String>,
    pub data_dir: Option<PathBuf>,
    pub listen: Vec<Address>,
    pub peers: Vec<Address>,
    pub expect: u32,
    pub join: Option<String>,
}

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
