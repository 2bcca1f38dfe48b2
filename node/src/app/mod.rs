//! The replicated state of this node: what the log's entries make of it, and how it is read.
//!
//! ```text
//! raft ─▶ applying ─▶ chat::apply, over view ─▶ changes ─▶ tables
//!            │    ├─▶ roster (the cluster's own entries)
//!            └─ after the commit ─▶ applied, watching ─▶ whoever waits
//!                               └─▶ search (which words are in which messages)
//! api, feed, presence ─▶ reads (and pages) ─▶ infos ─▶ tables
//! ```
//! This is the only module that knows both the chat and its storage. What a command means is `chat`'s
//! business, how a table lies on a disk `store`'s; nothing here decides either. A failed read stops the
//! apply before anything is written, and with it the node, as a failed write of what was shown already stops the next one: no replica goes on with an answer it made up.

mod applying;
mod changes;
mod digest;
mod entry;
mod held;
mod infos;
mod keys;
mod pages;
mod pattern;
mod reads;
mod roster;
mod search;
mod snapshot;
mod tables;
#[cfg(test)]
mod tests;
mod value;
mod view;
mod watching;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat::{AccountId, Cursor};
use tokio::sync::watch;

use self::digest::Digests;
use self::held::Kept;
use self::search::Indexer;
use self::tables::Tables;
use self::watching::Watched;
use crate::stages::Stages;
use crate::store::StoreError;
use crate::store::state::StateStore;

pub use digest::Digest;
pub use entry::{AppReply, ClusterCommand, Entry};
pub use keys::TABLES;
pub use roster::{FOUNDERS_MAX, RosterNode};
pub use search::{Query, QueryError, SearchError};
pub use watching::{News, Watching};

/// The replicated state of this node.
#[derive(Debug)]
pub struct App {
    store: Arc<dyn StateStore>,
    applied: watch::Sender<Cursor>,
    stages: Stages,
    watched: Watched,
    digests: Digests,
    indexer: Arc<Indexer>,
    kept: Kept,
    /// Counts commits with which sessions ended, and snapshots, with which they may have.
    endings: Arc<AtomicU64>,
    /// What work beside the applying met with. It stops the node, as it would had apply met it.
    failure: watch::Sender<Option<StoreError>>,
}

impl App {
    /// The state as it lies in the store, which was opened with [`TABLES`].
    pub fn open(store: Arc<dyn StateStore>) -> Result<Arc<Self>, StoreError> {
        let cursor = Tables(&*store.read()?).cursor()?;
        let applied = watch::Sender::new(cursor);
        let failure = watch::Sender::new(None);
        let digests = Digests::begin(failure.clone())?;
        let indexer = Arc::new(Indexer::begin(store.clone(), failure.clone())?);
        let (watched, endings) = (Watched::default(), Arc::default());
        let stages = Stages::as_asked_for();
        Ok(Arc::new(Self {
            store,
            applied,
            stages,
            watched,
            digests,
            indexer,
            endings,
            failure,
            kept: Kept::default(),
        }))
    }

    /// How far the state is: moved after each commit, so whoever sees it finds all up to it.
    pub fn applied(&self) -> watch::Receiver<Cursor> {
        self.applied.subscribe()
    }

    /// Returns once the state is that far.
    pub async fn reached(&self, at: Cursor) {
        // The sender is a field of self.
        let _ = self.applied().wait_for(|applied| *applied >= at).await;
    }

    /// How long what takes is taken down here.
    pub(crate) fn stages(&self) -> &Stages {
        &self.stages
    }

    /// What concerns one account, from now on.
    pub fn watch(&self, account: AccountId) -> Watching {
        self.watched.watch(account)
    }

    /// Changes whenever a session may have ended, after the commit: one that was found after this was asked is there for as long
    /// as this stays the same.
    pub fn endings(&self) -> u64 {
        self.endings.load(Ordering::Acquire)
    }

    /// Whether words of messages may be taken into the index: what it does not have is found all the same, by looking at the texts.
    pub fn index_may_grow(&self, may_grow: bool) {
        self.indexer.may_grow(may_grow);
    }

    /// The digest of the state at the index of a check. None: not computed yet, not here, or not any more.
    pub fn digest_at(&self, index: Cursor) -> Option<Digest> {
        self.digests.done().borrow().get(&index).copied()
    }

    /// The digests of the last few checks, for whoever waits for one.
    pub fn digests(&self) -> watch::Receiver<BTreeMap<Cursor, Digest>> {
        self.digests.done()
    }

    /// Resolves when work beside the applying found the state damaged, or its disk failing: the node must stop.
    pub async fn damaged(&self) -> StoreError {
        let mut failure = self.failure.subscribe();
        let found = failure.wait_for(Option::is_some).await.expect("the sender is a field of self");
        found.clone().expect("waited for")
    }
}
