//! Many requests at once over one stream.
//!
//! Requests are numbered by the asker and answered in any order. A [`Caller`] may be cloned to any
//! number of tasks; one future carries the frames of all of them, and writes together what was asked
//! together. When the stream ends, every call under way ends with [`CallError::Lost`]; nothing here
//! asks again.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::BoxStream;
use crate::codec::{self, FrameError, FrameReader, FrameWriter};
use crate::turns::let_others_go_first;

/// How many calls of one caller may be under way; beyond it a call waits for another to end, in the order in which they were asked. Those
/// that go [first](Caller::call_first) do not count.
pub const IN_FLIGHT_MAX: usize = 1024;

/// How much is written together. Beyond it nothing more is taken up until that is on its way.
const WRITE_SIZE_MAX_BYTES: usize = 256 * 1024;

/// A request or an answer on its way.
#[derive(Serialize, Deserialize)]
struct Numbered<T> {
    id: u64,
    body: T,
}

/// Asks over one stream, from any number of tasks.
pub struct Caller<Q, A> {
    shared: Arc<Shared>,
    calls: mpsc::UnboundedSender<Call<A>>,
    first: mpsc::UnboundedSender<Call<A>>,
    /// A caller is not made of requests, it only takes them.
    _takes: std::marker::PhantomData<fn(Q)>,
}

/// What the clones of a caller have in common.
struct Shared {
    next_id: AtomicU64,
    size_max_bytes: usize,
}

/// A request to be written.
struct Call<A> {
    id: u64,
    frame: Vec<u8>,
    answer: oneshot::Sender<A>,
}

/// Whoever waits for an answer. Its place among those in flight is free when the answer has come,
/// not when it is no longer waited for: the other side is still at work on it.
struct Waiting<A> {
    answer: oneshot::Sender<A>,
    _place: Option<OwnedSemaphorePermit>,
}

/// The calls that were written and not answered yet, by their numbers.
type Outstanding<A> = Mutex<HashMap<u64, Waiting<A>>>;

impl<Q, A> Clone for Caller<Q, A> {
    fn clone(&self) -> Self {
        let (calls, first) = (self.calls.clone(), self.first.clone());
        Self { shared: Arc::clone(&self.shared), calls, first, _takes: std::marker::PhantomData }
    }
}

impl<Q, A> fmt::Debug for Caller<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("closed", &self.calls.is_closed()).finish_non_exhaustive()
    }
}

/// No answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The stream ended. Whether the request was carried out is unknown.
    #[error("the connection was lost before the answer came")]
    Lost,
    /// The request does not fit a frame. Nothing was sent.
    #[error("a request of {size} bytes is longer than the {max} allowed")]
    TooLarge { size: usize, max: usize },
}

impl<Q: Serialize, A> Caller<Q, A> {
    /// Asks and waits for the answer. Requests are sent in the order in which these futures are first polled. Dropping one gives up
    /// the answer, and the request if that was not sent yet.
    pub async fn call(&self, request: &Q) -> Result<A, CallError> {
        self.call_by(&self.calls, request).await
    }

    /// The same, before all that waits for its turn: for what is rare, and asked so that somebody knows in time.
    pub async fn call_first(&self, request: &Q) -> Result<A, CallError> {
        self.call_by(&self.first, request).await
    }

    async fn call_by(&self, calls: &mpsc::UnboundedSender<Call<A>>, request: &Q) -> Result<A, CallError> {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let frame = self.frame(id, request)?;
        let (answer, answered) = oneshot::channel();
        calls.send(Call { id, frame, answer }).map_err(|_| CallError::Lost)?;
        answered.await.map_err(|_| CallError::Lost)
    }

    fn frame(&self, id: u64, request: &Q) -> Result<Vec<u8>, CallError> {
        let frame = codec::encode(&Numbered { id, body: request });
        let max = self.shared.size_max_bytes;
        if frame.len() > max { Err(CallError::TooLarge { size: frame.len(), max }) } else { Ok(frame) }
    }
}

impl<Q, A> Caller<Q, A> {
    /// Whether the stream has ended.
    pub fn is_closed(&self) -> bool {
        self.calls.is_closed()
    }

    /// Waits until the stream has ended.
    pub async fn closed(&self) {
        self.calls.closed().await;
    }
}

/// A caller over the stream, and the future that carries its frames. The caller's owner spawns it; it
/// ends with the stream, or when the last clone of the caller is gone.
pub fn caller<Q, A>(
    stream: BoxStream,
    size_max_bytes: usize,
) -> (Caller<Q, A>, impl Future<Output = ()> + Send + 'static)
where
    Q: Serialize + Send + 'static,
    A: DeserializeOwned + Send + 'static,
{
    // It holds what somebody waits for, and no more than that waits as a future already.
    let (calls, in_turn) = mpsc::unbounded_channel();
    let (first, taken_first) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared { next_id: AtomicU64::new(0), size_max_bytes });
    let taken = Taken { first: taken_first, in_turn, in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)) };
    (Caller { shared, calls, first, _takes: std::marker::PhantomData }, carry(stream, size_max_bytes, taken))
}

/// Carries calls out and answers in until either way ends. What is outstanding then is dropped,
/// which tells those who wait.
async fn carry<A: DeserializeOwned>(stream: BoxStream, size_max_bytes: usize, calls: Taken<A>) {
    let (read, write) = tokio::io::split(stream);
    let outstanding = Outstanding::default();
    tokio::select! {
        ended = carry_out(FrameWriter::new(write), calls, &outstanding) => log_end(ended.map_err(FrameError::Io)),
        ended = carry_in(FrameReader::new(read, size_max_bytes), &outstanding) => log_end(ended),
    }
}

fn log_end(ended: Result<(), FrameError>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a caller's stream ended");
    }
}

/// The calls as they are taken, those that go first and the others.
struct Taken<A> {
    first: mpsc::UnboundedReceiver<Call<A>>,
    in_turn: mpsc::UnboundedReceiver<Call<A>>,
    in_flight: Arc<Semaphore>,
}

/// A call, and its place among those in flight if it needs one.
type Placed<A> = (Call<A>, Option<OwnedSemaphorePermit>);

impl<A> Taken<A> {
    /// None: nobody can call any more.
    async fn next(&mut self) -> Option<Placed<A>> {
        let in_turn = async {
            let place = Arc::clone(&self.in_flight).acquire_owned().await.expect("it is never closed");
            Some((self.in_turn.recv().await?, Some(place)))
        };
        tokio::select! {
            biased;
            Some(call) = self.first.recv() => Some((call, None)),
            call = in_turn => call,
        }
    }

    /// The next one, if it can go now.
    fn next_now(&mut self) -> Option<Placed<A>> {
        if let Ok(call) = self.first.try_recv() {
            return Some((call, None));
        }
        let place = Arc::clone(&self.in_flight).try_acquire_owned().ok()?;
        self.in_turn.try_recv().ok().map(|call| (call, Some(place)))
    }
}

async fn carry_out<A>(
    mut writer: FrameWriter<WriteHalf<BoxStream>>,
    mut calls: Taken<A>,
    outstanding: &Outstanding<A>,
) -> io::Result<()> {
    while let Some(first) = calls.next().await {
        // Who are about to ask as well: what they ask leaves together.
        let_others_go_first().await;
        let mut next = Some(first);
        while let Some((Call { id, frame, answer }, place)) = next.take() {
            if !answer.is_closed() {
                // Before the frame is written: the answer must find whom it is for.
                locked(outstanding).insert(id, Waiting { answer, _place: place });
                writer.push_encoded(&frame);
            }
            if writer.pending_bytes() < WRITE_SIZE_MAX_BYTES {
                next = calls.next_now();
            }
        }
        writer.flush().await?;
    }
    writer.shutdown().await
}

async fn carry_in<A: DeserializeOwned>(
    mut reader: FrameReader<ReadHalf<BoxStream>>,
    outstanding: &Outstanding<A>,
) -> Result<(), FrameError> {
    while let Some(Numbered { id, body }) = reader.next().await? {
        let Some(waiting) = locked(outstanding).remove(&id) else {
            return Err(FrameError::Malformed(format!("nobody asked number {id}")));
        };
        // Whoever asked may have given up.
        let _ = waiting.answer.send(body);
    }
    Ok(())
}

fn locked<A>(outstanding: &Outstanding<A>) -> std::sync::MutexGuard<'_, HashMap<u64, Waiting<A>>> {
    outstanding.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers what the other side of the stream asks, in any order, until it ends; what is under way
/// then is still finished. Answers begin in the order of the requests, each up to where it first has to wait. At most `concurrent_max` requests are under way; beyond it the stream is
/// not read, which holds the asker back.
pub async fn serve<Q, A, F>(
    stream: BoxStream,
    size_max_bytes: usize,
    concurrent_max: usize,
    handler: F,
) -> Result<(), FrameError>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Fn(Q) -> BoxFuture<'static, A> + Send,
{
    let (read, write) = tokio::io::split(stream);
    let mut reader = FrameReader::new(read, size_max_bytes);
    let mut writer = FrameWriter::new(write);
    let mut running = FuturesUnordered::new();
    let mut ended = None;
    let mut writable = true;
    while ended.is_none() || !running.is_empty() {
        let pending_bytes = writer.pending_bytes();
        let reading = ended.is_none() && running.len() < concurrent_max && pending_bytes < WRITE_SIZE_MAX_BYTES;
        tokio::select! {
            Some(answer) = running.next() => {
                writer.push(&answer);
                let_others_go_first().await;
                push_finished(&mut running, &mut writer);
            }
            asked = reader.next::<Numbered<Q>>(), if reading => match asked {
                Ok(Some(Numbered { id, body })) => {
                    let mut answering = handler(body).map(move |body| Numbered { id, body });
                    // Here, in its turn, and whatever the task has used up of its time slice: an answer that is told to let others run
                    // first would begin after the next ones.
                    match futures::poll!(tokio::task::unconstrained(&mut answering)) {
                        Poll::Ready(answer) => writer.push(&answer),
                        Poll::Pending => running.push(answering),
                    }
                }
                Ok(None) => ended = Some(Ok(())),
                Err(error) => ended = Some(Err(error)),
            },
            flushed = writer.flush(), if writable && pending_bytes > 0 => if let Err(error) = flushed {
                writable = false;
                ended = Some(Err(FrameError::Io(error)));
            },
        }
    }
    if writable {
        // The asker may be gone; then nobody misses the last answers.
        let _ = writer.flush().await;
    }
    ended.unwrap_or(Ok(()))
}

/// Adds the answers that are ready as well, so that they leave together.
fn push_finished<F, A>(running: &mut FuturesUnordered<F>, writer: &mut FrameWriter<WriteHalf<BoxStream>>)
where
    F: Future<Output = Numbered<A>>,
    A: Serialize,
{
    while writer.pending_bytes() < WRITE_SIZE_MAX_BYTES {
        let Some(Some(answer)) = running.next().now_or_never() else { return };
        writer.push(&answer);
    }
}

#[cfg(test)]
mod tests;
