//! Takes the streams that others open: the hello, the gate, then whoever serves the protocol.
//!
//! A loop here does nothing but spawn: a slow stranger must not hold up anyone behind it.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;
use wire::hello::{self, Claim, Expected};
use wire::peer::{PEER_FRAME_SIZE_MAX_BYTES, PeerAnswer, PeerRequest};
use wire::{BoxStream, Incoming, PeerId, Protocol, Refusal, rpc};

use super::Net;

/// How many streams may be in their hello, which takes 5 s at most; beyond it a new stream is closed at
/// once, and its peer may try again.
const GREETING_MAX: usize = 256;

/// How many requests of one peer may be under way; beyond it its stream is not read. More than wait for their turn, so that
/// what goes first is read while all of those wait.
const REQUESTS_PER_PEER_MAX: usize = rpc::IN_FLIGHT_MAX + 64;

/// What a node does with streams and requests.
pub trait Host: Send + Sync + 'static {
    /// What initiators are held to, now.
    fn expected(&self) -> Expected;

    /// Whether the peer may have such a stream, before anything more of it is read.
    fn admits(&self, peer: PeerId, protocol: Protocol, claim: &Claim) -> Result<(), Refusal>;

    fn answer(&self, from: PeerId, request: PeerRequest) -> BoxFuture<'static, PeerAnswer>;

    /// Serves a client or Raft until the stream ends.
    fn serve(&self, peer: PeerId, protocol: Protocol, claim: Claim, stream: BoxStream) -> BoxFuture<'static, ()>;
}

/// Accepts until told to stop; every stream is a task of the tracker's and ends with the token.
pub fn start(net: &Arc<Net>, host: &Arc<dyn Host>, tasks: &TaskTracker, stop: &CancellationToken) {
    let greeting = Arc::new(Semaphore::new(GREETING_MAX));
    for protocol in Protocol::ALL {
        let mut incoming = net.transport().accept(protocol);
        let door = Door { net: Arc::clone(net), host: Arc::clone(host), greeting: Arc::clone(&greeting), protocol };
        let (tasks, stop) = (tasks.clone(), stop.clone());
        let streams = tasks.clone();
        tasks.spawn(async move {
            while let Some(Some(stream)) = stop.run_until_cancelled(incoming.recv()).await {
                let door = door.clone();
                let stop = stop.clone();
                // In a box: what waits for either of two keeps room for it twice.
                streams.spawn(async move { stop.run_until_cancelled(Box::pin(door.take(stream))).await });
            }
        });
    }
}

#[derive(Clone)]
struct Door {
    net: Arc<Net>,
    host: Arc<dyn Host>,
    greeting: Arc<Semaphore>,
    protocol: Protocol,
}

impl Door {
    async fn take(self, incoming: Incoming) {
        let Incoming { peer, mut stream } = incoming;
        let Ok(greeting) = Arc::clone(&self.greeting).try_acquire_owned() else { return };
        // Its memory is given back when it is over: the stream may last for days, and there may be ten thousand.
        let claim = match Box::pin(self.greet(peer, &mut stream)).await {
            Ok(claim) => claim,
            Err(error) => return debug!(%peer, protocol = self.protocol.name(), "refused a stream: {error}"),
        };
        drop(greeting);
        match self.protocol {
            Protocol::Peer => Box::pin(self.serve_requests(peer, stream)).await,
            protocol => self.host.serve(peer, protocol, claim, stream).await,
        }
    }

    async fn greet(&self, peer: PeerId, stream: &mut BoxStream) -> Result<Claim, hello::HelloError> {
        let identity = self.net.identity();
        let expected = self.host.expected();
        let gate = |claim: &Claim| self.host.admits(peer, self.protocol, claim);
        hello::respond(stream, self.net.local(), peer, self.protocol, &identity, &expected, gate).await
    }

    async fn serve_requests(self, peer: PeerId, stream: BoxStream) {
        let host = self.host;
        let answer = move |request| host.answer(peer, request).boxed();
        if let Err(error) = rpc::serve(stream, PEER_FRAME_SIZE_MAX_BYTES, REQUESTS_PER_PEER_MAX, answer).await {
            debug!(%peer, "a line of requests ended: {error}");
        }
    }
}
