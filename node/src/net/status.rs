//! What a node says of itself, and what all of them say together.

use std::time::Duration;

use futures::future::join_all;
use wire::PeerId;
use wire::message::{ClusterStatus, NodeProgress, NodeStatus, Role};
use wire::peer::{PeerAnswer, PeerRequest};

use super::member::Member;
use super::room::Left;
use crate::app::RosterNode;
use crate::raft::RaftState;

/// How long a node may take to say how it is; one that takes longer counts as not reachable.
const STATUS_WITHIN: Duration = Duration::from_secs(1);

/// Before anyone was forced to go on alone.
const FIRST_EPOCH: u32 = 1;

impl Member {
    /// What this node says of itself.
    pub(super) fn own_status(&self) -> PeerAnswer {
        let state = self.state();
        let progress = NodeProgress {
            term: state.term,
            last_index: state.last_index,
            applied: state.applied,
            disk_used_bytes: self.disk.used_bytes(),
            disk_free_bytes: self.disk.free_bytes(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        PeerAnswer::Status {
            node_id: self.node_id,
            name: self.name(),
            role: state.role,
            progress,
            addresses: self.net.local_addresses(),
        }
    }

    /// Asks a node, which may be this one. None: no answer.
    pub(crate) async fn ask_any(&self, peer: PeerId, request: PeerRequest, within: Duration) -> Option<PeerAnswer> {
        if peer == self.net.local() {
            return Some(Box::pin(self.answer(peer, request)).await);
        }
        self.net.ask(peer, &request, within).await.ok()
    }

    /// All nodes, asked at the same time.
    pub(super) async fn cluster_status(&self) -> ClusterStatus {
        let state = self.state();
        let roster = self.roster().into_iter().filter(|node| !node.removed);
        let nodes = join_all(roster.map(|node| self.status_of(node, &state))).await;
        let told = summary(nodes, &state, self.name_of(state.leader.unwrap_or_default()), self.name());
        ClusterStatus { writable: told.writable && self.is_founded(), ..told }
    }

    async fn status_of(&self, node: RosterNode, state: &RaftState) -> NodeStatus {
        let answer = self.ask_any(node.peer, PeerRequest::Status, STATUS_WITHIN).await;
        let (role, progress, addresses) = match answer {
            Some(PeerAnswer::Status { role, progress, addresses, .. }) => (role, Some(progress), addresses),
            _ => (Role::Unknown, None, self.net.hints(node.peer)),
        };
        NodeStatus {
            name: node.name,
            node_id: node.node_id,
            peer: node.peer,
            role,
            voter: state.voters.contains(&node.node_id),
            reachable: progress.is_some(),
            addresses,
            progress,
        }
    }
}

fn summary(nodes: Vec<NodeStatus>, state: &RaftState, leader: Option<String>, answered_by: String) -> ClusterStatus {
    let voters = nodes.iter().filter(|node| node.voter);
    let reachable = voters.clone().filter(|node| node.reachable).count();
    let has_room = |progress: &NodeProgress| Left::of(progress.disk_free_bytes) == Left::Enough;
    let able = voters.clone().filter(|node| node.progress.as_ref().is_some_and(has_room)).count();
    let voters = voters.count();
    let majority = voters / 2 + 1;
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    ClusterStatus {
        nodes,
        writable: state.has_quorum && leader.is_some() && able >= majority,
        leader,
        voters: count(voters),
        reachable_voters: count(reachable),
        can_lose: count(able.saturating_sub(majority)),
        epoch: FIRST_EPOCH,
        answered_by,
    }
}
