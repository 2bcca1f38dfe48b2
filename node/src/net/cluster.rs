//! The cluster, as the API of a member sees it: something to propose to, to read from, and to ask
//! how it is.

use std::time::Duration;

use chat::Cursor;
use tokio::sync::watch;
use wire::Refusal;
use wire::message::{ClusterHealth, ClusterStatus, NodeDigest};

use crate::app::{AppReply, Entry};

/// A cheap handle. It exists only on a node that is a member of a founded cluster.
#[derive(Clone, Debug)]
pub struct Cluster {}

impl Cluster {
    /// This node's id and name.
    pub fn me(&self) -> (u64, String) {
        todo!()
    }

    /// Puts the entry into the log, through the leader, and returns its place and the application's
    /// reply. `Timeout` means that it may or may not have happened; `NoQuorum` that it did not.
    pub async fn propose(&self, _entry: Entry) -> Result<(Cursor, AppReply), Refusal> {
        todo!()
    }

    /// Returns once this node has applied everything that was committed before the call.
    pub async fn read_barrier(&self, _within: Duration) -> Result<Cursor, Refusal> {
        todo!()
    }

    /// Every node, as far as it answers within a second.
    pub async fn status(&self) -> ClusterStatus {
        todo!()
    }

    /// What clients are told, at each change.
    pub fn health(&self) -> watch::Receiver<ClusterHealth> {
        todo!()
    }

    /// A digest of the state at one index, from every node.
    pub async fn check(&self) -> Result<(Cursor, Vec<NodeDigest>), Refusal> {
        todo!()
    }

    /// Removes the node of that name for good.
    pub async fn remove_node(&self, _name: &str) -> Result<(), Refusal> {
        todo!()
    }

    /// Hands leadership to the node of that name, or to whoever is most up to date.
    pub async fn transfer_leader(&self, _to: Option<&str>) -> Result<(), Refusal> {
        todo!()
    }
}
