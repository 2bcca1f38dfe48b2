//! (in the making)

use serde::{Deserialize, Serialize};
use wire::PeerId;
use wire::peer::StoreId;

/// NodeIds of founders are at most this; the node that the entry at index i admits has the id i + this.
pub const FOUNDERS_MAX: u64 = 16;

/// A node that was admitted, or one that was removed since: its id and its peer are never used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterNode {
    pub node_id: u64,
    pub peer: PeerId,
    pub store: StoreId,
    pub name: String,
    pub removed: bool,
}
