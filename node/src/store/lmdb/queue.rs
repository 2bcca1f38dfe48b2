//! What waits for the log's writer.
//!
//! The writer sleeps while nobody waits for anything: a change that is durable with the next one does not wake it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wire::blocking::while_others_go_on;

use super::transaction::Op;

/// Changes that may wait for the disk. Beyond it the caller waits until the writer has taken some. It
/// always does: it waits for nothing but the disk, and its callbacks must not write to the log.
const QUEUE_MAX: usize = 4_096;

/// What is taken together at most, so that it fits a record of the journal and nobody waits long.
const BATCH_SIZE_MAX_BYTES: usize = 1024 * 1024;

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
    /// There was nothing.
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
            // The disk hangs. That is Raft's affair, and not that of what its thread does besides.
            waiting = while_others_go_on(|| self.room.wait(waiting)).unwrap_or_else(PoisonError::into_inner);
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

    /// What is there, once anybody waits for any of it; or whatever else there is, after so long.
    pub(super) fn wait(&self, within: Duration) -> Next {
        let mut waiting = self.lock();
        let sleeps = |waiting: &mut Waiting| {
            let is_due = waiting.wanted > 0 || waiting.ops.len() >= QUEUE_MAX || waiting.is_closed;
            waiting.is_idle = !is_due;
            !is_due
        };
        let waited = self.wanted.wait_timeout_while(waiting, within, sleeps);
        waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        waiting.is_idle = false;
        if waiting.ops.is_empty() {
            return if waiting.is_closed { Next::End } else { Next::Nothing };
        }
        let mut size_bytes = 0;
        let fits = |op: &&Op| {
            let is_first = size_bytes == 0;
            size_bytes += op.change.size_bytes().max(1);
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
        Op { change: Change::Put { key: key.into(), value: key.into() }, on_disk }
    }

    /// In vain, if it takes so long.
    const LONG: Duration = Duration::from_secs(60);

    fn keys(next: Next) -> Vec<String> {
        let Next::Write(batch) = next else { panic!("there is something to write, and not {next:?}") };
        let key =
            |op: Op| if let Change::Put { key, .. } = op.change { key.into_owned() } else { panic!("only records") };
        batch.into_iter().map(key).collect()
    }

    #[test]
    fn what_nobody_waits_for_goes_with_what_somebody_does() {
        let queue = Queue::default();
        queue.push(|| op("a", false)).unwrap();
        queue.push(|| op("b", true)).unwrap();
        assert_eq!(keys(queue.wait(LONG)), ["a", "b"]);
        assert!(matches!(queue.wait(Duration::ZERO), Next::Nothing));
    }

    #[test]
    fn what_nobody_waits_for_is_taken_after_a_while() {
        let queue = Queue::default();
        queue.push(|| op("a", false)).unwrap();
        assert_eq!(keys(queue.wait(Duration::from_millis(1))), ["a"]);
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
        while taken.last().is_none_or(|last| last != "last") {
            taken.extend(keys(queue.wait(LONG)));
        }
        assert!(pusher.join().unwrap());
        assert_eq!(taken.len(), QUEUE_MAX + 1);
    }

    #[test]
    fn while_a_task_waits_for_room_others_go_on() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (say, heard) = std::sync::mpsc::channel();
        let queue = Arc::new(Queue::default());
        (0..QUEUE_MAX).for_each(|_| queue.push(|| op("a", false)).unwrap());
        runtime.spawn(async move {
            let taker = Arc::clone(&queue);
            tokio::spawn(async move { taker.wait(Duration::ZERO) });
            say.send(queue.push(|| op("last", true)).is_ok()).unwrap();
        });
        let pushed = heard.recv_timeout(Duration::from_secs(20));
        // A thread that waits in vain would be waited for.
        runtime.shutdown_background();
        assert_eq!(pushed, Ok(true));
    }

    #[test]
    fn after_the_close_everything_is_taken_and_nothing_added() {
        let queue = Queue::default();
        queue.push(|| op("a", false)).unwrap();
        queue.close();
        assert!(queue.push(|| op("b", true)).is_err());
        assert_eq!(keys(queue.wait(LONG)), ["a"]);
        assert!(matches!(queue.wait(LONG), Next::End));
    }
}
