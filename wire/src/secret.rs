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

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use libp2p::identity::ed25519;
use serde::{Deserialize, Serialize};

use crate::sealed;

/// Names a cluster before it exists: the first 16 bytes of the hash of its public node key. Its text
/// form is 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId(pub [u8; 16]);

/// The secret itself: whoever holds it is an operator.
#[derive(Clone)]
pub struct ClusterSecret([u8; 32]);

/// What makes a node of the cluster.
#[derive(Clone)]
pub struct NodeSecret([u8; 32]);

/// What lets a client talk to the cluster.
#[derive(Clone)]
pub struct ClientSecret([u8; 32]);

/// Every node of the cluster has it, and proves so to clients.
#[derive(Clone)]
pub struct NodeKey(ed25519::Keypair);

/// Signs what only operators may do.
#[derive(Clone)]
pub struct OperatorKey(ed25519::Keypair);

/// The text is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretError(pub String);

/// In front of a cluster secret's text form.
const SECRET_PREFIX: &str = "five9s-secret-";

impl ClusterSecret {
    /// Draws a new one from a source fit for secrets.
    pub fn generate(fill: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut bytes = [0; 32];
        fill(&mut bytes);
        Self(bytes)
    }

    /// Reads the text of the secret file.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let bytes = sealed::open(SECRET_PREFIX, text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| SecretError("This is not a cluster secret, or it is damaged.".into()))
    }

    /// The text of the secret file.
    pub fn to_text(&self) -> String {
        sealed::seal(SECRET_PREFIX, &self.0)
    }

    /// What its nodes hold.
    pub fn node_secret(&self) -> NodeSecret {
        NodeSecret(blake3::derive_key("five9s node secret v1", &self.0))
    }

    /// What its operators sign with.
    pub fn operator_key(&self) -> OperatorKey {
        OperatorKey::from_seed(blake3::derive_key("five9s operator key v1", &self.0))
    }

    /// The id of the cluster with this secret.
    pub fn cluster_id(&self) -> ClusterId {
        self.node_secret().cluster_id()
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
        NodeKey(keypair(blake3::derive_key("five9s node key v1", &self.0)))
    }

    /// What clients of the cluster hold.
    pub fn client_secret(&self) -> ClientSecret {
        ClientSecret(blake3::derive_key("five9s client secret v1", &self.0))
    }

    /// The id of the cluster with this secret.
    pub fn cluster_id(&self) -> ClusterId {
        ClusterId::of(&self.node_key().public())
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
        self.0.public().to_bytes()
    }

    /// For keeping it on disk: 32 bytes, as secret as the key.
    pub fn seed(&self) -> [u8; 32] {
        let secret = self.0.secret();
        secret.as_ref().try_into().expect("an Ed25519 secret key has 32 bytes")
    }

    /// From where it was kept.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(keypair(seed))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message)
    }
}

impl NodeKey {
    /// The public half, whose hash is the cluster id.
    pub fn public(&self) -> [u8; 32] {
        self.0.public().to_bytes()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message)
    }
}

impl ClusterId {
    /// The cluster whose nodes have this public key.
    pub(crate) fn of(node_key: &[u8; 32]) -> Self {
        let hash = blake3::derive_key("five9s cluster id v1", node_key);
        Self(*hash.first_chunk().expect("a hash of 32 bytes begins with 16"))
    }
}

/// Whether the signature over the message was made by the key with this public half.
pub(crate) fn is_signed(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    ed25519::PublicKey::try_from_bytes(public).is_ok_and(|key| key.verify(message, signature))
}

/// The Ed25519 key of a seed.
pub(crate) fn keypair(seed: [u8; 32]) -> ed25519::Keypair {
    let secret = ed25519::SecretKey::try_from_bytes(seed).expect("any 32 bytes are the seed of an Ed25519 key");
    secret.into()
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ClusterId {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| SecretError(format!("{text:?} is not a cluster id: 32 hex digits")))
    }
}

macro_rules! hide {
    ($($name:ident)*) => {$(
        /// Never shows the secret: debug output ends up in logs.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}
hide!(ClusterSecret NodeSecret ClientSecret NodeKey OperatorKey);

macro_rules! compare {
    ($($name:ident)*) => {$(
        /// Takes the same time wherever the two differ.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                blake3::Hash::from_bytes(self.0) == blake3::Hash::from_bytes(other.0)
            }
        }
        impl Eq for $name {}
    )*};
}
compare!(ClusterSecret NodeSecret ClientSecret);

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> ClusterSecret {
        ClusterSecret::generate(&mut |bytes| bytes.fill(byte))
    }

    #[test]
    fn a_cluster_keeps_its_id_for_ever() {
        // Worked out once; a change here makes every cluster and every code out there worthless.
        let derived = [
            secret(7).cluster_id().to_string(),
            HEXLOWER.encode(secret(7).node_secret().bytes()),
            HEXLOWER.encode(secret(7).node_secret().client_secret().bytes()),
            HEXLOWER.encode(&secret(7).operator_key().public()),
        ];
        let known = [
            "5d495e52cd0a37c27dd0406a28e293c7",
            "9ca5655b25c11721626a055320ae3ec6b21c216491cf192e4398dd5043a49f56",
            "b10788f4968b442f48be931cb079501d48ef33897550ec62f4e20ba5a9f62a1b",
            "6eee2bf018e2251d68f2a3e46ecdf21fb195cbaff05fabb471213e7f355cab82",
        ];
        assert_eq!(derived, known);
    }

    #[test]
    fn a_secret_comes_back_from_its_file() {
        let text = secret(7).to_text();
        assert!(text.starts_with(SECRET_PREFIX));
        assert_eq!(ClusterSecret::parse(&format!("{text}\n")), Ok(secret(7)));
        assert!(ClusterSecret::parse(&text[..text.len() - 1]).is_err());
    }

    #[test]
    fn an_id_comes_back_from_its_text() {
        let id = secret(7).cluster_id();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("no id".parse::<ClusterId>().is_err());
    }

    #[test]
    fn an_operator_key_comes_back_from_its_seed() {
        let key = secret(7).operator_key();
        assert_eq!(OperatorKey::from_seed(key.seed()).public(), key.public());
    }

    #[test]
    fn debug_output_hides_secrets() {
        assert_eq!(format!("{:?}", secret(7)), "ClusterSecret(…)");
        assert_eq!(format!("{:?}", secret(7).operator_key()), "OperatorKey(…)");
    }
}
