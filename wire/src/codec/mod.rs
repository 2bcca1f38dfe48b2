//! Frames: a length (`u32`, big-endian), then so many bytes: one of version, the rest a postcard value.
//!
//! Whoever reads says how long a frame may be; a longer one is refused by its length alone, and
//! memory is taken as bytes arrive, never because a length promises them.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{Code, Refusal};

mod buffered;

pub use buffered::{FrameReader, FrameWriter};

/// The version that every frame carries.
pub const VERSION: u8 = 1;

/// Bytes of the length in front of a frame.
const LENGTH_SIZE_BYTES: usize = 4;

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
        let code = match self {
            Self::TooLarge { .. } => Code::FrameTooLarge,
            Self::Malformed(_) => Code::FrameMalformed,
            Self::Version { .. } => Code::VersionUnknown,
            Self::Cut | Self::Io(_) => return None,
        };
        Some(Refusal::new(code, self.to_string()))
    }
}

/// The whole frame, length included.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    encode_onto(Vec::with_capacity(128), message)
}

/// Adds the whole frame to what the buffer holds.
fn encode_onto<T: Serialize>(mut buffer: Vec<u8>, message: &T) -> Vec<u8> {
    let start = buffer.len();
    buffer.extend([0; LENGTH_SIZE_BYTES]);
    buffer.push(VERSION);
    let mut buffer = postcard::to_extend(message, buffer).expect("messages are plain data, which postcard can write");
    let body = buffer.len() - start - LENGTH_SIZE_BYTES;
    let length = u32::try_from(body).expect("no message comes near 4 GiB");
    buffer[start..start + LENGTH_SIZE_BYTES].copy_from_slice(&length.to_be_bytes());
    buffer
}

/// Reads the body of a frame: all that follows the length. Bytes left over are an error.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    let (&version, value) = body.split_first().ok_or_else(|| FrameError::Malformed("it is empty".into()))?;
    if version != VERSION {
        return Err(FrameError::Version { found: version });
    }
    match postcard::take_from_bytes(value) {
        Ok((message, [])) => Ok(message),
        Ok((_, left)) => Err(FrameError::Malformed(format!("{} bytes are left over", left.len()))),
        Err(error) => Err(FrameError::Malformed(error.to_string())),
    }
}

/// Writes one frame and flushes.
pub async fn write<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), message: &T) -> io::Result<()> {
    stream.write_all(&encode(message)).await?;
    stream.flush().await
}

/// Reads one frame and not a byte more; None at a clean end between frames. Not cancel safe.
pub async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    size_max_bytes: usize,
) -> Result<Option<T>, FrameError> {
    let mut length = Vec::with_capacity(LENGTH_SIZE_BYTES);
    stream.take(LENGTH_SIZE_BYTES as u64).read_to_end(&mut length).await?;
    if length.is_empty() {
        return Ok(None);
    }
    let size = body_size(&length, size_max_bytes)?.ok_or(FrameError::Cut)?;
    let mut body = Vec::new();
    // Grows with what arrives.
    stream.take(size as u64).read_to_end(&mut body).await?;
    if body.len() < size {
        return Err(FrameError::Cut);
    }
    decode(&body).map(Some)
}

/// How long the body is, by the length at the front; None while that has not all arrived.
fn body_size(front: &[u8], max: usize) -> Result<Option<usize>, FrameError> {
    let Some(length) = front.first_chunk::<LENGTH_SIZE_BYTES>() else { return Ok(None) };
    let size = u32::from_be_bytes(*length) as usize;
    if size > max { Err(FrameError::TooLarge { size, max }) } else { Ok(Some(size)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::{Ask, FromNode};
    use crate::peer::{PeerAnswer, PeerRequest};

    async fn read_from(bytes: &[u8], size_max_bytes: usize) -> Result<Option<String>, FrameError> {
        let mut bytes = bytes;
        read(&mut bytes, size_max_bytes).await
    }

    #[tokio::test]
    async fn frames_follow_one_another_to_a_clean_end() {
        let mut stream = Vec::new();
        write(&mut stream, &"one").await.expect("a Vec takes everything");
        write(&mut stream, &"two").await.expect("a Vec takes everything");
        let mut rest = stream.as_slice();
        assert_eq!(read::<String>(&mut rest, 64).await.expect("whole"), Some("one".to_owned()));
        assert_eq!(read::<String>(&mut rest, 64).await.expect("whole"), Some("two".to_owned()));
        assert_eq!(read::<String>(&mut rest, 64).await.expect("whole"), None);
    }

    #[tokio::test]
    async fn a_stream_that_ends_inside_a_frame_is_cut_wherever_it_ends() {
        let frame = encode(&"hello");
        for end in 1..frame.len() {
            let outcome = read_from(&frame[..end], 64).await;
            assert!(matches!(outcome, Err(FrameError::Cut)), "after {end} bytes: {outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_frame_that_announces_too_much_is_refused_before_it_arrives() {
        let outcome = read_from(&u32::MAX.to_be_bytes(), 1024).await;
        let error = outcome.expect_err("too large");
        assert!(matches!(error, FrameError::TooLarge { max: 1024, .. }));
        assert_eq!(error.refusal().map(|refusal| refusal.code), Some(Code::FrameTooLarge));
    }

    #[tokio::test]
    async fn a_frame_of_exactly_the_limit_passes() {
        let frame = encode(&"hello");
        let body = frame.len() - LENGTH_SIZE_BYTES;
        assert!(read_from(&frame, body).await.is_ok());
        assert!(matches!(read_from(&frame, body - 1).await, Err(FrameError::TooLarge { .. })));
    }

    #[test]
    fn another_version_is_named() {
        let error = decode::<String>(&[VERSION + 1, 0]).expect_err("another version");
        assert!(matches!(error, FrameError::Version { found } if found == VERSION + 1));
        assert_eq!(error.refusal().map(|refusal| refusal.code), Some(Code::VersionUnknown));
    }

    #[test]
    fn nothing_and_too_much_are_both_malformed() {
        let mut body = encode(&"hello").split_off(LENGTH_SIZE_BYTES);
        assert!(matches!(decode::<String>(&[]), Err(FrameError::Malformed(_))));
        body.push(0);
        assert!(matches!(decode::<String>(&body), Err(FrameError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn noise_is_refused_or_understood_but_never_a_panic(noise in prop::collection::vec(any::<u8>(), 0..512)) {
            let mut body = noise;
            let _ = decode::<Ask>(&body);
            body.insert(0, VERSION);
            let _ = decode::<Ask>(&body);
            let _ = decode::<FromNode>(&body);
            let _ = decode::<PeerRequest>(&body);
            let _ = decode::<PeerAnswer>(&body);
        }
    }
}
