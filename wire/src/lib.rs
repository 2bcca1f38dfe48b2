//! How it travels.
//!
//! A connection is Noise over TCP, or a pair of channels in tests ([`transport`]). On it run
//! streams, each for one [`Protocol`]; each stream begins with a [`hello`] in which both ends prove
//! that they belong to the cluster, and goes on with length-limited, versioned frames ([`codec`]) of
//! [`message`]s (a client and a node) or [`peer`] messages (two nodes). Raft's own messages are the
//! node's business and only pass through here as bytes.

pub mod address;
pub mod blocking;
pub mod code;
pub mod codec;
#[cfg(test)]
mod golden;
pub mod hello;
pub mod invite;
pub mod message;
pub mod opaque;
pub mod peer;
pub mod rpc;
mod sealed;
pub mod secret;
pub mod transport;
pub mod turns;

pub use address::{Address, AddressError, PeerId};
pub use code::{Code, Refusal};
pub use transport::{BoxStream, Incoming, OpenError, Protocol, Target, Transport};
