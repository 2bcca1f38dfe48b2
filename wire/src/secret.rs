//! The secret of a cluster, what is derived from it, and the codes that carry it to other machines.
//!
//! ```text
//! cluster secret (32 random bytes, a file)                     an operator holds it
//!   ├─ operator key   Ed25519, signs what only operators may do
//!   └─ node secret    32 bytes                                 in a node's code
//!        ├─ node key       Ed25519: every node proves it to clients; the cluster id is its hash
//!        └─ client secret  32 bytes                            in a client's code
//! ```
//! Because the cluster id is a hash of the public node key, whoever knows the id can check that a
//! node is one of its nodes, without being able to pose as one: a client cannot stand in for a node,
//! nor a node's code make an operator.

use serde::{Deserialize, Serialize};

/// Names a cluster before it exists: the first 16 bytes of the hash of its public node key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId(pub [u8; 16]);
