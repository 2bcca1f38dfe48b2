//! Applies what is committed, behind openraft's back, so that many entries share one transaction.
//!
//! openraft hands entries over in whatever pieces they were committed in, often one at a time, and would wait
//! for a sync after each. What it calls applied is therefore handed over; what is applied, and told to those
//! who wait, is what this task has done. After a crash the application says itself how far it has come.
//!
//! A transaction stays open for a few milliseconds: replies go out as soon as an entry is applied, so nobody who
//! sends waits for it, and rows that many entries change are written once.

use std::io;
use std::time::Duration;

use openraft::storage::ApplyResponder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use wire::blocking::is_done_in_place;

use super::application::{Committed, Entries};
use super::entry::Applied;
use super::machine::App;
use super::types::{Reply, TypeConfig};

/// Entries in one transaction.
pub(super) const APPLY_MAX: usize = 4096;

/// How long a transaction stays open under load. What others see of its entries is that much later.
const SHARED_FOR: Duration = Duration::from_millis(40);

/// Load: this many entries each second.
const HIGH_PACE_PER_SECOND: f64 = 1_500.0;

/// How long after the one before a transaction is committed at the earliest, where there is no load. Nobody notices so short a time.
const APART: Duration = Duration::from_millis(4);

/// Pieces that may wait. Beyond it openraft waits, and with it whoever proposes.
const QUEUE_MAX: usize = 1024;

/// Committed entries, in the order of the log.
pub(super) struct Piece {
    pub(super) entries: Vec<Committed>,
    /// Whoever waits for one of Raft's own entries; waits in vain unless it is told.
    pub(super) own: Vec<ApplyResponder<TypeConfig>>,
    /// What will have been applied with these.
    pub(super) applied: Applied,
}

enum Work {
    Apply(Piece),
    /// Answered once everything before it has been applied.
    Drain(oneshot::Sender<()>),
}

/// The way to the applying task. The task ends when the last of these is dropped, after all that was handed over.
#[derive(Clone)]
pub(super) struct Applier(mpsc::Sender<Work>);

impl Applier {
    /// Starts the task.
    pub(super) fn start(app: App, progress: watch::Sender<u64>) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(run(app, queue, progress));
        Self(sender)
    }

    /// Hands entries over. Fails once applying has failed.
    pub(super) async fn apply(&self, piece: Piece) -> io::Result<()> {
        self.0.send(Work::Apply(piece)).await.map_err(|_| ended())
    }

    /// Returns when everything handed over before has been applied.
    pub(super) async fn drain(&self) -> io::Result<()> {
        let (sender, drained) = oneshot::channel();
        self.0.send(Work::Drain(sender)).await.map_err(|_| ended())?;
        drained.await.map_err(|_| ended())
    }
}

fn ended() -> io::Error {
    io::Error::other("applying has failed; see what the store said")
}

async fn run(app: App, mut queue: mpsc::Receiver<Work>, progress: watch::Sender<u64>) {
    let mut pace = Pace::new();
    while let Some(first) = queue.recv().await {
        let (mut shared, arriving) = begin_sharing();
        shared.take(first);
        shared.take_waiting(&mut queue);
        if shared.count > 0 {
            let applying = app.call(move |app| {
                let mut arriving = arriving;
                app.apply(&mut arriving)
            });
            // On an error: noted as the reason why this node stops. Nothing after it may be applied.
            let done = if is_done_in_place() {
                // Nothing is applied in place before all of it is there, so nobody is kept waiting for what nobody sees.
                if pace.is_high() {
                    shared.take_until(Instant::now() + SHARED_FOR, &mut queue).await;
                }
                shared.end();
                applying.await
            } else {
                let taking = async {
                    shared.take_until(pace.see_at(), &mut queue).await;
                    shared.end();
                };
                tokio::join!(applying, taking).0
            };
            let Ok(()) = done else { return };
            pace.note(shared.count);
            for responder in shared.own {
                responder.send(Reply::default());
            }
            progress.send_replace(shared.applied.log_id.map_or(0, |id| id.index));
        }
        if let Some(drained) = shared.drained {
            // Whoever asked may have gone.
            let _ = drained.send(());
        }
    }
}

/// Entries, and what has been applied once they are.
type Fed = (Vec<Committed>, Applied);

/// The pieces that share one transaction, up to the one that somebody waits for to be applied.
struct Shared {
    /// To whoever applies them, until no more shall share it.
    feed: Option<std::sync::mpsc::Sender<Fed>>,
    count: usize,
    own: Vec<ApplyResponder<TypeConfig>>,
    applied: Applied,
    drained: Option<oneshot::Sender<()>>,
}

fn begin_sharing() -> (Shared, Arriving) {
    let (feed, pieces) = std::sync::mpsc::channel();
    let applied = Applied::default();
    let arriving = Arriving { pieces, applied: applied.clone() };
    (Shared { feed: Some(feed), count: 0, own: Vec::new(), applied, drained: None }, arriving)
}

impl Shared {
    fn take(&mut self, work: Work) {
        match work {
            Work::Apply(piece) => {
                self.count += piece.entries.len();
                self.own.extend(piece.own);
                self.applied = piece.applied.clone();
                if let Some(feed) = &self.feed {
                    // After an error nobody takes them: then nothing more is applied.
                    let _ = feed.send((piece.entries, piece.applied));
                }
            }
            Work::Drain(drained) => self.drained = Some(drained),
        }
    }

    fn has_room(&self) -> bool {
        self.drained.is_none() && self.count < APPLY_MAX
    }

    fn take_waiting(&mut self, queue: &mut mpsc::Receiver<Work>) {
        while self.has_room()
            && let Ok(work) = queue.try_recv()
        {
            self.take(work);
        }
    }

    async fn take_until(&mut self, until: Instant, queue: &mut mpsc::Receiver<Work>) {
        while self.has_room()
            && let Ok(Some(work)) = timeout_at(until, queue.recv()).await
        {
            self.take(work);
        }
    }

    fn end(&mut self) {
        self.feed = None;
    }
}

/// The same pieces, where they are applied: off the runtime's threads.
struct Arriving {
    pieces: std::sync::mpsc::Receiver<Fed>,
    applied: Applied,
}

impl Entries for Arriving {
    fn next(&mut self) -> Option<Vec<Committed>> {
        let (entries, applied) = self.pieces.recv().ok()?;
        self.applied = applied;
        Some(entries)
    }

    fn applied(&self) -> Vec<u8> {
        self.applied.encode()
    }
}

/// How many entries come each second, as the last transaction saw it.
struct Pace {
    since: Instant,
    per_second: f64,
}

impl Pace {
    fn new() -> Self {
        Self { since: Instant::now(), per_second: 0.0 }
    }

    fn note(&mut self, count: usize) {
        let now = Instant::now();
        let passed = (now - self.since).as_secs_f64();
        self.per_second = if passed > 0.0 { count as f64 / passed } else { 0.0 };
        self.since = now;
    }

    /// When what is applied from now on is to be seen.
    fn see_at(&self) -> Instant {
        if self.is_high() { Instant::now() + SHARED_FOR } else { self.since + APART }
    }

    fn is_high(&self) -> bool {
        self.per_second >= HIGH_PACE_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::application::{Application, Snapshot, SnapshotWrite};
    use super::super::failure::Failure;
    use super::super::types::{LeaderId, LogId};
    use super::*;
    use crate::store::StoreError;

    /// Counts what it applies, and in how many transactions.
    #[derive(Default)]
    struct Counter {
        entries: AtomicU64,
        transactions: AtomicU64,
    }

    impl Application for Counter {
        fn applied(&self) -> Result<Option<Vec<u8>>, StoreError> {
            Ok(None)
        }

        fn apply(&self, entries: &mut dyn Entries) -> Result<(), StoreError> {
            for entry in std::iter::from_fn(|| entries.next()).flatten() {
                assert_eq!(self.entries.fetch_add(1, Ordering::SeqCst) + 1, entry.index);
                if let Some(respond) = entry.respond {
                    respond(bytes::Bytes::new());
                }
            }
            self.transactions.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }

        fn sync(&self) -> Result<Option<Vec<u8>>, StoreError> {
            Ok(None)
        }

        fn snapshot(&self) -> Result<Snapshot, StoreError> {
            unreachable!("nobody asks for one")
        }

        fn receive(&self) -> Result<Box<dyn SnapshotWrite>, StoreError> {
            unreachable!("none arrives")
        }
    }

    fn counting() -> (Arc<Counter>, Applier, watch::Receiver<u64>) {
        let counter = Arc::new(Counter::default());
        let (progress, seen) = watch::channel(0);
        (counter.clone(), Applier::start(App::new(counter, Failure::default()), progress), seen)
    }

    /// Hands one entry over and waits for its reply, as a client does that sends one message after the other.
    async fn ask(applier: &Applier, index: u64) {
        let (sender, replied) = oneshot::channel();
        let respond: Box<dyn FnOnce(bytes::Bytes) + Send> = Box::new(|reply| drop(sender.send(reply)));
        let entries = vec![Committed { index, term: 1, command: None, respond: Some(respond) }];
        let log_id = Some(LogId::new(LeaderId { term: 1, node_id: 1 }, index));
        let applied = Applied { log_id, ..Applied::default() };
        applier.apply(Piece { entries, own: vec![], applied }).await.expect("it applies");
        replied.await.expect("it replies");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn under_load_replies_do_not_wait_for_the_transaction_that_many_share() {
        let (counter, applier, mut seen) = counting();
        for index in 1..=2_000 {
            ask(&applier, index).await;
        }
        seen.wait_for(|seen| *seen == 2_000).await.expect("all of them become visible");
        let transactions = counter.transactions.load(Ordering::SeqCst);
        assert!(transactions <= 500, "{transactions} transactions for 2,000 entries, one after the other");
    }

    /// So many, one after the other, and how long each may take at most on a machine that is busy with other tests.
    const SEEN: u64 = 20;
    const SEEN_WITHIN: Duration = Duration::from_millis(100);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_applied_is_seen_soon() {
        let (_counter, applier, mut seen) = counting();
        let began = Instant::now();
        for index in 1..=SEEN {
            ask(&applier, index).await;
            seen.wait_for(|seen| *seen == index).await.expect("it is committed");
        }
        assert!(began.elapsed() < SEEN_WITHIN * SEEN as u32, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn whoever_drains_finds_all_applied_that_was_handed_over() {
        let (counter, applier, seen) = counting();
        for index in 1..=300 {
            ask(&applier, index).await;
            if index % 100 == 0 {
                applier.drain().await.expect("it drains");
                assert_eq!((counter.entries.load(Ordering::SeqCst), *seen.borrow()), (index, index));
            }
        }
    }
}
