//! The application over a store, and what is in it, row by row.

use std::sync::Arc;

use node::app::{App, AppReply, Entry, TABLES};
use node::raft::application::{Application, Committed, Entries};
use node::store::state::{StateStore, Table};
use tokio::runtime::{Builder, Runtime};

thread_local! {
    /// Of one thread, so that what an application does beside its applying it does in place: the same every run.
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

/// Does the work to its end.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(work))
}

/// Whether an input is one of the few that are tried on a disk, where each takes long. No byte of it says so, or all that are made of
/// such an input would be.
pub(super) fn is_for_the_disk(input: &[u8]) -> bool {
    crc32c::crc32c(input).is_multiple_of(256)
}

/// An application, its store, and the place of the next entry.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) app: Arc<App>,
    store: Arc<dyn StateStore>,
    next: u64,
}

/// Table, key and value.
pub(super) type Rows = Vec<(Table, Vec<u8>, Vec<u8>)>;

impl Replica {
    pub(super) fn over(store: Arc<dyn StateStore>) -> Self {
        let app = RUNTIME.with(|runtime| {
            let _within = runtime.enter();
            App::open(store.clone()).expect("an empty store")
        });
        Self { app, store, next: 1 }
    }

    /// Applies the entries in one transaction, and returns the replies. `applied` is kept with them.
    pub(super) fn apply(&mut self, entries: Vec<Entry>, applied: &[u8]) -> Vec<AppReply> {
        let (replies, answered) = std::sync::mpsc::channel();
        let committed = |entry: Entry, index: u64| {
            let replies = replies.clone();
            // Whoever waits is here until all are applied.
            let respond = move |reply| drop(replies.send(reply));
            Committed { index, term: 1, command: Some(entry.encode()), respond: Some(Box::new(respond)) }
        };
        let count = entries.len() as u64;
        let committed = entries.into_iter().zip(self.next..).map(|(entry, index)| committed(entry, index)).collect();
        let mut whole = Whole { entries: Some(committed), applied: applied.to_vec() };
        RUNTIME.with(|runtime| {
            let _within = runtime.enter();
            self.app.apply(&mut whole).expect("a store in memory or on a disk with room");
        });
        self.next += count;
        let read = |bytes: bytes::Bytes| AppReply::decode(&bytes).expect("a reply is understood");
        answered.try_iter().map(read).collect()
    }

    /// Everything that replicas have alike. What is this one's own, or made by a thread in its own time, is left out.
    pub(super) fn rows(&self) -> Rows {
        let state = self.store.read().expect("a store that was not closed");
        let mut rows = Vec::new();
        for table in TABLES.iter().filter(|table| !table.0.contains('.') && table.0 != "own") {
            let each = &mut |key: &[u8], value: &[u8]| {
                rows.push((*table, key.to_vec(), value.to_vec()));
                true
            };
            state.scan(*table, &[], None, each).expect("rows that are whole");
        }
        rows
    }

    /// Raft's record of what was applied.
    pub(super) fn applied(&self) -> Option<Vec<u8>> {
        Application::applied(&*self.app).expect("a row that is whole")
    }
}

struct Whole {
    entries: Option<Vec<Committed>>,
    applied: Vec<u8>,
}

impl Entries for Whole {
    fn next(&mut self) -> Option<Vec<Committed>> {
        self.entries.take()
    }

    fn applied(&self) -> Vec<u8> {
        self.applied.clone()
    }
}
