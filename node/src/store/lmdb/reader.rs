//! Reading the log: recent entries from memory, older ones from the disk.

use std::ops::Range;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::tail::{Tail, View};
use super::transaction::Tables;
use crate::store::StoreError;
use crate::store::log::StoredEntry;

/// The tail, shared between the writer and all readers.
#[derive(Debug)]
pub(super) struct SharedTail(RwLock<Tail>);

impl SharedTail {
    pub(super) fn new(tail: Tail) -> Self {
        Self(RwLock::new(tail))
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Tail> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Tail> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entries of the range, as [`crate::store::log::EntryLog::read`] promises them.
pub(super) fn read(
    tables: &Tables,
    tail: &SharedTail,
    range: Range<u64>,
    size_max_bytes: usize,
) -> Result<Vec<StoredEntry>, StoreError> {
    loop {
        let view = tail.read().view(range.clone(), size_max_bytes);
        if view.on_disk.is_empty() {
            return Ok(view.in_memory);
        }
        let result = read_disk(tables, &view.on_disk, size_max_bytes);
        // What was truncated or purged during the read may have left holes that are no damage: look again.
        if tail.read().still_holds(&view) {
            return result.map(|entries| join(entries, view, size_max_bytes));
        }
    }
}

/// Every entry of the range, until they take `size_max_bytes`. A hole is damage, never the end.
fn read_disk(tables: &Tables, range: &Range<u64>, size_max_bytes: usize) -> Result<Vec<StoredEntry>, StoreError> {
    let txn = tables.read_txn()?;
    let mut rows = tables.entries_from(&txn, range.start)?;
    let mut entries = vec![];
    let mut size_bytes = 0;
    for index in range.clone() {
        let entry = rows.next().ok_or_else(|| tables.damaged(format!("log entry {index}")))??;
        if entry.index != index {
            return Err(tables.damaged(format!("log entry {index}")));
        }
        size_bytes += entry.bytes.len();
        if size_bytes > size_max_bytes && !entries.is_empty() {
            break;
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn join(mut entries: Vec<StoredEntry>, view: View, size_max_bytes: usize) -> Vec<StoredEntry> {
    if (entries.len() as u64) < view.on_disk.end - view.on_disk.start {
        return entries;
    }
    let mut size_bytes = entries.iter().map(|entry| entry.bytes.len()).sum::<usize>();
    entries.extend(view.in_memory.into_iter().take_while(|entry| {
        size_bytes += entry.bytes.len();
        size_bytes <= size_max_bytes
    }));
    entries
}
