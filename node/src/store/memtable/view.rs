//! The tables below with the layers over them, as one.

use std::sync::Arc;

use super::key::KeyRef;
use super::layer::{Changes, Layer, Merged, Run};
use crate::store::StoreError;
use crate::store::state::{Read, Row, Table, Write};

/// One moment of it all; and, for the one who writes, what was changed since.
pub(super) struct View {
    pub(super) changed: Changes,
    /// The newest first.
    pub(super) layers: Vec<Arc<Layer>>,
    pub(super) below: Box<dyn Read + Send>,
    pub(super) tables: &'static [Table],
}

impl View {
    fn number(&self, table: Table) -> Result<usize, StoreError> {
        // Nearly always the very text that the table was declared with, so that it need not be read.
        let same_text = |declared: &Table| std::ptr::eq(declared.0, table.0);
        let found = self.tables.iter().position(same_text);
        let found = found.or_else(|| self.tables.iter().position(|declared| *declared == table));
        found.ok_or_else(|| StoreError::no_table(table))
    }

    /// What is said above the tables of a range of one, the newest first.
    fn runs(&self, table: usize, from: &[u8], to: Option<&[u8]>) -> Vec<Run<'_>> {
        let (from, to) = (KeyRef::of(from), to.map(KeyRef::of));
        let mut runs = vec![self.changed.range(table, from, to)];
        runs.extend(self.layers.iter().map(|layer| layer.range(table, from, to)));
        runs
    }

    /// What is said of a row above the tables.
    fn said(&self, table: usize, key: &[u8]) -> Option<Option<&[u8]>> {
        let key = KeyRef::of(key);
        let changed = self.changed.get(table, key);
        changed.or_else(|| self.layers.iter().find_map(|layer| layer.get(table, key)))
    }

    fn change(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        let table = self.number(table)?;
        self.changed.change(table, key, value)
    }
}

impl Read for View {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.said(self.number(table)?, key) {
            Some(said) => Ok(said.map(<[u8]>::to_vec)),
            None => self.below.get(table, key),
        }
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let mut above = Merged::of(self.runs(self.number(table)?, from, to)).peekable();
        let mut goes_on = true;
        self.below.scan(table, from, to, &mut |key, value| {
            while goes_on && let Some((above, value)) = above.next_if(|(above, _)| above.bytes < key) {
                goes_on = value.is_none_or(|value| each(above.bytes, value));
            }
            // What is said above of the same row counts.
            let said = if goes_on { above.next_if(|(above, _)| above.bytes == key) } else { None };
            let value = said.map_or(Some(value), |(_, said)| said);
            goes_on = goes_on && value.is_none_or(|value| each(key, value));
            goes_on
        })?;
        while goes_on && let Some((key, value)) = above.next() {
            goes_on = value.is_none_or(|value| each(key.bytes, value));
        }
        Ok(())
    }

    fn last(&self, table: Table, from: &[u8], before: &[u8]) -> Result<Option<Row>, StoreError> {
        let number = self.number(table)?;
        let mut before = before.to_vec();
        loop {
            let mut runs = self.runs(number, from, Some(&before));
            let ends = runs.iter_mut().filter_map(DoubleEndedIterator::next_back);
            // Of the same key the first, which is the newest.
            let above = ends.reduce(|one, other| if other.0 > one.0 { other } else { one });
            let below = self.below.last(table, from, &before)?;
            let Some((key, value)) = above else { return Ok(below) };
            if below.as_ref().is_some_and(|(below, _)| below.as_slice() > key.bytes) {
                return Ok(below);
            }
            if let Some(value) = value {
                return Ok(Some((key.bytes.to_vec(), value.to_vec())));
            }
            // It was removed: what goes before it.
            before = key.bytes.to_vec();
        }
    }
}

impl Write for View {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.change(table, key, Some(value))
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.change(table, key, None)
    }
}
