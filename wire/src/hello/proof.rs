//! What is hashed and signed in a hello. Everything is bound to one use between two peers.

use crate::peer::Incarnation;
use crate::secret::{ClientSecret, ClusterId, NodeKey, NodeSecret, OperatorKey, is_signed};
use crate::{PeerId, Protocol};

/// Where a proof is good.
pub(super) struct Binding {
    pub(super) protocol: Protocol,
    pub(super) initiator: PeerId,
    pub(super) responder: PeerId,
    pub(super) cluster: ClusterId,
}

const OPERATOR: &str = "five9s hello operator v1";
const NODE: &str = "five9s hello node v1";

impl Binding {
    /// What an initiator shows that is a node.
    pub(super) fn node_proof(&self, secret: &NodeSecret) -> blake3::Hash {
        let key = blake3::derive_key("five9s hello proof by node secret v1", secret.bytes());
        blake3::keyed_hash(&key, &self.bytes())
    }

    /// What an initiator shows that is a client.
    pub(super) fn client_proof(&self, secret: &ClientSecret) -> blake3::Hash {
        let key = blake3::derive_key("five9s hello proof by client secret v1", secret.bytes());
        blake3::keyed_hash(&key, &self.bytes())
    }

    /// What an initiator adds that is an operator.
    pub(super) fn operator_signature(&self, key: &OperatorKey) -> Vec<u8> {
        key.sign(&self.statement(OPERATOR, None))
    }

    /// Whether the signature is the initiator's, made with the operator key of this public half.
    pub(super) fn is_from_operator(&self, key: &[u8; 32], signature: &[u8]) -> bool {
        is_signed(key, &self.statement(OPERATOR, None), signature)
    }

    /// What the responder shows.
    pub(super) fn node_signature(&self, key: &NodeKey, incarnation: Option<Incarnation>) -> Vec<u8> {
        key.sign(&self.statement(NODE, incarnation))
    }

    /// Whether the key is the cluster's node key, and the signature is the responder's, made with it.
    pub(super) fn is_from_node(&self, key: &[u8; 32], incarnation: Option<Incarnation>, signature: &[u8]) -> bool {
        ClusterId::of(key) == self.cluster && is_signed(key, &self.statement(NODE, incarnation), signature)
    }

    fn statement(&self, purpose: &str, incarnation: Option<Incarnation>) -> Vec<u8> {
        let mut bytes = purpose.as_bytes().to_vec();
        bytes.extend(self.bytes());
        bytes.push(u8::from(incarnation.is_some()));
        bytes.extend(incarnation.map(|incarnation| incarnation.0).unwrap_or_default());
        bytes
    }

    /// Every part is of fixed length or has its length before it, so no two bindings have the same
    /// bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend(self.cluster.0);
        bytes.extend(self.initiator.0);
        bytes.extend(self.responder.0);
        bytes.push(u8::try_from(self.protocol.name().len()).expect("protocol names are short"));
        bytes.extend(self.protocol.name().as_bytes());
        bytes
    }
}
