//! A node's data folder.

use std::path::{Path, PathBuf};

use wire::peer::StoreId;

use super::StoreError;

/// The data folder, locked for as long as this lives.
#[derive(Debug)]
pub struct Folder {}

impl Folder {
    /// Opens the folder, making it if there is none; `fill` draws randomness for the new identity.
    pub fn open(_path: &Path, _fill: &dyn Fn(&mut [u8])) -> Result<Self, StoreError> {
        todo!()
    }

    pub fn path(&self) -> &Path {
        todo!()
    }

    /// What the node's key pair is made of.
    pub fn seed(&self) -> [u8; 32] {
        todo!()
    }

    pub fn store_id(&self) -> StoreId {
        todo!()
    }

    pub fn log_dir(&self) -> PathBuf {
        todo!()
    }

    pub fn state_dir(&self) -> PathBuf {
        todo!()
    }

    pub fn read_record(&self, _name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        todo!()
    }

    /// Durable when it returns.
    pub fn write_record(&self, _name: &str, _record: &[u8]) -> Result<(), StoreError> {
        todo!()
    }
}
