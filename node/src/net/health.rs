//! What clients are told of the cluster: who leads, whether it can be written to, where the nodes are.

use std::sync::Arc;
use std::time::Duration;

use wire::message::{ClusterHealth, NodeHint};

use super::member::Member;

/// How long a change may go unnoticed that nobody tells of.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often it is looked at, however much changes.
const LOOK_AGAIN_AT_MOST: Duration = Duration::from_millis(20);

impl Member {
    /// The cluster as it looks from here, now.
    pub fn view(&self) -> ClusterHealth {
        let state = self.state();
        let roster = self.roster();
        let there = roster.iter().filter(|node| !node.removed);
        // Asked once of each node: one that vanishes meanwhile must not be gone and lead.
        let there: Vec<_> = there.map(|node| (node, self.net.reaches(node.peer))).collect();
        let leader = there.iter().find(|(node, _)| Some(node.node_id) == state.leader);
        ClusterHealth {
            writable: state.has_quorum && leader.is_some_and(|(_, reachable)| *reachable) && self.is_founded(),
            leader: leader.map(|(node, _)| node.name.clone()),
            nodes: there
                .iter()
                .map(|(node, reachable)| NodeHint {
                    name: node.name.clone(),
                    peer: node.peer,
                    addresses: self.addresses_of(node.peer),
                    reachable: *reachable,
                })
                .collect(),
        }
    }

    fn addresses_of(&self, peer: wire::PeerId) -> Vec<wire::Address> {
        if peer == self.net.local() { self.net.local_addresses() } else { self.net.hints(peer) }
    }
}

/// Keeps the watched view up to date, until dropped.
pub async fn keep(member: Arc<Member>) {
    let mut states = member.raft().watch();
    loop {
        let view = member.view();
        member.health.send_if_modified(|shown| {
            let changed = *shown != view;
            *shown = view;
            changed
        });
        tokio::select! {
            changed = states.changed() => if changed.is_err() { return },
            () = member.net().changed() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        // Raft's view moves with every entry; what is shown hardly ever does, so once in a while is enough.
        tokio::time::sleep(LOOK_AGAIN_AT_MOST).await;
    }
}
