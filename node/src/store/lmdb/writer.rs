//! The thread that writes the log. It takes everything that is queued, makes it one record of the journal with one
//! sync, and then tells everybody who waits, in order. While the disk works the queue fills, so under load
//! many entries share a sync, and without load none waits for others.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use super::filing::Filing;
use super::journal::{CHANGES_SIZE_MAX_BYTES, Journal, SEGMENTS, encode};
use super::queue::{Next, Queue};
use super::transaction::Op;
use crate::store::StoreError;

/// The log rests when nothing was to be written for so long.
const RESTING_AFTER: Duration = Duration::from_millis(20);

/// How long a change that nobody waits for may stay off the disk, where there is no other.
const IDLE: Duration = Duration::from_secs(1);

/// The writer's side of the log.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) journal: Journal,
    /// To whoever files it in the tables.
    pub(super) filings: SyncSender<Filing>,
    pub(super) filed: Receiver<Result<(), StoreError>>,
    /// In this segment of the journal.
    pub(super) to_file: Vec<Op>,
    /// Segments that were handed over, and are not filed yet.
    pub(super) waiting: usize,
    /// Set by the first error, for good: after a sync that failed nobody knows what the disk holds, and
    /// a second that succeeds would prove nothing.
    pub(super) failed: Option<StoreError>,
}

impl Writer {
    /// Writes until the log is closed and the queue is empty.
    pub(super) fn run(mut self) {
        // A log that was just opened has nothing in its journal that could be taken for a write that was cut off.
        let mut is_vouched_for = true;
        loop {
            match self.queue.wait(if is_vouched_for { IDLE } else { RESTING_AFTER }) {
                Next::Write(batch) => {
                    self.write(batch);
                    is_vouched_for = false;
                }
                Next::Nothing => {
                    if !is_vouched_for {
                        self.vouch();
                    }
                    is_vouched_for = true;
                }
                Next::End => return self.end(),
            }
        }
    }

    /// Writes the batch, and tells everybody who waits for it how that went.
    fn write(&mut self, mut batch: Vec<Op>) {
        let waiting = batch.iter_mut().filter_map(|op| op.on_disk.take()).collect::<Vec<_>>();
        let result = self.record(batch);
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        for on_disk in waiting {
            on_disk(result.clone());
        }
    }

    /// On the disk when it returns.
    fn record(&mut self, batch: Vec<Op>) -> Result<(), StoreError> {
        self.check()?;
        let changes = encode(batch.iter().map(|op| &op.change));
        if changes.len() > CHANGES_SIZE_MAX_BYTES {
            // By itself into the tables, before anything that comes after it is recorded.
            self.to_file.extend(batch);
            self.hand_over()?;
            return self.wait_while(|writer| writer.waiting > 0);
        }
        if !self.journal.has_room_for(changes.len()) {
            self.turn()?;
        }
        self.journal.write(&changes)?;
        self.to_file.extend(batch);
        Ok(())
    }

    /// Says in the journal that its last record was on the disk.
    fn vouch(&mut self) {
        let vouched = self.check().and_then(|()| {
            if !self.journal.has_room_for(0) {
                self.turn()?;
            }
            self.journal.vouch()
        });
        if let Err(error) = vouched {
            self.failed = Some(error);
        }
    }

    /// Has the segment filed, and goes on in the next one, once the tables have that.
    fn turn(&mut self) -> Result<(), StoreError> {
        self.hand_over()?;
        self.wait_while(|writer| writer.waiting >= SEGMENTS)?;
        self.journal.turn()
    }

    fn hand_over(&mut self) -> Result<(), StoreError> {
        let filing = Filing { ops: std::mem::take(&mut self.to_file), up_to: self.journal.written() };
        self.waiting += 1;
        // It ends early only after an error, which it has told of.
        self.filings.send(filing).or_else(|_| self.wait_while(|_| true))
    }

    fn wait_while(&mut self, is_waiting: impl Fn(&Self) -> bool) -> Result<(), StoreError> {
        while is_waiting(self) {
            match self.filed.recv() {
                Ok(filed) => filed?,
                Err(_) => return Err(ended()),
            }
            self.waiting -= 1;
        }
        Ok(())
    }

    /// Whether all that was written so far went well.
    fn check(&mut self) -> Result<(), StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        while let Ok(filed) = self.filed.try_recv() {
            filed?;
            self.waiting -= 1;
        }
        Ok(())
    }

    /// Leaves everything in the tables.
    fn end(mut self) {
        let filed =
            self.check().and_then(|()| self.hand_over()).and_then(|()| self.wait_while(|writer| writer.waiting > 0));
        if let Err(error) = filed {
            tracing::error!(%error, "the log is closed as it is in its journal");
        }
    }
}

fn ended() -> StoreError {
    let reason = "the thread that files the log has ended".to_owned();
    StoreError::Io { action: "write", place: "the log".to_owned(), reason }
}
