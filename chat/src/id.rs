//! Identifiers. Those that the log hands out are the index of the entry that made the thing, so
//! they need no counter, are the same on every replica, and are never used twice.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! index_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

index_id!(
    /// The index of the entry that created the account. Never reused: a name that was deleted and
    /// taken again is another account.
    AccountId
);
index_id!(
    /// The index of the entry that opened the session.
    SessionId
);
index_id!(
    /// The index of the entry that began the conversation.
    ConversationId
);
index_id!(
    /// A place in the log, the same on every replica: the order of everything, and what a reader
    /// resumes from. Zero is before the first entry.
    Cursor
);
index_id!(
    /// The number a device gives to a command of its session: 1, 2, 3, without gaps.
    Seq
);
index_id!(
    /// Milliseconds since the Unix epoch, as stamped by the node that accepted the command. For
    /// people to read; order never depends on it.
    Timestamp
);

impl Cursor {
    /// Before the first entry of any log.
    pub const START: Self = Self(0);
}

impl Seq {
    /// The number after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// An installation, by the 32 bytes of its Ed25519 public key. Connections prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceId(pub [u8; 32]);

/// The sender's own name for a message: a ULID. Sending the same one twice stores it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId(pub u128);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ulid::Ulid(self.0).fmt(f)
    }
}

impl std::str::FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<Self, MessageIdError> {
        ulid::Ulid::from_string(text).map(|ulid| Self(ulid.0)).map_err(|_| MessageIdError)
    }
}

/// The text is not a ULID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message id is a ULID: 26 letters and digits of Crockford's base 32")]
pub struct MessageIdError;

/// Drawn by whoever creates an account, so that asking again after a lost answer creates one only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CreationId(pub u128);
