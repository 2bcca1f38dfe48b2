//! Consensus over bytes: openraft behind a small door.
//!
//! Commands go in as bytes and come back, in one order on every node, to an [`Application`](application::Application). No type of
//! openraft leaves this module, and nothing in here knows what a command means or how a table is kept.
//!
//! ```text
//! propose ─▶ openraft ─▶ log     (entries and votes, as our own encoding, to the EntryLog)
//!               │     ─▶ network (streams opened through the Dialer; `serve` is their other end)
//!               └─────▶ machine (committed entries to the Application; its durable state is the snapshot)
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use wire::message::Role;
use wire::peer::StoreId;
use wire::{BoxStream, PeerId, Protocol};

use crate::store::StoreError;

mod append;
pub mod application;
mod applier;
mod backlog;
pub mod bytes;
mod config;
mod control;
mod entry;
mod failure;
mod hearing;
mod holds;
pub mod inspect;
mod log;
mod machine;
mod member;
mod message;
mod network;
mod proposals;
mod server;
mod snapshot;
mod state;
mod succession;
mod types;

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod suite_tests;
#[cfg(test)]
mod toy;

pub use self::member::Raft;

/// Which member: never given twice, not even after the member has left.
pub type NodeId = u64;

/// Whom a [`NodeId`] belongs to. No addresses: those are hints, and change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    pub peer: PeerId,
    pub store: StoreId,
}

/// Opens streams to other members.
pub trait Dialer: Send + Sync + 'static {
    /// A stream on which the hello is done: the other end is this peer with this store. Ends within 5 s.
    fn open(&self, id: NodeId, peer: &Peer, protocol: Protocol) -> BoxFuture<'_, io::Result<BoxStream>>;
}

/// How fast, and how much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    pub heartbeat_ms: u64,
    /// A follower that hears nothing for `election_max_ms` plus a random part between the two stands
    /// for election.
    pub election_min_ms: u64,
    pub election_max_ms: u64,
    /// Entries applied between two tries to purge the log.
    pub snapshot_after: u64,
    /// Entries kept in the log after they were applied, for members that were away for a while.
    pub keep_entries: u64,
    /// Where the randomness of elections begins; each member adds its own id.
    pub seed: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            // Each wakes every node, as do five ticks of openraft's between two: at 80 ms they were most of what an idle node
            // takes of a processor.
            heartbeat_ms: 280,
            election_min_ms: 300,
            election_max_ms: 480,
            snapshot_after: 50_000,
            keep_entries: 100_000,
            seed: 0,
        }
    }
}

/// What this node knows of its cluster, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftState {
    pub id: NodeId,
    pub role: Role,
    pub term: u64,
    /// Who leads, if it leads still: on other members, if it was heard within twice the election timeout.
    pub leader: Option<NodeId>,
    /// The last entry in the log, committed or not.
    pub last_index: u64,
    pub committed: u64,
    pub applied: u64,
    /// Whoever votes; while `joint`, in the old or the new set.
    pub voters: BTreeSet<NodeId>,
    /// A change of voters is half done: a majority is needed of the old and of the new ones.
    pub joint: bool,
    /// Voters and learners.
    pub members: BTreeMap<NodeId, Peer>,
    /// On the leader: how long ago a majority confirmed that it leads. None elsewhere, and before the first time.
    pub quorum_ack_age: Option<Duration>,
    /// On the leader: a majority confirmed it within the last election timeout. Elsewhere: there is a leader.
    pub has_quorum: bool,
    /// On the leader: up to where each member's log is known to match. Empty elsewhere.
    pub progress: BTreeMap<NodeId, Option<u64>>,
    /// Why this node's Raft has stopped, if it has.
    pub running: Result<(), String>,
}

/// A proposal or a read has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Nothing happened.
    #[error("this node does not lead the cluster")]
    NotLeader { leader: Option<NodeId> },
    /// It may have happened, or may yet.
    #[error("it is not known whether the command was carried out")]
    Unknown,
    /// Nothing happened.
    #[error("too few nodes can be reached to make a majority")]
    NoQuorum,
    /// Raft has stopped on this node.
    #[error("this node has stopped: {0}")]
    Stopped(String),
}

/// Raft was not started, or a change of its members was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RaftError {
    #[error("this node does not lead the cluster")]
    NotLeader { leader: Option<NodeId> },
    /// Another change of the members is not finished.
    #[error("another change of the members is under way")]
    InProgress,
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("this node has stopped: {0}")]
    Stopped(String),
}
