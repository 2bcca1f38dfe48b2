//! The stores in memory: for tests and simulation.

use std::sync::Arc;

use super::StoreError;
use super::log::{EntryLog, Extent, OnDisk, StoredEntry};
use super::state::{Read, Staged, StateStore, Table, Write};

/// [`EntryLog`] in memory.
#[derive(Debug, Default)]
pub struct MemoryLog {}

impl MemoryLog {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// What is left after a power cut: what was on the disk.
    pub fn crash(&self) -> Arc<Self> {
        todo!()
    }
}

impl EntryLog for MemoryLog {
    fn extent(&self) -> Extent {
        todo!()
    }
    fn read(&self, _: std::ops::Range<u64>, _: usize) -> Result<Vec<StoredEntry>, StoreError> {
        todo!()
    }
    fn append(&self, _: Vec<StoredEntry>, _: OnDisk) {
        todo!()
    }
    fn truncate(&self, _: u64) {
        todo!()
    }
    fn purge(&self, _: u64) {
        todo!()
    }
    fn put(&self, _: &'static str, _: Vec<u8>, _: Option<OnDisk>) {
        todo!()
    }
    fn get(&self, _: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        todo!()
    }
    fn close(&self) {
        todo!()
    }
}

/// [`StateStore`] in memory.
#[derive(Debug, Default)]
pub struct MemoryState {}

impl MemoryState {
    pub fn new(_tables: &'static [Table]) -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// What is left after a power cut: what was on the disk.
    pub fn crash(&self) -> Arc<Self> {
        todo!()
    }
}

impl StateStore for MemoryState {
    fn read(&self) -> Result<Box<dyn Read + Send>, StoreError> {
        todo!()
    }
    fn write(&self, _: &mut dyn FnMut(&mut dyn Write) -> Result<(), StoreError>) -> Result<(), StoreError> {
        todo!()
    }
    fn sync(&self) -> Result<(), StoreError> {
        todo!()
    }
    fn stage(&self) -> Result<Box<dyn Staged>, StoreError> {
        todo!()
    }
    fn adopt(&self, _: Box<dyn Staged>) -> Result<(), StoreError> {
        todo!()
    }
    fn size_bytes(&self) -> u64 {
        todo!()
    }
}
