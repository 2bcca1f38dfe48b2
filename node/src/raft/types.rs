//! openraft's types, fixed once for this program.

use std::fmt;

use bytes::Bytes;
use openraft::impls::leader_id_adv;
use openraft::rt::deterministic_rng::DeterministicRng;
use openraft_rt_tokio::TokioRuntime;
use serde::{Deserialize, Serialize};

use super::{NodeId, Peer};

openraft::declare_raft_types!(
    /// What openraft is built over. Its randomness comes from a seed, so that a simulated cluster elects
    /// the same leaders twice.
    pub(super) TypeConfig:
        D = Command,
        R = Reply,
        NodeId = NodeId,
        Node = Peer,
        AsyncRuntime = DeterministicRng<TokioRuntime>,
);

/// An application's command.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Command(pub(super) Bytes);

/// An application's reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reply(pub(super) Bytes);

pub(super) type LeaderId = leader_id_adv::LeaderId<u64, NodeId>;
pub(super) type LogId = openraft::LogId<LeaderId>;
pub(super) type Vote = openraft::Vote<LeaderId>;
pub(super) type Entry = openraft::alias::EntryOf<TypeConfig>;
pub(super) type Payload = openraft::alias::PayloadOf<TypeConfig>;
pub(super) type Membership = openraft::Membership<NodeId, Peer>;
pub(super) type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;
pub(super) type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
pub(super) type Runtime = DeterministicRng<TokioRuntime>;

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

// openraft logs entries; what people wrote to each other has no business there.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
