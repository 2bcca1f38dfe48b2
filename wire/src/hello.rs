//! The first frame both ways on every stream.

use crate::codec::FrameError;
use crate::peer::{Incarnation, StoreId};
use crate::secret::{ClientSecret, ClusterId, NodeSecret, OperatorKey};
use crate::{BoxStream, PeerId, Protocol, Refusal};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// To the initiator: what the responder said. To the responder: what it said.
    #[error("{0}")]
    Refused(Refusal),
    /// The responder could not prove that it is a node of the cluster.
    #[error("what answers there is not a node of this cluster")]
    Impostor,
    #[error("no hello within 5 s")]
    Silent,
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl HelloError {
    /// The same, as a refusal for people and machines.
    pub fn refusal(&self) -> Refusal {
        todo!()
    }
}

/// Proves ourselves on a stream that we opened, and has the other side prove that it is a node.
pub async fn initiate(
    _stream: &mut BoxStream,
    _me: PeerId,
    _them: PeerId,
    _protocol: Protocol,
    _identity: &Identity,
) -> Result<Welcome, HelloError> {
    todo!()
}

/// Has whoever opened the stream prove itself, asks the gate, and proves that we are a node.
/// Says nothing but a refusal until then.
pub async fn respond(
    _stream: &mut BoxStream,
    _me: PeerId,
    _them: PeerId,
    _protocol: Protocol,
    _identity: &Identity,
    _expected: &Expected,
    _gate: impl FnOnce(&Claim) -> Result<(), Refusal>,
) -> Result<Claim, HelloError> {
    todo!()
}
