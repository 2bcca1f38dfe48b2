//! The network: libp2p over TCP with Noise and Yamux.
//!
//! One task owns the swarm ([`hub`]) and is told what to do; streams then run without it
//! ([`streams`]). Opening a stream tries the connection that is there, and dials where that one is
//! lost or does not answer: a peer that restarted elsewhere must not be hidden behind a connection
//! that nobody has noticed is dead.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::libp2p::identity::Keypair;
use ::libp2p::swarm::ConnectionId;
use futures::FutureExt;
use futures::future::{BoxFuture, select_ok};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::compat::FuturesAsyncReadCompatExt;

use self::hub::{Command, Hub};
use self::streams::{Doors, OpenFailure};
use super::{Incoming, OPEN_TIMEOUT, OpenError, Protocol, Target, Transport};
use crate::secret::keypair;
use crate::{Address, BoxStream, PeerId};

mod hub;
mod listen;
mod streams;

/// How long a connection may take to open a stream before another one is dialled beside it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait until the first address is known. Without one we go on: there may be one later.
const FIRST_ADDRESS_TIMEOUT: Duration = Duration::from_secs(2);

/// How many commands wait for the swarm's task; beyond it whoever commands waits, within the time
/// that opening a stream may take.
const COMMANDS_MAX: usize = 256;

/// How to take part in the network.
#[derive(Clone)]
pub struct Config {
    /// Of our Ed25519 key.
    pub seed: [u8; 32],
    /// Where to listen. A client listens nowhere.
    pub listen: Vec<Address>,
    /// Listens on all IPv4 interfaces as well, on this port or the next free one.
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

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("port_first", &self.port_first)
            .field("mdns", &self.mdns)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The network could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: Address, reason: String },
    #[error("no port from {first} to {last} is free")]
    NoPort { first: u16, last: u16 },
}

/// The peer that has the key of this seed.
pub fn key_to_peer(seed: &[u8; 32]) -> PeerId {
    PeerId(keypair(*seed).public().to_bytes())
}

/// A peer among others. It leaves when [`Self::shutdown`] is called, or it is dropped.
pub struct Libp2p {
    local: PeerId,
    commands: mpsc::Sender<Command>,
    doors: Arc<Doors>,
    addresses: watch::Receiver<Vec<Address>>,
    discovered: watch::Receiver<Vec<(PeerId, Vec<Address>)>>,
}

impl Libp2p {
    /// Listens, and returns once others can connect. Needs a tokio runtime.
    pub async fn start(config: Config) -> Result<Arc<Self>, StartError> {
        let key = Keypair::from(keypair(config.seed));
        let doors = Arc::new(Doors::default());
        let mut swarm = hub::swarm(key, &config, Arc::clone(&doors));
        let claims = listen::listen(&mut swarm, &config)?;
        let listens = claims.len();
        let (commands, commanded) = mpsc::channel(COMMANDS_MAX);
        let hub = Hub::new(swarm, commanded, claims);
        let (mut addresses, discovered) = (hub.addresses(), hub.discovered());
        tokio::spawn(hub.run());
        let known = addresses.wait_for(|known| known.len() >= listens).map(drop);
        let _ = timeout(FIRST_ADDRESS_TIMEOUT, known).await;
        Ok(Arc::new(Self { local: key_to_peer(&config.seed), commands, doors, addresses, discovered }))
    }

    /// Closes every connection, and returns once they are.
    pub async fn shutdown(&self) {
        let (done, is_done) = oneshot::channel();
        if self.commands.send(Command::Shutdown(done)).await.is_ok() {
            let _ = is_done.await;
        }
    }

    async fn open_anew_if_need_be(&self, target: Target, protocol: Protocol) -> Result<(PeerId, BoxStream), OpenError> {
        if let Some(peer) = target.peer
            && let Some(stream) = self.open_on_what_is_there(peer, protocol).await?
        {
            return Ok((peer, stream));
        }
        let (peer, connection) = self.connect(&target).await?;
        match self.open_on(peer, Some(connection), protocol).await? {
            Ok(stream) => Ok((peer, stream)),
            Err(OpenFailure::Unsupported) => Err(OpenError::Unsupported(protocol.name())),
            // It took our connection and dropped it: it has too many.
            Err(OpenFailure::Lost) => Err(OpenError::Unreachable(target.to_string())),
        }
    }

    /// None: there is no connection, or none that answers.
    async fn open_on_what_is_there(&self, peer: PeerId, protocol: Protocol) -> Result<Option<BoxStream>, OpenError> {
        match timeout(PATIENCE, self.open_on(peer, None, protocol)).await {
            Ok(Ok(Ok(stream))) => Ok(Some(stream)),
            Ok(Ok(Err(OpenFailure::Unsupported))) => Err(OpenError::Unsupported(protocol.name())),
            Ok(Ok(Err(OpenFailure::Lost))) | Err(_) => Ok(None),
            Ok(Err(error)) => Err(error),
        }
    }

    /// On this connection with the peer, or on the newest.
    async fn open_on(
        &self,
        peer: PeerId,
        connection: Option<ConnectionId>,
        protocol: Protocol,
    ) -> Result<Result<BoxStream, OpenFailure>, OpenError> {
        let (reply, opened) = oneshot::channel();
        self.command(Command::Open { peer, connection, protocol, reply }).await?;
        // A request that is dropped unanswered was for a connection that has just closed.
        let opened = opened.await.unwrap_or(Err(OpenFailure::Lost));
        Ok(opened.map(|stream| Box::pin(stream.compat()) as BoxStream))
    }

    async fn connect(&self, target: &Target) -> Result<(PeerId, ConnectionId), OpenError> {
        let unreachable = || OpenError::Unreachable(target.to_string());
        match target.peer {
            Some(_) => self.dial(target.clone()).await?.ok_or_else(unreachable),
            None if target.addresses.is_empty() => Err(unreachable()),
            // Without a peer there may be a different one at each address, so each is a dial of its own.
            None => {
                let dials = target.addresses.iter().map(|address| {
                    let one = Target { peer: None, addresses: vec![address.clone()] };
                    async move { self.dial(one).await?.ok_or_else(unreachable) }.boxed()
                });
                select_ok(dials).await.map(|(connection, _)| connection)
            }
        }
    }

    /// None: it failed.
    async fn dial(&self, target: Target) -> Result<Option<(PeerId, ConnectionId)>, OpenError> {
        let (reply, connected) = oneshot::channel();
        self.command(Command::Dial { target, reply }).await?;
        Ok(connected.await.unwrap_or_default())
    }

    async fn command(&self, command: Command) -> Result<(), OpenError> {
        self.commands.send(command).await.map_err(|_| OpenError::Closed)
    }
}

impl Transport for Libp2p {
    fn local(&self) -> PeerId {
        self.local
    }

    fn addresses(&self) -> Vec<Address> {
        self.addresses.borrow().clone()
    }

    fn discovered(&self) -> watch::Receiver<Vec<(PeerId, Vec<Address>)>> {
        self.discovered.clone()
    }

    fn open(&self, target: Target, protocol: Protocol) -> BoxFuture<'_, Result<(PeerId, BoxStream), OpenError>> {
        Box::pin(async move {
            let opening = timeout(OPEN_TIMEOUT, self.open_anew_if_need_be(target, protocol));
            opening.await.unwrap_or_else(|_| Err(OpenError::timeout()))
        })
    }

    fn accept(&self, protocol: Protocol) -> mpsc::Receiver<Incoming> {
        self.doors.open(protocol)
    }

    fn disconnect(&self, peer: PeerId) {
        let commands = self.commands.clone();
        tokio::spawn(async move {
            // Refused only when the transport is closed, and then nobody is connected.
            let _ = commands.send(Command::Disconnect(peer)).await;
        });
    }
}

impl fmt::Debug for Libp2p {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Libp2p").field("local", &self.local).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
