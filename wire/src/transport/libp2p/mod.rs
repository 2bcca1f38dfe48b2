//! The network: libp2p over TCP with Noise and Yamux.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use super::{Incoming, OpenError, Protocol, Target, Transport};
use crate::{Address, BoxStream, PeerId};

/// How to take part in the network.
#[derive(Clone)]
pub struct Config {
    /// Of our Ed25519 key.
    pub seed: [u8; 32],
    /// Where to listen. A client listens nowhere.
    pub listen: Vec<Address>,
    /// Listens on all interfaces as well, on this port or the next free one.
    pub port_first: Option<u16>,
    /// Whether to find peers, and be found, by mDNS.
    pub mdns: bool,
    pub limits: Limits,
}

/// Beyond these a new connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that have not proved who they are yet.
    pub pending_incoming: u32,
    /// Connections with one peer: the processes of one client profile are one peer.
    pub per_peer: u32,
    pub total: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pending_incoming: 64, per_peer: 64, total: 2048 }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("port_first", &self.port_first)
            .field("mdns", &self.mdns)
            .finish_non_exhaustive()
    }
}

/// The network could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: Address, reason: String },
    #[error("no port is free from {first} to {last}")]
    NoPort { first: u16, last: u16 },
}

/// The peer that has the key of this seed.
pub fn key_to_peer(_seed: &[u8; 32]) -> PeerId {
    todo!()
}

/// A peer among others.
#[derive(Debug)]
pub struct Libp2p;

impl Libp2p {
    /// Listens, and returns once others can connect. Needs a tokio runtime.
    pub async fn start(_config: Config) -> Result<Arc<Self>, StartError> {
        todo!()
    }

    /// Closes every connection, and returns once they are.
    pub async fn shutdown(&self) {
        todo!()
    }
}

impl Transport for Libp2p {
    fn local(&self) -> PeerId {
        todo!()
    }

    fn addresses(&self) -> Vec<Address> {
        todo!()
    }

    fn discovered(&self) -> watch::Receiver<Vec<(PeerId, Vec<Address>)>> {
        todo!()
    }

    fn open(&self, _target: Target, _protocol: Protocol) -> BoxFuture<'_, Result<(PeerId, BoxStream), OpenError>> {
        todo!()
    }

    fn accept(&self, _protocol: Protocol) -> mpsc::Receiver<Incoming> {
        todo!()
    }

    fn disconnect(&self, _peer: PeerId) {
        todo!()
    }
}
