//! What the log may hold for the chat.

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, ConversationId, CreationId, Cursor, DeviceId, MessageId, Name, NameKey, Seq, SessionId, Text, Timestamp,
};

/// Something that was asked for and accepted into the log. Whatever is fresh in it (times, hashes,
/// ids) was drawn by the node that accepted it, so that every replica applies the same.
///
/// The bytes of these live in logs: variants and fields are only ever added at the end, under a new
/// version of the entry format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Creates an account and opens its first session, on the device that asks.
    CreateAccount {
        creation: CreationId,
        name: Name,
        /// The OPAQUE registration record. Opaque here as well.
        credentials: Vec<u8>,
        device: DeviceId,
        token_hash: [u8; 32],
        at: Timestamp,
    },
    /// Opens a session for an account that proved its password, or renews the token of the one that
    /// the device already has; its numbering goes on.
    OpenSession { account: AccountId, device: DeviceId, token_hash: [u8; 32], at: Timestamp },
    /// Logs out: the token is worth nothing from here on.
    CloseSession { session: SessionId },
    /// Deletes the session's account.
    DeleteAccount { session: SessionId, at: Timestamp },
    /// Stores a message. The only numbered command: applied once, in the order of its numbers, and right after the
    /// message that it `follows` (None: the session's first). The number alone would not keep the order: a device that
    /// numbers anew what it has not heard about may have copies with the old numbers still under way.
    Send {
        session: SessionId,
        seq: Seq,
        follows: Option<MessageId>,
        id: MessageId,
        to: Recipient,
        text: Text,
        at: Timestamp,
    },
    /// The device of the session has received everything up to these places.
    MarkDelivered { session: SessionId, marks: Vec<(ConversationId, Cursor)> },
    /// The account has read everything up to this place.
    MarkRead { session: SessionId, conversation: ConversationId, up_to: Cursor },
    /// A device of the session listens, at the replica named.
    Connect { session: SessionId, at: Replica },
    /// The session left, or was not heard of for too long. Without effect if it meanwhile connected
    /// at another replica.
    Disconnect { session: SessionId, at: Replica },
}

/// Where a session listens: a node's id, as Raft knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Replica(pub u64);

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recipient {
    /// Whoever has the name when the message is applied.
    Name(NameKey),
    /// This very account: a message meant for a deleted account never reaches a namesake.
    Account(AccountId),
}
