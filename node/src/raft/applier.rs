//! Applies what is committed, behind openraft's back: while one transaction is on its way to the disk, the
//! entries that are committed meanwhile wait here, and share the next one.
//!
//! openraft hands entries over in whatever pieces they were committed in, often one at a time, and would wait
//! for a sync after each. What it calls applied is therefore handed over; what is applied, and told to those
//! who wait, is what this task has done. After a crash the application says itself how far it has come.

use std::io;

use openraft::storage::ApplyResponder;
use tokio::sync::{mpsc, oneshot, watch};

use super::application::Committed;
use super::entry::Applied;
use super::machine::App;
use super::types::{Reply, TypeConfig};

/// Entries in one transaction.
pub(super) const APPLY_MAX: usize = 1024;

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
    while let Some(first) = queue.recv().await {
        let (piece, drained) = collect(first, &mut queue);
        if let Some(piece) = piece
            && apply(&app, piece, &progress).await.is_err()
        {
            // Noted as the reason why this node stops. Nothing after it may be applied.
            return;
        }
        if let Some(drained) = drained {
            // Whoever asked may have gone.
            let _ = drained.send(());
        }
    }
}

/// Everything that waits, as one piece, up to whoever waits for it to be done.
fn collect(first: Work, queue: &mut mpsc::Receiver<Work>) -> (Option<Piece>, Option<oneshot::Sender<()>>) {
    let mut all: Option<Piece> = None;
    let mut next = Some(first);
    while let Some(work) = next {
        match work {
            Work::Drain(sender) => return (all, Some(sender)),
            Work::Apply(piece) => match &mut all {
                None => all = Some(piece),
                Some(all) => all.add(piece),
            },
        }
        let room = all.as_ref().is_none_or(|all| all.entries.len() < APPLY_MAX);
        next = if room { queue.try_recv().ok() } else { None };
    }
    (all, None)
}

impl Piece {
    fn add(&mut self, later: Self) {
        self.entries.extend(later.entries);
        self.own.extend(later.own);
        self.applied = later.applied;
    }
}

async fn apply(app: &App, piece: Piece, progress: &watch::Sender<u64>) -> io::Result<()> {
    let Piece { entries, own, applied } = piece;
    let record = applied.encode();
    app.call(move |app| app.apply(entries, &record)).await?;
    for responder in own {
        responder.send(Reply::default());
    }
    progress.send_replace(applied.log_id.map_or(0, |id| id.index));
    Ok(())
}
