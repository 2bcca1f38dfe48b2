//! What a client starts from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wire::{Address, Transport};

use crate::Access;

/// How to open a client.
pub struct Config {
    /// Where the client keeps its state: keys, sessions, the outbox. Made if missing, for its owner's eyes only. Several
    /// processes may use it at once.
    pub profile_dir: PathBuf,
    /// The folder in which the nodes of this machine leave word of themselves (`nodes/*.json` in it).
    pub runtime_dir: PathBuf,
    pub access: Access,
    /// Where to begin to look for nodes; the client learns of the others.
    pub seeds: Vec<Address>,
    /// Whether to look around by mDNS.
    pub mdns: bool,
    /// For tests. None: libp2p, listening to nobody.
    pub transport: Option<Arc<dyn Transport>>,
    /// How long a call may take from end to end.
    pub deadline: Duration,
}

impl Config {
    /// How long a call may take, unless told otherwise.
    pub const DEADLINE: Duration = Duration::from_secs(10);

    /// With what the profile remembers, mDNS, no seeds, and the usual deadline.
    pub fn new(profile_dir: PathBuf, runtime_dir: PathBuf) -> Self {
        Self {
            profile_dir,
            runtime_dir,
            access: Access::remembered(),
            seeds: Vec::new(),
            mdns: true,
            transport: None,
            deadline: Self::DEADLINE,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("profile_dir", &self.profile_dir)
            .field("runtime_dir", &self.runtime_dir)
            .field("seeds", &self.seeds)
            .field("mdns", &self.mdns)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
