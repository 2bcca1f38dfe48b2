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
/// disk when its callback is called. Everything queued goes there together.
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

    /// How much more the log may take, whatever its disk has room for.
    fn room_bytes(&self) -> u64;

    /// Returns when everything written so far is on the disk and the writer has stopped.
    fn close(&self);
}

#[cfg(test)]
pub(super) mod tests {
    //! What every log must keep, whatever it is made of.

    use std::sync::mpsc;

    use super::*;

    pub(in crate::store) fn entry(index: u64) -> StoredEntry {
        StoredEntry { index, bytes: format!("entry {index}").into_bytes().into() }
    }

    /// Appends and waits until it is on the disk.
    pub(in crate::store) fn append(log: &dyn EntryLog, range: Range<u64>) {
        let (sender, receiver) = mpsc::channel();
        log.append(range.map(entry).collect(), Box::new(move |result| sender.send(result).unwrap()));
        receiver.recv().unwrap().unwrap();
    }

    /// Puts and waits until it is on the disk.
    pub(in crate::store) fn put(log: &dyn EntryLog, key: &'static str, value: &str) {
        let (sender, receiver) = mpsc::channel();
        log.put(key, value.into(), Some(Box::new(move |result| sender.send(result).unwrap())));
        receiver.recv().unwrap().unwrap();
    }

    /// Everything in the log, checked for its contents.
    pub(in crate::store) fn indexes(log: &dyn EntryLog) -> Vec<u64> {
        let entries = log.read(0..u64::MAX, usize::MAX).unwrap();
        for found in &entries {
            assert_eq!(*found, entry(found.index));
        }
        let indexes = entries.iter().map(|entry| entry.index).collect::<Vec<_>>();
        let Extent { first, end } = log.extent();
        assert_eq!(indexes, (first..end).collect::<Vec<_>>());
        indexes
    }

    pub(in crate::store) fn keeps_its_promises(log: &dyn EntryLog) {
        assert_eq!(log.extent(), Extent { first: 0, end: 0 });
        assert_eq!(indexes(log), [0; 0]);
        append(log, 0..5);
        assert_eq!(indexes(log), [0, 1, 2, 3, 4]);
        a_read_keeps_to_its_range_and_size(log);

        log.truncate(3);
        assert_eq!(indexes(log), [0, 1, 2]);
        log.append(vec![entry(3)], Box::new(|_| {}));
        assert_eq!(indexes(log), [0, 1, 2, 3], "an entry can be read before it is on the disk");
        log.purge(2);
        assert_eq!(indexes(log), [2, 3]);
        log.purge(1);
        assert_eq!(indexes(log), [2, 3], "a purge of what is gone already changes nothing");
        log.purge(9);
        assert_eq!(log.extent(), Extent { first: 9, end: 9 }, "a purge may go beyond the end");
        append(log, 9..11);
        assert_eq!(indexes(log), [9, 10]);

        assert_eq!(log.get("vote"), Ok(None));
        put(log, "vote", "one");
        log.put("vote", b"two".to_vec(), None);
        assert_eq!(log.get("vote"), Ok(Some(b"two".to_vec())));
    }

    fn a_read_keeps_to_its_range_and_size(log: &dyn EntryLog) {
        let read = |range, size| log.read(range, size).unwrap().iter().map(|entry| entry.index).collect::<Vec<_>>();
        let size = entry(0).bytes.len();
        assert_eq!(read(1..3, usize::MAX), [1, 2]);
        assert_eq!(read(4..9, usize::MAX), [4]);
        assert_eq!(read(7..9, usize::MAX), [0; 0]);
        assert_eq!(read(0..5, 2 * size), [0, 1]);
        assert_eq!(read(0..5, 2 * size + 1), [0, 1]);
        assert_eq!(read(0..5, 0), [0], "never empty if there is any");
    }
}
