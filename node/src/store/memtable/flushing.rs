//! When layers are flushed, and who waits for it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::StoreError;

/// So much is flushed without waiting for more: so many rows, which at worst lie on as many pages, each of them written anew and kept by
/// LMDB in memory (as many as the entries of one transaction change, if each is of other people); or so many bytes.
const FLUSHED: Amount = Amount { rows: 32 * 1024, bytes: 8 * 1024 * 1024 };

/// So long the first change waits for others. A node that dies applies again what it had not flushed.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// So much may wait beside what is being flushed; whoever has more waits with it.
const WAITING_MAX: Amount = Amount { rows: 2 * FLUSHED.rows, bytes: 2 * FLUSHED.bytes };

/// How much waits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Amount {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

impl Amount {
    fn reaches(self, limit: Self) -> bool {
        self.rows >= limit.rows || self.bytes >= limit.bytes
    }
}

/// What waits to be flushed.
#[derive(Default)]
pub(super) struct Due {
    waiting: Mutex<Waiting>,
    news: Condvar,
}

#[derive(Default)]
struct Waiting {
    amount: Amount,
    /// Since when the oldest of it waits.
    since: Option<Instant>,
    stop: bool,
    /// Set by the first error, for good: after a sync that failed nobody knows what the disk holds.
    failed: Option<StoreError>,
}

/// Something is to be flushed.
pub(super) struct Flush {
    /// Nothing will be after it.
    pub(super) is_last: bool,
}

impl Due {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So much waits by now.
    pub(super) fn note(&self, amount: Amount) {
        let mut waiting = self.lock();
        waiting.amount = amount;
        let is_first = waiting.since.is_none();
        waiting.since.get_or_insert_with(Instant::now);
        drop(waiting);
        if is_first || amount.reaches(FLUSHED) {
            self.news.notify_all();
        }
    }

    /// All that waits is about to be flushed.
    pub(super) fn begin(&self) {
        let mut waiting = self.lock();
        waiting.amount = Amount::default();
        waiting.since = None;
        drop(waiting);
        self.news.notify_all();
    }

    /// That is how a flush ended.
    pub(super) fn end(&self, done: Result<(), StoreError>) -> Result<(), StoreError> {
        if let Err(error) = &done {
            self.lock().failed = Some(error.clone());
        }
        self.news.notify_all();
        done
    }

    /// No more will be written.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.news.notify_all();
    }

    /// The first error, if there was any.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.lock().failed.clone().map_or(Ok(()), Err)
    }

    /// Returns when something may be written: at once, unless the disk cannot keep up.
    pub(super) fn wait_for_room(&self) -> Result<(), StoreError> {
        let is_full = |waiting: &mut Waiting| waiting.failed.is_none() && waiting.amount.reaches(WAITING_MAX);
        let waiting = self.news.wait_while(self.lock(), is_full).unwrap_or_else(PoisonError::into_inner);
        waiting.failed.clone().map_or(Ok(()), Err)
    }

    /// Waits until something is to be flushed. None: never again.
    pub(super) fn wait(&self) -> Option<Flush> {
        let mut waiting = self.lock();
        loop {
            if waiting.failed.is_some() {
                return None;
            }
            if waiting.stop {
                return Some(Flush { is_last: true });
            }
            let left = match waiting.since {
                Some(since) => FLUSH_AFTER.saturating_sub(since.elapsed()),
                None => Duration::MAX,
            };
            if left.is_zero() || waiting.amount.reaches(FLUSHED) {
                return Some(Flush { is_last: false });
            }
            let woken = self.news.wait_timeout(waiting, left);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
