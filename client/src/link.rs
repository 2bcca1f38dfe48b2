//! One connection to one node, after the hello: requests go out numbered, answers come back in any order, and what the node pushes
//! goes to whoever subscribed.
//!
//! A link says nothing about other links: when it is lost, everything that waits for an answer learns that the outcome is unknown,
//! and decides for itself what to do on the next one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat::{Cursor, Numbering, SessionId};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;
use wire::codec::{FrameError, FrameReader, FrameWriter};
use wire::message::{Answer, Answered, Ask, CLIENT_FRAME_SIZE_MAX_BYTES, FromNode, Push, Request};
use wire::{BoxStream, Code, PeerId, Refusal};

use crate::failover::LinkId;
use crate::profile::KeptSession;

/// A node from which nothing was heard for this long is asked whether it is there. What nobody waits for may take its time: each client asks
/// both its nodes for as long as it runs, and ten thousand of them have to cost the nodes little. Where something has happened to the cluster
/// it is asked at once (`reach`).
const HEARTBEAT: Duration = Duration::from_secs(3);

/// And again, where nothing came of that: twice before it is given up, so that one packet that is sent again costs no failover.
const HEARTBEAT_AGAIN: Duration = Duration::from_millis(750);

/// And one that owes an answer: twice as well.
const HEARTBEAT_OWING: Duration = Duration::from_millis(350);

/// A node to which nothing was said for this long is told that we are here, however much it says: it lets go of clients that are silent
/// for 20 s.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// A node from which nothing was heard for this long is given up.
const SILENCE_MAX: Duration = Duration::from_millis(4_500);

/// And one that owes an answer: somebody waits. By then the others have elected a new leader in place of one that fell silent (they wait
/// for 0.8 to 1 s); a node that is only slow says so, for it answers to heartbeats beside its work.
const SILENCE_OWING_MAX: Duration = Duration::from_millis(900);

/// How many requests may wait to be written. Beyond it whoever asks waits.
const ASKS_WAITING_MAX: usize = 256;

/// How many bytes may wait to be written. Beyond it no further request is taken from the queue.
const WRITE_AHEAD_MAX_BYTES: usize = 256 * 1024;

/// How many pushes may wait for the feed. Beyond it the subscription is dropped, and the feed, once it has caught up, subscribes again
/// from its cursor: answers and heartbeats never wait behind a slow reader.
const PUSHES_WAITING_MAX: usize = 1_024;

/// A connection; clones are the same one. It ends when the node does, or with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) peer: PeerId,
    /// The node's name.
    pub(crate) node: String,
    asks: mpsc::Sender<Outgoing>,
    session: Speaking,
}

/// The session that a connection speaks for, and its high-water mark when that began.
type Speaking = Arc<Mutex<Option<(SessionId, Numbering)>>>;

/// How far any node was heard to have applied: later answers must not be older.
#[derive(Clone, Debug, Default)]
pub(crate) struct Horizon(Arc<AtomicU64>);

impl Horizon {
    fn heard(&self, applied: Cursor) {
        self.0.fetch_max(applied.0, Ordering::Relaxed);
    }

    fn cursor(&self) -> Cursor {
        Cursor(self.0.load(Ordering::Relaxed))
    }
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The connection is gone; whether the request was carried out is unknown.
    Lost,
    Refused(Refusal),
    /// The node has something wrong with it, and says so; another may answer.
    Ailing(Refusal),
}

impl Trouble {
    /// What a node's refusal means. These two codes it gives for what is its own trouble only.
    pub(crate) fn of_node(refusal: Refusal) -> Self {
        match refusal.code {
            Code::Damaged | Code::Internal => Self::Ailing(refusal),
            _ => Self::Refused(refusal),
        }
    }
}

/// What a link says unasked.
#[derive(Debug)]
pub(crate) enum Said {
    /// The link is gone.
    Lost,
    /// Anything but the feed.
    Pushed(Push),
}

/// A request on its way into the connection.
#[derive(Debug)]
struct Outgoing {
    request: Request,
    answer: oneshot::Sender<Answered>,
    /// Where pushes go once this request is answered: set for a subscription.
    pushes: Option<mpsc::Sender<Push>>,
}

impl Link {
    /// Takes over a stream after its hello. The second value is the connection itself, for the caller to run; it says
    /// `Lost` when it ends.
    pub(crate) fn new(
        id: LinkId,
        peer: PeerId,
        node: String,
        stream: BoxStream,
        horizon: Horizon,
        said: mpsc::Sender<(LinkId, Said)>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (asks, to_write) = mpsc::channel(ASKS_WAITING_MAX);
        let session = Speaking::default();
        let link = Self { id, peer, node, asks, session: session.clone() };
        let connection = async move {
            let ended = Connection::new(id, stream, session, horizon, said.clone()).run(to_write).await;
            tracing::debug!(link = id.0, %peer, reason = ?ended.err(), "link ended");
            // The receiver is gone only when the whole client is.
            let _ = said.send((id, Said::Lost)).await;
        };
        (link, connection)
    }

    /// Whether nothing can be asked here any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.asks.is_closed()
    }

    /// Ends when nothing can be asked here any more.
    pub(crate) async fn lost(&self) {
        self.asks.closed().await;
    }

    /// Hands a request over to be written; requests are written in the order of these calls. The receiver gets the answer; it is dropped if
    /// the link is lost.
    pub(crate) async fn start(&self, request: Request) -> Result<oneshot::Receiver<Answered>, Trouble> {
        self.hand_over(request, None).await
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&self, request: Request) -> Result<(Answer, bool), Trouble> {
        let answered = self.start(request).await?.await.map_err(|_| Trouble::Lost)?;
        let answer = answered.result.map_err(Trouble::of_node)?;
        Ok((answer, answered.stale))
    }

    /// Has the node say that it is there: one that does not is given up as soon as one that owes any other answer.
    pub(crate) async fn challenge(&self) {
        // An answer that does not come is the link's end, which is told by itself.
        let _ = self.ask(Request::Ping).await;
    }

    /// Subscribes to the feed after the cursor. The receiver ends when the link does, or when its reader was too slow.
    pub(crate) async fn subscribe(&self, after: Option<Cursor>) -> Result<(Cursor, mpsc::Receiver<Push>), Trouble> {
        let (sink, pushes) = mpsc::channel(PUSHES_WAITING_MAX);
        let request = Request::Subscribe { after, announce: true };
        let answered = self.hand_over(request, Some(sink)).await?.await.map_err(|_| Trouble::Lost)?;
        match answered.result.map_err(Trouble::of_node)? {
            Answer::Subscribed { from } => Ok((from, pushes)),
            other => Err(Trouble::Refused(unexpected(&other))),
        }
    }

    /// Makes the connection speak for the session, unless it does already. Answers the session's numbering as of then.
    pub(crate) async fn resume(&self, kept: &KeptSession) -> Result<Numbering, Trouble> {
        let mut session = self.session.lock().await;
        if let Some((_, numbering)) = session.filter(|(id, _)| *id == kept.session) {
            return Ok(numbering);
        }
        self.resume_now(kept, &mut session).await
    }

    /// Asks for the session's numbering as it is now.
    pub(crate) async fn numbering(&self, kept: &KeptSession) -> Result<Numbering, Trouble> {
        let mut session = self.session.lock().await;
        self.resume_now(kept, &mut session).await
    }

    /// The connection no longer speaks for a session, as far as we know. A resumption that is under way decides anew anyway.
    pub(crate) fn forget_session(&self) {
        forget(&self.session);
    }

    /// The connection has just logged in to this session.
    pub(crate) async fn logged_in(&self, session: SessionId, numbering: Numbering) {
        *self.session.lock().await = Some((session, numbering));
    }

    async fn resume_now(
        &self,
        kept: &KeptSession,
        session: &mut Option<(SessionId, Numbering)>,
    ) -> Result<Numbering, Trouble> {
        let request = Request::Resume { session: kept.session, token: kept.token.clone() };
        match self.ask(request).await?.0 {
            Answer::Session { session: id, numbering, .. } => {
                *session = Some((id, numbering));
                Ok(numbering)
            }
            other => Err(Trouble::Refused(unexpected(&other))),
        }
    }

    async fn hand_over(
        &self,
        request: Request,
        pushes: Option<mpsc::Sender<Push>>,
    ) -> Result<oneshot::Receiver<Answered>, Trouble> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Outgoing { request, answer, pushes }).await.map_err(|_| Trouble::Lost)?;
        Ok(answered)
    }
}

fn forget(session: &Speaking) {
    if let Ok(mut session) = session.try_lock() {
        *session = None;
    }
}

/// The node answered something else than what was asked.
pub(crate) fn unexpected(answer: &Answer) -> Refusal {
    tracing::debug!(?answer, "unexpected answer");
    Refusal::new(Code::Internal, "The node gave an answer that does not fit the request.")
}

/// The state of the connection, owned by the task that runs it.
struct Connection {
    id: LinkId,
    reader: FrameReader<tokio::io::ReadHalf<BoxStream>>,
    writer: FrameWriter<tokio::io::WriteHalf<BoxStream>>,
    session: Speaking,
    horizon: Horizon,
    said: mpsc::Sender<(LinkId, Said)>,
    next_ask: u64,
    waiting: HashMap<u64, Expected>,
    pushes: Option<mpsc::Sender<Push>>,
    heard_at: Instant,
    /// When the node began to owe answers.
    owing_since: Instant,
    asked_at: Instant,
    pinged_at: Instant,
}

/// What is kept of a request until its answer.
struct Expected {
    answer: oneshot::Sender<Answered>,
    pushes: Option<mpsc::Sender<Push>>,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("the node closed the connection")]
    Closed,
    #[error("nothing was heard for too long")]
    Silent,
}

impl Connection {
    fn new(
        id: LinkId,
        stream: BoxStream,
        session: Speaking,
        horizon: Horizon,
        said: mpsc::Sender<(LinkId, Said)>,
    ) -> Self {
        let (read, write) = tokio::io::split(stream);
        let now = Instant::now();
        Self {
            id,
            reader: FrameReader::new(read, CLIENT_FRAME_SIZE_MAX_BYTES),
            writer: FrameWriter::new(write),
            session,
            horizon,
            said,
            next_ask: 1,
            waiting: HashMap::new(),
            pushes: None,
            heard_at: now,
            owing_since: now,
            asked_at: now,
            pinged_at: now,
        }
    }

    /// Until the node is gone, or nobody holds the link.
    async fn run(mut self, mut to_write: mpsc::Receiver<Outgoing>) -> Result<(), Ended> {
        loop {
            let may_take = self.writer.pending_bytes() < WRITE_AHEAD_MAX_BYTES;
            let beat_at = self.next_beat();
            let must_write = self.writer.pending_bytes() > 0;
            tokio::select! {
                frame = self.reader.next::<FromNode>() => {
                    let frame = frame?.ok_or(Ended::Closed)?;
                    self.heard_at = Instant::now();
                    self.take_in(frame).await;
                }
                ask = to_write.recv(), if may_take => match ask {
                    Some(ask) => self.write(ask),
                    None => return Ok(()),
                },
                written = self.writer.flush(), if must_write => written?,
                () = tokio::time::sleep_until(beat_at) => self.beat()?,
            }
        }
    }

    fn next_beat(&self) -> Instant {
        let spoken_at = self.heard_at.max(self.pinged_at);
        let ping_at = if !self.waiting.is_empty() {
            spoken_at.max(self.owing_since) + HEARTBEAT_OWING
        } else if self.pinged_at > self.heard_at {
            self.pinged_at + HEARTBEAT_AGAIN
        } else {
            self.heard_at + HEARTBEAT
        };
        ping_at.min(self.asked_at + SIGN_OF_LIFE).min(self.given_up_at())
    }

    /// When the node is given up, if nothing is heard until then.
    fn given_up_at(&self) -> Instant {
        let silent_at = self.heard_at + SILENCE_MAX;
        if self.waiting.is_empty() {
            silent_at
        } else {
            silent_at.min(self.heard_at.max(self.owing_since) + SILENCE_OWING_MAX)
        }
    }

    fn beat(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        if now >= self.given_up_at() {
            return Err(Ended::Silent);
        }
        self.pinged_at = now;
        // Nobody waits for the answer; that something is heard is what counts.
        self.push_ask(Request::Ping);
        Ok(())
    }

    fn write(&mut self, ask: Outgoing) {
        let id = self.push_ask(ask.request);
        if self.waiting.is_empty() {
            self.owing_since = self.asked_at;
        }
        self.waiting.insert(id, Expected { answer: ask.answer, pushes: ask.pushes });
    }

    fn push_ask(&mut self, request: Request) -> u64 {
        let id = self.next_ask;
        self.next_ask += 1;
        self.asked_at = Instant::now();
        self.writer.push(&Ask { id, at_least: self.horizon.cursor(), request });
        id
    }

    async fn take_in(&mut self, frame: FromNode) {
        match frame {
            FromNode::Answered(answered) => self.answer(answered),
            FromNode::Push(push @ (Push::Feed { .. } | Push::CaughtUp { .. })) => self.pass_on(push),
            // The feed ends, subscribes again, and is told by the resumption that there is no session.
            FromNode::Push(Push::SessionEnded) => {
                forget(&self.session);
                self.pushes = None;
            }
            FromNode::Push(push) => {
                // The receiver is gone only when the whole client is.
                let _ = self.said.send((self.id, Said::Pushed(push))).await;
            }
        }
    }

    fn answer(&mut self, answered: Answered) {
        self.horizon.heard(answered.applied);
        let Some(waiting) = self.waiting.remove(&answered.id) else { return };
        if matches!(answered.result, Ok(Answer::Session { .. })) {
            // Whoever a connection begins to speak for, the node ends its subscription.
            self.pushes = None;
        }
        if answered.result.is_ok() && waiting.pushes.is_some() {
            // Only from here on do pushes belong to this subscription; those before were of the last one.
            self.pushes = waiting.pushes;
        }
        // Whoever asked may have stopped waiting.
        let _ = waiting.answer.send(answered);
    }

    fn pass_on(&mut self, push: Push) {
        if let Push::Feed { cursor, .. } | Push::CaughtUp { cursor } = push {
            self.horizon.heard(cursor);
        }
        if let Some(sink) = &self.pushes
            && sink.try_send(push).is_err()
        {
            self.pushes = None;
        }
    }
}
