//! What the log holds for the application: the chat's commands, and the cluster's own.

use serde::{Deserialize, Serialize};
use wire::peer::{FoundingRecord, StoreId};
use wire::{PeerId, Refusal};

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
