//! What the log drives. Raft knows nothing more about the application than this.

use bytes::Bytes;

use crate::stages::Stages;
use crate::store::StoreError;
use crate::store::state::{Row, Table};

/// A committed entry for the application.
pub struct Committed {
    pub index: u64,
    pub term: u64,
    /// The command; None for the entries that are Raft's own business.
    pub command: Option<Bytes>,
    /// Takes the reply, if somebody waits for it on this node.
    pub respond: Option<Box<dyn FnOnce(Bytes) + Send>>,
}

impl std::fmt::Debug for Committed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Committed").field("index", &self.index).finish_non_exhaustive()
    }
}

/// Entries to be applied, in the order of the log.
pub trait Entries {
    /// The next ones, waiting for them if need be; None where there are no more. To be asked until then.
    fn next(&mut self) -> Option<Vec<Committed>>;

    /// Raft's own record of what has been applied, once all that `next` returned is.
    fn applied(&self) -> Vec<u8>;
}

/// A state machine of bytes. All its calls may block on a disk; Raft makes them off its own threads,
/// one at a time, but for `sync`, which may be beside another. An error stops the node: a replica that cannot apply must not vote as if it had.
pub trait Application: Send + Sync + 'static {
    /// Raft's own record of what has been applied, as it was last stored with what was applied or installed.
    fn applied(&self) -> Result<Option<Vec<u8>>, StoreError>;

    /// Where it is taken down how long what takes; nowhere, unless it says so.
    fn stages(&self) -> Stages {
        Stages::default()
    }

    /// Applies all the entries in order, and stores their `applied` with them, in one transaction. A reply may be given before the transaction is committed (its entry is on a majority's
    /// disks already); whatever others can see follows the commit.
    fn apply(&self, entries: &mut dyn Entries) -> Result<(), StoreError>;

    /// Everything applied before it was called survives the loss of power, so the log up to there may go. Returns
    /// Raft's record of it.
    fn sync(&self) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether there is room on the disk for what one could do without.
    fn has_room(&self) -> bool {
        true
    }

    /// The state as it is now, for a node that is behind.
    fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Somewhere to put a snapshot that arrives. Nothing changes until it is installed.
    fn receive(&self) -> Result<Box<dyn SnapshotWrite>, StoreError>;
}

/// The state of one moment, with the `applied` that goes with it.
pub type Snapshot = (Option<Vec<u8>>, Box<dyn SnapshotRead>);

/// A snapshot being read: the rows of one moment, however long the reading takes.
pub trait SnapshotRead: Send {
    /// The next rows, at most about `size_max_bytes`; empty at the end.
    fn next(&mut self, size_max_bytes: usize) -> Result<Vec<(Table, Row)>, StoreError>;
}

/// A snapshot being received. Dropped without `install`, it is as if it had never come.
pub trait SnapshotWrite: Send {
    /// Takes the next rows, by the name of their table; an unknown table is an error.
    fn fill(&mut self, rows: Vec<(String, Row)>) -> Result<(), StoreError>;

    /// Puts the snapshot in the place of the state, atomically, with `applied`.
    fn install(self: Box<Self>, applied: &[u8]) -> Result<(), StoreError>;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// All there is, at once.
    pub(crate) struct Whole {
        entries: Option<Vec<Committed>>,
        applied: Vec<u8>,
    }

    impl Whole {
        pub(crate) fn new(entries: Vec<Committed>, applied: &[u8]) -> Self {
            Self { entries: Some(entries), applied: applied.to_vec() }
        }
    }

    impl Entries for Whole {
        fn next(&mut self) -> Option<Vec<Committed>> {
            self.entries.take()
        }

        fn applied(&self) -> Vec<u8> {
            self.applied.clone()
        }
    }
}
