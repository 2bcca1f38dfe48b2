//! What a client's stream does at a node, after the hello: requests in, answers and pushes out.
//!
//! The life of one request: [`serve_client`] reads its frame (`connection`) and gives it its turn (`requests`), `answer` hands it to
//! the room that knows it (`login`, `session`, `send`, `reads`, `operator`), which validates, stamps
//! what must be fresh, proposes through [`Quorum`] or reads from [`App`], and says a reply or a
//! refusal with a stable code; `frames` sends it. A subscription runs beside that ([`feed`]).
//!
//! Nothing here may decide what a command does: that is `chat::apply`, on every node alike. What is
//! checked here is what must not enter the log at all.
//!
//! [`feed`]: crate::feed

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use opaque_ke::ServerSetup;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wire::hello::Claim;
use wire::opaque::Suite;
use wire::{BoxStream, Code, PeerId, Refusal};

use crate::app::App;
use crate::clock::Clock;
use crate::store::StoreError;

mod answer;
mod connection;
mod frames;
mod limiter;
mod listening;
mod login;
mod operator;
mod quorum;
mod reads;
mod refusal;
mod requests;
mod search;
mod send;
pub(crate) mod session;
#[cfg(test)]
mod tests;

pub(crate) use frames::Frames;
pub use listening::{Listening, Seat};
pub use quorum::Quorum;

use limiter::Limiter;

/// How many searches are made at once. Each may keep a core busy for a second; further ones wait for their turn.
const SEARCHES_MAX: usize = 2;

/// What all clients' connections share.
pub struct ApiContext {
    /// What has been applied here.
    pub app: Arc<App>,
    /// The nodes together.
    pub quorum: Arc<dyn Quorum>,
    pub clock: Arc<dyn Clock>,
    /// Who listens here; presence reports it.
    pub listening: Arc<Listening>,
    /// Cancelled when the node is about to stop: clients are told to move on.
    stopping: CancellationToken,
    /// The first storage failure that a read met.
    damage: watch::Sender<Option<StoreError>>,
    limiter: Mutex<Limiter>,
    /// Searches are made beside the runtime, on threads that storing messages needs too.
    searching: Arc<Semaphore>,
    /// Held while the cluster is checked, which every node works for: one check at a time.
    checking: tokio::sync::Mutex<()>,
    setup: OnceLock<ServerSetup<Suite>>,
    /// Where the limiter's time begins.
    started: Instant,
}

impl std::fmt::Debug for ApiContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiContext").field("quorum", &self.quorum).finish_non_exhaustive()
    }
}

impl ApiContext {
    /// For a member of a founded cluster. Once `stopping` is cancelled, every client is told to move
    /// on, what it has asked is answered, and its stream ends.
    pub fn new(app: Arc<App>, quorum: Arc<dyn Quorum>, clock: Arc<dyn Clock>, stopping: CancellationToken) -> Self {
        Self {
            app,
            quorum,
            clock,
            listening: Arc::default(),
            stopping,
            damage: watch::Sender::new(None),
            limiter: Mutex::default(),
            searching: Arc::new(Semaphore::new(SEARCHES_MAX)),
            checking: tokio::sync::Mutex::default(),
            setup: OnceLock::new(),
            started: Instant::now(),
        }
    }

    /// Resolves when a read met a storage failure: the node must stop, as it would had apply met it.
    pub async fn damaged(&self) -> StoreError {
        let mut damage = self.damage.subscribe();
        loop {
            if let Some(error) = damage.borrow_and_update().clone() {
                return error;
            }
            damage.changed().await.expect("the sender is a field of self");
        }
    }

    /// A read's result for a client. A failure is remembered for [`Self::damaged`].
    pub(crate) fn read<T>(&self, result: Result<T, StoreError>) -> Result<T, Refusal> {
        result.map_err(|error| {
            let refusal = refusal::of_store(&error);
            self.damage.send_if_modified(|first| first.is_none() && first.replace(error).is_none());
            refusal
        })
    }

    fn limiter(&self) -> MutexGuard<'_, Limiter> {
        // The limiter is consistent between any two statements of its methods.
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The cluster's OPAQUE setup, from its founding record.
    fn setup(&self) -> Result<&ServerSetup<Suite>, Refusal> {
        if let Some(setup) = self.setup.get() {
            return Ok(setup);
        }
        let founding = self.read(self.app.founding())?;
        let founding = founding.ok_or_else(|| Refusal::new(Code::NotFounded, "The cluster is not founded yet."))?;
        let setup = ServerSetup::deserialize(&founding.opaque_setup)
            .map_err(|_| Refusal::new(Code::Damaged, "The cluster's founding record is damaged."))?;
        Ok(self.setup.get_or_init(|| setup))
    }
}

/// Serves one client's stream until it ends, the client breaks the protocol, or the node stops.
/// `peer` is who the connection proved, `claim` what the hello did.
pub async fn serve_client(context: Arc<ApiContext>, claim: Claim, peer: PeerId, stream: BoxStream) {
    connection::serve(context, &claim, peer, stream).await;
}
