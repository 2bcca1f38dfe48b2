//! Raft's log: a journal, synced before anybody is told of what is in it, and the LMDB environment in which that is filed.
//!
//! A write changes the [`Tail`](super::tail::Tail) and queues the same change for the
//! [`Writer`]; both under one lock, so that the disk follows memory in the same order.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use rand::RngCore as _;

use super::filing::Filer;
use super::journal::{Journal, SEGMENTS};
use super::queue::Queue;
use super::reader::{self, SharedTail};
use super::tail::Tail;
use super::transaction::{Change, Op, Tables};
use super::writer::Writer;
use crate::store::log::{EntryLog, Extent, OnDisk, StoredEntry};
use crate::store::{StoreError, thread};

/// Raft's log.
#[derive(Debug)]
pub struct LmdbLog {
    tables: Arc<Tables>,
    tail: Arc<SharedTail>,
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl LmdbLog {
    /// Opens the log in this folder, making it if there is none, and checks every entry and record.
    pub fn open(dir: &Path) -> Result<Arc<Self>, StoreError> {
        let tables = Tables::open(dir)?;
        let mut found = tables.check()?;
        let mut journal = Journal::open(dir, found.sums.filed)?;
        let left = journal.left(found.sums.filed)?;
        let is_some_left = !left.is_empty();
        // Drawn here and nowhere else: nothing that is replicated depends on it.
        let life = rand::rngs::OsRng.next_u64().max(1);
        tables.confirm(&found, left, journal.begin(life)?)?;
        if is_some_left {
            found = tables.check()?;
        }
        let tail = Arc::new(SharedTail::new(Tail::new(found.extent, found.records)));
        let queue = Arc::new(Queue::default());
        // It never holds more than there are segments.
        let (filings, taken) = mpsc::sync_channel(SEGMENTS);
        let (told, filed) = mpsc::channel();
        let filer = Filer { tables: Arc::clone(&tables), tail: Arc::clone(&tail), filings: taken, filed: told };
        let writer = Writer {
            queue: Arc::clone(&queue),
            journal,
            filings,
            filed,
            to_file: Vec::new(),
            waiting: 0,
            failed: None,
        };
        // The first ends after the second, which hands over to it.
        let threads = [
            thread::start("log-filing", "files the log", || filer.run())?,
            thread::start("log", "writes the log", || writer.run())?,
        ];
        Ok(Arc::new(Self { tables, tail, queue, threads: Mutex::new(threads.into()) }))
    }

    fn write(&self, on_disk: Option<OnDisk>, change: impl FnOnce(&mut Tail) -> Change) {
        // Both in one place of the queue, or two changes could reach memory in one order and the disk in the other.
        let refused = self.queue.push(|| Op { change: change(&mut self.tail.write()), on_disk }).err();
        if let Some(on_disk) = refused.and_then(|op| op.on_disk) {
            on_disk(Err(self.closed()));
        }
    }

    fn closed(&self) -> StoreError {
        let place = self.tables.dir.display().to_string();
        StoreError::Io { action: "write", place, reason: "the log is closed".to_owned() }
    }
}

impl EntryLog for LmdbLog {
    fn extent(&self) -> Extent {
        self.tail.read().extent()
    }

    fn read(&self, range: Range<u64>, size_max_bytes: usize) -> Result<Vec<StoredEntry>, StoreError> {
        reader::read(&self.tables, &self.tail, range, size_max_bytes)
    }

    fn append(&self, entries: Vec<StoredEntry>, on_disk: OnDisk) {
        self.write(Some(on_disk), |tail| {
            tail.append(&entries);
            Change::Append { entries, epoch: tail.epoch() }
        });
    }

    fn truncate(&self, from: u64) {
        self.write(None, |tail| {
            tail.truncate(from);
            Change::Truncate { from }
        });
    }

    fn purge(&self, before: u64) {
        // The mark must not go back: what it once declared purged may have been removed.
        if before > self.extent().first {
            self.write(None, |tail| {
                tail.purge(before);
                Change::Purge { before }
            });
        }
    }

    fn put(&self, key: &'static str, value: Vec<u8>, on_disk: Option<OnDisk>) {
        self.write(on_disk, |tail| {
            tail.records.insert(key.to_owned(), value.clone());
            Change::Put { key: key.into(), value }
        });
    }

    fn get(&self, key: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tail.read().records.get(key).cloned())
    }

    fn room_bytes(&self) -> u64 {
        self.tables.room_bytes()
    }

    fn close(&self) {
        self.queue.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        threads.into_iter().rev().for_each(thread::end);
    }
}

impl Drop for LmdbLog {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
