//! What clients are told of the cluster: who leads, whether it can be written to, where the nodes are.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use wire::blocking::beside_the_runtime;
use wire::message::{ClusterHealth, NodeHint};

use super::member::Member;
use super::room::{INDEX_BYTES, Left};

/// How long a change may go unnoticed that nobody tells of.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often the room on the disk is measured: what a fast disk takes in that time is less than is kept free.
const MEASURE_EVERY: Duration = Duration::from_millis(200);

/// How often where there is plenty: nothing writes so much in that time.
const MEASURE_PLENTY_EVERY: Duration = Duration::from_secs(1);
const PLENTY_BYTES: u64 = 16 << 30;

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
        // A node that takes no more entries falls behind: whoever is here is better off elsewhere.
        let follows = leader.is_some_and(|(_, reachable)| *reachable) && self.room.left() != Left::None;
        ClusterHealth {
            writable: state.has_quorum && follows && self.is_founded(),
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

/// Keeps an eye on the room on this node's disk, until dropped.
pub async fn keep_measuring(member: Arc<Member>) {
    loop {
        let disk = Arc::clone(&member.disk);
        let Ok(free_bytes) = beside_the_runtime(move || disk.free_bytes()).await else { return };
        member.app.index_may_grow(free_bytes >= INDEX_BYTES);
        match member.room.measured(free_bytes) {
            Some((_, Left::Enough)) => info!("there is room again ({free_bytes} bytes)"),
            Some((Left::Enough, Left::Little)) => {
                warn!(
                    "there is little room left ({free_bytes} bytes): free space on the disk, or raise max_state_mib where it is set"
                );
            }
            Some((_, Left::Little)) => info!("there is a little room again ({free_bytes} bytes)"),
            Some((_, Left::None)) => {
                warn!(
                    "there is room for {free_bytes} bytes only, and nothing more is taken: free space on the disk, or raise max_state_mib where it is set"
                );
            }
            None => {}
        }
        tokio::time::sleep(if free_bytes < PLENTY_BYTES { MEASURE_EVERY } else { MEASURE_PLENTY_EVERY }).await;
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
