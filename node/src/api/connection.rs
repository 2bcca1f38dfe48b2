//! One client's stream: frames in, frames out, and how much may be under way at once. What the
//! frames mean is said elsewhere.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chat::{Command, Cursor, Reply};
use futures::FutureExt as _;
use tokio::io::ReadHalf;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use wire::codec::FrameReader;
use wire::hello::Claim;
use wire::message::{Answered, CLIENT_FRAME_SIZE_MAX_BYTES, FromNode, Push};
use wire::{BoxStream, PeerId, Refusal};

use super::ApiContext;
use super::answer;
use super::frames::{self, Frames};
use super::login::PendingLogin;
use super::refusal;
use super::requests::{End, Requests};
use super::session::LoggedIn;
use crate::app::{AppReply, Entry};

/// Costly answers being made or waiting for the queue. Beyond it further ones wait, so that a client that
/// asks for page after page and does not read costs a bounded amount of memory.
const COSTLY_MAX: usize = 4;

/// What a connection is, to the rooms that answer its requests.
pub(super) struct Connection {
    pub(super) context: Arc<ApiContext>,
    /// Proved by the transport.
    pub(super) peer: PeerId,
    /// The hello proved the cluster secret itself.
    pub(super) operator: bool,
    pub(super) costly: Semaphore,
    /// The outgoing queue: in the order given, to the one writer.
    pub(super) frames: Frames,
    state: Mutex<State>,
}

/// Whom the connection speaks for. Changed only by requests that are answered before the next is read.
#[derive(Default)]
pub(super) struct State {
    pub(super) session: Option<LoggedIn>,
    pub(super) login: Option<PendingLogin>,
    pub(super) subscription: Option<AbortOnDropHandle<()>>,
}

impl Connection {
    /// Looks at or changes the state; never held across an await.
    pub(super) fn with_state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How far this node has applied.
    pub(super) fn applied(&self) -> Cursor {
        *self.context.app.applied().borrow()
    }

    /// Ends the subscription, if there is one. Once this returns it pushes nothing more, and its session
    /// has left its seat.
    pub(super) async fn unsubscribe(&self) {
        if let Some(subscription) = self.with_state(|state| state.subscription.take()) {
            subscription.abort();
            let _ = subscription.await;
        }
    }

    /// Puts the command into the log; its place there, and the reply.
    pub(super) async fn propose(&self, command: Command) -> Result<(Cursor, Reply), Refusal> {
        match self.context.quorum.propose(Entry::Chat(command)).await? {
            (at, AppReply::Chat(reply)) => Ok((at, reply)),
            (_, AppReply::Refused(refusal)) => Err(refusal),
            _ => Err(refusal::unexpected_reply()),
        }
    }

    /// Waits until this node has applied what another one may have applied for it. In vain, if it is
    /// further behind than that: the caller looks at what is there.
    pub(super) async fn caught_up(&self, at: Cursor, within: Duration) {
        let _ = timeout(within, self.context.app.reached(at)).await;
    }

    /// Queues the frame; waits while the queue is full. A client that is gone needs none.
    pub(super) fn say(&self, frame: FromNode) -> impl Future<Output = ()> + Send {
        self.frames.push(frame).map(drop)
    }

    pub(super) fn answered(&self, id: u64, result: Result<answer::Given, Refusal>) -> FromNode {
        let (result, stale) = match result {
            Ok(given) => (Ok(given.answer), given.stale),
            Err(refusal) => (Err(refusal), false),
        };
        FromNode::Answered(Answered { id, result, applied: self.applied(), stale })
    }
}

/// Serves the stream until it ends, for whichever reason.
pub(super) async fn serve(context: Arc<ApiContext>, claim: &Claim, peer: PeerId, stream: BoxStream) {
    let (reader, writer) = tokio::io::split(stream);
    let (frames, queued) = frames::queue();
    let connection = Arc::new(Connection {
        context,
        peer,
        operator: claim.operator,
        costly: Semaphore::new(COSTLY_MAX),
        frames,
        state: Mutex::default(),
    });
    let writing = queued.write(writer);
    let reading = async {
        tokio::select! {
            () = read(&connection, reader) => {}
            never = tell_how_the_cluster_is(&connection) => match never {},
        }
        // The last sender of frames: the writer writes what is queued, and ends.
        drop(connection);
    };
    // Not `join`: when nobody reads our frames any more, nothing is worth answering.
    tokio::pin!(reading, writing);
    tokio::select! {
        () = &mut reading => writing.await,
        () = &mut writing => {}
    }
}

/// Has requests answered until there is a reason to stop; then waits for the answers under way, all of
/// which are bounded in time.
async fn read(connection: &Arc<Connection>, reader: ReadHalf<BoxStream>) {
    let mut requests = Requests::new(Arc::clone(connection));
    let end = requests.take(FrameReader::new(reader, CLIENT_FRAME_SIZE_MAX_BYTES)).await;
    if matches!(end, End::Leaving) {
        connection.say(FromNode::Push(Push::Leaving)).await;
    }
    requests.finish().await;
    if let End::Refused(refusal) = end {
        connection.say(connection.answered(0, Err(refusal))).await;
    }
}

/// Tells every client, subscribed or not, where the nodes are, at once and whenever that changes: the one that is connected here
/// may be all that a client knows to be alive.
async fn tell_how_the_cluster_is(connection: &Connection) -> Infallible {
    let mut health = connection.context.quorum.health();
    loop {
        let now = health.borrow_and_update().clone();
        connection.say(FromNode::Push(Push::Cluster(now))).await;
        if health.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
