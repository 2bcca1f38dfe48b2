//! The control stream to one member: votes, heartbeats and transfers, many at once and each small.
//!
//! openraft asks through short-lived clients and gives up on a heartbeat within milliseconds. The stream is
//! shared by all clients of a member, and opening it goes on when whoever first asked has given up.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;
use wire::{Protocol, rpc};

use super::message::{Answer, Ask, FRAME_SIZE_MAX_BYTES};
use super::{Dialer, NodeId, Peer};

/// After a member could not be reached it is let alone for so long.
const PAUSE: Duration = Duration::from_millis(100);

type Caller = rpc::Caller<Ask, Answer>;
type Attempt = Shared<BoxFuture<'static, Result<Caller, (Instant, String)>>>;

/// The stream to one member, opened when it is needed.
pub(super) struct ControlLine {
    id: NodeId,
    peer: Peer,
    dialer: Arc<dyn Dialer>,
    attempt: Mutex<Option<Attempt>>,
}

impl ControlLine {
    pub(super) fn new(id: NodeId, peer: Peer, dialer: Arc<dyn Dialer>) -> Self {
        Self { id, peer, dialer, attempt: Mutex::new(None) }
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Asks and waits for the answer.
    pub(super) async fn ask(&self, ask: Ask) -> io::Result<Answer> {
        let caller = self.attempt().await.map_err(|(_, error)| io::Error::other(error))?;
        caller.call(&ask).await.map_err(io::Error::other)
    }

    /// The stream, or the opening of it that is under way.
    fn attempt(&self) -> Attempt {
        let mut attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        match &*attempt {
            Some(current) if !is_over(current) => current.clone(),
            _ => attempt.insert(self.open()).clone(),
        }
    }

    fn open(&self) -> Attempt {
        let (id, peer, dialer) = (self.id, self.peer, self.dialer.clone());
        let task = tokio::spawn(async move {
            let stream = dialer.open(id, &peer, Protocol::RaftControl).await?;
            let (caller, driver) = rpc::caller(stream, FRAME_SIZE_MAX_BYTES);
            // Ends with the stream or with the last clone of the caller, whichever is first.
            tokio::spawn(driver);
            Ok::<_, io::Error>(caller)
        });
        let opened = async move {
            let opened = task.await.map_err(io::Error::other).flatten();
            opened.map_err(|error| (Instant::now(), error.to_string()))
        };
        opened.boxed().shared()
    }
}

/// Whether another stream is to be opened: this one ended, or could not be opened a while ago.
fn is_over(attempt: &Attempt) -> bool {
    match attempt.peek() {
        None => false,
        Some(Ok(caller)) => caller.is_closed(),
        Some(Err((at, _))) => at.elapsed() >= PAUSE,
    }
}
