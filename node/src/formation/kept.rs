//! What formation keeps on the disk: the promise, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::peer::{FoundingRecord, Incarnation};

use crate::raft::inspect::is_used;
use crate::store::StoreError;
use crate::store::folder::Folder;
use crate::store::log::EntryLog;

/// Small durable records, by name: a data folder, or its twin in memory.
pub trait Records: Send + Sync + 'static {
    /// None: never written. Damage is an error, not a None.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// On the disk when it returns.
    fn write(&self, name: &str, record: &[u8]) -> Result<(), StoreError>;
}

impl Records for Folder {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_record(name)
    }

    fn write(&self, name: &str, record: &[u8]) -> Result<(), StoreError> {
        self.write_record(name, record)
    }
}

/// Records in memory, for tests and simulation.
#[derive(Debug, Default)]
pub struct MemoryRecords(Mutex<BTreeMap<String, Vec<u8>>>);

impl MemoryRecords {
    /// New records with what a power cut would leave of these: all, since each is on the disk when it is written. Writes to
    /// these go nowhere from now on.
    pub fn crash(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl Records for MemoryRecords {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned())
    }

    fn write(&self, name: &str, record: &[u8]) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), record.to_vec());
        Ok(())
    }
}

/// What a node is in its cluster, from the moment that there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub node_id: u64,
    pub founding: FoundingRecord,
}

impl Membership {
    /// Whether the node was there from the start.
    pub fn is_founder(&self) -> bool {
        self.founding.founders.iter().any(|founder| founder.node_id == self.node_id)
    }
}

/// What a node has said of founding records, and is bound by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// The one it promised.
    pub given: Option<FoundingRecord>,
    /// Those it never will.
    pub refused: BTreeSet<Incarnation>,
}

/// Which record, and with it which type.
pub(crate) const PROMISE: &str = "promise";
pub(crate) const MEMBERSHIP: &str = "membership";
pub(crate) const CLUSTER: &str = "cluster";
pub(crate) const PEERS: &str = "peers";

/// What a node has said of founding records, and what it became, as its disk has it.
pub fn kept(records: &dyn Records) -> Result<(Promise, Option<Membership>), StoreError> {
    Ok((load(records, PROMISE)?.unwrap_or_default(), load(records, MEMBERSHIP)?))
}

/// Refuses a log that Raft has written to where it is not known any more in which cluster: the membership is on the disk before Raft
/// starts.
pub fn check_log(membership: Option<&Membership>, log: &dyn EntryLog) -> Result<(), StoreError> {
    if membership.is_some() || !is_used(log)? {
        return Ok(());
    }
    let what = "the record of the cluster that this node belongs to is missing; what is left".to_owned();
    Err(StoreError::Damaged { place: "the data folder".to_owned(), what })
}

/// Reads a record as its type. One that cannot be read as such is damaged: its CRC was right, so it was
/// not written by us.
pub(crate) fn load<T: DeserializeOwned>(records: &dyn Records, name: &str) -> Result<Option<T>, StoreError> {
    let Some(bytes) = records.read(name)? else { return Ok(None) };
    let damaged = |_| StoreError::Damaged { place: "the data folder".into(), what: format!("the record {name}") };
    postcard::from_bytes(&bytes).map(Some).map_err(damaged)
}

/// Writes a record; it is on the disk when this returns.
pub(crate) fn save<T: Serialize>(records: &dyn Records, name: &str, record: &T) -> Result<(), StoreError> {
    let bytes = postcard::to_stdvec(record).expect("plain data in memory serialises");
    records.write(name, &bytes)
}
