//! The one stream of requests to a peer: opened when first needed, shared by all who ask, opened again
//! after it broke.

use std::sync::{Mutex, PoisonError};

use tokio::task::AbortHandle;
use wire::peer::{PEER_FRAME_SIZE_MAX_BYTES, PeerAnswer, PeerRequest};
use wire::rpc::{self, Caller};
use wire::{BoxStream, PeerId, Protocol};

use super::{AskError, Net};

type PeerCaller = Caller<PeerRequest, PeerAnswer>;

/// The line to one peer.
#[derive(Debug, Default)]
pub(super) struct Line {
    open: Mutex<Option<Open>>,
    /// Held while the stream is being opened, so that it is opened once.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Open {
    caller: PeerCaller,
    carrier: AbortHandle,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Line {
    pub(super) fn is_open(&self) -> bool {
        self.current().is_some()
    }

    /// Something to ask with.
    pub(super) async fn caller(&self, net: &Net, peer: PeerId) -> Result<PeerCaller, AskError> {
        match self.current() {
            Some(caller) => Ok(caller),
            // Apart: it is rare, and what it may wait for would take room in every request.
            None => Box::pin(self.opened(net, peer)).await,
        }
    }

    async fn opened(&self, net: &Net, peer: PeerId) -> Result<PeerCaller, AskError> {
        let _opening = self.opening.lock().await;
        // Whoever held it may have opened it.
        if let Some(caller) = self.current() {
            return Ok(caller);
        }
        let (stream, _) = net.open(peer, Protocol::Peer).await?;
        net.changed.notify_waiters();
        Ok(self.adopt(stream))
    }

    /// Uses this stream, on which the hello is done, from now on.
    pub(super) fn adopt(&self, stream: BoxStream) -> PeerCaller {
        let (caller, carry) = rpc::caller(stream, PEER_FRAME_SIZE_MAX_BYTES);
        let carrier = tokio::spawn(carry).abort_handle();
        *self.slot() = Some(Open { caller: caller.clone(), carrier });
        caller
    }

    /// Gives the stream up; what was asked on it is lost.
    pub(super) fn close(&self) {
        self.slot().take();
    }

    fn current(&self) -> Option<PeerCaller> {
        let open = self.slot();
        open.as_ref().map(|open| &open.caller).filter(|caller| !caller.is_closed()).cloned()
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
