//! What readers of the log see at once: its extent, its newest entries and its small records, whether they
//! are on the disk yet or not.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::store::log::{Extent, StoredEntry};

/// Entries kept in memory once they are in the tables. Beyond either bound the oldest are read from the disk;
/// followers and the application are rarely that far behind.
const KEPT_MAX: usize = 65_536;
const KEPT_SIZE_MAX_BYTES: usize = 64 * 1024 * 1024;

/// The log in memory. Whatever is not in the tables yet is in here.
#[derive(Debug, Default)]
pub(super) struct Tail {
    extent: Extent,
    /// The entries up to `extent.end`.
    entries: VecDeque<Arc<[u8]>>,
    size_bytes: usize,
    /// One past the last entry that is in the tables, of those that are not truncated.
    filed_end: u64,
    /// Counts truncations, so that what was written before one is not taken for what replaced it.
    epoch: u64,
    pub(super) records: BTreeMap<String, Vec<u8>>,
}

/// Where the entries of a range are to be found.
pub(super) struct View {
    pub(super) on_disk: Range<u64>,
    pub(super) in_memory: Vec<StoredEntry>,
    epoch: u64,
}

impl Tail {
    /// A tail over what is on the disk.
    pub(super) fn new(extent: Extent, records: BTreeMap<String, Vec<u8>>) -> Self {
        Self { extent, filed_end: extent.end, records, ..Self::default() }
    }

    pub(super) fn extent(&self) -> Extent {
        self.extent
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The first index in memory.
    fn start(&self) -> u64 {
        self.extent.end - self.entries.len() as u64
    }

    /// Adds the entries. An empty log takes any first index, as after a snapshot.
    pub(super) fn append(&mut self, entries: &[StoredEntry]) {
        for entry in entries {
            if self.extent.first == self.extent.end {
                self.extent = Extent { first: entry.index, end: entry.index };
                self.filed_end = entry.index;
            }
            assert_eq!(entry.index, self.extent.end, "an appended entry follows on the last one");
            self.size_bytes += entry.bytes.len();
            self.entries.push_back(entry.bytes.clone());
            self.extent.end += 1;
        }
    }

    /// Forgets the entries from this index on.
    pub(super) fn truncate(&mut self, from: u64) {
        while self.extent.end > from.max(self.extent.first) {
            self.extent.end -= 1;
            self.size_bytes -= self.entries.pop_back().map_or(0, |bytes| bytes.len());
        }
        self.filed_end = self.filed_end.min(self.extent.end);
        self.epoch += 1;
    }

    /// Forgets the entries before this index, which may lie beyond the end.
    pub(super) fn purge(&mut self, before: u64) {
        if before <= self.extent.first {
            return;
        }
        while !self.entries.is_empty() && self.start() < before {
            self.forget_oldest();
        }
        self.extent = Extent { first: before, end: self.extent.end.max(before) };
        self.filed_end = self.filed_end.max(before);
    }

    /// Everything before `end`, written when the tail was of this epoch, is in the tables.
    pub(super) fn was_filed(&mut self, end: u64, epoch: u64) {
        if epoch == self.epoch {
            self.filed_end = self.filed_end.max(end.min(self.extent.end));
        }
        while self.start() < self.filed_end && self.is_over_full() {
            self.forget_oldest();
        }
    }

    fn is_over_full(&self) -> bool {
        self.entries.len() > KEPT_MAX || self.size_bytes > KEPT_SIZE_MAX_BYTES
    }

    fn forget_oldest(&mut self) {
        self.size_bytes -= self.entries.pop_front().map_or(0, |bytes| bytes.len());
    }

    /// The range, clamped to what there is, and those of its entries that are in memory.
    pub(super) fn view(&self, range: Range<u64>, size_max_bytes: usize) -> View {
        let from = range.start.max(self.extent.first);
        let to = range.end.min(self.extent.end);
        let on_disk = from..to.min(self.start()).max(from);
        let in_memory = self.kept(from.max(self.start())..to, size_max_bytes);
        View { on_disk, in_memory, epoch: self.epoch }
    }

    fn kept(&self, range: Range<u64>, size_max_bytes: usize) -> Vec<StoredEntry> {
        let mut kept = vec![];
        let mut size_bytes = 0;
        for index in range {
            let position = usize::try_from(index - self.start()).expect("in memory, so within its size");
            let bytes = self.entries[position].clone();
            size_bytes += bytes.len();
            if size_bytes > size_max_bytes && !kept.is_empty() {
                break;
            }
            kept.push(StoredEntry { index, bytes });
        }
        kept
    }

    /// Whether the part of the view that is on the disk is still part of the log.
    pub(super) fn still_holds(&self, view: &View) -> bool {
        self.epoch == view.epoch && view.on_disk.start >= self.extent.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::log::tests::entry;

    fn tail(range: Range<u64>) -> Tail {
        let mut tail = Tail::default();
        tail.append(&range.map(entry).collect::<Vec<_>>());
        tail
    }

    #[test]
    fn what_is_not_in_the_tables_is_never_forgotten() {
        let over = KEPT_MAX as u64 + 10;
        let mut tail = tail(0..over);
        assert_eq!(tail.start(), 0);
        tail.was_filed(4, 0);
        assert_eq!(tail.start(), 4);
        tail.was_filed(over, 0);
        assert_eq!(tail.start(), 10);
    }

    #[test]
    fn what_was_truncated_does_not_count_as_filed() {
        let mut tail = tail(0..4);
        tail.truncate(2);
        tail.append(&[entry(2), entry(3)]);
        tail.was_filed(4, 0);
        assert_eq!(tail.filed_end, 0);
        tail.was_filed(4, tail.epoch());
        assert_eq!(tail.filed_end, 4);
    }

    #[test]
    fn a_view_of_the_disk_ends_with_a_truncation_or_a_purge() {
        let mut tail = Tail::new(Extent { first: 0, end: 9 }, BTreeMap::new());
        let view = tail.view(2..7, usize::MAX);
        assert_eq!(view.on_disk, 2..7);
        tail.purge(2);
        assert!(tail.still_holds(&view));
        tail.purge(3);
        assert!(!tail.still_holds(&view));
        let view = tail.view(3..7, usize::MAX);
        tail.truncate(5);
        assert!(!tail.still_holds(&view));
    }
}
