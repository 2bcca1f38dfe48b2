//! What a replica remembers, as records. How they lie on a disk is the node's business.

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, ConversationId, CreationId, Cursor, DeviceId, MessageId, Name, Replica, Seq, SessionId, Text, Timestamp,
};

/// An account, or what is left of a deleted one: its name, for those who still read what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: AccountId,
    pub name: Name,
    pub creation: CreationId,
    /// The OPAQUE registration record; empty once deleted.
    pub credentials: Vec<u8>,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
    /// How many of its sessions are connected. Active means: at least one.
    pub connected: u32,
}

impl Account {
    /// Whether a device of the account listens.
    pub fn is_active(&self) -> bool {
        self.connected > 0
    }

    /// Whether the account is gone.
    pub fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }
}

/// What an account has open on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub account: AccountId,
    pub device: DeviceId,
    /// BLAKE3 of the token that the device holds.
    pub token_hash: [u8; 32],
    pub opened_at: Timestamp,
    /// Never expires: it is what makes a resend harmless.
    pub numbering: Numbering,
    /// Where the session listens, if it does.
    pub connected: Option<Replica>,
}

/// How far a session has come with its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbering {
    /// The last number applied; zero before the first.
    pub high_water: Seq,
    /// The message that had it, stored or rejected.
    pub last: Option<MessageId>,
}

/// Two accounts and what they said; one account, if it writes to itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    pub id: ConversationId,
    /// In ascending order; equal for a conversation with oneself.
    pub members: (AccountId, AccountId),
    /// How many messages it holds; they are numbered 1 to this.
    pub length: u64,
    /// Where its last message is.
    pub last: Cursor,
}

impl Conversation {
    /// The other member; oneself, in a conversation with oneself.
    pub fn other(&self, account: AccountId) -> AccountId {
        if self.members.0 == account { self.members.1 } else { self.members.0 }
    }

    /// Whether the account takes part.
    pub fn has(&self, account: AccountId) -> bool {
        self.members.0 == account || self.members.1 == account
    }
}

/// How far one account has come in one conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// How many messages of others the conversation holds.
    pub incoming: u64,
    /// How many messages of its own.
    pub outgoing: u64,
    pub delivered: Mark,
    pub read: Mark,
    /// Where the rows about these marks lie in feeds, so that a newer one replaces an older one.
    pub delivered_row: Option<Cursor>,
    pub read_row: Option<Cursor>,
}

impl Member {
    /// Messages of others after the read mark.
    pub fn unread(&self) -> u64 {
        self.incoming.saturating_sub(self.read.incoming)
    }

    /// Messages of others that no device of the account has received.
    pub fn undelivered(&self) -> u64 {
        self.incoming.saturating_sub(self.delivered.incoming)
    }
}

/// A place in a conversation, with the number of others' messages up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub up_to: Cursor,
    pub incoming: u64,
}

/// A message. Its key is (conversation, cursor).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub conversation: ConversationId,
    pub cursor: Cursor,
    pub id: MessageId,
    pub sender: AccountId,
    /// Its number in the conversation, from 1 without gaps.
    pub number: u64,
    /// Its number among the sender's messages in the conversation, from 1 without gaps.
    pub sender_number: u64,
    pub text: Text,
    pub sent_at: Timestamp,
}

/// What has become of a message, as far as its sender can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Delivery {
    /// Synced on a majority of nodes.
    Stored,
    /// Received by a device of the recipient.
    Delivered,
    /// Read by the recipient.
    Read,
    /// The recipient's account was deleted before any of its devices received it.
    Returned,
}

/// One row of an account's feed. Its key is (account, cursor); rows of messages stay, a row about a
/// mark is dropped when a later one says more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeedRow {
    /// The message at this cursor of this conversation, sent or received.
    Message { conversation: ConversationId },
    /// The other member has received everything up to here.
    Delivered { conversation: ConversationId, by: AccountId, up_to: Cursor },
    /// A member, perhaps the account itself on another device, has read everything up to here.
    Read { conversation: ConversationId, by: AccountId, up_to: Cursor },
    /// The other member's account was deleted; `returned` messages after `after` never reached it.
    Returned { conversation: ConversationId, by: AccountId, after: Cursor, returned: u64 },
}
