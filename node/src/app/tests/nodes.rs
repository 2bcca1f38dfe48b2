//! The cluster's own entries: who belongs to it, under which id and name.

use wire::peer::{Founder, FoundingRecord, Incarnation, StoreId};
use wire::{Code, PeerId};

use super::super::{FOUNDERS_MAX, RosterNode};
use super::*;

fn founder(number: u8) -> Founder {
    Founder {
        node_id: u64::from(number),
        peer: PeerId([number; 32]),
        store: StoreId([number; 16]),
        name: format!("n{number}"),
    }
}

fn record() -> FoundingRecord {
    FoundingRecord {
        incarnation: Incarnation([7; 16]),
        founders: vec![founder(1), founder(2), founder(3)],
        opaque_setup: vec![1, 2, 3],
        operator_key: [9; 32],
    }
}

fn founded() -> Replica {
    let mut replica = Replica::in_memory();
    assert_eq!(replica.one(Entry::Cluster(ClusterCommand::Found(record()))), AppReply::Done);
    replica
}

fn admit(replica: &mut Replica, number: u8, name: &str, name_chosen: bool) -> AppReply {
    let (peer, store) = (PeerId([number; 32]), StoreId([number; 16]));
    replica.one(Entry::Cluster(ClusterCommand::Admit { peer, store, name: name.to_owned(), name_chosen }))
}

fn admitted(reply: &AppReply) -> u64 {
    match reply {
        AppReply::Admitted { node_id, founding } if *founding == record() => *node_id,
        other => panic!("was not admitted: {other:?}"),
    }
}

fn refusal(reply: AppReply) -> Code {
    match reply {
        AppReply::Refused(refusal) => refusal.code,
        other => panic!("was not refused: {other:?}"),
    }
}

fn node(replica: &Replica, id: u64) -> RosterNode {
    replica.app.roster().unwrap().into_iter().find(|node| node.node_id == id).unwrap()
}

#[test]
fn founding_happens_once() {
    let mut replica = founded();
    let mut other = record();
    other.incarnation = Incarnation([8; 16]);
    assert_eq!(replica.one(Entry::Cluster(ClusterCommand::Found(record()))), AppReply::Done);
    assert_eq!(refusal(replica.one(Entry::Cluster(ClusterCommand::Found(other)))), Code::WrongCluster);
    assert_eq!(replica.app.founding(), Ok(Some(record())));
    let names: Vec<String> = replica.app.roster().unwrap().into_iter().map(|node| node.name).collect();
    assert_eq!(names, ["n1", "n2", "n3"]);
}

#[test]
fn nobody_is_admitted_before_the_founding() {
    let mut replica = Replica::in_memory();
    assert_eq!(replica.app.founding(), Ok(None));
    assert_eq!(refusal(admit(&mut replica, 4, "n4", false)), Code::NotFounded);
}

#[test]
fn an_id_comes_from_the_entry_and_is_given_to_one_node() {
    let mut replica = founded();
    let at = replica.next;
    let first = admit(&mut replica, 4, "n4", false);
    assert_eq!(admitted(&first), at + FOUNDERS_MAX);
    assert_eq!(admit(&mut replica, 4, "renamed", true), first, "asked again, it is the same node");
    assert_ne!(admitted(&admit(&mut replica, 5, "n5", false)), admitted(&first));
}

#[test]
fn a_founder_that_asks_has_the_id_it_was_founded_with() {
    let mut replica = founded();
    assert_eq!(admitted(&admit(&mut replica, 2, "n2", false)), 2);
}

#[test]
fn names_are_made_unique() {
    let mut replica = founded();
    let ids = [(4, "n2", false), (5, "lab", true), (6, "lab", true), (7, "n1", true)]
        .map(|(number, name, chosen)| admitted(&admit(&mut replica, number, name, chosen)));
    let names = ids.map(|id| node(&replica, id).name);
    assert_eq!(names, ["n4", "lab", "lab-2", "n1-2"]);
}

#[test]
fn a_removed_node_never_comes_back_and_leaves_its_name() {
    let mut replica = founded();
    let id = admitted(&admit(&mut replica, 4, "lab", true));
    assert_eq!(replica.one(Entry::Cluster(ClusterCommand::Remove { node_id: id })), AppReply::Done);
    assert!(node(&replica, id).removed);
    assert_eq!(refusal(admit(&mut replica, 4, "lab", true)), Code::NotAMember);
    let next = admitted(&admit(&mut replica, 5, "lab", true));
    assert_eq!(node(&replica, next).name, "lab");
}

#[test]
fn removing_what_is_not_there_says_so() {
    let mut replica = founded();
    let reply = replica.one(Entry::Cluster(ClusterCommand::Remove { node_id: 77 }));
    assert_eq!(refusal(reply), Code::NoSuchNode);
}
