//! What two nodes say to each other outside Raft, after a hello that proved the node secret.
//!
//! Each request is answered once, in any order ([`crate::rpc`]).

use bytes::Bytes;
use chat::{Cursor, SessionId};
use serde::{Deserialize, Serialize};

use crate::message::{NodeProgress, Role};
use crate::{Address, PeerId, Refusal};

/// The longest frame between two nodes, in bytes.
pub const PEER_FRAME_SIZE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Which data folder: drawn when the folder is made, so that a node whose folder was wiped is not
/// mistaken for what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreId(pub [u8; 16]);

/// Which founding: drawn by it, so that a cluster wiped and founded again with the same secret is
/// told from the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub [u8; 16]);

/// The exact set that founds a cluster. Each founder promises one such record, once, on its disk,
/// before any of them initialises Raft with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundingRecord {
    pub incarnation: Incarnation,
    /// Ascending by peer; their NodeIds are 1, 2, 3…
    pub founders: Vec<Founder>,
    /// OPAQUE's server setup: the same on every node, or passwords would be good at one only.
    pub opaque_setup: Vec<u8>,
    /// The public half of what operators prove (`secret::OperatorKey`).
    pub operator_key: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Founder {
    pub node_id: u64,
    pub peer: PeerId,
    pub store: StoreId,
    pub name: String,
}

/// How far a node has come to belong to a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Its folder is new.
    Fresh,
    /// It promised this record.
    Promised(FoundingRecord),
    /// It belongs to the cluster of this incarnation.
    Member { node_id: u64, incarnation: Incarnation },
}

/// What a node tells others about itself while it looks for its cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub peer: PeerId,
    pub store: StoreId,
    pub name: String,
    /// Whether the name was chosen by a person, and so should be kept.
    pub name_chosen: bool,
    pub expect: u32,
    pub addresses: Vec<Address>,
    pub standing: Standing,
    /// The public operator key, from a node that holds the cluster secret itself: a founding record
    /// needs one.
    pub operator_key: Option<[u8; 32]>,
    /// Other nodes and where they may be, so that nodes which know one node find all. At most
    /// [`KNOWN_MAX`].
    pub knows: Vec<(PeerId, Vec<Address>)>,
}

/// How many other nodes a candidate tells of; beyond it the rest is left out, and heard of from others.
pub const KNOWN_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerRequest {
    /// Introduces oneself; answered by `Candidate`.
    Gather(Candidate),
    /// Asks for a promise of exactly this record. Answered `Done` if it was given, now or before.
    Promise(FoundingRecord),
    /// All founders have promised: initialise.
    Found(FoundingRecord),
    /// Asks to be admitted to a founded cluster; passed on to the leader. Answered by `Admitted`.
    Admit {
        peer: PeerId,
        store: StoreId,
        name: String,
        name_chosen: bool,
    },
    /// A command for the log, from a node that is not the leader. Never passed on again.
    Propose(Bytes),
    /// The index that a linearizable read has to wait for. To the leader only.
    ReadBarrier,
    /// The sessions that listen at the sender, all of them, once a second. To the leader only.
    Presence {
        node_id: u64,
        sessions: Vec<SessionId>,
    },
    Status,
    /// The digest of the state at this index, which the asker has put a check into.
    Digest {
        index: Cursor,
    },
    /// To the leader: hand over to this node (None: to whoever is most up to date).
    TransferLeader {
        to: Option<u64>,
    },
    /// To the leader: remove this node from the cluster.
    Remove {
        node_id: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerAnswer {
    Done,
    Candidate(Candidate),
    Admitted {
        node_id: u64,
        founding: FoundingRecord,
    },
    /// The application's reply, after the entry was applied at the leader.
    Proposed {
        index: Cursor,
        reply: Bytes,
    },
    ReadBarrier {
        index: Cursor,
    },
    Status {
        node_id: u64,
        name: String,
        role: Role,
        progress: NodeProgress,
        addresses: Vec<Address>,
    },
    Digest {
        digest: Option<[u8; 32]>,
    },
    /// Not the leader; perhaps this one is.
    NotLeader {
        leader: Option<u64>,
    },
    /// It may or may not have happened.
    Unknown,
    Refused(Refusal),
}
