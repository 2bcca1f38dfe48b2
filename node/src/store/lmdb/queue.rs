//! What waits for the log's writer.
//!
//! The writer sleeps while nobody waits for anything: a change that is durable with the next one does not wake it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::transaction::Op;

/// Changes that may wait for the disk. Beyond it the caller waits until the writer has taken some. It
/// always does: it waits for nothing but the disk, and its callbacks must not write to the log.
const QUEUE_MAX: usize = 4_096;

/// What one transaction takes at most, so that it fits LMDB's list of changed pages and nobody waits long.
const BATCH_SIZE_MAX_BYTES: usize = 8 * 1024 * 1024;

/// How long a change that nobody waits for may stay off the disk.
const IDLE: Duration = Duration::from_secs(1);

/// In the order of the calls.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// For the writer: somebody waits for something.
    wanted: Condvar,
    /// For callers: some was taken.
    room: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    ops: VecDeque<Op>,
    /// How many of these somebody waits for.
    wanted: usize,
    is_closed: bool,
    /// The writer sleeps.
    is_idle: bool,
    /// How many callers wait for room.
    callers: usize,
}

/// What the writer is to do.
#[derive(Debug)]
pub(super) enum Next {
    Write(Vec<Op>),
    /// Nothing that anybody waits for is there.
    Nothing,
    /// The log was closed, and everything has been taken.
    End,
}

impl Queue {
    /// Adds what `make` makes, in its place among the others: they take effect in the order in which they are queued. It comes back where
    /// the queue was closed before.
    pub(super) fn push(&self, make: impl FnOnce() -> Op) -> Result<(), Op> {
        let mut waiting = self.lock();
        while waiting.ops.len() >= QUEUE_MAX && !waiting.is_closed {
            waiting.callers += 1;
            waiting = self.room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.callers -= 1;
        }
        let op = make();
        if waiting.is_closed {
            return Err(op);
        }
        let is_wanted = op.on_disk.is_some();
        waiting.ops.push_back(op);
        waiting.wanted += usize::from(is_wanted);
        // With a full queue others may wait for the writer, too.
        if waiting.is_idle && (is_wanted || waiting.ops.len() >= QUEUE_MAX) {
            waiting.is_idle = false;
            self.wanted.notify_one();
        }
        Ok(())
    }

    /// Nothing more is taken.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.wanted.notify_one();
        self.room.notify_all();
    }

    /// What is there, if anybody waits for any of it.
    pub(super) fn take(&self) -> Next {
        let waiting = self.lock();
        let is_due = waiting.wanted > 0 || waiting.callers > 0;
        self.take_from(waiting, is_due)
    }

    /// The same, once anybody does; or whatever else there is, after a while.
    pub(super) fn wait(&self) -> Next {
        let mut waiting = self.lock();
        let sleeps = |waiting: &mut Waiting| {
            let is_due = waiting.wanted > 0 || waiting.ops.len() >= QUEUE_MAX || waiting.is_closed;
            waiting.is_idle = !is_due;
            !is_due
        };
        let waited = self.wanted.wait_timeout_while(waiting, IDLE, sleeps);
        waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        waiting.is_idle = false;
        self.take_from(waiting, true)
    }

    fn take_from(&self, mut waiting: MutexGuard<'_, Waiting>, is_due: bool) -> Next {
        if waiting.ops.is_empty() && waiting.is_closed {
            return Next::End;
        }
        if waiting.ops.is_empty() || !(is_due || waiting.is_closed) {
            return Next::Nothing;
        }
        let mut size_bytes = 0;
        let fits = |op: &&Op| {
            let is_first = size_bytes == 0;
            size_bytes += op.size_bytes().max(1);
            is_first || size_bytes <= BATCH_SIZE_MAX_BYTES
        };
        let count = waiting.ops.iter().take_while(fits).count();
        let batch: Vec<_> = waiting.ops.drain(..count).collect();
        waiting.wanted -= batch.iter().filter(|op| op.on_disk.is_some()).count();
        if waiting.callers > 0 {
            self.room.notify_all();
        }
        Next::Write(batch)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::super::transaction::Change;
    use super::*;

    fn op(key: &'static str, is_wanted: bool) -> Op {
        let on_disk = is_wanted.then(|| Box::new(|_| {}) as crate::store::log::OnDisk);
        Op { change: Change::Put { key, value: key.into() }, on_disk }
    }

    fn keys(next: Next) -> Vec<&'static str> {
        let Next::Write(batch) = next else { panic!("there is something to write, and not {next:?}") };
        let key = |op: Op| if let Change::Put { key, .. } = op.change { key } else { panic!("only records") };
        batch.into_iter().map(key).collect()
    }

    #[test]
    fn what_nobody_waits_for_goes_with_what_somebody_does() {
        let queue = Queue::default();
        queue.push(|| op("a", false)).unwrap();
        assert!(matches!(queue.take(), Next::Nothing));
        queue.push(|| op("b", true)).unwrap();
        assert_eq!(keys(queue.take()), ["a", "b"]);
        assert!(matches!(queue.take(), Next::Nothing));
    }

    #[test]
    fn what_nobody_waits_for_is_taken_after_a_while() {
        let queue = Queue::default();
        queue.push(|| op("a", false)).unwrap();
        assert_eq!(keys(queue.wait()), ["a"]);
    }

    #[test]
    fn whoever_finds_it_full_waits_for_room() {
        let queue = Arc::new(Queue::default());
        for _ in 0..QUEUE_MAX {
            queue.push(|| op("a", false)).unwrap();
        }
        let pusher = thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.push(|| op("last", true)).is_ok()
        });
        let mut taken = Vec::new();
        while taken.last() != Some(&"last") {
            taken.extend(keys(queue.wait()));
        }
        assert!(pusher.join().unwrap());
        assert_eq!(taken.len(), QUEUE_MAX + 1);
    }

    #[test]
    fn after_the_close_everything_is_taken_and_nothing_added() {
        let queue = Queue::default();
        queue.push(|| op("a", false)).unwrap();
        queue.close();
        assert!(queue.push(|| op("b", true)).is_err());
        assert_eq!(keys(queue.wait()), ["a"]);
        assert!(matches!(queue.wait(), Next::End));
        assert!(matches!(queue.take(), Next::End));
    }
}
