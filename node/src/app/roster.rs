//! Which nodes belong to the cluster, as its own entries in the log say. Who of them votes is Raft's
//! business, and in its membership.

use serde::{Deserialize, Serialize};
use wire::peer::{Founder, FoundingRecord, StoreId};
use wire::{Code, PeerId, Refusal};

use super::changes::put;
use super::entry::{AppReply, ClusterCommand};
use super::keys::{self, Key};
use super::tables::Tables;
use crate::store::StoreError;
use crate::store::state::Write;

/// NodeIds of founders are at most this; the node that the entry at index i admits gets the id i + this,
/// so that no id is given twice.
pub const FOUNDERS_MAX: u64 = 16;

/// A node that was admitted. One that was removed stays as a tombstone: neither its id nor the pair of its
/// peer and store is ever let in again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterNode {
    pub node_id: u64,
    pub peer: PeerId,
    pub store: StoreId,
    /// Unique among the nodes that are not removed.
    pub name: String,
    pub removed: bool,
}

/// Applies one of the cluster's own commands.
pub(super) fn apply(to: &mut dyn Write, index: u64, command: ClusterCommand) -> Result<AppReply, StoreError> {
    match command {
        ClusterCommand::Found(record) => found(to, &record),
        ClusterCommand::Admit { peer, store, name, name_chosen } => {
            let node = RosterNode { node_id: index + FOUNDERS_MAX, peer, store, name, removed: false };
            admit(to, node, name_chosen)
        }
        ClusterCommand::Remove { node_id } => remove(to, node_id),
        ClusterCommand::Check => Ok(AppReply::Checked),
        ClusterCommand::Verdict { .. } => Ok(AppReply::Done),
    }
}

/// Every node that ever was admitted, by id.
pub(super) fn all(tables: Tables<'_>) -> Result<Vec<RosterNode>, StoreError> {
    let mut nodes = Vec::new();
    tables.scan(keys::NODES, &[], None, |_, node| {
        nodes.push(node);
        true
    })?;
    Ok(nodes)
}

fn found(to: &mut dyn Write, record: &FoundingRecord) -> Result<AppReply, StoreError> {
    match Tables(to).founding()? {
        Some(first) if first == *record => Ok(AppReply::Done),
        Some(_) => Ok(refused(Code::WrongCluster, "The cluster was founded before, with another record.")),
        None => {
            put(to, Key::Founding, record)?;
            for Founder { node_id, peer, store, name } in record.founders.clone() {
                let name = free_name(&all(Tables(to))?, &name, true);
                write(to, &RosterNode { node_id, peer, store, name, removed: false })?;
            }
            Ok(AppReply::Done)
        }
    }
}

fn admit(to: &mut dyn Write, mut node: RosterNode, name_chosen: bool) -> Result<AppReply, StoreError> {
    let Some(founding) = Tables(to).founding()? else {
        return Ok(refused(Code::NotFounded, "The cluster is not founded yet."));
    };
    if let Some(known) = known(Tables(to), &node)? {
        return Ok(match known.removed {
            true => refused(Code::NotAMember, &format!("{} was removed from the cluster.", known.name)),
            false => AppReply::Admitted { node_id: known.node_id, founding },
        });
    }
    node.name = free_name(&all(Tables(to))?, &node.name, name_chosen);
    write(to, &node)?;
    Ok(AppReply::Admitted { node_id: node.node_id, founding })
}

/// The node as it was admitted before.
fn known(tables: Tables<'_>, node: &RosterNode) -> Result<Option<RosterNode>, StoreError> {
    match tables.get(Key::Peer(node.peer, node.store))? {
        Some(id) => tables.get(Key::Node(id)),
        None => Ok(None),
    }
}

fn remove(to: &mut dyn Write, node_id: u64) -> Result<AppReply, StoreError> {
    let Some(mut node) = Tables(to).get::<RosterNode>(Key::Node(node_id))? else {
        return Ok(refused(Code::NoSuchNode, &format!("There is no node {node_id} in the cluster.")));
    };
    node.removed = true;
    write(to, &node)?;
    Ok(AppReply::Done)
}

fn write(to: &mut dyn Write, node: &RosterNode) -> Result<(), StoreError> {
    put(to, Key::Peer(node.peer, node.store), &node.node_id)?;
    put(to, Key::Node(node.node_id), node)
}

/// The name, or one like it that no living node has: n4 instead of a default n2 that is taken, lab-2
/// instead of a chosen lab.
fn free_name(nodes: &[RosterNode], name: &str, chosen: bool) -> String {
    let free = |name: &String| !nodes.iter().any(|node| !node.removed && node.name == *name);
    let others = (2u64..).map(|number| if chosen { format!("{name}-{number}") } else { format!("n{}", number - 1) });
    std::iter::once(name.to_owned()).chain(others).find(free).expect("some number is free")
}

fn refused(code: Code, why: &str) -> AppReply {
    AppReply::Refused(Refusal::new(code, why))
}
