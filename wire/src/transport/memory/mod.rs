//! A network in memory, whose faults a test chooses.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use super::{Incoming, OpenError, Protocol, Target, Transport};
use crate::{Address, BoxStream, PeerId};

/// The network that peers join. Cheap to clone: clones are the same network.
#[derive(Clone, Debug, Default)]
pub struct Network;

impl Network {
    /// A network without peers or faults.
    pub fn new() -> Self {
        Self
    }

    /// Joins as this peer, at an address of its own. Again after a crash, or instead of what it was.
    pub fn join(&self, _peer: PeerId) -> Arc<MemoryTransport> {
        todo!()
    }

    /// Parts the two sides: streams between them break, and no new ones open.
    pub fn partition(&self, _one: &[PeerId], _other: &[PeerId]) {
        todo!()
    }

    /// Silently holds back what `from` says to `to`, until healed. The other way stays open.
    pub fn cut(&self, _from: PeerId, _to: PeerId) {
        todo!()
    }

    /// Undoes every partition and cut.
    pub fn heal(&self) {
        todo!()
    }

    /// As if the peer's process was killed: its streams break, and nobody answers at its address.
    pub fn crash(&self, _peer: PeerId) {
        todo!()
    }

    /// Everything said from now on takes this long (from, to).
    pub fn delay(&self, _hook: impl Fn(PeerId, PeerId) -> Duration + Send + Sync + 'static) {
        todo!()
    }
}

/// A peer in the network.
#[derive(Debug)]
pub struct MemoryTransport;

impl Transport for MemoryTransport {
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
