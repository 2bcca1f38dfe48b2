//! Many frames in few reads and writes.

use std::io;

use bytes::{Buf, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{FrameError, LENGTH_SIZE_BYTES, body_size, decode, encode_onto};

/// How much is read at once: a few frames. An idle reader holds on to about as much memory, and what a stream reads into is filled with
/// zeros before each read.
const READ_SIZE_BYTES: usize = 2 * 1024;

/// A buffer that grew beyond this is given back once it is empty.
const KEEP_SIZE_MAX_BYTES: usize = 256 * 1024;

/// Reads frames with as few reads of the stream as possible.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    buffer: BytesMut,
    size_max_bytes: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Frames of at most so many bytes from the stream.
    pub fn new(stream: R, size_max_bytes: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), size_max_bytes }
    }

    /// The next frame; None at a clean end. Cancel safe: what was read stays for the next call.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            self.buffer.reserve(READ_SIZE_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(FrameError::Cut) };
            }
        }
    }

    /// A frame that has arrived whole.
    fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let Some(size) = body_size(&self.buffer, self.size_max_bytes)? else { return Ok(None) };
        let end = LENGTH_SIZE_BYTES + size;
        let Some(body) = self.buffer.get(LENGTH_SIZE_BYTES..end) else { return Ok(None) };
        let message = decode(body)?;
        self.buffer.advance(end);
        if self.buffer.is_empty() && self.buffer.capacity() > KEEP_SIZE_MAX_BYTES {
            self.buffer = BytesMut::new();
        }
        Ok(Some(message))
    }
}

/// Collects frames and writes them together. The owner bounds how much it pushes between flushes.
#[derive(Debug)]
pub struct FrameWriter<W> {
    stream: W,
    pending: Vec<u8>,
    /// How much of `pending` the stream has taken.
    written: usize,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Frames to the stream.
    pub fn new(stream: W) -> Self {
        Self { stream, pending: Vec::new(), written: 0 }
    }

    /// Adds a frame to what the next flush writes.
    pub fn push<T: Serialize>(&mut self, message: &T) {
        self.pending = encode_onto(std::mem::take(&mut self.pending), message);
    }

    /// Adds a frame that [`super::encode`] made.
    pub fn push_encoded(&mut self, frame: &[u8]) {
        self.pending.extend_from_slice(frame);
    }

    /// How many bytes wait to be written.
    pub fn pending_bytes(&self) -> usize {
        self.pending.len() - self.written
    }

    /// Writes what was pushed and flushes the stream. Cancel safe: the next call goes on from there.
    pub async fn flush(&mut self) -> io::Result<()> {
        while self.written < self.pending.len() {
            match self.stream.write(&self.pending[self.written..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                taken => self.written += taken,
            }
        }
        self.stream.flush().await?;
        self.written = 0;
        self.pending.clear();
        self.pending.shrink_to(KEEP_SIZE_MAX_BYTES);
        Ok(())
    }

    /// Tells the other end that nothing more will come.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt;
    use proptest::prelude::*;

    use super::*;
    use crate::codec::encode;

    #[tokio::test]
    async fn frames_pushed_together_arrive_one_by_one() {
        let (near, far) = tokio::io::duplex(16);
        let mut writer = FrameWriter::new(near);
        let mut reader = FrameReader::new(far, 1024);
        writer.push(&"one");
        writer.push_encoded(&encode(&"two"));
        let read = async {
            let pair = (reader.next::<String>().await, reader.next::<String>().await);
            (pair.0.expect("whole"), pair.1.expect("whole"))
        };
        let (flushed, pair) = tokio::join!(writer.flush(), read);
        flushed.expect("the other end is there");
        assert_eq!(pair, (Some("one".to_owned()), Some("two".to_owned())));
        assert_eq!(writer.pending_bytes(), 0);
    }

    #[tokio::test]
    async fn a_read_and_a_flush_given_up_midway_lose_nothing() {
        let (near, far) = tokio::io::duplex(3);
        let mut writer = FrameWriter::new(near);
        let mut reader = FrameReader::new(far, 1024);
        writer.push(&"a text longer than the pipe");
        let message = loop {
            let _ = writer.flush().now_or_never();
            if let Some(message) = reader.next::<String>().now_or_never() {
                break message;
            }
        };
        assert_eq!(message.expect("whole"), Some("a text longer than the pipe".to_owned()));
    }

    #[tokio::test]
    async fn an_announced_length_takes_no_memory() {
        let (mut near, far) = tokio::io::duplex(64);
        near.write_all(&1_000_000_u32.to_be_bytes()).await.expect("there is room");
        let mut reader = FrameReader::new(far, 4_000_000);
        {
            let next = pin!(reader.next::<String>());
            assert!(next.now_or_never().is_none(), "nothing but a length has come");
        }
        assert!(reader.buffer.capacity() <= 2 * READ_SIZE_BYTES, "{} bytes", reader.buffer.capacity());
    }

    proptest! {
        #[test]
        fn noise_never_makes_the_reader_hold_more_than_the_limit(noise in prop::collection::vec(any::<u8>(), 0..4096)) {
            let mut reader = FrameReader::new(noise.as_slice(), 256);
            let outcome = drain(&mut reader).now_or_never();
            prop_assert!(outcome.is_some(), "a slice never keeps anyone waiting");
            prop_assert!(reader.buffer.capacity() <= 4 * READ_SIZE_BYTES);
        }
    }

    async fn drain(reader: &mut FrameReader<&[u8]>) -> Result<(), FrameError> {
        while reader.next::<String>().await?.is_some() {}
        Ok(())
    }
}
