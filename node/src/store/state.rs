//! The application's tables: ordered bytes, in transactions.

use std::fmt;

use super::StoreError;

/// A table, by its name. The application declares which it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub &'static str);

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// The tables at one moment. Values are checked against their CRC as they are read.
pub trait Read {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Calls `each` with the rows whose keys lie in `from..to` (`to` None: to the table's end),
    /// ascending, until it returns false.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError>;

    /// The last row whose key lies in `from..=to`.
    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Row>, StoreError>;
}

/// The tables within the one write transaction. Reads see what was written before in it.
pub trait Write: Read {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Whether there was such a row.
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<bool, StoreError>;
}

/// The application's storage.
pub trait StateStore: Send + Sync + fmt::Debug + 'static {
    /// The tables as last committed. Hold it briefly: pages freed meanwhile cannot be used again.
    fn read(&self) -> Result<Box<dyn Read + Send>, StoreError>;

    /// Runs `work` in one transaction and commits it; if `work` fails nothing is written. Once this
    /// returns, readers see the changes, and they survive the death of the process. They survive the
    /// loss of power once [`StateStore::sync`] or a second `write` has returned.
    fn write(&self, work: &mut dyn FnMut(&mut dyn Write) -> Result<(), StoreError>) -> Result<(), StoreError>;

    /// Everything written so far survives the loss of power.
    fn sync(&self) -> Result<(), StoreError>;

    /// A second, empty store beside this one, to receive a snapshot in. Clears what an earlier
    /// attempt left.
    fn stage(&self) -> Result<Box<dyn Staged>, StoreError>;

    /// Puts the staged store in this one's place: after a power cut it is either wholly the old or
    /// wholly the new. Reads that began before go on seeing the old one.
    fn adopt(&self, staged: Box<dyn Staged>) -> Result<(), StoreError>;

    /// Bytes that the store takes on its disk.
    fn size_bytes(&self) -> u64;
}

/// A store being filled, invisible until adopted. Dropping it discards it.
pub trait Staged: Send {
    /// Appends rows, each table's in ascending order. Durable only with `adopt`.
    fn fill(&mut self, rows: &mut dyn Iterator<Item = (Table, Row)>) -> Result<(), StoreError>;

    /// For `adopt`'s implementation.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any>;
}
