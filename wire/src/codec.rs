//! Frames: `u32` big-endian length, one byte of version, one postcard value.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Refusal;

/// The version that every frame carries.
pub const VERSION: u8 = 1;

/// What is wrong with a frame, or with the stream it should have come on.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {size} bytes is longer than the {max} allowed here")]
    TooLarge { size: usize, max: usize },
    #[error("a frame could not be understood: {0}")]
    Malformed(String),
    #[error("a frame has version {found}, this build speaks {VERSION}")]
    Version { found: u8 },
    /// The stream ended inside a frame.
    #[error("the connection ended inside a frame")]
    Cut,
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

impl FrameError {
    /// What to tell the sender; None where there is nobody to tell.
    pub fn refusal(&self) -> Option<Refusal> {
        todo!()
    }
}

/// The whole frame, length included.
pub fn encode<T: Serialize>(_message: &T) -> Vec<u8> {
    todo!()
}

/// Reads the body of a frame: all that follows the length. Bytes left over are an error.
pub fn decode<T: DeserializeOwned>(_body: &[u8]) -> Result<T, FrameError> {
    todo!()
}

/// Writes one frame and flushes.
pub async fn write<T: Serialize>(_stream: &mut (impl AsyncWrite + Unpin), _message: &T) -> io::Result<()> {
    todo!()
}

/// Reads one frame and not a byte more; None at a clean end between frames. Not cancel safe.
pub async fn read<T: DeserializeOwned>(
    _stream: &mut (impl AsyncRead + Unpin),
    _size_max_bytes: usize,
) -> Result<Option<T>, FrameError> {
    todo!()
}

/// Reads frames with as few reads of the stream as possible.
#[derive(Debug)]
pub struct FrameReader<R> {
    _stream: R,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Frames of at most so many bytes from the stream.
    pub fn new(_stream: R, _size_max_bytes: usize) -> Self {
        todo!()
    }

    /// The next frame; None at a clean end. Cancel safe: what was read stays for the next call.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        todo!()
    }
}

/// Collects frames and writes them together. The owner bounds how much it pushes between flushes.
#[derive(Debug)]
pub struct FrameWriter<W> {
    _stream: W,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Frames to the stream.
    pub fn new(_stream: W) -> Self {
        todo!()
    }

    /// Adds a frame to what the next flush writes.
    pub fn push<T: Serialize>(&mut self, _message: &T) {
        todo!()
    }

    /// How many bytes wait to be written.
    pub fn pending_bytes(&self) -> usize {
        todo!()
    }

    /// Writes what was pushed and flushes the stream. Cancel safe: the next call goes on from there.
    pub async fn flush(&mut self) -> io::Result<()> {
        todo!()
    }
}
