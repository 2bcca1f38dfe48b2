//! A stream in memory: two pipes, each of which can be slow, held back, or broken.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::PeerId;

/// What a pipe holds; beyond it a writer waits, as with a socket whose buffers are full.
const PIPE_SIZE_MAX_BYTES: usize = 64 * 1024;

/// The hub's hold on a stream.
pub(super) struct Wire {
    one: PeerId,
    other: PeerId,
    /// From `one` to `other`.
    there: Weak<Pipe>,
    back: Weak<Pipe>,
}

/// One end of a stream.
pub(super) struct MemoryStream {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
    /// Until the next bytes are due, where they are under way.
    due: Option<Pin<Box<Sleep>>>,
}

/// How long the next piece takes.
pub(super) type Delay = Box<dyn Fn() -> Duration + Send + Sync>;

/// One direction.
struct Pipe {
    /// None: no time.
    delay: Option<Delay>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Each with when it is due.
    chunks: VecDeque<(Instant, Bytes)>,
    size_bytes: usize,
    held: bool,
    /// The writer will say no more.
    ended: bool,
    /// Nothing passes any more.
    broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A new stream: the end of `one`, the end of `other`, and the hub's hold on both.
pub(super) fn wire(
    one: PeerId,
    other: PeerId,
    there: Option<Delay>,
    back: Option<Delay>,
) -> (MemoryStream, MemoryStream, Wire) {
    let there = Arc::new(Pipe::new(there));
    let back = Arc::new(Pipe::new(back));
    let wire = Wire { one, other, there: Arc::downgrade(&there), back: Arc::downgrade(&back) };
    let near = MemoryStream { incoming: Arc::clone(&back), outgoing: Arc::clone(&there), due: None };
    let far = MemoryStream { incoming: there, outgoing: back, due: None };
    (near, far, wire)
}

impl Wire {
    pub(super) fn joins(&self, a: PeerId, b: PeerId) -> bool {
        (self.one, self.other) == (a, b) || (self.one, self.other) == (b, a)
    }

    pub(super) fn ends_at(&self, peer: PeerId) -> bool {
        self.one == peer || self.other == peer
    }

    /// Whether anyone holds an end.
    pub(super) fn is_open(&self) -> bool {
        self.there.strong_count() > 0
    }

    /// Both ends see the connection reset.
    pub(super) fn break_off(&self) {
        for pipe in [&self.there, &self.back].into_iter().filter_map(Weak::upgrade) {
            pipe.change(|state| {
                state.broken = true;
                state.chunks.clear();
            });
        }
    }

    /// That end sees the connection reset; the other reads on to the end of what it was told.
    pub(super) fn reset_at(&self, peer: PeerId) {
        let (said, heard) = if peer == self.one { (&self.there, &self.back) } else { (&self.back, &self.there) };
        if let Some(said) = said.upgrade() {
            said.change(|state| state.ended = true);
        }
        if let Some(heard) = heard.upgrade() {
            heard.change(|state| {
                state.broken = true;
                state.chunks.clear();
            });
        }
    }

    /// Holds back, or lets go, what is said that way, if it is one of this wire.
    pub(super) fn hold(&self, from: PeerId, to: PeerId, held: bool) {
        let pipe = match (from, to) {
            way if way == (self.one, self.other) => &self.there,
            way if way == (self.other, self.one) => &self.back,
            _ => return,
        };
        if let Some(pipe) = pipe.upgrade() {
            pipe.change(|state| state.held = held);
        }
    }
}

impl Pipe {
    fn new(delay: Option<Delay>) -> Self {
        Self { delay, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes whoever waits for a change.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let waiting = [state.reader.take(), state.writer.take()];
        drop(state);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}

/// What a reader finds.
enum Found {
    Nothing,
    NotBefore(Instant),
    Bytes,
    End,
}

impl State {
    fn look(&self) -> io::Result<Found> {
        if self.broken {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(match self.chunks.front() {
            _ if self.held => Found::Nothing,
            Some((due, _)) if *due > Instant::now() => Found::NotBefore(*due),
            Some(_) => Found::Bytes,
            None if self.ended => Found::End,
            None => Found::Nothing,
        })
    }

    fn take(&mut self, into: &mut ReadBuf<'_>) {
        let Some((_, chunk)) = self.chunks.front_mut() else { return };
        let size = chunk.len().min(into.remaining());
        into.put_slice(&chunk[..size]);
        chunk.advance(size);
        if chunk.is_empty() {
            self.chunks.pop_front();
        }
        self.size_bytes -= size;
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

impl AsyncRead for MemoryStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let mut state = this.incoming.lock();
            match state.look()? {
                Found::End => return Poll::Ready(Ok(())),
                Found::Bytes => {
                    state.take(into);
                    return Poll::Ready(Ok(()));
                }
                Found::Nothing => {
                    state.reader = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Found::NotBefore(due) => {
                    state.reader = Some(cx.waker().clone());
                    let sleep = this.due.insert(Box::pin(sleep_until(due)));
                    if sleep.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let pipe = &self.outgoing;
        let delay = pipe.delay.as_ref().map_or(Duration::ZERO, |delay| delay());
        let mut state = pipe.lock();
        if state.broken || state.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let size = bytes.len().min(PIPE_SIZE_MAX_BYTES - state.size_bytes);
        if size == 0 && !bytes.is_empty() {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let before = state.chunks.back().map(|(due, _)| *due);
        let due = before.into_iter().fold(Instant::now() + delay, Instant::max);
        state.chunks.push_back((due, Bytes::copy_from_slice(&bytes[..size])));
        state.size_bytes += size;
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(size))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.change(|state| state.ended = true);
        Poll::Ready(Ok(()))
    }
}

/// The other end reads to the end of what was written, and cannot write any more.
impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.outgoing.change(|state| state.ended = true);
        self.incoming.change(|state| state.broken = true);
    }
}
