//! The frames of an encrypted connection, with buffers that are there only while something is in them.
//!
//! libp2p-noise cuts a connection's bytes into Noise's messages with a crate of this name (0.7), which keeps 8 KiB for reading and as much
//! for writing from a connection's first byte to its last: 16 of the 43 kB that an idle client cost its node. It also clears 8 KiB on the
//! stack each time it looks whether there is anything to read, and reads no more than that at once. This one takes its place, with as much
//! of its interface as libp2p-noise uses. A thread's connections read into one piece of memory by turns, and keep what is not whole yet.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use futures::{AsyncRead, AsyncWrite, Sink, Stream, ready};

/// How much is read at once: the longest message of Noise, of 65,535 bytes, and its length.
const READ_SIZE: usize = 64 * 1024 + 1;

/// With as much waiting to be sent, nothing more is taken until some of it has gone.
const SEND_MAX: usize = 128 * 1024;

/// Makes frames.
pub trait Encoder {
    type Item<'a>;
    type Error: From<io::Error>;

    /// Appends the item to `to`.
    fn encode(&mut self, item: Self::Item<'_>, to: &mut BytesMut) -> Result<(), Self::Error>;
}

/// Takes frames apart.
pub trait Decoder {
    type Item;
    type Error: From<io::Error>;

    /// Takes the first frame away; None: it is not all there.
    fn decode(&mut self, from: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error>;
}

/// Frames in and out, over a stream of bytes.
#[derive(Debug)]
pub struct Framed<T, U> {
    io: T,
    codec: U,
    read: BytesMut,
    to_send: BytesMut,
}

/// A `Framed` taken apart, to go on with another codec.
#[derive(Debug)]
pub struct FramedParts<T, U> {
    pub io: T,
    pub codec: U,
    /// What came after the last frame.
    pub read_buffer: BytesMut,
    /// What has not been sent yet.
    pub write_buffer: BytesMut,
}

// Neither is ever pinned in place.
impl<T: Unpin, U> Unpin for Framed<T, U> {}

impl<T, U> Framed<T, U> {
    pub fn new(io: T, codec: U) -> Self {
        Self { io, codec, read: BytesMut::new(), to_send: BytesMut::new() }
    }

    pub fn codec(&self) -> &U {
        &self.codec
    }

    pub fn into_parts(self) -> FramedParts<T, U> {
        FramedParts { io: self.io, codec: self.codec, read_buffer: self.read, write_buffer: self.to_send }
    }

    pub fn from_parts(parts: FramedParts<T, U>) -> Self {
        Self { io: parts.io, codec: parts.codec, read: parts.read_buffer, to_send: parts.write_buffer }
    }
}

impl<T, U> FramedParts<T, U> {
    pub fn map_codec<V>(self, map: impl FnOnce(U) -> V) -> FramedParts<T, V> {
        let Self { io, codec, read_buffer, write_buffer } = self;
        FramedParts { io, codec: map(codec), read_buffer, write_buffer }
    }
}

impl<T: AsyncRead + Unpin, U: Decoder> Framed<T, U> {
    /// The next frame of what has been read.
    fn next_read(&mut self) -> Result<Option<U::Item>, U::Error> {
        if self.read.is_empty() {
            return Ok(None);
        }
        let item = self.codec.decode(&mut self.read)?;
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
        Ok(item)
    }
}

impl<T: AsyncRead + Unpin, U: Decoder> Stream for Framed<T, U> {
    type Item = Result<U::Item, U::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(item) = this.next_read().transpose() {
                return Poll::Ready(Some(item));
            }
            let io = Pin::new(&mut this.io);
            let read = &mut this.read;
            let size = with_scratch(|scratch| {
                io.poll_read(cx, scratch).map_ok(|size| {
                    read.extend_from_slice(&scratch[..size]);
                    size
                })
            });
            match ready!(size)? {
                0 if this.read.is_empty() => return Poll::Ready(None),
                0 => {
                    // Said once: whoever goes on meets the end.
                    this.read = BytesMut::new();
                    return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())));
                }
                _ => {}
            }
        }
    }
}

impl<T: AsyncWrite + Unpin, U> Framed<T, U> {
    /// Sends until less than this is left.
    fn poll_send(&mut self, cx: &mut Context<'_>, less_than: usize) -> Poll<io::Result<()>> {
        while self.to_send.len() >= less_than {
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.to_send))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.to_send.advance(sent),
            }
        }
        if self.to_send.is_empty() {
            self.to_send = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin, U: Encoder> Sink<U::Item<'_>> for Framed<T, U> {
    type Error = U::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.get_mut().poll_send(cx, SEND_MAX).map_err(Into::into)
    }

    fn start_send(self: Pin<&mut Self>, item: U::Item<'_>) -> Result<(), Self::Error> {
        let Self { codec, to_send, .. } = self.get_mut();
        codec.encode(item, to_send)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx, 1))?;
        Pin::new(&mut this.io).poll_flush(cx).map_err(Into::into)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx, 1))?;
        Pin::new(&mut this.io).poll_close(cx).map_err(Into::into)
    }
}

/// Lends the thread's memory for reading. What reads through another connection meanwhile gets memory of its own.
fn with_scratch<R>(work: impl FnOnce(&mut [u8]) -> R) -> R {
    thread_local! {
        static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    }
    let mut scratch = SCRATCH.take().unwrap_or_else(|| vec![0; READ_SIZE].into());
    let result = work(&mut scratch);
    SCRATCH.set(Some(scratch));
    result
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures::executor::block_on;
    use futures::task::noop_waker;
    use futures::{SinkExt as _, StreamExt as _};

    use super::*;

    /// A byte that says how many follow.
    #[derive(Debug)]
    struct Counted;

    impl Encoder for Counted {
        type Item<'a> = &'a [u8];
        type Error = io::Error;

        fn encode(&mut self, item: &[u8], to: &mut BytesMut) -> io::Result<()> {
            to.extend_from_slice(&[item.len() as u8]);
            to.extend_from_slice(item);
            Ok(())
        }
    }

    impl Decoder for Counted {
        type Item = Vec<u8>;
        type Error = io::Error;

        fn decode(&mut self, from: &mut BytesMut) -> io::Result<Option<Vec<u8>>> {
            let size = usize::from(from[0]);
            if from.len() <= size {
                return Ok(None);
            }
            Ok(Some(from.split_to(1 + size)[1..].to_vec()))
        }
    }

    /// Gives what comes piece by piece, and waits in between; takes so many bytes at once, and waits in between too.
    #[derive(Debug, Default)]
    struct Pieces {
        coming: VecDeque<Vec<u8>>,
        sent: Vec<u8>,
        takes: usize,
        waits: bool,
    }

    impl Pieces {
        fn of(coming: &[&[u8]]) -> Self {
            Self { coming: coming.iter().map(|piece| piece.to_vec()).collect(), takes: 3, ..Self::default() }
        }

        fn is_to_wait(&mut self) -> bool {
            self.waits = !self.waits;
            self.waits
        }
    }

    impl AsyncRead for Pieces {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
            if self.is_to_wait() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let piece = self.coming.pop_front().unwrap_or_default();
            to[..piece.len()].copy_from_slice(&piece);
            Poll::Ready(Ok(piece.len()))
        }
    }

    impl AsyncWrite for Pieces {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
            if self.is_to_wait() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let size = from.len().min(self.takes);
            self.sent.extend_from_slice(&from[..size]);
            Poll::Ready(Ok(size))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn frames(pieces: &[&[u8]]) -> Vec<io::Result<Vec<u8>>> {
        block_on(Framed::new(Pieces::of(pieces), Counted).collect())
    }

    #[test]
    fn frames_come_whole_however_their_bytes_come() {
        let whole = [2, b'a', b'b', 0, 3, b'c', b'd', b'e'];
        for cut in 1..whole.len() {
            let (one, other) = whole.split_at(cut);
            let came: Vec<_> = frames(&[one, other]).into_iter().map(Result::unwrap).collect();
            assert_eq!(came, [b"ab".to_vec(), Vec::new(), b"cde".to_vec()], "cut after {cut}");
        }
    }

    #[test]
    fn an_end_within_a_frame_is_an_error() {
        let came = frames(&[&[1, b'a', 2, b'b']]);
        assert_eq!(came[0].as_ref().unwrap(), b"a");
        assert_eq!(came[1].as_ref().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(came.len(), 2);
    }

    #[test]
    fn what_is_sent_arrives_in_order_whatever_is_taken_at_once() {
        let mut framed = Framed::new(Pieces::of(&[]), Counted);
        block_on(async {
            framed.feed(b"ab").await.unwrap();
            framed.send(b"cdefgh").await.unwrap();
        });
        assert_eq!(framed.io.sent, b"\x02ab\x06cdefgh");
    }

    #[test]
    fn whoever_takes_nothing_holds_the_sender_back() {
        let mut framed = Framed::new(Pieces { takes: 0, ..Pieces::of(&[]) }, Counted);
        let waker = noop_waker();
        let cx = &mut Context::from_waker(&waker);
        let item = [7; 255];
        while framed.to_send.len() < SEND_MAX {
            assert!(framed.poll_ready_unpin(cx).is_ready());
            framed.start_send_unpin(&item).unwrap();
        }
        assert!(framed.poll_ready_unpin(cx).is_pending());
        let refused = block_on(framed.send(&item)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    fn nothing_is_kept_of_a_connection_on_which_nothing_is_under_way() {
        let mut framed = Framed::new(Pieces::of(&[&[1, b'a', 1, b'b']]), Counted);
        block_on(async {
            framed.send(b"ab").await.unwrap();
            framed.next().await.unwrap().unwrap();
            assert!(framed.read.capacity() > 0, "there is another frame");
            framed.next().await.unwrap().unwrap();
        });
        assert_eq!((framed.read.capacity(), framed.to_send.capacity()), (0, 0));
    }

    #[test]
    fn another_codec_goes_on_where_the_one_before_stopped() {
        let mut framed = Framed::new(Pieces::of(&[&[1, b'a', 1, b'b']]), Counted);
        block_on(framed.next()).unwrap().unwrap();
        framed.start_send_unpin(b"x").unwrap();
        let mut framed = Framed::from_parts(framed.into_parts().map_codec(|Counted| Counted));
        assert_eq!(block_on(framed.next()).unwrap().unwrap(), b"b");
        block_on(framed.flush()).unwrap();
        assert_eq!(framed.io.sent, b"\x01x");
    }
}
