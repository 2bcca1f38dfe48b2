//! The cluster, as the API of a member sees it: something to propose to, to read from, and to ask
//! how it is.

use std::sync::Arc;
use std::time::Duration;

use chat::Cursor;
use tokio::sync::watch;
use tokio::time::Instant;
use wire::message::{ClusterHealth, ClusterStatus, NodeDigest};
use wire::peer::{PeerAnswer, PeerRequest};
use wire::{Code, Refusal};

use super::member::Member;
use super::outcome::{decoded, no_quorum, outcome_unknown};
use crate::app::{AppReply, ClusterCommand, Entry};

/// How long a node may take to compute its digest.
const DIGEST_WITHIN: Duration = Duration::from_secs(5);

/// How long it may take until this node has all that was committed when it was asked.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(2);

/// How long a leader may take to hand over.
const TRANSFER_WITHIN: Duration = Duration::from_secs(3);

/// A cheap handle. It exists only on a node that is a member of a founded cluster.
#[derive(Clone, Debug)]
pub struct Cluster(Arc<Member>);

impl Cluster {
    /// The cluster that this node is a member of.
    pub fn new(member: Arc<Member>) -> Self {
        Self(member)
    }

    /// This node's id and name.
    pub fn me(&self) -> (u64, String) {
        (self.0.node_id, self.0.name())
    }

    /// Puts the entry into the log, through the leader, and returns its place and the application's
    /// reply. `Timeout` means that it may or may not have happened; `NoQuorum` that it did not.
    ///
    /// Entries enter the log in the order in which these futures are first polled, while the leader stays.
    pub async fn propose(&self, entry: Entry) -> Result<(Cursor, AppReply), Refusal> {
        let stages = self.0.app.stages();
        let asked = stages.begin();
        match self.0.propose(&entry).await? {
            PeerAnswer::Proposed { index, reply } => {
                stages.done(asked);
                Ok((index, decoded(&reply)?))
            }
            _ => Err(outcome_unknown()),
        }
    }

    /// Returns once this node has applied everything that was committed before the call.
    pub async fn read_barrier(&self, within: Duration) -> Result<Cursor, Refusal> {
        let deadline = Instant::now() + within;
        let asked = tokio::time::timeout_at(deadline, self.0.through_leader(PeerRequest::ReadBarrier)).await;
        let Ok(PeerAnswer::ReadBarrier { index }) = asked.unwrap_or_else(|_| Err(no_quorum())) else {
            return Err(no_quorum());
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if self.0.raft.wait_applied(index.0, left).await {
            Ok(index)
        } else {
            Err(Refusal::new(Code::Timeout, "this node is behind the others and has not caught up in time"))
        }
    }

    /// Every node, as far as it answers within a second.
    pub async fn status(&self) -> ClusterStatus {
        self.0.cluster_status().await
    }

    /// What clients are told, at each change.
    pub fn health(&self) -> watch::Receiver<ClusterHealth> {
        self.0.health.subscribe()
    }

    /// A digest of the state at one index, from every node.
    pub async fn check(&self) -> Result<(Cursor, Vec<NodeDigest>), Refusal> {
        let (index, _) = self.propose(Entry::Cluster(ClusterCommand::Check)).await?;
        let nodes = self.0.roster().into_iter().filter(|node| !node.removed);
        let digests = nodes.map(|node| async move {
            let answer = self.0.ask_any(node.peer, PeerRequest::Digest { index }, DIGEST_WITHIN).await;
            let digest = match answer {
                Some(PeerAnswer::Digest { digest }) => digest,
                _ => None,
            };
            NodeDigest { name: node.name, digest }
        });
        Ok((index, futures::future::join_all(digests).await))
    }

    /// Removes the node of that name for good.
    pub async fn remove_node(&self, name: &str) -> Result<(), Refusal> {
        let node_id = self.find(name).await?;
        self.0.through_leader(PeerRequest::Remove { node_id }).await.map(|_| ())
    }

    /// Hands leadership to the node of that name, or to whoever is most up to date. Returns once it leads.
    pub async fn transfer_leader(&self, to: Option<&str>) -> Result<(), Refusal> {
        let to = match to {
            Some(name) => Some(self.find(name).await?),
            None => None,
        };
        let mut states = self.0.raft.watch();
        let before = states.borrow_and_update().leader;
        if to.is_some() && to == before {
            return Ok(());
        }
        self.0.through_leader(PeerRequest::TransferLeader { to }).await?;
        let handed_over = states.wait_for(|state| match to {
            Some(wanted) => state.leader == Some(wanted),
            None => state.leader.is_some() && state.leader != before,
        });
        match tokio::time::timeout(TRANSFER_WITHIN, handed_over).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Refusal::new(
                Code::Timeout,
                "the lead was not handed over in time; the leader stays, or another was elected",
            )),
        }
    }

    /// The node of that name. One that is not known here may have come just now, so that is asked for once more.
    async fn find(&self, name: &str) -> Result<u64, Refusal> {
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        self.read_barrier(CAUGHT_UP_WITHIN).await?;
        let unknown = || Refusal::new(Code::NoSuchNode, format!("there is no node named {name} in the cluster"));
        self.known(name).ok_or_else(unknown)
    }

    fn known(&self, name: &str) -> Option<u64> {
        let wanted = name.to_lowercase();
        let roster = self.0.roster();
        roster.iter().find(|node| !node.removed && node.name.to_lowercase() == wanted).map(|node| node.node_id)
    }
}
