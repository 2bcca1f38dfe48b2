//! Whom a member lets replicate: a pure decision, made before a byte of Raft's is read.

use std::collections::BTreeMap;

use wire::hello::Claim;
use wire::peer::{FoundingRecord, StoreId};
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

/// A removed node stays removed, and a key goes with one data folder.
pub fn may_stay(roster: &[RosterNode], peer: PeerId, store: StoreId) -> Result<(), Refusal> {
    match roster.iter().rev().find(|node| node.peer == peer) {
        Some(node) if node.removed => Err(removed(&node.name)),
        Some(node) if node.store != store => Err(Refusal::new(
            Code::MembershipRefused,
            format!("{} has joined with another data folder; remove this one and let the node join anew", node.name),
        )),
        _ => Ok(()),
    }
}

/// What a removed node is told.
pub fn removed(name: &str) -> Refusal {
    let sentence = format!(
        "{name} was removed from the cluster. To let this machine join again, remove its data folder and start it anew."
    );
    Refusal::new(Code::NotAMember, sentence)
}

fn same(node_id: u64, claimed: Peer, peer: PeerId, store: StoreId) -> Result<u64, Refusal> {
    if claimed == (Peer { peer, store }) {
        return Ok(node_id);
    }
    let sentence = format!("member {node_id} is another node, or this node's data folder is not the one it had");
    Err(Refusal::new(Code::NotAMember, sentence))
}

#[cfg(test)]
mod tests {
    use wire::hello::ClaimedRole;
    use wire::peer::{Founder, Incarnation};

    use super::*;

    fn founding() -> FoundingRecord {
        let founder = |number: u8| Founder {
            node_id: number.into(),
            peer: PeerId([number; 32]),
            store: StoreId([number; 16]),
            name: format!("n{number}"),
        };
        FoundingRecord {
            incarnation: Incarnation([1; 16]),
            founders: (1..=3).map(founder).collect(),
            opaque_setup: Vec::new(),
            operator_key: [0; 32],
        }
    }

    fn rostered(number: u8, node_id: u64, removed: bool) -> RosterNode {
        let (peer, store) = (PeerId([number; 32]), StoreId([number; 16]));
        RosterNode { node_id, peer, store, name: format!("n{number}"), removed }
    }

    fn claim(node_id: Option<u64>, store: u8) -> Claim {
        Claim {
            role: ClaimedRole::Node,
            operator: false,
            incarnation: None,
            store: Some(StoreId([store; 16])),
            node_id,
            name: String::new(),
        }
    }

    /// What a node that has applied 100 entries, with node 5 admitted as 40 and node 6 removed, says.
    fn admitted(peer: u8, claim: &Claim) -> bool {
        let founding = founding();
        let founders = founding.founders.iter().map(|founder| rostered(founder.peer.0[0], founder.node_id, false));
        let roster: Vec<_> = founders.chain([rostered(5, 40, false), rostered(6, 41, true)]).collect();
        let members = BTreeMap::new();
        let known = Known { founding: &founding, roster: &roster, applied: 100, members: &members };
        may_replicate(PeerId([peer; 32]), claim, &known).is_ok()
    }

    #[test]
    fn only_the_member_itself_with_its_own_folder_replicates() {
        assert!(admitted(2, &claim(Some(2), 2)));
        assert!(admitted(5, &claim(Some(40), 5)));
        assert!(!admitted(5, &claim(Some(2), 5)), "another's id");
        assert!(!admitted(2, &claim(Some(2), 9)), "a wiped folder");
        assert!(!admitted(9, &claim(Some(2), 2)), "another key");
        assert!(!admitted(6, &claim(Some(41), 6)), "removed");
        assert!(!admitted(9, &claim(None, 9)), "a node without an id");
    }

    #[test]
    fn an_id_is_doubted_only_if_its_entry_would_be_known_here() {
        assert!(!admitted(9, &claim(Some(116), 9)), "the entry at 100 admitted nobody");
        assert!(admitted(9, &claim(Some(117), 9)), "the entry at 101 may have");
    }

    #[test]
    fn founders_know_each_other_before_anything_is_applied() {
        let founding = founding();
        let members = BTreeMap::new();
        let known = Known { founding: &founding, roster: &[], applied: 0, members: &members };
        assert_eq!(may_replicate(PeerId([3; 32]), &claim(Some(3), 3), &known), Ok(3));
        assert!(may_replicate(PeerId([4; 32]), &claim(Some(3), 4), &known).is_err());
    }
}
