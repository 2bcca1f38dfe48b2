//! The stores on LMDB.
//!
//! Neither ever uses NOSYNC, which lets a power cut corrupt the file, nor WRITEMAP, which lets any stray
//! pointer do so. [`LmdbLog`] syncs a journal, and files that in its tables later; [`LmdbState`] leaves out the sync of the meta page, so
//! that a power cut may take back the last transaction but never more.

mod env;
mod filing;
mod generation;
mod growth;
mod journal;
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
