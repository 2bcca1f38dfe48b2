//! What holds for every frame.

use std::fmt::Debug;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, ReadBuf};
use wire::Code;
use wire::codec::{self, FrameError, FrameReader, VERSION};

use super::memory::modest;

/// Bytes of the length in front of a frame.
pub(super) const LENGTH_SIZE_BYTES: usize = 4;

/// The body of a frame is refused with the right error, or understood; and then it is the same however often it is written and read.
pub(super) fn reread(body: &[u8], reread: impl Fn(&[u8]) -> Result<Vec<u8>, FrameError>) {
    match modest(body.len(), || reread(body)) {
        Ok(frame) => {
            assert_eq!(body.first(), Some(&VERSION), "a frame of another version is understood");
            let (length, again) = frame.split_at(LENGTH_SIZE_BYTES);
            let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
            assert_eq!(length as usize, again.len(), "the length in front of a frame is not its own");
            let twice = reread(again).expect("what this build writes, it understands");
            assert_eq!(twice, frame, "a frame changes when it is read and written");
            let longer = [body, &[0]].concat();
            assert!(reread(&longer).is_err(), "what follows a message is passed over");
        }
        Err(error) => assert_refused(body, &error),
    }
}

/// As [`reread`], for a message that can be compared.
pub(super) fn same_again<T: Serialize + DeserializeOwned + PartialEq + Debug>(body: &[u8]) {
    reread(body, |body| {
        let message: T = codec::decode(body)?;
        let frame = codec::encode(&message);
        let again = codec::decode::<T>(&frame[LENGTH_SIZE_BYTES..]);
        assert_eq!(again.ok().as_ref(), Some(&message), "a message changes when it is written and read");
        Ok(frame)
    });
}

/// As [`reread`], for messages in which every byte is a part of a number or is data: none of it becomes another on the way. Numbers may
/// become shorter, where more bytes than needed were written, and sets may come in another order.
pub(super) fn kept(body: &[u8], of: impl Fn(&[u8]) -> Result<Vec<u8>, FrameError>) {
    reread(body, |body| {
        let frame = of(body)?;
        let again = &frame[LENGTH_SIZE_BYTES..];
        assert!(again.len() <= body.len(), "a frame grows when it is read and written");
        if again.len() == body.len() {
            assert!(in_order(again) == in_order(body), "a frame holds something else when it is read and written");
        }
        Ok(frame)
    });
}

fn in_order(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.sort_unstable();
    bytes
}

/// The error is the one for what is wrong, and its code the one that the sender is told.
fn assert_refused(body: &[u8], error: &FrameError) {
    let expected = match body.first() {
        Some(&VERSION) | None => Code::FrameMalformed,
        Some(_) => Code::VersionUnknown,
    };
    assert_eq!(error.refusal().map(|refusal| refusal.code), Some(expected), "{error}");
}

/// A stream of such frames means the same read frame by frame and read ahead, however it is cut into pieces.
pub(super) fn arrives<T: Serialize + DeserializeOwned>(stream: &[u8], size_max_bytes: usize, piece: usize) {
    let ahead = modest(stream.len(), || read_ahead::<T>(Pieces::new(stream, piece), size_max_bytes));
    let singly = modest(stream.len(), || read_singly::<T>(Pieces::new(stream, piece), size_max_bytes));
    assert_eq!(ahead, singly, "two ways to read one stream");
    assert_eq!(ahead, read_ahead::<T>(Pieces::new(stream, usize::MAX), size_max_bytes), "pieces of another size");
    assert_eq!(ahead.2, end_of(stream, ahead.0, size_max_bytes), "after {} frames", ahead.0);
}

/// What a stream says: its frames, written anew as one hash, and how it ends.
type Said = (usize, u32, End);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Clean,
    Cut,
    TooLarge,
    /// A whole frame that is refused for what it holds.
    Refused,
}

impl From<FrameError> for End {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Cut => Self::Cut,
            FrameError::TooLarge { .. } => Self::TooLarge,
            FrameError::Malformed(_) | FrameError::Version { .. } => Self::Refused,
            FrameError::Io(error) => panic!("bytes that are there cannot be read: {error}"),
        }
    }
}

/// How a stream has to end after so many good frames, by their lengths alone.
fn end_of(mut stream: &[u8], frames: usize, size_max_bytes: usize) -> End {
    for _ in 0..=frames {
        let Some((length, rest)) = stream.split_first_chunk::<LENGTH_SIZE_BYTES>() else {
            return if stream.is_empty() { End::Clean } else { End::Cut };
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > size_max_bytes {
            return End::TooLarge;
        }
        let Some(rest) = rest.get(length..) else { return End::Cut };
        stream = rest;
    }
    End::Refused
}

fn read_ahead<T: Serialize + DeserializeOwned>(stream: Pieces<'_>, size_max_bytes: usize) -> Said {
    let mut reader = FrameReader::new(stream, size_max_bytes);
    let (mut count, mut hash) = (0, 0);
    loop {
        match now(reader.next::<T>()) {
            Ok(Some(message)) => (count, hash) = (count + 1, crc32c::crc32c_append(hash, &codec::encode(&message))),
            Ok(None) => return (count, hash, End::Clean),
            Err(error) => return (count, hash, error.into()),
        }
    }
}

fn read_singly<T: Serialize + DeserializeOwned>(mut stream: Pieces<'_>, size_max_bytes: usize) -> Said {
    let (mut count, mut hash) = (0, 0);
    loop {
        match now(codec::read::<T>(&mut stream, size_max_bytes)) {
            Ok(Some(message)) => (count, hash) = (count + 1, crc32c::crc32c_append(hash, &codec::encode(&message))),
            Ok(None) => return (count, hash, End::Clean),
            Err(error) => return (count, hash, error.into()),
        }
    }
}

/// Bytes that arrive in pieces of this size, one at each read.
pub(super) struct Pieces<'a> {
    rest: &'a [u8],
    size: usize,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(bytes: &'a [u8], size: usize) -> Self {
        Self { rest: bytes, size: size.max(1) }
    }
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = self.rest.len().min(self.size).min(into.remaining());
        let (piece, rest) = self.rest.split_at(count);
        into.put_slice(piece);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

/// What comes of work that has nothing to wait for.
fn now<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("bytes that are there are waited for"),
    }
}
