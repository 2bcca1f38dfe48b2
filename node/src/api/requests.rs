//! In which order the requests of one connection are answered, and how many at once.
//!
//! Most are answered beside each other. A few change whom the connection speaks for; what comes after
//! one of these waits for it, but for pings: a client must not take a node for dead that is waiting for
//! the others.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::io::ReadHalf;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::task::AbortOnDropHandle;
use wire::codec::{FrameError, FrameReader};
use wire::message::{Ask, Request};
use wire::{BoxStream, Refusal};

use super::answer;
use super::connection::Connection;

/// Requests under way. Beyond it the stream is not read on, and the client's own writes wait.
const REQUESTS_MAX: usize = 512;
/// Requests that wait for the one whose turn it is. Beyond it the stream is not read on until its turn
/// is over.
const WAITING_MAX: usize = 16;
/// A client with nothing to ask pings every few seconds. One that is silent for this long is gone: its
/// machine sleeps or lost its network, which TCP alone would take a quarter of an hour to notice.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// Why a stream is read no further.
pub(super) enum End {
    /// The client closed it, vanished, or fell silent: nobody to tell.
    Gone,
    /// It broke the protocol; it is told how, and nothing after that.
    Refused(Refusal),
    /// The node is about to stop.
    Leaving,
}

/// The requests of one connection that are being answered.
pub(super) struct Requests {
    connection: Arc<Connection>,
    permits: Arc<Semaphore>,
    /// Those that are answered beside each other, within the connection's own task.
    beside: FuturesUnordered<BoxFuture<'static, ()>>,
    /// The one that changes whom the connection speaks for.
    turn: Option<BoxFuture<'static, ()>>,
    waiting: VecDeque<(Ask, OwnedSemaphorePermit)>,
}

impl Requests {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            permits: Arc::new(Semaphore::new(REQUESTS_MAX)),
            beside: FuturesUnordered::new(),
            turn: None,
            waiting: VecDeque::new(),
        }
    }

    /// Takes requests from the stream until there is a reason not to.
    pub(super) async fn take(&mut self, mut frames: FrameReader<ReadHalf<BoxStream>>) -> End {
        // Made once, and not for each request: both are entered into lists that all connections share.
        let mut stopping = pin!(self.connection.context.stopping.clone().cancelled_owned());
        let mut silence = pin!(sleep(SILENCE_MAX));
        loop {
            let silent_since = Instant::now();
            tokio::select! {
                () = &mut stopping => return End::Leaving,
                () = over(&mut self.turn) => self.go_on(),
                Some(()) = self.beside.next() => {}
                read = unless_silent(next(&self.permits, &mut frames), silence_of(silence.as_mut(), silent_since)),
                    if self.waiting.len() < WAITING_MAX =>
                {
                    match read {
                        Some(Ok(Some((ask, permit)))) => self.accept(ask, permit),
                        None | Some(Ok(None)) => return End::Gone,
                        Some(Err(error)) => return broken(&error),
                    }
                }
            }
        }
    }

    /// Returns once everything taken has been answered, and the subscription has ended.
    pub(super) async fn finish(&mut self) {
        while self.turn.is_some() {
            tokio::select! {
                () = over(&mut self.turn) => self.go_on(),
                Some(()) = self.beside.next() => {}
            }
        }
        self.connection.unsubscribe().await;
        while self.beside.next().await.is_some() {}
    }

    fn accept(&mut self, ask: Ask, permit: OwnedSemaphorePermit) {
        if self.turn.is_some() && ask.request != Request::Ping {
            self.waiting.push_back((ask, permit));
        } else {
            self.begin(ask, permit);
        }
    }

    /// A turn is over: begins what waited for it, up to the next one that others have to wait for.
    fn go_on(&mut self) {
        self.turn = None;
        while self.turn.is_none() {
            let Some((ask, permit)) = self.waiting.pop_front() else { return };
            self.begin(ask, permit);
        }
    }

    /// Begins to answer. Answers beside each other are polled once here, in the order of arrival: that is
    /// what puts the numbered commands of a session into the log in the order of their numbers.
    fn begin(&mut self, ask: Ask, permit: OwnedSemaphorePermit) {
        let connection = Arc::clone(&self.connection);
        let mut answering: BoxFuture<'static, ()> = match answer::check_names(&ask.request) {
            Err(refusal) => Box::pin(refuse(connection, ask.id, refusal, permit)),
            Ok(()) if answer::in_turn(&ask.request) => {
                self.turn = Some(Box::pin(answer_in_turn(connection, ask, permit)));
                return;
            }
            Ok(()) => Box::pin(answer_beside(connection, ask, permit)),
        };
        // Whatever the task has used up of its time slice: one that is told to let others run first would come after the next ones.
        if unconstrained(&mut answering).now_or_never().is_none() {
            self.beside.push(answering);
        }
    }
}

/// The next request, once there is room for it. Cancel safe.
async fn next(
    permits: &Arc<Semaphore>,
    frames: &mut FrameReader<ReadHalf<BoxStream>>,
) -> Result<Option<(Ask, OwnedSemaphorePermit)>, FrameError> {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    Ok(frames.next::<Ask>().await?.map(|ask| (ask, permit)))
}

/// What is read; none once there was silence. What has come counts, though it is looked at only after that time: it may have been this
/// node that stood still. Cancel safe, if both are.
async fn unless_silent<T>(read: impl Future<Output = T>, silence: impl Future<Output = ()>) -> Option<T> {
    tokio::select! {
        biased;
        read = read => Some(read),
        () = silence => None,
    }
}

/// Returns when nothing has happened since then for too long. Cancel safe.
async fn silence_of(mut sleep: Pin<&mut Sleep>, since: Instant) {
    sleep.as_mut().await;
    while since.elapsed() < SILENCE_MAX {
        sleep.as_mut().reset(since + SILENCE_MAX);
        sleep.as_mut().await;
    }
}

/// Returns when the turn is over; never, if it is nobody's.
async fn over(turn: &mut Option<BoxFuture<'static, ()>>) {
    match turn {
        Some(turn) => turn.await,
        None => std::future::pending().await,
    }
}

fn broken(error: &FrameError) -> End {
    error.refusal().map_or(End::Gone, End::Refused)
}

/// Says why a request is not even looked at.
async fn refuse(connection: Arc<Connection>, id: u64, refusal: Refusal, permit: OwnedSemaphorePermit) {
    connection.say(connection.answered(id, Err(refusal))).await;
    drop(permit);
}

/// Answers a request that the next ones wait for.
async fn answer_in_turn(connection: Arc<Connection>, ask: Ask, permit: OwnedSemaphorePermit) {
    let id = ask.id;
    let mut result = answer::answer(&connection, ask).await;
    let feed = result.as_mut().ok().and_then(|given| given.feed.take());
    connection.say(connection.answered(id, result)).await;
    drop(permit);
    // Only now, so that no push overtakes the answer.
    if let Some(feed) = feed {
        let running = AbortOnDropHandle::new(tokio::spawn(feed.run()));
        connection.with_state(|state| state.subscription = Some(running));
    }
}

/// Answers while further requests are taken. The permits are given back once the answer is queued.
async fn answer_beside(connection: Arc<Connection>, ask: Ask, permit: OwnedSemaphorePermit) {
    let id = ask.id;
    let costly = if answer::is_costly(&ask.request) { connection.costly.acquire().await.ok() } else { None };
    let result = answer::answer(&connection, ask).await;
    connection.say(connection.answered(id, result)).await;
    drop((costly, permit));
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn what_has_come_counts_though_the_time_is_over() {
        for _ in 0..100 {
            assert_eq!(unless_silent(ready(1), ready(())).await, Some(1));
        }
        assert_eq!(unless_silent(pending::<u8>(), ready(())).await, None);
    }
}
