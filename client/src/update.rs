//! What a client tells its user, asked or unasked.

use chat::{AccountId, ConversationId, Cursor, MessageId, Timestamp};
use wire::PeerId;
use wire::Refusal;
use wire::message::{AccountChange, AccountInfo, ClusterHealth, MessageInfo, To};

/// Something happened. See [`Updates`] for what is promised of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    // From the feed, once it is followed: in order, without gap and without repeat.
    /// A message of the account, sent or received on any of its devices.
    Message(MessageInfo),
    /// `by` has received everything in the conversation up to there.
    Delivered {
        cursor: Cursor,
        conversation: ConversationId,
        by: AccountId,
        up_to: Cursor,
    },
    /// `by` has read everything in the conversation up to there.
    Read {
        cursor: Cursor,
        conversation: ConversationId,
        by: AccountId,
        up_to: Cursor,
    },
    /// The other account was deleted; this many messages after `after` never reached it.
    Returned {
        cursor: Cursor,
        conversation: ConversationId,
        by: AccountInfo,
        after: Cursor,
        returned: u64,
    },
    /// Everything that happened before now has been told; what follows is live. Again after each failover.
    CaughtUp {
        cursor: Cursor,
    },

    // As it happens; whoever lags far behind misses the oldest of these.
    /// A message of this device is in the outbox, on disk.
    Queued {
        id: MessageId,
        to: To,
        text: String,
        queued_at: Timestamp,
    },
    /// A message of this device is stored by a majority. `recipient_active` is as of then.
    Stored {
        id: MessageId,
        conversation: ConversationId,
        cursor: Cursor,
        to: AccountId,
        sent_at: Timestamp,
        recipient_active: bool,
    },
    /// A message of this device was refused, and will not be sent.
    Failed {
        id: MessageId,
        refusal: Refusal,
    },
    /// An account came, went, was created or deleted.
    Account {
        account: AccountInfo,
        change: AccountChange,
    },
    Cluster(ClusterHealth),
    Link(LinkState),
    /// The session ended: logged out elsewhere, or its account was deleted. Log in again.
    SessionEnded {
        refusal: Refusal,
    },
    /// The reader was too slow for what is told as it happens, and has missed some of it.
    Missed,
}

/// How the client is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// To nobody. `trouble`: what the last attempt ended with.
    Searching { trouble: Option<Refusal> },
    /// To this node. `warm`: the node that takes over at once. `writable`: whether the cluster commits, as
    /// far as this node knows.
    Live { node: String, peer: PeerId, warm: Option<String>, writable: bool },
}

/// What to wait for, of a message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// A majority of nodes has it on disk.
    Stored,
    /// A device of the recipient has it.
    Delivered,
}

/// Where to follow the feed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowFrom {
    /// From where this profile was last; the first time, from the beginning of the account (the messages' own state says
    /// which of them another device has received). Where the profile was is moved on by this one only.
    Kept,
    /// After this place.
    After(Cursor),
    /// From now on.
    Now,
}

/// Logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub account: AccountInfo,
    /// False: no node has confirmed it yet, the profile knew enough. Sending works; it waits in the outbox.
    pub online: bool,
}

/// A message of this device that no majority has stored yet, or that never will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub id: MessageId,
    pub to: To,
    pub text: String,
    pub queued_at: Timestamp,
    /// Why it will never be sent. None: it waits for its turn.
    pub failed: Option<Refusal>,
}

/// What was typed for somebody and not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The other account.
    pub with: AccountId,
    pub text: String,
}

/// A page of something. `stale`: from one node alone, which could not ask a majority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub more: bool,
    pub stale: bool,
}
