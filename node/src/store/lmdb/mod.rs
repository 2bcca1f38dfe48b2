//! The stores on LMDB.
//!
//! Neither ever uses NOSYNC, which lets a power cut corrupt the file, nor WRITEMAP, which lets any stray
//! pointer do so. Both leave out the sync of the meta page, so that a power cut may take back the last transaction but
//! never more. [`LmdbLog`] says that a transaction is on the disk when that is so: when the next one has synced.

mod env;
mod generation;
mod growth;
mod log;
mod queue;
mod reader;
mod state;
mod sums;
mod tail;
mod transaction;
mod writer;

use std::path::Path;

pub use log::LmdbLog;
pub use state::LmdbState;

/// Whether there is a log, or a state, in this folder: each is named only once it is on the disk.
pub(super) fn has_begun(dir: &Path) -> bool {
    dir.join(env::DATA).exists() || dir.join(state::CURRENT).exists()
}
