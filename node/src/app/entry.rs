//! What the log holds for the application: the chat's commands, and the cluster's own.

use bytes::Bytes;
use chat::Cursor;
use serde::{Deserialize, Serialize};
use wire::peer::{FoundingRecord, StoreId};
use wire::{PeerId, Refusal};

use super::{Digest, value};
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
    /// What most of the voters hold the digest at this check to be. A node that has come to another differs from them, and stops.
    Verdict { index: Cursor, digest: Digest },
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

impl Entry {
    /// As it lies in the log.
    pub fn encode(&self) -> Bytes {
        value::encode(self).into()
    }

    /// Whoever proposes the bytes of others decodes them first: a node that finds in its log what it
    /// cannot read has to stop, or it would differ from one that can.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        value::decode(bytes, "the log", "an entry")
    }
}

impl AppReply {
    /// As Raft passes it to whoever waits for it.
    pub fn encode(&self) -> Bytes {
        value::encode(self).into()
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        value::decode(bytes, "an answer", "the reply to an entry")
    }
}
