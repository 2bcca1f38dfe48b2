//! The task that owns the swarm: it obeys commands and observes events, and waits for nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use ::libp2p::connection_limits::{self, ConnectionLimits};
use ::libp2p::identity::Keypair;
use ::libp2p::mdns;
use ::libp2p::swarm::behaviour::toggle::Toggle;
use ::libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use ::libp2p::swarm::{ConnectionId, NetworkBehaviour, SwarmEvent};
use ::libp2p::{Swarm, SwarmBuilder, noise, tcp, yamux};
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot, watch};

use super::Config;
use super::listen::Claim;
use super::streams::{self, Doors, Request, StreamReply};
use crate::transport::{OPEN_TIMEOUT, Protocol, Target};
use crate::{Address, PeerId};

/// A connection without streams is closed after this: a stranger does not hold one for nothing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long closing connections in good order may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often mDNS asks who is there, and how long an answer counts.
const MDNS_QUERY_INTERVAL: Duration = Duration::from_secs(5);
const MDNS_TTL: Duration = Duration::from_secs(30);

/// How many peers mDNS may tell of; more are ignored, as anyone on the network can make them up.
const DISCOVERED_MAX: usize = 256;

/// How many addresses of a peer mDNS may tell of; more are ignored.
const DISCOVERED_ADDRESSES_MAX: usize = 16;

/// What the swarm is made of.
#[derive(NetworkBehaviour)]
#[behaviour(prelude = "::libp2p::swarm::derive_prelude")]
pub(super) struct Parts {
    // First: it refuses connections before anything is made for them.
    limits: connection_limits::Behaviour,
    streams: streams::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
}

/// What the task is told. A reply that is dropped means that nothing came of it.
pub(super) enum Command {
    /// A stream on this connection, or on the newest with the peer.
    Open {
        peer: PeerId,
        connection: Option<ConnectionId>,
        protocol: Protocol,
        reply: StreamReply,
    },
    /// A new connection.
    Dial {
        target: Target,
        reply: DialReply,
    },
    Disconnect(PeerId),
    Shutdown(oneshot::Sender<()>),
}

/// Takes the new connection; None: it failed.
type DialReply = oneshot::Sender<Option<(PeerId, ConnectionId)>>;

/// A dial under way.
struct Dial {
    target: Target,
    waiting: Vec<DialReply>,
}

type Discovered = Vec<(PeerId, Vec<Address>)>;

/// The swarm and what goes on in it.
pub(super) struct Hub {
    swarm: Swarm<Parts>,
    commands: mpsc::Receiver<Command>,
    dials: HashMap<ConnectionId, Dial>,
    addresses: watch::Sender<Vec<Address>>,
    seen: BTreeMap<PeerId, BTreeSet<Address>>,
    discovered: watch::Sender<Discovered>,
    /// Held for as long as the swarm listens.
    _claims: Vec<Claim>,
}

/// A swarm that does not listen yet.
pub(super) fn swarm(key: Keypair, config: &Config, doors: Arc<Doors>) -> Swarm<Parts> {
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(config.limits.pending_incoming))
        .with_max_established_per_peer(Some(config.limits.per_peer))
        .with_max_established(Some(config.limits.total));
    let parts = Parts {
        limits: connection_limits::Behaviour::new(limits),
        streams: streams::Behaviour::new(doors),
        mdns: mdns(&key, config.mdns).into(),
    };
    SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .expect("an Ed25519 key can sign what Noise asks of it")
        .with_behaviour(|_| parts)
        .unwrap_or_else(|never| match never {})
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_TIMEOUT))
        .with_connection_timeout(OPEN_TIMEOUT)
        .build()
}

/// None where it is not wanted, or cannot be had: addresses reach us in other ways too.
fn mdns(key: &Keypair, wanted: bool) -> Option<mdns::tokio::Behaviour> {
    let config = mdns::Config { ttl: MDNS_TTL, query_interval: MDNS_QUERY_INTERVAL, enable_ipv6: false };
    let started = wanted.then(|| mdns::tokio::Behaviour::new(config, key.public().to_peer_id()))?;
    started.inspect_err(|error| tracing::debug!(%error, "mDNS is not available")).ok()
}

impl Hub {
    pub(super) fn new(swarm: Swarm<Parts>, commands: mpsc::Receiver<Command>, claims: Vec<Claim>) -> Self {
        Self {
            swarm,
            commands,
            dials: HashMap::new(),
            addresses: watch::Sender::default(),
            seen: BTreeMap::new(),
            discovered: watch::Sender::default(),
            _claims: claims,
        }
    }

    /// Where we can be reached.
    pub(super) fn addresses(&self) -> watch::Receiver<Vec<Address>> {
        self.addresses.subscribe()
    }

    /// Who was seen by mDNS.
    pub(super) fn discovered(&self) -> watch::Receiver<Discovered> {
        self.discovered.subscribe()
    }

    /// Runs until it is told to shut down, or nobody can tell it anything any more.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                command = self.commands.recv() => match command.map(|command| self.obey(command)) {
                    Some(ControlFlow::Continue(())) => {}
                    Some(ControlFlow::Break(done)) => return self.close(done).await,
                    None => return,
                },
                event = self.swarm.select_next_some() => self.observe(event),
            }
        }
    }

    /// Ends every connection in good order, so that peers notice at once.
    async fn close(mut self, done: oneshot::Sender<()>) {
        let connected: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in connected {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.select_next_some().await;
            }
        })
        .await;
        // Whoever asked may not have waited.
        let _ = done.send(());
    }

    /// Breaks off when told to shut down.
    fn obey(&mut self, command: Command) -> ControlFlow<oneshot::Sender<()>> {
        match command {
            Command::Shutdown(done) => return ControlFlow::Break(done),
            Command::Open { peer, connection, protocol, reply } => {
                let request = Request { protocol, reply };
                self.swarm.behaviour_mut().streams.request(peer.to_libp2p(), connection, request);
            }
            Command::Dial { target, reply } => self.dial(target, reply),
            Command::Disconnect(peer) => {
                // An error says that there is no connection.
                let _ = self.swarm.disconnect_peer_id(peer.to_libp2p());
            }
        }
        ControlFlow::Continue(())
    }

    /// A dial under way is shared by whoever would try nothing else.
    fn dial(&mut self, target: Target, reply: DialReply) {
        if let Some(dial) = self.dials.values_mut().find(|dial| dial.covers(&target)) {
            dial.waiting.push(reply);
            return;
        }
        let Some(options) = options(&target) else { return };
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(connection, Dial { target, waiting: vec![reply] });
            }
            Err(error) => tracing::debug!(%target, %error, "cannot dial"),
        }
    }

    fn observe(&mut self, event: SwarmEvent<PartsEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => {
                if let Some(peer) = PeerId::from_libp2p(&peer_id) {
                    self.connected(peer, connection_id);
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(dial) = self.dials.remove(&connection_id) {
                    tracing::debug!(target = %dial.target, %error, "a dial failed");
                }
            }
            SwarmEvent::NewListenAddr { address, .. } => self.listens_on(Address::from_multiaddr(address)),
            SwarmEvent::ExpiredListenAddr { address, .. } => self.no_longer_on(&Address::from_multiaddr(address)),
            SwarmEvent::Behaviour(PartsEvent::Mdns(mdns::Event::Discovered(found))) => self.found(found),
            SwarmEvent::Behaviour(PartsEvent::Mdns(mdns::Event::Expired(gone))) => self.gone(gone),
            _ => {}
        }
    }

    /// Whichever way the connection came about, whoever waits for the peer has it.
    fn connected(&mut self, peer: PeerId, connection: ConnectionId) {
        let dialled = self.dials.remove(&connection).into_iter().flat_map(|dial| dial.waiting);
        let others = self.dials.values_mut().filter(|dial| dial.target.peer == Some(peer));
        let others = others.flat_map(|dial| std::mem::take(&mut dial.waiting));
        for reply in dialled.chain(others).collect::<Vec<_>>() {
            // Whoever asked may have given up; then the connection is closed when it has idled.
            let _ = reply.send(Some((peer, connection)));
        }
    }

    fn listens_on(&self, address: Address) {
        tracing::debug!(%address, "listening");
        self.addresses.send_modify(|addresses| addresses.push(address));
    }

    fn no_longer_on(&self, address: &Address) {
        tracing::debug!(%address, "no longer listening");
        self.addresses.send_modify(|addresses| addresses.retain(|other| other != address));
    }

    fn found(&mut self, found: Vec<(::libp2p::PeerId, ::libp2p::Multiaddr)>) {
        for (peer, address) in ours(found) {
            if self.seen.len() < DISCOVERED_MAX || self.seen.contains_key(&peer) {
                let addresses = self.seen.entry(peer).or_default();
                if addresses.len() < DISCOVERED_ADDRESSES_MAX {
                    addresses.insert(address);
                }
            }
        }
        self.publish();
    }

    fn gone(&mut self, gone: Vec<(::libp2p::PeerId, ::libp2p::Multiaddr)>) {
        for (peer, address) in ours(gone) {
            if let Some(addresses) = self.seen.get_mut(&peer) {
                addresses.remove(&address);
            }
        }
        self.seen.retain(|_, addresses| !addresses.is_empty());
        self.publish();
    }

    fn publish(&self) {
        let seen = self.seen.iter().map(|(peer, addresses)| (*peer, addresses.iter().cloned().collect()));
        self.discovered.send_replace(seen.collect());
    }
}

impl Dial {
    fn covers(&self, target: &Target) -> bool {
        self.target.peer.is_some()
            && self.target.peer == target.peer
            && target.addresses.iter().all(|address| self.target.addresses.contains(address))
    }
}

/// How to dial; None: there is nowhere to dial.
fn options(target: &Target) -> Option<DialOpts> {
    let addresses: Vec<_> = target.addresses.iter().map(|address| address.multiaddr().clone()).collect();
    match target.peer {
        // Always: a connection that is there did not answer, or whoever asks would not dial.
        Some(peer) => Some(
            DialOpts::peer_id(peer.to_libp2p())
                .addresses(addresses)
                .extend_addresses_through_behaviour()
                .condition(PeerCondition::Always)
                .allocate_new_port()
                .build(),
        ),
        None => {
            let address = addresses.into_iter().next()?;
            Some(DialOpts::unknown_peer_id().address(address).allocate_new_port().build())
        }
    }
}

/// Those whose keys are like ours.
fn ours(all: Vec<(::libp2p::PeerId, ::libp2p::Multiaddr)>) -> impl Iterator<Item = (PeerId, Address)> {
    all.into_iter().filter_map(|(peer, address)| Some((PeerId::from_libp2p(&peer)?, Address::from_multiaddr(address))))
}
