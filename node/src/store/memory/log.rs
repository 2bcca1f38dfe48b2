//! [`EntryLog`] in memory.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::StoreError;
use crate::store::log::{EntryLog, Extent, OnDisk, StoredEntry};

/// A log whose disk is a second copy of it.
#[derive(Default)]
pub struct MemoryLog {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// What readers see.
    seen: Contents,
    /// What a power cut leaves.
    disk: Contents,
    /// What the disk does not have yet, in order.
    unsynced: Vec<Change>,
    waiting: Vec<OnDisk>,
    held: bool,
    /// Told when something waits for the disk while that is held.
    on_wait: Option<Arc<dyn Fn() + Send + Sync>>,
}

#[derive(Clone, Default)]
struct Contents {
    first: u64,
    entries: VecDeque<Arc<[u8]>>,
    records: BTreeMap<&'static str, Vec<u8>>,
}

#[derive(Clone)]
enum Change {
    Append(Vec<StoredEntry>),
    Truncate(u64),
    Purge(u64),
    Put(&'static str, Vec<u8>),
}

impl MemoryLog {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// A new log with what a power cut would leave of this one. Writes to this one go nowhere from now on.
    pub fn crash(&self) -> Arc<Self> {
        self.crash_after(0)
    }

    /// As [`MemoryLog::crash`], where so many of the writes that nobody had been told of had reached the disk all the same.
    pub fn crash_after(&self, unsynced: usize) -> Arc<Self> {
        let mut inner = self.lock();
        inner.held = true;
        inner.on_wait = None;
        let mut disk = inner.disk.clone();
        inner.unsynced.iter().take(unsynced).cloned().for_each(|change| disk.apply(change));
        Arc::new(Self { inner: Mutex::new(Inner { seen: disk.clone(), disk, ..Inner::default() }) })
    }

    /// How many writes the disk does not have.
    pub fn unsynced(&self) -> usize {
        self.lock().unsynced.len()
    }

    /// As [`MemoryLog::hold`], with somebody who is told whenever something begins to wait, and releases it in good time: a disk
    /// that takes as long as they like. Everything that waits by then goes into one sync.
    pub fn hold_for(&self, on_wait: impl Fn() + Send + Sync + 'static) {
        let mut inner = self.lock();
        inner.held = true;
        inner.on_wait = Some(Arc::new(on_wait));
    }

    /// The disk takes everything that waits, and stalls again.
    pub fn sync(&self) {
        let mut inner = self.lock();
        let done = inner.sync();
        drop(inner);
        for on_disk in done {
            on_disk(Ok(()));
        }
    }

    /// From now on nothing reaches the disk, as if it had stalled, until [`MemoryLog::release`].
    pub fn hold(&self) {
        self.lock().held = true;
    }

    /// The disk takes everything that waits, and stalls no more.
    pub fn release(&self) {
        self.lock().held = false;
        self.sync();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: Change, on_disk: Option<OnDisk>) {
        let mut inner = self.lock();
        inner.seen.apply(change.clone());
        inner.unsynced.push(change);
        let wanted = on_disk.is_some();
        inner.waiting.extend(on_disk);
        // As on a real disk, a change that nobody waits for goes with the next that somebody does.
        let done = if wanted && !inner.held { inner.sync() } else { vec![] };
        let told = inner.on_wait.clone().filter(|_| wanted && inner.held);
        drop(inner);
        for on_disk in done {
            on_disk(Ok(()));
        }
        if let Some(told) = told {
            told();
        }
    }
}

impl Inner {
    fn sync(&mut self) -> Vec<OnDisk> {
        for change in std::mem::take(&mut self.unsynced) {
            self.disk.apply(change);
        }
        std::mem::take(&mut self.waiting)
    }
}

impl Contents {
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Append(entries) => self.append(entries),
            Change::Truncate(from) => {
                let kept = from.saturating_sub(self.first);
                self.entries.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
            }
            Change::Purge(before) => self.purge(before),
            Change::Put(key, value) => {
                self.records.insert(key, value);
            }
        }
    }

    fn append(&mut self, entries: Vec<StoredEntry>) {
        for entry in entries {
            if self.entries.is_empty() {
                self.first = self.first.max(entry.index);
            }
            assert_eq!(entry.index, self.end(), "an appended entry follows on the last one");
            self.entries.push_back(entry.bytes);
        }
    }

    fn purge(&mut self, before: u64) {
        if before > self.first {
            let gone = (before - self.first).min(self.entries.len() as u64);
            self.entries.drain(..usize::try_from(gone).unwrap_or(usize::MAX));
            self.first = before;
        }
    }
}

impl EntryLog for MemoryLog {
    fn extent(&self) -> Extent {
        let inner = self.lock();
        Extent { first: inner.seen.first, end: inner.seen.end() }
    }

    fn read(&self, range: Range<u64>, size_max_bytes: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let inner = self.lock();
        let seen = &inner.seen;
        let mut size = 0;
        let mut entries = vec![];
        for index in range.start.max(seen.first)..range.end.min(seen.end()) {
            let position = usize::try_from(index - seen.first).expect("in memory, so within its size");
            let bytes = seen.entries[position].clone();
            size += bytes.len();
            if size > size_max_bytes && !entries.is_empty() {
                break;
            }
            entries.push(StoredEntry { index, bytes });
        }
        Ok(entries)
    }

    fn append(&self, entries: Vec<StoredEntry>, on_disk: OnDisk) {
        self.change(Change::Append(entries), Some(on_disk));
    }

    fn truncate(&self, from: u64) {
        self.change(Change::Truncate(from), None);
    }

    fn purge(&self, before: u64) {
        self.change(Change::Purge(before), None);
    }

    fn put(&self, key: &'static str, value: Vec<u8>, on_disk: Option<OnDisk>) {
        self.change(Change::Put(key, value), on_disk);
    }

    fn get(&self, key: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().seen.records.get(key).cloned())
    }

    fn room_bytes(&self) -> u64 {
        u64::MAX
    }

    fn close(&self) {
        self.release();
    }
}

impl std::fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryLog").field("extent", &self.extent()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::log::tests::{append, entry, indexes};

    #[test]
    fn it_keeps_the_promises_of_a_log() {
        crate::store::log::tests::keeps_its_promises(&*MemoryLog::new());
    }

    #[test]
    fn a_crash_leaves_what_was_on_the_disk() {
        let log = MemoryLog::new();
        append(&*log, 0..3);
        log.hold();
        log.append(vec![entry(3)], Box::new(|_| panic!("it never reached the disk")));
        log.truncate(1);
        assert_eq!(indexes(&*log), [0]);
        assert_eq!(indexes(&*log.crash()), [0, 1, 2]);
    }

    #[test]
    fn a_crash_may_leave_any_first_part_of_what_was_on_its_way() {
        let log = MemoryLog::new();
        append(&*log, 0..3);
        log.hold();
        log.truncate(1);
        log.append(vec![entry(1), entry(2)], Box::new(|_| panic!("nobody was told")));
        assert_eq!(log.unsynced(), 2);
        for (unsynced, left) in [(0, vec![0, 1, 2]), (1, vec![0]), (2, vec![0, 1, 2]), (9, vec![0, 1, 2])] {
            assert_eq!(indexes(&*log.crash_after(unsynced)), left);
        }
    }

    #[test]
    fn a_disk_takes_what_waits_when_it_is_told_to() {
        let (log, waits, done) = (MemoryLog::new(), Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
        let count = |of: &Arc<Mutex<u32>>| {
            let of = Arc::clone(of);
            move || *of.lock().unwrap() += 1
        };
        log.hold_for(count(&waits));
        for index in 0..2 {
            let done = count(&done);
            log.append(vec![entry(index)], Box::new(move |_| done()));
        }
        log.put("vote", vec![1], None);
        assert_eq!((*waits.lock().unwrap(), *done.lock().unwrap()), (2, 0));
        log.sync();
        assert_eq!((*waits.lock().unwrap(), *done.lock().unwrap()), (2, 2));
        log.append(vec![entry(2)], Box::new(|_| panic!("it stalls again")));
        assert_eq!(indexes(&*log.crash()), [0, 1]);
    }
}
