//! What a node keeps on its disk, without knowing what it means.
//!
//! Two environments, because LMDB has one writer in each and an append must never wait behind an
//! apply: `log` (Raft's log and vote; synced before anybody is told, group commit on one thread, in a journal) and `state` (the
//! application's tables; what the disk does not have of them yet, the log has). Each is a trait with two
//! implementations: [`lmdb`] and an in-memory twin ([`memory`]) for tests and simulation. Over either kind
//! of tables lies [`memtable`], which has the latest changes, and writes them together.

mod file;
pub mod folder;
pub mod lmdb;
pub mod log;
pub mod memory;
pub mod memtable;
pub mod record;
pub mod state;
pub(crate) mod thread;

use std::io;
use std::path::Path;

/// The disk, or what is on it, cannot be trusted. There is one way to go on from any of these: the
/// node stops, says so in one sentence, and touches nothing more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error(
        "{what} in {place} is damaged; nothing was changed. Restore this node's data folder from another disk, or remove the folder and let the node join anew."
    )]
    Damaged { place: String, what: String },
    #[error(
        "the state of this node is not what the others have: it differed at entry {index}. It serves nothing any more. Remove its data folder and let the node join anew."
    )]
    Differs { index: u64 },
    #[error(
        "{place} was written by a newer version ({found}, this is {known}); nothing was changed. Run the newer version."
    )]
    Newer { place: String, found: u32, known: u32 },
    #[error("{0} is in use by another process.")]
    InUse(String),
    #[error("{place} belongs to another cluster ({found}); this is {expected}. Nothing was changed.")]
    Foreign { place: String, found: String, expected: String },
    #[error("the disk of {place} is full; free some space and start the node again.")]
    Full { place: String },
    #[error("cannot {action} {place}: {reason}")]
    Io { action: &'static str, place: String, reason: String },
}

impl StoreError {
    fn no_table(table: state::Table) -> Self {
        let reason = "no such table was declared".to_owned();
        Self::Io { action: "find", place: table.0.to_owned(), reason }
    }

    /// What a failed call to the operating system means.
    fn io(action: &'static str, path: &Path, error: &io::Error) -> Self {
        let place = path.display().to_string();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full { place }
            }
            _ => Self::Io { action, place, reason: error.to_string() },
        }
    }
}
