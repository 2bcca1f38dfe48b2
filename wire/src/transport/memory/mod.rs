//! A network in memory, whose faults a test chooses: the twin of [`super::libp2p`].
//!
//! Everybody who has joined sees everybody else as if by mDNS, unless the network is made without that. Nothing here touches the operating
//! system, so under paused time a run with faults is the same every time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use super::{ACCEPT_QUEUE_MAX, Incoming, OPEN_TIMEOUT, OpenError, Protocol, Target, Transport};
use crate::{Address, BoxStream, PeerId};

mod pipe;

use pipe::{Delay, Wire};

/// The network that peers join. Clones are the same network.
#[derive(Clone, Default)]
pub struct Network {
    hub: Arc<Mutex<Hub>>,
}

type DelayHook = Arc<dyn Fn(PeerId, PeerId) -> Duration + Send + Sync>;
type Doors = HashMap<Protocol, mpsc::Sender<Incoming>>;

#[derive(Default)]
struct Hub {
    members: BTreeMap<PeerId, Member>,
    /// How many have joined so far; the last one's number is its address.
    joined: u64,
    /// Pairs with no connection at all, both ways round.
    parted: BTreeSet<(PeerId, PeerId)>,
    /// (from, to): what is said that way is held back.
    cut: BTreeSet<(PeerId, PeerId)>,
    /// Every stream that may still be open.
    wires: Vec<Wire>,
    delay: Option<DelayHook>,
    /// Nobody sees anybody: a peer is reached only where it is.
    dark: bool,
}

struct Member {
    number: u64,
    doors: Doors,
    discovered: watch::Sender<Vec<(PeerId, Vec<Address>)>>,
}

impl Network {
    /// A network without peers or faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// A network where nobody sees anybody: whoever is to be reached needs an address that is still right.
    pub fn without_discovery() -> Self {
        let hub = Hub { dark: true, ..Hub::default() };
        Self { hub: Arc::new(Mutex::new(hub)) }
    }

    /// Joins as this peer, at an address of its own. Again: as if the peer crashed and started anew.
    pub fn join(&self, peer: PeerId) -> Arc<MemoryTransport> {
        self.crash(peer);
        let mut hub = self.lock();
        hub.joined += 1;
        let number = hub.joined;
        let discovered = watch::Sender::default();
        hub.members.insert(peer, Member { number, doors: Doors::new(), discovered: discovered.clone() });
        hub.announce();
        Arc::new(MemoryTransport { network: self.clone(), peer, number, discovered })
    }

    /// Parts the two sides: streams between them break, and no new ones open.
    pub fn partition(&self, one: &[PeerId], other: &[PeerId]) {
        let mut hub = self.lock();
        for (&a, &b) in one.iter().flat_map(|a| other.iter().map(move |b| (a, b))) {
            hub.parted.extend([(a, b), (b, a)]);
            hub.break_wires(|wire| wire.joins(a, b));
        }
    }

    /// Silently holds back what `from` says to `to`, until healed; the other way stays open. Streams do
    /// not break, as with a network that loses packets one way. New ones do not open, because a
    /// connection needs both ways.
    pub fn cut(&self, from: PeerId, to: PeerId) {
        let mut hub = self.lock();
        hub.cut.insert((from, to));
        hub.wires.iter().for_each(|wire| wire.hold(from, to, true));
    }

    /// Undoes every partition and cut. What was held back arrives.
    pub fn heal(&self) {
        let mut hub = self.lock();
        hub.parted.clear();
        for (from, to) in std::mem::take(&mut hub.cut) {
            hub.wires.iter().for_each(|wire| wire.hold(from, to, false));
        }
    }

    /// As if the peer's process was killed: its streams break, and nobody answers at its address.
    pub fn crash(&self, peer: PeerId) {
        let mut hub = self.lock();
        hub.break_wires(|wire| wire.ends_at(peer));
        if hub.members.remove(&peer).is_some() {
            hub.announce();
        }
    }

    /// As if `at` had taken its connections with `other` for lost, wrongly: it sees them reset at once, while what it had said
    /// before still arrives. So a request is carried out although whoever made it will make it again.
    pub fn reset(&self, at: PeerId, other: PeerId) {
        let mut hub = self.lock();
        hub.wires.iter().filter(|wire| wire.joins(at, other)).for_each(|wire| wire.reset_at(at));
        hub.wires.retain(|wire| !wire.joins(at, other));
    }

    /// On streams opened from now on, everything takes as long as the hook says for (from, to). It is asked for each piece that is
    /// written; no piece overtakes another of its stream.
    pub fn delay(&self, hook: impl Fn(PeerId, PeerId) -> Duration + Send + Sync + 'static) {
        self.lock().delay = Some(Arc::new(hook));
    }

    fn lock(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    /// Tells everyone who is there.
    fn announce(&self) {
        if self.dark {
            return;
        }
        let everyone = self.members.iter().map(|(peer, member)| (*peer, vec![address(member.number)]));
        let everyone: Vec<_> = everyone.collect();
        for (peer, member) in &self.members {
            let others = everyone.iter().filter(|(other, _)| other != peer).cloned().collect();
            member.discovered.send_replace(others);
        }
    }

    fn break_wires(&mut self, which: impl Fn(&Wire) -> bool) {
        self.wires.retain(|wire| {
            let breaks = which(wire);
            if breaks {
                wire.break_off();
            }
            !breaks && wire.is_open()
        });
    }

    /// Who is meant, if it is there.
    fn find(&self, target: &Target) -> Option<PeerId> {
        match target.peer {
            Some(peer) => {
                let there = |member: &Member| !self.dark || target.addresses.contains(&address(member.number));
                self.members.get(&peer).is_some_and(there).then_some(peer)
            }
            None => self
                .members
                .iter()
                .find(|(_, member)| target.addresses.contains(&address(member.number)))
                .map(|(&peer, _)| peer),
        }
    }

    fn connect(&mut self, me: PeerId, them: PeerId, protocol: Protocol) -> Result<BoxStream, OpenError> {
        let unsupported = OpenError::Unsupported(protocol.name());
        let door = self.members.get(&them).and_then(|member| member.doors.get(&protocol));
        let place = door.and_then(|door| door.try_reserve().ok()).ok_or(unsupported)?;
        let delay = |from, to| {
            let hook = self.delay.clone()?;
            Some(Box::new(move || hook(from, to)) as Delay)
        };
        let (near, far, wire) = pipe::wire(me, them, delay(me, them), delay(them, me));
        place.send(Incoming { peer: me, stream: Box::pin(far) });
        self.wires.retain(Wire::is_open);
        self.wires.push(wire);
        Ok(Box::pin(near))
    }
}

/// Where the peer that joined with this number can be reached.
fn address(number: u64) -> Address {
    Address::from_multiaddr(libp2p::multiaddr::Protocol::Memory(number).into())
}

/// A peer in the network.
pub struct MemoryTransport {
    network: Network,
    peer: PeerId,
    number: u64,
    discovered: watch::Sender<Vec<(PeerId, Vec<Address>)>>,
}

/// What may come of opening a stream.
enum Attempt {
    Open(PeerId, BoxStream),
    /// Nobody says no, but nothing comes back.
    Silence,
}

impl MemoryTransport {
    fn attempt(&self, target: &Target, protocol: Protocol) -> Result<Attempt, OpenError> {
        let mut hub = self.network.lock();
        if hub.members.get(&self.peer).is_none_or(|member| member.number != self.number) {
            return Err(OpenError::Closed);
        }
        let unreachable = || OpenError::Unreachable(target.to_string());
        let them = hub.find(target).filter(|&them| them != self.peer).ok_or_else(unreachable)?;
        if hub.parted.contains(&(self.peer, them)) {
            return Err(unreachable());
        }
        if hub.cut.contains(&(self.peer, them)) || hub.cut.contains(&(them, self.peer)) {
            return Ok(Attempt::Silence);
        }
        hub.connect(self.peer, them, protocol).map(|stream| Attempt::Open(them, stream))
    }
}

impl Transport for MemoryTransport {
    fn local(&self) -> PeerId {
        self.peer
    }

    fn addresses(&self) -> Vec<Address> {
        vec![address(self.number)]
    }

    fn discovered(&self) -> watch::Receiver<Vec<(PeerId, Vec<Address>)>> {
        self.discovered.subscribe()
    }

    fn open(&self, target: Target, protocol: Protocol) -> BoxFuture<'_, Result<(PeerId, BoxStream), OpenError>> {
        Box::pin(async move {
            match self.attempt(&target, protocol)? {
                Attempt::Open(peer, stream) => Ok((peer, stream)),
                Attempt::Silence => {
                    tokio::time::sleep(OPEN_TIMEOUT).await;
                    Err(OpenError::timeout())
                }
            }
        })
    }

    fn accept(&self, protocol: Protocol) -> mpsc::Receiver<Incoming> {
        let (door, incoming) = mpsc::channel(ACCEPT_QUEUE_MAX);
        let mut hub = self.network.lock();
        if let Some(member) = hub.members.get_mut(&self.peer).filter(|member| member.number == self.number) {
            member.doors.insert(protocol, door);
        }
        incoming
    }

    fn disconnect(&self, peer: PeerId) {
        self.network.lock().break_wires(|wire| wire.joins(self.peer, peer));
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport").field("peer", &self.peer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
