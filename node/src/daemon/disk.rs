//! How much a node's folder takes, and how much more it may.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::STATE_SIZE_MIN_MIB;
use crate::net::room::{Disk, LOW_BYTES};
use crate::store::log::EntryLog;
use crate::store::state::StateStore;

// The smallest state that may be asked for has room for something.
const _: () = assert!(STATE_SIZE_MIN_MIB << 20 >= LOW_BYTES + (16 << 20));

/// The folder, and the stores in it, which may be bounded by less than the disk.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) log: Arc<dyn EntryLog>,
    pub(super) state: Arc<dyn StateStore>,
}

/// What cannot be read counts as nothing used, and as nothing free.
impl Disk for Folder {
    fn used_bytes(&self) -> u64 {
        used(&self.path)
    }

    fn free_bytes(&self) -> u64 {
        free(&self.path).min(self.log.room_bytes()).min(self.state.room_bytes())
    }
}

/// What the files below take: LMDB's files are longer than what is in them.
fn used(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => used(&entry.path()),
        Ok(metadata) => taken(&metadata),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(unix)]
fn taken(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn taken(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}

#[cfg(unix)]
fn free(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Nobody is told in time there.
#[cfg(not(unix))]
fn free(_folder: &Path) -> u64 {
    u64::MAX
}
