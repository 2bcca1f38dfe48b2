//! `cluster status`: a line for each node, then one for all of them.

use std::fmt::Write;

use client::{ClusterStatus, NodeStatus};
use serde::Serialize;
use wire::Address;
use wire::message::Role;

use super::rows::Row;
use super::safe;
use crate::net::room::Left;

#[derive(Serialize)]
struct Node<'a> {
    name: &'a str,
    node_id: u64,
    peer_id: String,
    role: &'static str,
    voter: bool,
    reachable: bool,
    /// Where the node was last known to listen.
    addresses: &'a [Address],
    /// The rest is null where the node did not say.
    term: Option<u64>,
    last_index: Option<u64>,
    applied: Option<u64>,
    lag: Option<u64>,
}

#[derive(Serialize)]
struct Cluster<'a> {
    leader: Option<&'a str>,
    voters: u32,
    reachable_voters: u32,
    can_lose: u32,
    writable: bool,
    epoch: u32,
}

/// JSON Lines.
pub(super) fn json(status: &ClusterStatus) -> String {
    let mut lines = String::new();
    for node in &status.nodes {
        lines += &Row::line("node", row(node, head(status)));
        lines.push('\n');
    }
    let cluster = Cluster {
        leader: status.leader.as_deref(),
        voters: status.voters,
        reachable_voters: status.reachable_voters,
        can_lose: status.can_lose,
        writable: status.writable,
        epoch: status.epoch,
    };
    lines += &Row::line("cluster", cluster);
    lines.push('\n');
    lines
}

/// A table and a sentence.
pub(super) fn text(status: &ClusterStatus) -> String {
    let titles = ["NAME", "ID", "ROLE", "VOTER", "REACHABLE", "TERM", "LAST", "APPLIED", "LAG", "DISK", "FREE"];
    let mut cells = vec![titles.map(str::to_owned)];
    cells.extend(status.nodes.iter().map(|node| cells_of(node, head(status))));
    table(&cells) + &sentence(status)
}

/// The furthest anybody has come: what the others lag behind.
fn head(status: &ClusterStatus) -> u64 {
    let last = |node: &NodeStatus| node.progress.as_ref().map_or(0, |progress| progress.last_index);
    status.nodes.iter().map(last).max().unwrap_or(0)
}

fn row(node: &NodeStatus, head: u64) -> Node<'_> {
    let progress = node.progress.as_ref();
    Node {
        name: &node.name,
        node_id: node.node_id,
        peer_id: node.peer.to_string(),
        role: role(node),
        voter: node.voter,
        reachable: node.reachable,
        addresses: &node.addresses,
        term: progress.map(|progress| progress.term),
        last_index: progress.map(|progress| progress.last_index),
        applied: progress.map(|progress| progress.applied),
        lag: progress.map(|progress| head.saturating_sub(progress.applied)),
    }
}

/// One of three words. A candidate is a follower that tries; of a node that cannot be asked only
/// its membership is known.
fn role(node: &NodeStatus) -> &'static str {
    match node.role {
        Role::Leader => "leader",
        Role::Follower | Role::Candidate => "follower",
        Role::Learner => "learner",
        Role::Unknown if node.voter => "follower",
        Role::Unknown => "learner",
    }
}

fn cells_of(node: &NodeStatus, head: u64) -> [String; 11] {
    let row = row(node, head);
    let number = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let yes = |value: bool| if value { "yes" } else { "no" }.to_owned();
    let progress = node.progress.as_ref();
    [
        safe::line(row.name).into_owned(),
        row.node_id.to_string(),
        row.role.to_owned(),
        yes(row.voter),
        yes(row.reachable),
        number(row.term),
        number(row.last_index),
        number(row.applied),
        number(row.lag),
        progress.map_or_else(|| "-".to_owned(), |progress| size(progress.disk_used_bytes)),
        progress.map_or_else(|| "-".to_owned(), |progress| size(progress.disk_free_bytes)),
    ]
}

fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

fn sentence(status: &ClusterStatus) -> String {
    let mut text = match &status.leader {
        Some(leader) => format!("Leader {}", safe::line(leader)),
        None => "No leader".to_owned(),
    };
    // Writing to a string cannot fail.
    let _ = write!(text, "; {} of {} voters reachable; ", status.reachable_voters, status.voters);
    match (status.writable, status.can_lose) {
        (true, 0) => text += "writable, and no node may fail",
        (true, 1) => text += "writable, and 1 more node may fail",
        (true, more) => {
            let _ = write!(text, "writable, and {more} more nodes may fail");
        }
        (false, _) if status.reachable_voters > status.voters / 2 && low_on_room(status).count() > 0 => {
            text += "read-only, for want of room on the disks";
        }
        (false, _) => text += "read-only, for want of a majority of the voters",
    }
    let _ = writeln!(text, "; epoch {}.", status.epoch);
    for (name, free_bytes) in low_on_room(status) {
        let (name, free) = (safe::line(name), size(free_bytes));
        let _ = writeln!(text, "The disk of {name} is nearly full ({free} free): free some space there.");
    }
    text
}

/// The nodes whose disks are nearly full, and what is left on them.
fn low_on_room(status: &ClusterStatus) -> impl Iterator<Item = (&str, u64)> {
    let free = status.nodes.iter().filter_map(|node| Some((&*node.name, node.progress.as_ref()?.disk_free_bytes)));
    free.filter(|(_, free_bytes)| Left::of(*free_bytes) != Left::Enough)
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = bytes.saturating_mul(10) / 1024;
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use client::PeerId;
    use serde_json::{Value, json};
    use wire::message::NodeProgress;

    use super::*;

    fn status() -> ClusterStatus {
        let node = |name: &str, node_id, role, applied: Option<u64>| NodeStatus {
            name: name.into(),
            node_id,
            // The base point of Ed25519: any valid public key does.
            peer: PeerId([0x58; 32]),
            role,
            voter: true,
            reachable: applied.is_some(),
            addresses: vec!["192.0.2.7:12340".parse().unwrap()],
            progress: applied.map(|applied| NodeProgress {
                term: 3,
                last_index: applied + 1,
                applied,
                disk_used_bytes: 1_572_864,
                disk_free_bytes: 1 << 40,
                version: "0.1.0".into(),
            }),
        };
        ClusterStatus {
            nodes: vec![node("n1", 1, Role::Leader, Some(20)), node("n2", 2, Role::Unknown, None)],
            leader: Some("n1".into()),
            voters: 2,
            reachable_voters: 1,
            can_lose: 0,
            writable: false,
            epoch: 1,
            answered_by: "n1".into(),
        }
    }

    fn rows() -> Vec<Value> {
        json(&status()).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_node_has_a_row_and_the_cluster_comes_last() {
        let rows = rows();
        let peer_id = PeerId([0x58; 32]).to_string();
        assert_eq!(
            rows[0],
            json!({"v": 1, "type": "node", "name": "n1", "node_id": 1, "peer_id": peer_id, "role": "leader", "voter": true,
                   "reachable": true, "addresses": ["/ip4/192.0.2.7/tcp/12340"], "term": 3, "last_index": 21, "applied": 20, "lag": 1})
        );
        assert_eq!(
            rows[2],
            json!({"v": 1, "type": "cluster", "leader": "n1", "voters": 2, "reachable_voters": 1, "can_lose": 0,
                   "writable": false, "epoch": 1})
        );
    }

    #[test]
    fn a_silent_node_keeps_its_row_and_its_figures_are_null() {
        let row = &rows()[1];
        assert_eq!(row["role"], "follower");
        assert_eq!(row["reachable"], false);
        assert_eq!(row["applied"], Value::Null);
    }

    #[test]
    fn the_text_names_the_disks_that_are_nearly_full() {
        let mut status = status();
        status.nodes[0].progress.as_mut().unwrap().disk_free_bytes = 3 << 20;
        let warning = "The disk of n1 is nearly full (3.0MiB free): free some space there.\n";
        let said = text(&status);
        assert!(said.ends_with(&format!("for want of a majority of the voters; epoch 1.\n{warning}")), "{said}");
        status.reachable_voters = 2;
        let said = text(&status);
        assert!(said.ends_with(&format!("for want of room on the disks; epoch 1.\n{warning}")), "{said}");
    }

    #[test]
    fn the_text_says_that_it_is_read_only_and_why() {
        let text = text(&status());
        assert!(
            text.ends_with(
                "Leader n1; 1 of 2 voters reachable; read-only, for want of a majority of the voters; epoch 1.\n"
            ),
            "{text}"
        );
        assert!(text.contains("1.5MiB") && text.contains("1.0TiB"), "{text}");
    }
}
