//! [`StateStore`] in memory.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::StoreError;
use crate::store::state::{Read, Row, Staged, StateStore, Table, Write};

/// Tables in memory. Readers share them; a write copies them only while a reader still looks.
#[derive(Default)]
pub struct MemoryState {
    inner: Mutex<Inner>,
}

#[derive(Clone, Default)]
struct Inner {
    tables: Arc<Tables>,
    /// What takes back the last write, which a power cut may lose.
    undo: Undo,
}

#[derive(Clone, Default)]
struct Tables(BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>);

type Undo = Vec<(Table, Vec<u8>, Option<Vec<u8>>)>;

impl MemoryState {
    /// An empty store with these tables.
    pub fn new(tables: &'static [Table]) -> Arc<Self> {
        let tables = Tables(tables.iter().map(|table| (*table, BTreeMap::new())).collect());
        Arc::new(Self { inner: Mutex::new(Inner { tables: Arc::new(tables), undo: vec![] }) })
    }

    /// A new store with what a power cut might leave of this one: the last write is lost, unless
    /// it was synced.
    pub fn crash(&self) -> Arc<Self> {
        let mut inner = self.lock().clone();
        let undo = std::mem::take(&mut inner.undo);
        Arc::make_mut(&mut inner.tables).revert(undo);
        Arc::new(Self { inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn table(&self, table: Table) -> Result<&BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
        self.0.get(&table).ok_or_else(|| no_table(table))
    }

    fn table_mut(&mut self, table: Table) -> Result<&mut BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
        self.0.get_mut(&table).ok_or_else(|| no_table(table))
    }

    fn revert(&mut self, undo: Undo) {
        for (table, key, value) in undo.into_iter().rev() {
            let rows = self.0.entry(table).or_default();
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
    }
}

fn no_table(table: Table) -> StoreError {
    StoreError::Io { action: "find", place: table.0.to_owned(), reason: "no such table was declared".to_owned() }
}

impl Read for Tables {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.table(table)?.get(key).cloned())
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let to = to.map_or(Bound::Unbounded, Bound::Excluded);
        for (key, value) in self.table(table)?.range::<[u8], _>((Bound::Included(from), to)) {
            if !each(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Row>, StoreError> {
        if to < from {
            return Ok(None);
        }
        let mut rows = self.table(table)?.range::<[u8], _>((Bound::Included(from), Bound::Included(to)));
        Ok(rows.next_back().map(|(key, value)| (key.clone(), value.clone())))
    }
}

/// A read: the tables as they were when it began.
struct Reading(Arc<Tables>);

impl Read for Reading {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.0.scan(table, from, to, each)
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Row>, StoreError> {
        self.0.last(table, from, to)
    }
}

/// A write under way, and how to take it back.
struct Writing<'a> {
    tables: &'a mut Tables,
    undo: Undo,
}

impl Read for Writing<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.tables.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.tables.scan(table, from, to, each)
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Row>, StoreError> {
        self.tables.last(table, from, to)
    }
}

impl Write for Writing<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let before = self.tables.table_mut(table)?.insert(key.to_vec(), value.to_vec());
        self.undo.push((table, key.to_vec(), before));
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<bool, StoreError> {
        let before = self.tables.table_mut(table)?.remove(key);
        let was_there = before.is_some();
        if was_there {
            self.undo.push((table, key.to_vec(), before));
        }
        Ok(was_there)
    }
}

/// A store being filled.
struct Filling(Tables);

impl Staged for Filling {
    fn fill(&mut self, rows: &mut dyn Iterator<Item = (Table, Row)>) -> Result<(), StoreError> {
        for (table, (key, value)) in rows {
            self.0.table_mut(table)?.insert(key, value);
        }
        Ok(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl StateStore for MemoryState {
    fn read(&self) -> Result<Box<dyn Read + Send>, StoreError> {
        Ok(Box::new(Reading(self.lock().tables.clone())))
    }

    /// Readers wait while a write is under way, so `work` must not begin a read of its own.
    fn write(&self, work: &mut dyn FnMut(&mut dyn Write) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let mut writing = Writing { tables: Arc::make_mut(&mut inner.tables), undo: vec![] };
        let result = work(&mut writing);
        let undo = writing.undo;
        match result {
            Ok(()) => inner.undo = undo,
            Err(_) => Arc::make_mut(&mut inner.tables).revert(undo),
        }
        result
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.lock().undo.clear();
        Ok(())
    }

    fn stage(&self) -> Result<Box<dyn Staged>, StoreError> {
        let tables = self.lock().tables.0.keys().map(|table| (*table, BTreeMap::new())).collect();
        Ok(Box::new(Filling(Tables(tables))))
    }

    fn adopt(&self, staged: Box<dyn Staged>) -> Result<(), StoreError> {
        let staged = staged.into_any().downcast::<Filling>().expect("only what `stage` of this kind of store returned");
        *self.lock() = Inner { tables: Arc::new(staged.0), undo: vec![] };
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        let inner = self.lock();
        let rows = inner.tables.0.values().flatten();
        rows.map(|(key, value)| (key.len() + value.len()) as u64).sum()
    }
}

impl fmt::Debug for MemoryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryState").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::state::tests::{A, TABLES, get, keeps_its_promises, put};

    #[test]
    fn it_keeps_the_promises_of_a_state_store() {
        keeps_its_promises(&*MemoryState::new(TABLES));
    }

    #[test]
    fn a_crash_loses_at_most_the_last_write() {
        let store = MemoryState::new(TABLES);
        put(&*store, A, "k", "one");
        put(&*store, A, "k", "two");
        assert_eq!(get(&*store.crash(), A, "k").as_deref(), Some("one"));
        store.sync().unwrap();
        assert_eq!(get(&*store.crash(), A, "k").as_deref(), Some("two"));
    }
}
