//! The whole replicated state on its way to a node that is behind, as rows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat::Cursor;
use tokio::sync::watch;

use super::App;
use super::held::Kept;
use super::keys::{self, DERIVED, Key, REPLICATED};
use super::search::Indexer;
use super::tables::Tables;
use super::value;
use super::watching::Watched;
use crate::raft::application::{SnapshotRead, SnapshotWrite};
use crate::store::StoreError;
use crate::store::state::{Read, Row, Staged, StateStore, Table};

/// The tables that a snapshot has.
fn carried() -> impl Iterator<Item = Table> {
    REPLICATED.iter().chain(DERIVED).copied()
}

/// A snapshot being read: one read transaction, walked table by table.
pub(super) struct Outgoing {
    state: Box<dyn Read + Send>,
    /// What is left of the tables; the first of them from `from` on.
    tables: VecDeque<Table>,
    from: Vec<u8>,
}

impl Outgoing {
    pub(super) fn of(state: Box<dyn Read + Send>) -> Self {
        Self { state, tables: carried().collect(), from: Vec::new() }
    }

    /// Takes rows of one table until the chunk is full. Whether the table has ended.
    fn take(&mut self, table: Table, chunk: &mut Chunk) -> Result<bool, StoreError> {
        self.state.scan(table, &self.from, None, &mut |key, value| {
            chunk.push(table, key, value);
            !chunk.is_full()
        })?;
        match chunk.rows.last() {
            Some((_, (key, _))) if chunk.is_full() => self.from = keys::above(key),
            _ => self.from.clear(),
        }
        Ok(!chunk.is_full())
    }
}

impl SnapshotRead for Outgoing {
    fn next(&mut self, size_max_bytes: usize) -> Result<Vec<(Table, Row)>, StoreError> {
        let mut chunk = Chunk { rows: Vec::new(), size_bytes: 0, size_max_bytes };
        while let Some(table) = self.tables.front().copied() {
            if !self.take(table, &mut chunk)? {
                break;
            }
            self.tables.pop_front();
        }
        Ok(chunk.rows)
    }
}

/// Rows up to a size; the last may exceed it.
struct Chunk {
    rows: Vec<(Table, Row)>,
    size_bytes: usize,
    size_max_bytes: usize,
}

impl Chunk {
    fn push(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.size_bytes += key.len() + value.len();
        self.rows.push((table, (key.to_vec(), value.to_vec())));
    }

    fn is_full(&self) -> bool {
        !self.rows.is_empty() && self.size_bytes >= self.size_max_bytes
    }
}

/// A snapshot being received, beside the state that it will replace.
pub(super) struct Incoming {
    staged: Box<dyn Staged>,
    store: Arc<dyn StateStore>,
    applied: watch::Sender<Cursor>,
    watched: Watched,
    indexer: Arc<Indexer>,
    endings: Arc<AtomicU64>,
    kept: Kept,
}

impl Incoming {
    /// To replace the state of this one.
    pub(super) fn of(app: &App) -> Result<Self, StoreError> {
        Ok(Self {
            staged: app.store.stage()?,
            store: app.store.clone(),
            applied: app.applied.clone(),
            watched: app.watched.clone(),
            indexer: app.indexer.clone(),
            endings: app.endings.clone(),
            kept: app.kept.clone(),
        })
    }
}

impl SnapshotWrite for Incoming {
    fn fill(&mut self, rows: Vec<(String, Row)>) -> Result<(), StoreError> {
        let named = |(name, row): (String, Row)| match carried().find(|table| table.0 == name) {
            Some(table) => Some(Ok((table, row))),
            // Of a node with other rules: this one makes its own.
            None if keys::is_derived(&name) => None,
            None => Some(Err(value::damaged("a snapshot from another node", &format!("the table {name:?}")))),
        };
        let rows = rows.into_iter().filter_map(named).collect::<Result<Vec<_>, _>>()?;
        self.staged.fill(&mut rows.into_iter())
    }

    fn install(mut self: Box<Self>, applied: &[u8]) -> Result<(), StoreError> {
        let row = (Key::Applied.table(), (Key::Applied.bytes(), applied.to_vec()));
        self.staged.fill(&mut std::iter::once(row))?;
        self.store.adopt(self.staged)?;
        drop(self.kept.take());
        self.indexer.start_over();
        let cursor = Tables(&*self.store.read()?).cursor()?;
        self.endings.fetch_add(1, Ordering::Release);
        self.applied.send_replace(cursor);
        self.watched.tell_all();
        Ok(())
    }
}
