//! Raft's log in an LMDB environment of its own, every commit of it synced before anybody is told of it.
//!
//! A write changes the [`Tail`](super::tail::Tail) and queues the same change for the
//! [`Writer`]; both under one lock, so that the disk follows memory in the same order.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::env;
use super::growth::Growth;
use super::queue::Queue;
use super::reader::{self, SharedTail};
use super::tail::Tail;
use super::transaction::{Change, Op, Tables};
use super::writer::Writer;
use crate::store::StoreError;
use crate::store::log::{EntryLog, Extent, OnDisk, StoredEntry};

/// Raft's log.
#[derive(Debug)]
pub struct LmdbLog {
    tables: Arc<Tables>,
    tail: Arc<SharedTail>,
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl LmdbLog {
    /// Opens the log in this folder, making it if there is none, and checks every entry and record.
    pub fn open(dir: &Path) -> Result<Arc<Self>, StoreError> {
        let tables = Tables::open(dir)?;
        let found = tables.check()?;
        tables.confirm(&found)?;
        let tail = Arc::new(SharedTail::new(Tail::new(found.extent, found.records)));
        let queue = Arc::new(Queue::default());
        let path = dir.join(env::DATA);
        let mut growth = Growth::open(&path).map_err(|error| StoreError::io("open", &path, &error))?;
        growth.keep_ahead_of(env::used_bytes(&tables.env));
        let writer = Writer {
            tables: tables.clone(),
            tail: tail.clone(),
            queue: queue.clone(),
            growth,
            written: Vec::new(),
            failed: None,
        };
        let writer = thread::Builder::new().name("log".to_owned()).spawn(move || writer.run());
        let writer = writer.map_err(|error| StoreError::io("start the writer of", dir, &error))?;
        Ok(Arc::new(Self { tables, tail, queue, writer: Mutex::new(Some(writer)) }))
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
            Change::Put { key, value }
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
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the log's writer panicked");
        }
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
