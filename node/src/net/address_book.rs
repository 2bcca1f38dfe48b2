//! Where other nodes may be. All of it is hints: whoever answers proves who it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wire::{Address, PeerId};

/// How many nodes are remembered; beyond it a new one is not learned, and has to introduce itself again.
const PEERS_MAX: usize = 256;

/// How many addresses of one node; beyond it the one that was heard of the longest ago is forgotten.
const ADDRESSES_MAX: usize = 12;

/// Peers and their addresses, the latest heard first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBook {
    peers: BTreeMap<PeerId, Vec<Address>>,
}

impl AddressBook {
    /// Takes in where the peer may be. Whether that was news.
    pub fn learn(&mut self, peer: PeerId, addresses: &[Address]) -> bool {
        if addresses.is_empty() || (self.peers.len() >= PEERS_MAX && !self.peers.contains_key(&peer)) {
            return false;
        }
        let known = self.peers.entry(peer).or_default();
        let news = addresses.iter().any(|address| !known.contains(address));
        known.retain(|address| !addresses.contains(address));
        known.splice(0..0, addresses.iter().cloned());
        known.truncate(ADDRESSES_MAX);
        news
    }

    /// Forgets a peer, as after its removal.
    pub fn forget(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    /// Where the peer may be.
    pub fn addresses(&self, peer: PeerId) -> Vec<Address> {
        self.peers.get(&peer).cloned().unwrap_or_default()
    }

    /// Everyone, ascending.
    pub fn all(&self) -> Vec<(PeerId, Vec<Address>)> {
        self.peers.iter().map(|(peer, addresses)| (*peer, addresses.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Address {
        Address::tcp(([127, 0, 0, 1], port).into())
    }

    #[test]
    fn the_latest_address_is_tried_first() {
        let mut book = AddressBook::default();
        let peer = PeerId([1; 32]);
        assert!(book.learn(peer, &[at(1), at(2)]));
        assert!(book.learn(peer, &[at(3)]));
        assert!(!book.learn(peer, &[at(2)]), "known already");
        assert_eq!(book.addresses(peer), [at(2), at(3), at(1)]);
    }

    #[test]
    fn a_talkative_peer_cannot_fill_the_book() {
        let mut book = AddressBook::default();
        for number in 0..1000_u16 {
            let mut key = [0; 32];
            key[..2].copy_from_slice(&number.to_be_bytes());
            book.learn(PeerId(key), &[at(1)]);
            book.learn(PeerId([0; 32]), &[at(number)]);
        }
        assert_eq!(book.all().len(), PEERS_MAX);
        assert_eq!(book.addresses(PeerId([0; 32])).len(), ADDRESSES_MAX);
    }
}
