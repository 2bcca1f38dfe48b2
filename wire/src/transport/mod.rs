//! Streams between peers, behind a trait: [`libp2p`] in the world, [`memory`] in tests.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};

use crate::{Address, PeerId};

pub mod libp2p;
pub mod memory;

/// How long opening a stream may take, connecting included.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// How many streams of a protocol may wait to be accepted; beyond it a new one is refused.
pub const ACCEPT_QUEUE_MAX: usize = 64;

/// What a stream is for. Each has its own name on the wire, with its version in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// A client and a node: requests, answers, pushes.
    Client,
    /// Two nodes, outside Raft: formation, admission, forwarded proposals, read barriers, presence.
    Peer,
    /// Raft's log replication.
    RaftAppend,
    /// Raft's votes, heartbeats and leader transfers, which bulk data must not delay.
    RaftControl,
    /// Raft's snapshots.
    RaftSnapshot,
}

impl Protocol {
    /// Every protocol there is.
    pub const ALL: [Self; 5] = [Self::Client, Self::Peer, Self::RaftAppend, Self::RaftControl, Self::RaftSnapshot];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "/five9s/client/1",
            Self::Peer => "/five9s/peer/1",
            Self::RaftAppend => "/five9s/raft/append/1",
            Self::RaftControl => "/five9s/raft/control/1",
            Self::RaftSnapshot => "/five9s/raft/snapshot/1",
        }
    }
}

/// Both directions of a stream.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A stream of some transport.
pub type BoxStream = Pin<Box<dyn Duplex>>;

/// A stream that a peer opened.
pub struct Incoming {
    /// Proved by the connection.
    pub peer: PeerId,
    pub stream: BoxStream,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Whom to reach, and where it may be.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Target {
    /// None: whoever answers; the caller looks at who it is.
    pub peer: Option<PeerId>,
    /// Tried together; the first that answers wins. May be empty where the peer is connected already.
    pub addresses: Vec<Address>,
}

/// Names the peer, or else the addresses.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.peer, self.addresses.as_slice()) {
            (Some(peer), _) => peer.fmt(f),
            (None, []) => f.write_str("a peer without an address"),
            (None, [first, others @ ..]) => {
                first.fmt(f)?;
                others.iter().try_for_each(|address| write!(f, ", {address}"))
            }
        }
    }
}

/// No stream. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Nobody answers at the addresses, or not the peer that was meant.
    #[error("{0} cannot be reached")]
    Unreachable(String),
    /// The peer answers, but does not take streams of this protocol (now).
    #[error("the peer does not take {0} streams")]
    Unsupported(&'static str),
    #[error("no answer within {0} ms")]
    Timeout(u64),
    /// The transport has been shut down.
    #[error("the transport is closed")]
    Closed,
}

impl OpenError {
    /// Nothing came back in time.
    fn timeout() -> Self {
        Self::Timeout(OPEN_TIMEOUT.as_secs() * 1000)
    }
}

/// The network, as all of our code sees it.
pub trait Transport: Send + Sync + 'static {
    /// Who we are to others.
    fn local(&self) -> PeerId;

    /// Where others may reach us, as far as is known now: one address for each interface, loopback
    /// included.
    fn addresses(&self) -> Vec<Address>;

    /// Peers seen by mDNS and where. Hints only; a peer that has gone stays for a while.
    fn discovered(&self) -> watch::Receiver<Vec<(PeerId, Vec<Address>)>>;

    /// Opens a stream, connecting first if need be. Always ends: with a stream or an error within 5 s.
    fn open(&self, target: Target, protocol: Protocol) -> BoxFuture<'_, Result<(PeerId, BoxStream), OpenError>>;

    /// The streams that peers open. Once for each protocol; a second call takes over from the first.
    /// The queue holds 64: beyond it a new stream is refused, and the peer may try again.
    fn accept(&self, protocol: Protocol) -> mpsc::Receiver<Incoming>;

    /// Drops every connection with the peer, as after its removal.
    fn disconnect(&self, peer: PeerId);
}
