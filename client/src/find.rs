//! Where nodes may be: an address book fed by seeds, the profile's memory, the files that this machine's nodes leave, mDNS, and
//! what nodes say of each other.
//!
//! Everything in it is a hint. Nothing is trusted for being found: whoever answers proves in its hello that it is a node of
//! the cluster.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use wire::secret::ClusterId;
use wire::{Address, PeerId, Target};

use crate::failover::Candidate;
use crate::profile::KnownNode;

/// How many nodes the book holds. Beyond it a newcomer is not taken in: a stranger who announces thousands on the network must
/// not fill the memory, nor push out those that were given.
const NODES_MAX: usize = 128;

/// How many addresses the book holds for one node; beyond it the ones heard first are dropped.
const ADDRESSES_MAX: usize = 16;

/// Who may be where.
#[derive(Debug, Default)]
pub(crate) struct Book {
    seeds: Vec<Address>,
    nodes: BTreeMap<PeerId, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    /// The one heard of last comes last.
    addresses: Vec<Address>,
    /// Said by someone who knows the cluster, not merely seen on the network.
    vouched: bool,
}

impl Book {
    /// A book that begins with these.
    pub(crate) fn new(seeds: Vec<Address>) -> Self {
        Self { seeds, nodes: BTreeMap::new() }
    }

    /// Takes in where a node may be. `vouched`: whoever said so knows the cluster.
    pub(crate) fn learn(&mut self, peer: PeerId, addresses: &[Address], vouched: bool) {
        if !self.nodes.contains_key(&peer) && self.nodes.len() >= NODES_MAX {
            return;
        }
        let entry = self.nodes.entry(peer).or_default();
        entry.vouched |= vouched;
        for address in addresses {
            entry.addresses.retain(|known| known != address);
            entry.addresses.push(address.clone());
        }
        let beyond = entry.addresses.len().saturating_sub(ADDRESSES_MAX);
        entry.addresses.drain(..beyond);
    }

    /// All that could be tried.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let seeds = self.seeds.iter().cloned().map(Candidate::At);
        seeds.chain(self.nodes.keys().copied().map(Candidate::Node)).collect()
    }

    /// How to try it.
    pub(crate) fn target(&self, candidate: &Candidate) -> Target {
        match candidate {
            Candidate::At(address) => Target { peer: None, addresses: vec![address.clone()] },
            Candidate::Node(peer) => {
                let known = self.nodes.get(peer).map(|entry| entry.addresses.iter().rev().cloned());
                // A dial tries only so many at once; the newest is the likeliest.
                Target { peer: Some(*peer), addresses: known.into_iter().flatten().collect() }
            }
        }
    }

    /// Whether a refusal by it says something about us, rather than about a stranger.
    pub(crate) fn is_vouched(&self, candidate: &Candidate) -> bool {
        match candidate {
            Candidate::At(_) => true,
            Candidate::Node(peer) => self.nodes.get(peer).is_some_and(|entry| entry.vouched),
        }
    }
}

/// What a node of this machine says of itself in its file.
#[derive(Debug, Deserialize)]
struct NodeFile {
    peer: String,
    cluster: String,
    addresses: Vec<String>,
}

/// The nodes of the cluster that left a file in `nodes/` of the runtime folder. Files of other clusters, and those that make no
/// sense, are passed over: a node may be writing its own just now.
pub(crate) fn nodes_of_this_machine(runtime_dir: &Path, cluster: ClusterId) -> Vec<KnownNode> {
    let Ok(files) = std::fs::read_dir(runtime_dir.join("nodes")) else { return Vec::new() };
    let cluster = cluster.to_string();
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.filter_map(|path| read_node_file(&path, &cluster)).take(NODES_MAX).collect()
}

fn read_node_file(path: &Path, cluster: &str) -> Option<KnownNode> {
    let file: NodeFile = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    if file.cluster != cluster {
        return None;
    }
    let name = path.file_stem()?.to_string_lossy().into_owned();
    let addresses = file.addresses.iter().filter_map(|address| address.parse().ok()).collect();
    Some(KnownNode { peer: file.peer.parse().ok()?, name, addresses })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> Address {
        Address::tcp(([127, 0, 0, 1], port).into())
    }

    #[test]
    fn a_flood_of_strangers_neither_fills_the_book_nor_pushes_out_a_seed() {
        let mut book = Book::new(vec![address(1)]);
        for number in 0..1_000u16 {
            let mut key = [0; 32];
            key[..2].copy_from_slice(&number.to_be_bytes());
            book.learn(PeerId(key), &[address(2)], false);
        }
        assert_eq!(book.candidates().len(), NODES_MAX + 1);
        assert!(book.candidates().contains(&Candidate::At(address(1))));
    }

    #[test]
    fn the_newest_addresses_of_a_node_are_kept_and_tried_first() {
        let mut book = Book::default();
        let peer = PeerId([1; 32]);
        for port in 1..=20 {
            book.learn(peer, &[address(port)], true);
        }
        let target = book.target(&Candidate::Node(peer));
        assert_eq!(target.addresses.len(), ADDRESSES_MAX);
        assert_eq!(target.addresses.first(), Some(&address(20)));
    }

    #[test]
    fn only_files_that_make_sense_and_are_of_the_cluster_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let nodes = folder.path().join("nodes");
        std::fs::create_dir(&nodes).expect("made");
        let cluster = ClusterId([7; 16]);
        let peer = PeerId([3; 32]);
        let file = |of: ClusterId| {
            format!(r#"{{"peer":"{peer}","cluster":"{of}","addresses":["/ip4/127.0.0.1/tcp/1","nonsense"],"new":1}}"#)
        };
        std::fs::write(nodes.join("n1.json"), file(cluster)).expect("written");
        std::fs::write(nodes.join("n2.json"), file(ClusterId([8; 16]))).expect("written");
        std::fs::write(nodes.join("n3.json"), "{ half of a fi").expect("written");
        std::fs::write(nodes.join("n4.txt"), file(cluster)).expect("written");
        let found = nodes_of_this_machine(folder.path(), cluster);
        let n1 = KnownNode { peer, name: "n1".into(), addresses: vec![address(1)] };
        assert_eq!(found, vec![n1]);
        assert_eq!(nodes_of_this_machine(&folder.path().join("missing"), cluster), vec![]);
    }
}
