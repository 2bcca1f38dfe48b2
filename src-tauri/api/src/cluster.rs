//! The machines that hold the chat.

use client::{ClusterStatus, Cursor, NodeStatus};

use crate::requests::{At, Nothing};
use crate::types::{Cluster, Holder, Node, Proof};
use crate::{Api, Refusal};

pub(crate) async fn cluster(api: &Api, _: Nothing) -> Result<Cluster, Refusal> {
    Ok(shown(api.client()?.cluster_status().await?))
}

/// A node that has applied the entry has it on its disk.
pub(crate) async fn proof(api: &Api, At { conversation, cursor }: At) -> Result<Proof, Refusal> {
    tracing::debug!(conversation, cursor, "asking which nodes hold a message");
    let client = api.client()?;
    let (status, term) = tokio::try_join!(client.cluster_status(), client.term(Cursor(cursor)))?;
    let nodes = status
        .nodes
        .into_iter()
        .map(|node| Holder { name: node.name, holds: node.progress.map(|progress| progress.applied >= cursor) });
    Ok(Proof { index: cursor, term, nodes: nodes.collect() })
}

fn shown(status: ClusterStatus) -> Cluster {
    let last = |node: &NodeStatus| node.progress.as_ref().map_or(0, |progress| progress.last_index);
    let head = status.nodes.iter().map(last).max().unwrap_or(0);
    let term = status.nodes.iter().filter_map(|node| Some(node.progress.as_ref()?.term)).max();
    Cluster {
        nodes: status.nodes.into_iter().map(|node| Node::of(node, head)).collect(),
        leader: status.leader,
        voters: status.voters,
        reachable_voters: status.reachable_voters,
        can_lose: status.can_lose,
        writable: status.writable,
        epoch: status.epoch,
        answered_by: status.answered_by,
        term,
    }
}
