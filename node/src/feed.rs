//! What a subscriber is pushed: its account's feed from a cursor on, and what happens to accounts.
//!
//! There is no queue of events for each subscriber. The feed is read from the state, from where the
//! subscriber has got to, whenever this node has applied more of its account: a slow one lags, holds nothing back
//! but itself, and resumes anywhere from its cursor.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chat::{AccountId, Command, Cursor, Notice, SessionId};
use futures::FutureExt as _;
use tokio::sync::watch;
use wire::Refusal;
use wire::blocking::while_others_go_on;
use wire::message::{AccountChange, FromNode, Push};

use crate::api::session::has_ended;
use crate::api::{ApiContext, Frames, Seat};
use crate::app::{Entry, Watching};

/// Rows read at once. Each is at most a message; the pump holds no more than this.
const ROWS_READ_MAX: usize = 64;
/// How long a new subscriber is kept from "caught up" while a majority is asked how far that is.
const CAUGHT_UP_WITHIN: Duration = Duration::from_millis(1_500);

/// How soon a session is announced again where that failed.
const ANNOUNCED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Who subscribes, and to what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listener {
    pub(crate) session: SessionId,
    pub(crate) account: AccountId,
    /// The last row it has.
    pub(crate) from: Cursor,
}

/// A subscription. It lasts as long as `run` is awaited.
pub(crate) struct Feed {
    context: Arc<ApiContext>,
    frames: Frames,
    listener: Listener,
    /// Held by a session that announces itself.
    seat: Option<Seat>,
    applied: watch::Receiver<Cursor>,
    watching: Watching,
}

/// Why a subscription ends by itself.
#[derive(Debug)]
enum Stop {
    /// Nobody takes the frames any more, or the node is going down.
    Gone,
    /// The session has been told that it ended.
    Ended,
    /// The state cannot be read; the node has been told.
    Damaged,
}

impl From<Refusal> for Stop {
    fn from(_: Refusal) -> Self {
        Self::Damaged
    }
}

impl Feed {
    /// A subscription from this moment on: what happens before `run` is not missed.
    pub(crate) fn new(context: Arc<ApiContext>, frames: Frames, listener: Listener, seat: Option<Seat>) -> Self {
        let watching = context.app.watch(listener.account);
        let applied = context.app.applied();
        Self { context, frames, listener, seat, applied, watching }
    }

    /// Pushes until the session or the connection ends.
    pub(crate) async fn run(mut self) {
        let context = Arc::clone(&self.context);
        let announced = self.seat.is_some();
        let connected = stay_connected(&context, self.listener);
        tokio::select! {
            // In this order: who is pushed "caught up" has been announced, if there is a majority.
            biased;
            () = connected, if announced => {}
            Err(stop) = self.push() => tracing::debug!(?stop, "a subscription ends"),
        }
    }

    async fn push(&mut self) -> Result<Infallible, Stop> {
        self.catch_up().await?;
        loop {
            let news = self.watching.news().await;
            if news.changed {
                self.push_rows().await?;
            }
            for notice in news.notices {
                self.push_notice(notice).await?;
            }
        }
    }

    /// Pushes what there is up to whatever a majority had when we asked, then says so. Without a
    /// majority, "caught up" is with this node.
    async fn catch_up(&mut self) -> Result<(), Stop> {
        let context = Arc::clone(&self.context);
        let barrier = context.quorum.read_barrier(CAUGHT_UP_WITHIN);
        tokio::pin!(barrier);
        let mut known = false;
        while !known {
            self.push_rows().await?;
            tokio::select! {
                _ = &mut barrier => known = true,
                () = self.watching.changed() => {}
            }
        }
        let cursor = self.push_rows().await?;
        self.say(Push::CaughtUp { cursor }).await
    }

    /// Pushes every row that is there, and returns a place up to which these were all. Few are read where they are asked for; where there
    /// are more, each may be a message on a page of its own that only the disk has, and the others are handed over meanwhile. (Not before:
    /// that takes a thread, with memory of its own.)
    async fn push_rows(&mut self) -> Result<Cursor, Stop> {
        let Listener { session, account, .. } = self.listener;
        if has_ended(&self.context, session)? {
            self.say(Push::SessionEnded).await?;
            return Err(Stop::Ended);
        }
        let up_to = *self.applied.borrow();
        let mut are_many = false;
        loop {
            let read = || self.context.app.feed(account, self.listener.from, ROWS_READ_MAX);
            let rows = self.context.read(if are_many { while_others_go_on(read) } else { read() })?;
            are_many = true;
            let at_end = rows.len() < ROWS_READ_MAX;
            for (cursor, event) in rows {
                self.say(Push::Feed { cursor, event }).await?;
                self.context.app.stages().pushed(cursor.0);
                self.listener.from = cursor;
            }
            if at_end {
                return Ok(up_to.max(self.listener.from));
            }
        }
    }

    async fn push_notice(&mut self, notice: Notice) -> Result<(), Stop> {
        let (account, change) = match notice {
            Notice::AccountCreated(account) => (account, AccountChange::Created),
            Notice::AccountDeleted(account) => (account, AccountChange::Deleted),
            Notice::Connected(account) => (account, AccountChange::Connected),
            Notice::Disconnected(account) => (account, AccountChange::Disconnected),
        };
        match self.context.read(self.context.app.account(account))? {
            Some(account) => self.say(Push::Account { account, change }).await,
            None => Ok(()),
        }
    }

    /// Waits while the connection's queue is full.
    fn say(&self, push: Push) -> impl Future<Output = Result<(), Stop>> + Send {
        self.frames.push(FromNode::Push(push)).map(|pushed| pushed.map_err(|_| Stop::Gone))
    }
}

/// Keeps the session connected for as long as it is awaited: at first here, wherever the state still
/// has it; from then on anywhere, so that two programs with one session, at two nodes, do not take it from
/// each other for ever.
async fn stay_connected(context: &ApiContext, Listener { session, account, .. }: Listener) {
    let at = context.quorum.here();
    let mut newcomer = true;
    let mut watching = context.app.watch(account);
    loop {
        let known = context.app.session(session).ok().flatten().and_then(|session| session.connected);
        if known.is_none() || (newcomer && known != Some(at)) {
            let proposed = context.quorum.propose(Entry::Chat(Command::Connect { session, at })).await;
            newcomer = newcomer && proposed.is_err();
            if proposed.is_err() {
                tokio::time::sleep(ANNOUNCED_AGAIN_AFTER).await;
                continue;
            }
        } else {
            newcomer = false;
        }
        watching.changed().await;
    }
}
