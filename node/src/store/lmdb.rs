//! The stores on LMDB.

use std::path::Path;
use std::sync::Arc;

use super::StoreError;
use super::log::{EntryLog, Extent, OnDisk, StoredEntry};
use super::state::{Read, Staged, StateStore, Table, Write};

/// Raft's log.
#[derive(Debug)]
pub struct LmdbLog {}

impl LmdbLog {
    pub fn open(_dir: &Path) -> Result<Arc<Self>, StoreError> {
        todo!()
    }
}

impl EntryLog for LmdbLog {
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

/// The application's tables.
#[derive(Debug)]
pub struct LmdbState {}

impl LmdbState {
    pub fn open(_dir: &Path, _tables: &'static [Table]) -> Result<Arc<Self>, StoreError> {
        todo!()
    }
}

impl StateStore for LmdbState {
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
