//! Whom a member lets replicate: a pure decision, made before a byte of Raft's is read.

use std::collections::BTreeMap;

use wire::hello::Claim;
use wire::peer::FoundingRecord;
use wire::{Code, PeerId, Refusal};

use crate::app::{FOUNDERS_MAX, RosterNode};
use crate::raft::Peer;

/// What this node knows of who belongs to the cluster.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    pub founding: &'a FoundingRecord,
    /// As far as it has been applied here.
    pub roster: &'a [RosterNode],
    pub applied: u64,
    /// Raft's own members, as far as the log is known here.
    pub members: &'a BTreeMap<u64, Peer>,
}

/// The id under which the peer may replicate, or why it may not.
pub fn may_replicate(peer: PeerId, claim: &Claim, known: &Known<'_>) -> Result<u64, Refusal> {
    let (Some(node_id), Some(store)) = (claim.node_id, claim.store) else {
        return Err(Refusal::new(Code::NotAMember, "the node does not say which member it is"));
    };
    let claimed = Peer { peer, store };
    if let Some(node) = known.roster.iter().find(|node| node.node_id == node_id) {
        return if node.removed { Err(removed(&node.name)) } else { same(node_id, claimed, node.peer, node.store) };
    }
    if let Some(member) = known.members.get(&node_id) {
        return same(node_id, claimed, member.peer, member.store);
    }
    if let Some(founder) = known.founding.founders.iter().find(|founder| founder.node_id == node_id) {
        return same(node_id, claimed, founder.peer, founder.store);
    }
    // Admitted by an entry that this node has not seen yet: it is behind, and the stranger, who holds the
    // nodes' secret, may be the very leader that brings the entry.
    if node_id > FOUNDERS_MAX + known.applied {
        return Ok(node_id);
    }
    Err(Refusal::new(Code::NotAMember, format!("there is no member {node_id} in this cluster")))
}

/// What a removed node is told.
pub fn removed(name: &str) -> Refusal {
    let sentence = format!(
        "{name} was removed from the cluster. To let this machine join again, remove its data folder and start it anew."
    );
    Refusal::new(Code::NotAMember, sentence)
}

fn same(node_id: u64, claimed: Peer, peer: PeerId, store: wire::peer::StoreId) -> Result<u64, Refusal> {
    if claimed == (Peer { peer, store }) {
        return Ok(node_id);
    }
    let sentence = format!("member {node_id} is another node, or this node's data folder is not the one it had");
    Err(Refusal::new(Code::NotAMember, sentence))
}
