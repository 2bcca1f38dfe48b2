//! What the node does with what comes in, by how far it has come.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;
use wire::hello::{Claim, Expected};
use wire::peer::{PeerAnswer, PeerRequest};
use wire::{BoxStream, Code, PeerId, Protocol, Refusal};

use crate::api::{self, ApiContext};
use crate::formation::driver::{Call, not_founded};
use crate::net::accept;
use crate::net::member::Member;
use crate::raft::NodeId;

/// How far the node has come.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Starting,
    Forming(mpsc::Sender<Call>),
    Member(Arc<Seat>),
    Leaving,
}

/// What a member serves with.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) member: Arc<Member>,
    pub(super) api: Arc<ApiContext>,
}

impl Phase {
    pub(super) fn seat(&self) -> Option<Arc<Seat>> {
        match self {
            Self::Member(seat) => Some(Arc::clone(seat)),
            _ => None,
        }
    }

    /// Why there is nothing here for a client or for Raft.
    fn refusal(&self) -> Refusal {
        match self {
            Self::Leaving => Refusal::new(Code::ShuttingDown, "the node is stopping"),
            _ => not_founded(),
        }
    }
}

/// Passes everything on to whoever is there now.
#[derive(Debug)]
pub(super) struct Host {
    phase: watch::Receiver<Phase>,
    /// One token for each client that is being served.
    clients: TaskTracker,
}

impl Host {
    pub(super) fn new(phase: watch::Receiver<Phase>) -> Self {
        Self { phase, clients: TaskTracker::new() }
    }

    /// Returns once no client is served any more.
    pub(super) async fn clients_gone(&self) {
        self.clients.close();
        self.clients.wait().await;
    }

    fn phase(&self) -> Phase {
        self.phase.borrow().clone()
    }
}

impl accept::Host for Host {
    fn expected(&self) -> Expected {
        let Some(seat) = self.phase().seat() else { return Expected::default() };
        let founding = &seat.member.membership().founding;
        Expected { incarnation: Some(founding.incarnation), operator_key: Some(founding.operator_key) }
    }

    fn admits(&self, peer: PeerId, protocol: Protocol, claim: &Claim) -> Result<(), Refusal> {
        let phase = self.phase();
        match (protocol, phase.seat()) {
            // Formation and admission are for nodes that are no members yet.
            (Protocol::Peer, _) => Ok(()),
            (_, None) => Err(phase.refusal()),
            (Protocol::Client, Some(_)) => Ok(()),
            (_, Some(seat)) => seat.member.may_replicate(peer, claim).map(|_| ()),
        }
    }

    fn answer(&self, from: PeerId, request: PeerRequest) -> BoxFuture<'static, PeerAnswer> {
        match self.phase() {
            Phase::Member(seat) => async move { seat.member.answer(from, request).await }.boxed(),
            Phase::Forming(formation) => ask_formation(formation, from, request).boxed(),
            phase => async move { PeerAnswer::Refused(phase.refusal()) }.boxed(),
        }
    }

    fn serve(&self, peer: PeerId, protocol: Protocol, claim: Claim, stream: BoxStream) -> BoxFuture<'static, ()> {
        let Some(seat) = self.phase().seat() else { return async {}.boxed() };
        match protocol {
            Protocol::Client => {
                let served = self.clients.token();
                async move {
                    api::serve_client(Arc::clone(&seat.api), claim, peer, stream).await;
                    drop(served);
                }
                .boxed()
            }
            _ => async move {
                if let Ok(from) = seat.member.may_replicate(peer, &claim) {
                    serve_raft(&seat.member, from, protocol, stream).await;
                }
            }
            .boxed(),
        }
    }
}

/// Serves a stream of Raft's. Where there is no room on the disk, those that bring something to store end, and the leader tries again
/// later; votes and heartbeats go on.
async fn serve_raft(member: &Member, from: NodeId, protocol: Protocol, stream: BoxStream) {
    let served = member.raft().serve(from, protocol, stream);
    let fills = matches!(protocol, Protocol::RaftAppend | Protocol::RaftSnapshot);
    tokio::select! {
        biased;
        () = member.room().none_left(), if fills => {}
        () = served => {}
    }
}

async fn ask_formation(formation: mpsc::Sender<Call>, from: PeerId, request: PeerRequest) -> PeerAnswer {
    let (answer, answered) = oneshot::channel();
    let busy = || PeerAnswer::Refused(Refusal::retry_after(Code::Busy, "the node is busy founding its cluster", 300));
    if formation.try_send(Call { from, request, answer }).is_err() {
        return busy();
    }
    // Dropped where the cluster was founded just then: the node answers as a member next time.
    answered.await.unwrap_or_else(|_| busy())
}
