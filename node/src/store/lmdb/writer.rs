//! The thread that writes the log. It takes everything that is queued, makes it one transaction with one
//! sync, and then tells everybody who waits, in order. While the disk works the queue fills, so under load
//! many entries share a sync, and without load none waits for others.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::reader::SharedTail;
use super::transaction::{Change, Op, Tables};
use crate::store::StoreError;

/// What one transaction takes at most, so that it fits LMDB's list of changed pages and nobody waits long.
const BATCH_MAX: usize = 8_192;
const BATCH_SIZE_MAX_BYTES: usize = 8 * 1024 * 1024;

/// How long a change that nobody waits for may stay off the disk.
const IDLE: Duration = Duration::from_secs(1);

/// The writer's side of the log.
pub(super) struct Writer {
    pub(super) tables: Arc<Tables>,
    pub(super) tail: Arc<SharedTail>,
    pub(super) queue: Receiver<Op>,
    /// Set by the first error, for good: after a sync that failed nobody knows what the disk holds, and
    /// a second that succeeds would prove nothing.
    pub(super) failed: Option<StoreError>,
}

/// Why a batch ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Batch,
    /// The log was closed; this is the last batch.
    End,
}

impl Writer {
    /// Writes until the log is closed and the queue is empty.
    pub(super) fn run(mut self) {
        let mut purging = true;
        loop {
            let (batch, next) = self.collect(purging);
            purging = self.write(batch);
            if next == Next::End {
                return;
            }
        }
    }

    /// Everything queued, up to the bounds; waits while there is nothing that somebody waits for. While
    /// purged entries are to be removed it does not wait at all.
    fn collect(&self, purging: bool) -> (Vec<Op>, Next) {
        let mut batch = Vec::new();
        let mut size_bytes = 0;
        loop {
            let op = if purging || batch.iter().any(|op: &Op| op.on_disk.is_some()) {
                self.queue.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => Next::Batch,
                    TryRecvError::Disconnected => Next::End,
                })
            } else {
                self.wait(batch.is_empty())
            };
            match op {
                Ok(op) => {
                    size_bytes += op.size_bytes();
                    batch.push(op);
                }
                Err(next) => return (batch, next),
            }
            if batch.len() >= BATCH_MAX || size_bytes >= BATCH_SIZE_MAX_BYTES {
                return (batch, Next::Batch);
            }
        }
    }

    fn wait(&self, forever: bool) -> Result<Op, Next> {
        if forever {
            return self.queue.recv().map_err(|_| Next::End);
        }
        self.queue.recv_timeout(IDLE).map_err(|error| match error {
            RecvTimeoutError::Timeout => Next::Batch,
            RecvTimeoutError::Disconnected => Next::End,
        })
    }

    /// Writes the batch and answers; returns whether purged entries are left to be removed.
    fn write(&mut self, batch: Vec<Op>) -> bool {
        let result = match &self.failed {
            Some(error) => Err(error.clone()),
            None => self.tables.commit(batch.iter().map(|op| &op.change)),
        };
        match &result {
            Ok(_) => self.note_on_disk(&batch),
            Err(error) => self.failed = Some(error.clone()),
        }
        let answer = result.as_ref().map(drop).map_err(Clone::clone);
        for on_disk in batch.into_iter().filter_map(|op| op.on_disk) {
            on_disk(answer.clone());
        }
        result.unwrap_or(false)
    }

    fn note_on_disk(&self, batch: &[Op]) {
        let mut tail = self.tail.write();
        for op in batch {
            if let Change::Append { entries, epoch } = &op.change
                && let Some(last) = entries.last()
            {
                tail.reached_disk(last.index + 1, *epoch);
            }
        }
    }
}

impl Op {
    fn size_bytes(&self) -> usize {
        match &self.change {
            Change::Append { entries, .. } => entries.iter().map(|entry| entry.bytes.len()).sum(),
            Change::Truncate { .. } | Change::Purge { .. } => 0,
            Change::Put { value, .. } => value.len(),
        }
    }
}
