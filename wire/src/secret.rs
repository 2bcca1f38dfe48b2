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

/// The secret itself: whoever holds it is an operator.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterSecret([u8; 32]);

/// What makes a node of the cluster.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSecret([u8; 32]);

/// What lets a client talk to the cluster.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecret([u8; 32]);

/// Every node of the cluster has it, and proves so to clients.
#[derive(Clone)]
pub struct NodeKey;

/// Signs what only operators may do.
#[derive(Clone)]
pub struct OperatorKey;

/// The text is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretError(pub String);

impl ClusterSecret {
    /// Draws a new one from a source fit for secrets.
    pub fn generate(_fill: &mut dyn FnMut(&mut [u8])) -> Self {
        todo!()
    }

    /// Reads the text of the secret file.
    pub fn parse(_text: &str) -> Result<Self, SecretError> {
        todo!()
    }

    /// The text of the secret file.
    pub fn to_text(&self) -> String {
        todo!()
    }

    /// What its nodes hold.
    pub fn node_secret(&self) -> NodeSecret {
        todo!()
    }

    /// What its operators sign with.
    pub fn operator_key(&self) -> OperatorKey {
        todo!()
    }

    /// The id of the cluster with this secret.
    pub fn cluster_id(&self) -> ClusterId {
        todo!()
    }
}

impl NodeSecret {
    /// For keeping it on disk.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From where it was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What proves a node to clients.
    pub fn node_key(&self) -> NodeKey {
        todo!()
    }

    /// What clients of the cluster hold.
    pub fn client_secret(&self) -> ClientSecret {
        todo!()
    }

    /// The id of the cluster with this secret.
    pub fn cluster_id(&self) -> ClusterId {
        todo!()
    }
}

impl ClientSecret {
    /// For keeping it on disk.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From where it was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl OperatorKey {
    /// The public half, as the founding record keeps it.
    pub fn public(&self) -> [u8; 32] {
        todo!()
    }

    /// For keeping it on disk: 32 bytes, as secret as the key.
    pub fn seed(&self) -> [u8; 32] {
        todo!()
    }

    /// From where it was kept.
    pub fn from_seed(_seed: [u8; 32]) -> Self {
        todo!()
    }
}

impl NodeKey {
    /// The public half, whose hash is the cluster id.
    pub fn public(&self) -> [u8; 32] {
        todo!()
    }
}

/// Text form: 32 hex digits.
impl std::fmt::Display for ClusterId {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}

impl std::fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for ClusterId {
    type Err = SecretError;

    fn from_str(_text: &str) -> Result<Self, SecretError> {
        todo!()
    }
}

macro_rules! hide {
    ($($name:ident)*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}
hide!(ClusterSecret NodeSecret ClientSecret NodeKey OperatorKey);
