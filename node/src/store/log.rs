//! Raft's log and the few small records that must be as durable as it, as bytes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::StoreError;

/// An entry as it lies on the disk and as it travels: encoded once, by `raft::entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    pub index: u64,
    pub bytes: Arc<[u8]>,
}

/// Called once the write is on the disk, or has failed.
pub type OnDisk = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// What the log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The first index that is still there; `last + 1` where the log is empty.
    pub first: u64,
    /// One past the last index.
    pub end: u64,
}

/// A log with one writer. Writes take effect, in memory and on the disk, in the order of the calls.
///
/// Nothing here waits for the disk: a write is visible to reads when the call returns and is on the
/// disk when its callback is called. Everything queued goes into one transaction and one sync.
pub trait EntryLog: Send + Sync + fmt::Debug + 'static {
    fn extent(&self) -> Extent;

    /// The entries of the range that the log holds, ascending, without holes; ends early (but not
    /// empty, if there is any) once they take `size_max_bytes`.
    fn read(&self, range: Range<u64>, size_max_bytes: usize) -> Result<Vec<StoredEntry>, StoreError>;

    /// Adds entries that follow on the last one.
    fn append(&self, entries: Vec<StoredEntry>, on_disk: OnDisk);

    /// Removes every entry from this index on. Durable before any later append is.
    fn truncate(&self, from: u64);

    /// Removes every entry before this index. Durable some time later.
    fn purge(&self, before: u64);

    /// A small record, such as `vote`. `on_disk` None: durable with the next write that is.
    fn put(&self, key: &'static str, value: Vec<u8>, on_disk: Option<OnDisk>);

    /// The small record as last put, on the disk or not.
    fn get(&self, key: &'static str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns when everything written so far is on the disk and the writer has stopped.
    fn close(&self);
}
