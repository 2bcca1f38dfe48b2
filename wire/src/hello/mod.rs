//! The first frame both ways on every stream: both ends prove that they belong to the cluster.
//!
//! ```text
//! initiator → Hello    a keyed hash under the node or the client secret, over protocol and both peers
//! responder → Welcome  the node key, and its signature over the same and the incarnation
//!           or Refused the only thing that anyone hears who has not proved the secret
//! ```
//! The connection has proved both PeerIds already, so a proof is good for one pair of peers only, and
//! replaying it gains nothing. What follows the hello is not read before the gate has agreed.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::codec::{self, FrameError};
use crate::peer::{Incarnation, StoreId};
use crate::secret::{ClientSecret, ClusterId, NodeSecret, OperatorKey};
use crate::{BoxStream, Code, PeerId, Protocol, Refusal};

mod proof;

use proof::Binding;

/// How long both frames together may take. A stranger holds a stream no longer.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest frame of a hello, in bytes.
pub const HELLO_SIZE_MAX_BYTES: usize = 1024;

/// Who we are, to whoever is at the other end.
#[derive(Clone, Debug)]
pub struct Identity {
    pub keys: Keys,
    /// A client: the incarnation it pins. A node: the one it belongs to.
    pub incarnation: Option<Incarnation>,
    pub store: Option<StoreId>,
    pub node_id: Option<u64>,
    pub name: String,
}

/// What we can prove.
#[derive(Clone, Debug)]
pub enum Keys {
    Node { secret: NodeSecret, operator: Option<OperatorKey> },
    Client { cluster: ClusterId, secret: ClientSecret, operator: Option<OperatorKey> },
}

/// What an initiator has proved (role, operator) and says of itself (the rest).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub role: ClaimedRole,
    /// It holds the cluster secret itself.
    pub operator: bool,
    pub incarnation: Option<Incarnation>,
    pub store: Option<StoreId>,
    pub node_id: Option<u64>,
    pub name: String,
}

/// Which of the two secrets the initiator proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimedRole {
    Client,
    Node,
}

/// What a responder holds initiators to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The incarnation that the responder belongs to; None: not founded yet.
    pub incarnation: Option<Incarnation>,
    /// The public operator key of the founding record; None: nobody is an operator yet.
    pub operator_key: Option<[u8; 32]>,
}

/// What the responder, proved to be a node of the cluster, says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The node's name.
    pub node: String,
    pub incarnation: Option<Incarnation>,
    pub store: Option<StoreId>,
    pub node_id: Option<u64>,
}

/// No stream to use.
#[derive(Debug, thiserror::Error)]
pub enum HelloError {
    /// One end refused the other: at either end, what the refusing one said.
    #[error("{0}")]
    Refused(Refusal),
    /// The responder could not prove that it is a node of the cluster.
    #[error("What answers there is not a node of this cluster.")]
    Impostor,
    #[error("There was no hello within 5 s.")]
    Silent,
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl HelloError {
    /// The same, as a refusal for people and machines.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal.clone(),
            Self::Impostor => Refusal::new(Code::WrongSecret, self.to_string()),
            Self::Silent => Refusal::new(Code::Timeout, self.to_string()),
            Self::Frame(error) => error.refusal().unwrap_or_else(|| Refusal::new(Code::NoNode, error.to_string())),
        }
    }
}

/// The initiator's frame.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Hello {
    role: ClaimedRole,
    proof: [u8; 32],
    /// An operator's signature; without one the initiator is no operator.
    operator: Option<Vec<u8>>,
    incarnation: Option<Incarnation>,
    store: Option<StoreId>,
    node_id: Option<u64>,
    name: String,
}

/// The responder's frame.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Reply {
    Welcome { welcome: Welcome, node_key: [u8; 32], signature: Vec<u8> },
    Refused(Refusal),
}

/// Proves ourselves on a stream that we opened, and has the other side prove that it is a node.
pub async fn initiate(
    stream: &mut BoxStream,
    me: PeerId,
    them: PeerId,
    protocol: Protocol,
    identity: &Identity,
) -> Result<Welcome, HelloError> {
    let binding = Binding { protocol, initiator: me, responder: them, cluster: identity.keys.cluster() };
    within_limit(async {
        codec::write(stream, &hello(identity, &binding)).await.map_err(FrameError::Io)?;
        match codec::read(stream, HELLO_SIZE_MAX_BYTES).await?.ok_or(FrameError::Cut)? {
            Reply::Refused(refusal) => Err(HelloError::Refused(refusal)),
            Reply::Welcome { welcome, node_key, signature } => {
                if !binding.is_from_node(&node_key, welcome.incarnation, &signature) {
                    return Err(HelloError::Impostor);
                }
                same_incarnation(identity.incarnation, welcome.incarnation).map_err(HelloError::Refused)?;
                Ok(welcome)
            }
        }
    })
    .await
}

/// Has whoever opened the stream prove itself, asks the gate, and proves that we are a node.
/// Says nothing but a refusal until then.
pub async fn respond(
    stream: &mut BoxStream,
    me: PeerId,
    them: PeerId,
    protocol: Protocol,
    identity: &Identity,
    expected: &Expected,
    gate: impl FnOnce(&Claim) -> Result<(), Refusal>,
) -> Result<Claim, HelloError> {
    let Keys::Node { secret, .. } = &identity.keys else {
        return Err(HelloError::Refused(Refusal::new(Code::Forbidden, "Only a node answers.")));
    };
    let binding = Binding { protocol, initiator: them, responder: me, cluster: secret.cluster_id() };
    within_limit(async {
        let admitted = match codec::read(stream, HELLO_SIZE_MAX_BYTES).await {
            Ok(None) => return Err(FrameError::Cut.into()),
            Ok(Some(hello)) => admit(hello, &binding, secret, expected, gate),
            Err(error) => Err(error.refusal().ok_or(error)?),
        };
        answer(stream, admitted, &binding, secret, identity).await
    })
    .await
}

async fn within_limit<T>(exchange: impl Future<Output = Result<T, HelloError>>) -> Result<T, HelloError> {
    timeout(HELLO_TIMEOUT, exchange).await.unwrap_or(Err(HelloError::Silent))
}

fn hello(identity: &Identity, binding: &Binding) -> Hello {
    let (role, proof, operator) = match &identity.keys {
        Keys::Node { secret, operator } => (ClaimedRole::Node, binding.node_proof(secret), operator),
        Keys::Client { secret, operator, .. } => (ClaimedRole::Client, binding.client_proof(secret), operator),
    };
    Hello {
        role,
        proof: *proof.as_bytes(),
        operator: operator.as_ref().map(|key| binding.operator_signature(key)),
        incarnation: identity.incarnation,
        store: identity.store,
        node_id: identity.node_id,
        name: identity.name.clone(),
    }
}

/// The responder's judgement: first the proof, then everything else.
fn admit(
    hello: Hello,
    binding: &Binding,
    secret: &NodeSecret,
    expected: &Expected,
    gate: impl FnOnce(&Claim) -> Result<(), Refusal>,
) -> Result<Claim, Refusal> {
    let Hello { role, proof, operator, incarnation, store, node_id, name } = hello;
    let right = match role {
        ClaimedRole::Node => binding.node_proof(secret),
        ClaimedRole::Client => binding.client_proof(&secret.client_secret()),
    };
    // Comparing hashes takes the same time wherever they differ.
    if right != blake3::Hash::from_bytes(proof) {
        return Err(Refusal::new(Code::WrongSecret, "That is not the secret of this cluster."));
    }
    if role == ClaimedRole::Client && binding.protocol != Protocol::Client {
        return Err(Refusal::new(Code::WrongSecret, "This takes the secret of a node, not that of a client."));
    }
    let operator = is_operator(operator, binding, expected)?;
    same_incarnation(incarnation, expected.incarnation)?;
    let claim = Claim { role, operator, incarnation, store, node_id, name };
    gate(&claim)?;
    Ok(claim)
}

/// Someone who claims to be an operator and is not, is refused rather than let in as less.
fn is_operator(signature: Option<Vec<u8>>, binding: &Binding, expected: &Expected) -> Result<bool, Refusal> {
    match (signature, expected.operator_key) {
        (Some(signature), Some(key)) if binding.is_from_operator(&key, &signature) => Ok(true),
        (Some(_), Some(_)) => Err(Refusal::new(Code::WrongSecret, "That is not an operator of this cluster.")),
        (None, _) | (_, None) => Ok(false),
    }
}

/// A cluster that was wiped and founded again has the same secret and another incarnation.
fn same_incarnation(one: Option<Incarnation>, other: Option<Incarnation>) -> Result<(), Refusal> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(Refusal::new(
            Code::WrongCluster,
            "The cluster was founded anew: it has the same secret, but is not the one known here.",
        )),
        _ => Ok(()),
    }
}

/// Tells the initiator, either way.
async fn answer(
    stream: &mut BoxStream,
    admitted: Result<Claim, Refusal>,
    binding: &Binding,
    secret: &NodeSecret,
    identity: &Identity,
) -> Result<Claim, HelloError> {
    match admitted {
        Ok(claim) => {
            codec::write(stream, &welcome(binding, secret, identity)).await.map_err(FrameError::Io)?;
            Ok(claim)
        }
        Err(refusal) => {
            // Whoever is refused may not wait for the reason.
            let _ = codec::write(stream, &Reply::Refused(refusal.clone())).await;
            let _ = stream.shutdown().await;
            Err(HelloError::Refused(refusal))
        }
    }
}

fn welcome(binding: &Binding, secret: &NodeSecret, identity: &Identity) -> Reply {
    let welcome = Welcome {
        node: identity.name.clone(),
        incarnation: identity.incarnation,
        store: identity.store,
        node_id: identity.node_id,
    };
    let node_key = secret.node_key();
    let signature = binding.node_signature(&node_key, identity.incarnation);
    Reply::Welcome { welcome, node_key: node_key.public(), signature }
}

impl Keys {
    /// The cluster that the keys belong to.
    pub fn cluster(&self) -> ClusterId {
        match self {
            Self::Node { secret, .. } => secret.cluster_id(),
            Self::Client { cluster, .. } => *cluster,
        }
    }
}

#[cfg(test)]
mod tests;
