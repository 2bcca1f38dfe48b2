//! Where each record lies: the tables and their keys, encoded in this one place.
//!
//! Numbers are big-endian, so that keys lie in the order of what they name: a conversation's messages
//! side by side by cursor, an account's feed likewise. The bytes live on disks and travel in snapshots.

use chat::{AccountId, ConversationId, Cursor, DeviceId, MessageId, NameKey, Seq, SessionId};
use wire::PeerId;
use wire::peer::StoreId;

use super::search::WORDS;
use crate::store::state::Table;

pub(super) const ACCOUNTS: Table = Table("accounts");
pub(super) const NAMES: Table = Table("names");
pub(super) const SESSIONS: Table = Table("sessions");
pub(super) const DEVICES: Table = Table("devices");
pub(super) const REPLIES: Table = Table("replies");
pub(super) const CONVERSATIONS: Table = Table("conversations");
pub(super) const PAIRS: Table = Table("pairs");
pub(super) const MEMBERSHIPS: Table = Table("memberships");
pub(super) const MEMBERS: Table = Table("members");
pub(super) const MESSAGES: Table = Table("messages");
pub(super) const PLACES: Table = Table("places");
pub(super) const FEEDS: Table = Table("feeds");
pub(super) const CLUSTER: Table = Table("cluster");
pub(super) const NODES: Table = Table("nodes");
pub(super) const PEERS: Table = Table("peers");
/// From which place in the log on which term: a row for each leader.
pub(super) const TERMS: Table = Table("terms");
/// This replica's own: neither in a snapshot nor in a digest.
const OWN: Table = Table("own");

/// What every replica has alike at the same index.
pub(super) const REPLICATED: &[Table] = &[
    ACCOUNTS,
    NAMES,
    SESSIONS,
    DEVICES,
    REPLIES,
    CONVERSATIONS,
    PAIRS,
    MEMBERSHIPS,
    MEMBERS,
    MESSAGES,
    PLACES,
    FEEDS,
    CLUSTER,
    NODES,
    PEERS,
];

/// What a replica has made of that for itself. It goes into snapshots and not into digests: replicas that began to keep it
/// at different times differ in it.
pub(super) const DERIVED: &[Table] = &[WORDS, TERMS];

/// Whether a table of this name, which need not be known here, is derived and can be made anew: these are versioned, with a dot.
pub(super) fn is_derived(name: &str) -> bool {
    name.contains('.')
}

/// Every table of the application: what a store is opened with.
pub const TABLES: &[Table] = &[
    ACCOUNTS,
    NAMES,
    SESSIONS,
    DEVICES,
    REPLIES,
    CONVERSATIONS,
    PAIRS,
    MEMBERSHIPS,
    MEMBERS,
    MESSAGES,
    PLACES,
    FEEDS,
    CLUSTER,
    NODES,
    PEERS,
    WORDS,
    TERMS,
    OWN,
];

/// No folded name is longer. LMDB takes keys of up to 511 bytes and fails beyond, and what people type
/// where a name is asked for can be of any length.
pub(super) const NAME_SIZE_MAX_BYTES: usize = 480;

/// Which record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'a> {
    Account(AccountId),
    Name(&'a NameKey),
    Session(SessionId),
    Device(AccountId, DeviceId),
    Reply(SessionId, Seq),
    Conversation(ConversationId),
    /// In ascending order.
    Pair(AccountId, AccountId),
    Membership(AccountId, ConversationId),
    Member(ConversationId, AccountId),
    Message(ConversationId, Cursor),
    Place(AccountId, MessageId),
    Feed(AccountId, Cursor),
    /// The record that the cluster was founded with.
    Founding,
    /// How far the state is.
    Cursor,
    Node(u64),
    Peer(PeerId, StoreId),
    /// The term of the entries from this place on.
    Term(Cursor),
    /// Raft's own record of what was applied.
    Applied,
}

impl Key<'_> {
    pub(super) fn table(&self) -> Table {
        match self {
            Self::Account(_) => ACCOUNTS,
            Self::Name(_) => NAMES,
            Self::Session(_) => SESSIONS,
            Self::Device(..) => DEVICES,
            Self::Reply(..) => REPLIES,
            Self::Conversation(_) => CONVERSATIONS,
            Self::Pair(..) => PAIRS,
            Self::Membership(..) => MEMBERSHIPS,
            Self::Member(..) => MEMBERS,
            Self::Message(..) => MESSAGES,
            Self::Place(..) => PLACES,
            Self::Feed(..) => FEEDS,
            Self::Founding | Self::Cursor => CLUSTER,
            Self::Node(_) => NODES,
            Self::Peer(..) => PEERS,
            Self::Term(_) => TERMS,
            Self::Applied => OWN,
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Account(id) => one(id.0),
            Self::Name(key) => key.as_str().as_bytes().to_vec(),
            Self::Session(id) => one(id.0),
            Self::Device(account, device) => [&account.0.to_be_bytes()[..], &device.0].concat(),
            Self::Reply(session, seq) => two(session.0, seq.0),
            Self::Conversation(id) => one(id.0),
            Self::Pair(one, other) => two(one.0, other.0),
            Self::Membership(account, conversation) => two(account.0, conversation.0),
            Self::Member(conversation, account) => two(conversation.0, account.0),
            Self::Message(conversation, cursor) => two(conversation.0, cursor.0),
            Self::Place(sender, id) => [&sender.0.to_be_bytes()[..], &id.0.to_be_bytes()].concat(),
            Self::Feed(account, cursor) => two(account.0, cursor.0),
            Self::Founding => b"founding".to_vec(),
            Self::Cursor => b"cursor".to_vec(),
            Self::Node(id) => one(*id),
            Self::Peer(peer, store) => [&peer.0[..], &store.0].concat(),
            Self::Term(from) => one(from.0),
            Self::Applied => b"applied".to_vec(),
        }
    }
}

fn one(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn two(first: u64, second: u64) -> Vec<u8> {
    [first.to_be_bytes(), second.to_be_bytes()].concat()
}

/// The keys that begin with this id: from the first, up to but without the second.
pub(super) fn beginning_with(id: u64) -> (Vec<u8>, Vec<u8>) {
    (one(id), one(id.saturating_add(1)))
}

/// The number at the end of a key; None where the key is too short to have one.
pub(super) fn last_number(key: &[u8]) -> Option<u64> {
    key.last_chunk().copied().map(u64::from_be_bytes)
}

/// The least key above this one.
pub(super) fn above(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}
