//! A hash of the whole replicated state at one index, to compare replicas by.
//!
//! Applying does not wait for it: one thread hashes what the read transactions show that were begun at the
//! checks. (In a runtime that has one thread for everything, it is hashed in place.)

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use chat::{Cursor, Reply};
use tokio::sync::watch;
use wire::blocking::is_done_in_place;

use super::keys::{REPLICATED, REPLIES};
use super::value;
use crate::store::state::{Read, Table};
use crate::store::{StoreError, thread};

/// BLAKE3 over every replicated row.
pub type Digest = [u8; 32];

/// How many digests are kept; beyond it the oldest is forgotten.
const KEPT_MAX: usize = 8;

/// How many checks may wait. Beyond it a check gets no digest from this node, and may be asked for again:
/// each holds a read transaction, and so pages that cannot be used again.
const WAITING_MAX: usize = KEPT_MAX;

type Work = (Cursor, Box<dyn Read + Send>);

/// The digests of the last checks, and the thread that computes them.
pub(super) struct Digests {
    shared: Arc<Shared>,
    /// None once the thread has been told to end, and where there is none.
    queue: Option<SyncSender<Work>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    done: watch::Sender<BTreeMap<Cursor, Digest>>,
    /// What most of the voters came to.
    verdicts: Mutex<BTreeMap<Cursor, Digest>>,
    /// What hashing found wrong with the state. It stops the node like any other failed read.
    failure: watch::Sender<Option<StoreError>>,
    stop: AtomicBool,
}

impl Digests {
    pub(super) fn begin(failure: watch::Sender<Option<StoreError>>) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            done: watch::Sender::default(),
            verdicts: Mutex::default(),
            failure,
            stop: AtomicBool::new(false),
        });
        if is_done_in_place() {
            return Ok(Self { shared, queue: None, thread: None });
        }
        let (queue, work) = sync_channel(WAITING_MAX);
        let thread = thread::start("digest", "hashes the state", {
            let shared = Arc::clone(&shared);
            move || shared.run(&work)
        })?;
        Ok(Self { shared, queue: Some(queue), thread: Some(thread) })
    }

    /// Computes the digest of what the read shows, which is the state at this index.
    pub(super) fn compute(&self, at: Cursor, state: Box<dyn Read + Send>) {
        if is_done_in_place() {
            return self.shared.hash(at, &*state);
        }
        let queued = self.queue.as_ref().is_some_and(|queue| queue.try_send((at, state)).is_ok());
        if !queued {
            tracing::warn!(index = at.0, "too many checks at once: this node has no digest for this one");
        }
    }

    /// Takes in what most of the voters came to at a check. This node may still be hashing.
    pub(super) fn compare(&self, check: Cursor, digest: Digest) {
        let mut verdicts = self.shared.verdicts();
        verdicts.insert(check, digest);
        forget_oldest(&mut verdicts);
        drop(verdicts);
        self.shared.judge(check);
    }

    pub(super) fn done(&self) -> watch::Receiver<BTreeMap<Cursor, Digest>> {
        self.shared.done.subscribe()
    }
}

impl Shared {
    fn run(&self, work: &Receiver<Work>) {
        for (at, state) in work {
            self.hash(at, &*state);
        }
    }

    fn hash(&self, at: Cursor, state: &dyn Read) {
        match digest(state, &self.stop) {
            Ok(Some(digest)) => self.keep(at, digest),
            // Told to stop.
            Ok(None) => {}
            Err(error) => {
                self.failure.send_replace(Some(error));
            }
        }
    }

    fn keep(&self, at: Cursor, digest: Digest) {
        self.done.send_modify(|done| {
            done.insert(at, digest);
            forget_oldest(done);
        });
        self.judge(at);
    }

    fn verdicts(&self) -> MutexGuard<'_, BTreeMap<Cursor, Digest>> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the node if it came to something else at this check than most of the voters; whichever is known last asks.
    fn judge(&self, check: Cursor) {
        let own = self.done.borrow().get(&check).copied();
        let verdict = self.verdicts().get(&check).copied();
        if let (Some(own), Some(verdict)) = (own, verdict)
            && own != verdict
        {
            self.failure.send_replace(Some(StoreError::Differs { index: check.0 }));
        }
    }
}

fn forget_oldest(kept: &mut BTreeMap<Cursor, Digest>) {
    while kept.len() > KEPT_MAX {
        kept.pop_first();
    }
}

/// Hashes every row of every replicated table, each with its lengths, so that no two states look alike.
/// None: told to stop.
fn digest(state: &dyn Read, stop: &AtomicBool) -> Result<Option<Digest>, StoreError> {
    let mut hasher = blake3::Hasher::new_derive_key("five9s state digest v1");
    for table in REPLICATED {
        field(&mut hasher, table.0.as_bytes());
        state.scan(*table, &[], None, &mut |key, value| {
            if !is_of_an_earlier_build(*table, value) {
                field(&mut hasher, key);
                field(&mut hasher, value);
            }
            !stop.load(Ordering::Relaxed)
        })?;
    }
    Ok((!stop.load(Ordering::Relaxed)).then(|| *hasher.finalize().as_bytes()))
}

/// Whether the row says again where a message is, as builds before December 2026 remembered it: replicas that applied an entry with
/// such a build have it, and others do not. It is forgotten by and by.
fn is_of_an_earlier_build(table: Table, value: &[u8]) -> bool {
    table == REPLIES && matches!(value::decode(value, "the state", "a reply"), Ok(Reply::Stored { .. }))
}

fn field(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_be_bytes());
    hasher.update(bytes);
}

impl Drop for Digests {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.queue.take();
        if let Some(thread) = self.thread.take() {
            thread::end(thread);
        }
    }
}

impl fmt::Debug for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digests").finish_non_exhaustive()
    }
}
