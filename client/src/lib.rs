//! How to reach whoever is alive.
//!
//! Whoever uses this crate never sees a connection: it calls a [`Client`], and reads [`Update`]s. The life of one message:
//!
//! 1. [`Client::send`] checks the text and has `Profile::queue` ([`outbox`]) give it the next number of its session, in the transaction
//!    that puts it on disk. Only then does `send` return.
//! 2. [`pump`] takes what waits, in the order of the numbers, and hands it to the live [`link`]; many are under way at once.
//! 3. Which link is live is decided by [`failover::step`], a plain function; [`reach`] does what it says: [`find`]s nodes, [`dial`]s them,
//!    and has a second node ready.
//! 4. When the link is lost, or the node cannot commit, the pump begins again on the next one with the first message that was not answered.
//!    The nodes execute each number once, so nobody can tell.
//! 5. The answer settles the message in the outbox; [`Client::settled`] and [`Update::Stored`] say so.
//! 6. [`feed`] brings it to its reader, after the last row that was handed over, from whichever node; when the reader comes back for the next
//!    update, the cursor and the receipt are written down, and a node is told.

mod access;
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
mod ids;
mod link;
mod login;
mod outbox;
mod paths;
mod profile;
mod pump;
mod reach;
mod scout;
mod shared;
mod update;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use access::Access;
pub use client::Client;
pub use config::Config;
pub use error::ClientError;
pub use hub::Updates;
pub use paths::Paths;
pub use scout::{NodeHere, Scout, nodes_here};
pub use update::{Draft, FollowFrom, LinkState, Login, Page, Pending, Update, Want};

// What the calls speak of, so that most users need no other crate.
pub use chat::{AccountId, ConversationId, Cursor, Delivery, MessageId, Seq, SessionId, Timestamp};
pub use wire::message::{
    AccountChange, AccountInfo, ClusterHealth, ClusterStatus, ConversationInfo, MessageInfo, NodeDigest, NodeHint,
    NodeProgress, NodeStatus, Role, To,
};
pub use wire::{Address, Code, PeerId, Refusal};
