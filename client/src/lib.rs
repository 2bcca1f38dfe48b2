//! How to reach whoever is alive.
//!
//! The way of one message from here: [`Client::send`] gives it a number and puts it on disk before it
//! returns; the outbox resends it over the one live link until a node has answered; the feed brings
//! it back, once and in order, whichever nodes come and go meanwhile. Whoever uses this crate never
//! sees a connection: it calls, and reads [`Update`]s.

mod blocking;
mod client;
mod clock;
mod config;
mod dial;
mod error;
mod failover;
mod feed;
mod find;
mod hub;
mod link;
mod login;
mod outbox;
mod profile;
mod pump;
mod reach;
mod shared;
mod update;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use config::{Access, Config};
pub use error::ClientError;
pub use hub::Updates;
pub use update::{FollowFrom, LinkState, Login, Page, Update, Want};

// What the calls speak of, so that most users need no other crate.
pub use chat::{AccountId, ConversationId, Cursor, Delivery, MessageId, Seq, SessionId, Timestamp};
pub use wire::message::{
    AccountChange, AccountInfo, ClusterHealth, ClusterStatus, ConversationInfo, MessageInfo, NodeDigest, NodeHint,
    NodeStatus, To,
};
pub use wire::{Address, Code, PeerId, Refusal};
