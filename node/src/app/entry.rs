//! What the log holds for the application: the chat's commands, and the cluster's own.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::peer::{FoundingRecord, StoreId};
use wire::{PeerId, Refusal};

use crate::store::StoreError;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    Chat(chat::Command),
    Cluster(ClusterCommand),
}

/// What the log holds about the cluster itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterCommand {
    /// The first entry of every cluster; without effect once there is one.
    Found(FoundingRecord),
    /// Gives a node its NodeId. Again with the same peer and store: the same NodeId.
    Admit { peer: PeerId, store: StoreId, name: String, name_chosen: bool },
    /// The node is never admitted again.
    Remove { node_id: u64 },
    /// Keeps a digest of the state at this entry, for comparison.
    Check,
}

/// The answer to an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppReply {
    Chat(chat::Reply),
    Admitted { node_id: u64, founding: FoundingRecord },
    Checked,
    Done,
    Refused(Refusal),
}

/// The version of the bytes of entries and replies.
const VERSION: u8 = 1;

impl Entry {
    /// As it lies in the log.
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Whoever proposes bytes of others decodes them first: a node that finds in the log what it cannot
    /// read has to stop.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        decode(bytes, "an entry")
    }
}

impl AppReply {
    /// As Raft passes it to whoever waits for it.
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        decode(bytes, "a reply")
    }
}

fn encode<T: Serialize>(value: &T) -> Bytes {
    let bytes = postcard::to_extend(value, vec![VERSION]).expect("plain data goes into a growing buffer");
    bytes.into()
}

fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, StoreError> {
    let place = "the log".to_owned();
    let damaged = || StoreError::Damaged { place: place.clone(), what: what.to_owned() };
    match bytes.split_first() {
        Some((&VERSION, value)) => match postcard::take_from_bytes(value) {
            Ok((value, [])) => Ok(value),
            _ => Err(damaged()),
        },
        Some((&found, _)) if found > VERSION => {
            Err(StoreError::Newer { place, found: found.into(), known: VERSION.into() })
        }
        _ => Err(damaged()),
    }
}
