//! The thread that writes the log. It takes everything that is queued, makes it one transaction with one
//! sync, and then tells everybody who waits, in order. While the disk works the queue fills, so under load
//! many entries share a sync, and without load none waits for others.
//!
//! A transaction's sync takes its pages to the disk, and the meta page of the one *before*: LMDB writes a
//! transaction's own meta page after that. So what is written is told of when the next transaction has
//! synced; and if none follows at once, after a sync of its own.

use std::sync::Arc;

use super::env;
use super::growth::Growth;
use super::queue::{Next, Queue};
use super::reader::SharedTail;
use super::transaction::{Change, Op, Tables};
use crate::store::StoreError;

/// The writer's side of the log.
pub(super) struct Writer {
    pub(super) tables: Arc<Tables>,
    pub(super) tail: Arc<SharedTail>,
    pub(super) queue: Arc<Queue>,
    pub(super) growth: Growth,
    /// In the tables; on the disk with the next sync.
    pub(super) written: Vec<Op>,
    /// Set by the first error, for good: after a sync that failed nobody knows what the disk holds, and
    /// a second that succeeds would prove nothing.
    pub(super) failed: Option<StoreError>,
}

impl Writer {
    /// Writes until the log is closed and the queue is empty.
    pub(super) fn run(mut self) {
        let mut purging = true;
        loop {
            let may_sleep = self.written.is_empty() && !purging;
            let next = if may_sleep { self.queue.wait() } else { self.queue.take() };
            purging = match next {
                Next::Write(batch) => self.write(batch),
                Next::Nothing if !self.written.is_empty() => {
                    self.sync();
                    purging
                }
                Next::Nothing => purging && self.write(Vec::new()),
                Next::End => return self.sync(),
            };
        }
    }

    /// Writes the batch, and tells of the one before; returns whether purged entries are left to be removed.
    fn write(&mut self, batch: Vec<Op>) -> bool {
        let result = match &self.failed {
            Some(error) => Err(error.clone()),
            None => self.tables.commit(batch.iter().map(|op| &op.change)),
        };
        match result {
            Ok(committed) => {
                self.growth.keep_ahead_of(env::used_bytes(&self.tables.env));
                if committed.has_synced {
                    self.tell(Ok(()));
                }
                self.written.extend(batch);
                committed.purged_are_left
            }
            Err(error) => {
                self.written.extend(batch);
                self.fail(error);
                false
            }
        }
    }

    /// Makes durable what is written, and tells of it.
    fn sync(&mut self) {
        let result = self.failed.clone().map_or_else(|| self.tables.sync(), Err);
        match result {
            Ok(()) => self.tell(Ok(())),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: StoreError) {
        self.failed = Some(error.clone());
        self.tell(Err(error));
    }

    /// Tells everybody who waits for what is written how that went.
    fn tell(&mut self, how: Result<(), StoreError>) {
        let written = std::mem::take(&mut self.written);
        if how.is_ok() {
            self.note_on_disk(&written);
        }
        for on_disk in written.into_iter().filter_map(|op| op.on_disk) {
            on_disk(how.clone());
        }
    }

    fn note_on_disk(&self, written: &[Op]) {
        let mut tail = self.tail.write();
        for op in written {
            if let Change::Append { entries, epoch } = &op.change
                && let Some(last) = entries.last()
            {
                tail.reached_disk(last.index + 1, *epoch);
            }
        }
    }
}
