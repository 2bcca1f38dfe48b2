//! [`StateStore`] in memory.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::StoreError;
use crate::store::state::{Read, Row, Staged, StateStore, Table, Write};

/// Tables in memory. Readers share them, and wait for no write; a commit copies them only while a reader still looks.
#[derive(Default)]
pub struct MemoryState {
    inner: Mutex<Inner>,
    /// Held by whoever writes.
    writer: Mutex<()>,
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
        Arc::new(Self { inner: Mutex::new(Inner { tables: Arc::new(tables), undo: vec![] }), writer: Mutex::default() })
    }

    /// A new store with what a power cut might leave of this one: the last write is lost, unless
    /// it was synced.
    pub fn crash(&self) -> Arc<Self> {
        let mut inner = self.lock().clone();
        let undo = std::mem::take(&mut inner.undo);
        Arc::make_mut(&mut inner.tables).revert(undo);
        Arc::new(Self { inner: Mutex::new(inner), writer: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn table(&self, table: Table) -> Result<&BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
        self.0.get(&table).ok_or_else(|| StoreError::no_table(table))
    }

    fn table_mut(&mut self, table: Table) -> Result<&mut BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
        self.0.get_mut(&table).ok_or_else(|| StoreError::no_table(table))
    }

    /// Makes the changes, and returns what takes them back.
    fn commit(&mut self, changed: BTreeMap<Table, BTreeMap<Vec<u8>, Option<Vec<u8>>>>) -> Result<Undo, StoreError> {
        let mut undo = Vec::new();
        for (table, rows) in changed {
            let kept = self.table_mut(table)?;
            for (key, value) in rows {
                let before = match value {
                    Some(value) => kept.insert(key.clone(), value),
                    None => kept.remove(&key),
                };
                undo.push((table, key, before));
            }
        }
        Ok(undo)
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

    fn last(&self, table: Table, from: &[u8], before: &[u8]) -> Result<Option<Row>, StoreError> {
        if before <= from {
            return Ok(None);
        }
        let mut rows = self.table(table)?.range::<[u8], _>((Bound::Included(from), Bound::Excluded(before)));
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

    fn last(&self, table: Table, from: &[u8], before: &[u8]) -> Result<Option<Row>, StoreError> {
        self.0.last(table, from, before)
    }
}

/// A write under way: the tables as they were when it began, and what it has changed since.
struct Writing {
    before: Arc<Tables>,
    /// None: deleted.
    changed: BTreeMap<Table, BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
}

impl Writing {
    fn changed_in(&self, table: Table, from: &[u8], to: Bound<&[u8]>) -> impl Iterator<Item = Changed<'_>> {
        let rows = self.changed.get(&table);
        rows.into_iter().flat_map(move |rows| rows.range::<[u8], _>((Bound::Included(from), to)))
    }

    fn change(&mut self, table: Table, key: &[u8], value: Option<Vec<u8>>) {
        self.changed.entry(table).or_default().insert(key.to_vec(), value);
    }
}

type Changed<'a> = (&'a Vec<u8>, &'a Option<Vec<u8>>);

impl Read for Writing {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let before = self.before.get(table, key)?;
        let changed = self.changed.get(&table).and_then(|rows| rows.get(key));
        Ok(changed.cloned().unwrap_or(before))
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
        let mut before = self.before.table(table)?.range::<[u8], _>((Bound::Included(from), to)).peekable();
        let mut changed = self.changed_in(table, from, to).peekable();
        loop {
            let row = match (before.peek(), changed.peek()) {
                (Some((key, _)), Some((other, _))) if key < other => before.next(),
                (Some((key, _)), Some((other, _))) => {
                    if key == other {
                        before.next();
                    }
                    changed.next().and_then(|(key, value)| Some((key, value.as_ref()?)))
                }
                (Some(_), None) => before.next(),
                (None, Some(_)) => changed.next().and_then(|(key, value)| Some((key, value.as_ref()?))),
                (None, None) => return Ok(()),
            };
            if row.is_some_and(|(key, value)| !each(key, value)) {
                return Ok(());
            }
        }
    }

    fn last(&self, table: Table, from: &[u8], before: &[u8]) -> Result<Option<Row>, StoreError> {
        let mut last = None;
        self.scan(table, from, Some(before), &mut |key, value| {
            last = Some((key.to_vec(), value.to_vec()));
            true
        })?;
        Ok(last)
    }
}

impl Write for Writing {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.before.table(table)?;
        self.change(table, key, Some(value.to_vec()));
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.before.table(table)?;
        self.change(table, key, None);
        Ok(())
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

    fn write(&self, work: &mut dyn FnMut(&mut dyn Write) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writing = Writing { before: self.lock().tables.clone(), changed: BTreeMap::new() };
        work(&mut writing)?;
        let Writing { before, changed } = writing;
        let mut inner = self.lock();
        // Ours would count as a reader that still looks.
        drop(before);
        inner.undo = Arc::make_mut(&mut inner.tables).commit(changed)?;
        Ok(())
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
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let staged = staged.into_any().downcast::<Filling>().expect("only what `stage` of this kind of store returned");
        *self.lock() = Inner { tables: Arc::new(staged.0), undo: vec![] };
        Ok(())
    }

    fn room_bytes(&self) -> u64 {
        u64::MAX
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
