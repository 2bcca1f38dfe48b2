//! What goes out to one client: frames in the order in which they are given, written many at a time.

use std::time::Duration;

use futures::FutureExt as _;
use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;
use wire::codec;
use wire::message::{Answered, CLIENT_FRAME_SIZE_MAX_BYTES, FromNode};
use wire::turns::let_others_go_first;
use wire::{BoxStream, Code, Refusal};

/// Frames that wait to be written. Beyond it answers and pushes of this connection wait, and so, by
/// `REQUESTS_MAX`, does reading.
const QUEUED_MAX: usize = 64;
/// Frames are gathered up to about this size for one write.
const WRITE_SIZE_BYTES: usize = 64 * 1024;
/// A client that takes nothing for this long is gone, or as good as gone; it resumes from its cursor.
const WRITE_MAX: Duration = Duration::from_secs(30);

/// Where frames go that the client is to have.
///
/// They wait as the bytes that are written: a frame as a value takes as much room as the largest there is, and a queue has room for many,
/// in every connection.
#[derive(Clone, Debug)]
pub(crate) struct Frames(mpsc::Sender<Vec<u8>>);

/// Nobody writes frames any more: the client is gone.
#[derive(Debug)]
pub(crate) struct Gone;

impl Frames {
    /// Queues the frame; waits while the queue is full. Its bytes are made at once: a frame would have its room in whatever waits here.
    pub(crate) fn push(&self, frame: FromNode) -> impl Future<Output = Result<(), Gone>> + Send {
        self.0.send(encode(frame)).map(|sent| sent.map_err(|_| Gone))
    }
}

/// What was queued, for the one writer.
pub(super) struct Queued(mpsc::Receiver<Vec<u8>>);

/// A queue for one client.
pub(super) fn queue() -> (Frames, Queued) {
    let (frames, queued) = mpsc::channel(QUEUED_MAX);
    (Frames(frames), Queued(queued))
}

impl Queued {
    /// Writes what is queued, until the last sender is gone or the client is.
    pub(super) async fn write(mut self, mut writer: WriteHalf<BoxStream>) {
        let mut frames = Vec::new();
        while let Some(first) = self.0.recv().await {
            frames.push(first);
            // One commit of the log ends many requests, and each answer is made by a task of its own.
            let_others_go_first().await;
            while frames.len() < QUEUED_MAX
                && let Ok(frame) = self.0.try_recv()
            {
                frames.push(frame);
            }
            let writing = write_all(&mut writer, frames.drain(..));
            if !matches!(timeout(WRITE_MAX, writing).await, Ok(Ok(()))) {
                return;
            }
        }
        let _ = timeout(WRITE_MAX, writer.shutdown()).await;
    }
}

async fn write_all(
    writer: &mut WriteHalf<BoxStream>,
    mut frames: impl Iterator<Item = Vec<u8>>,
) -> std::io::Result<()> {
    let mut bytes = frames.next().unwrap_or_default();
    for frame in frames {
        if bytes.len() >= WRITE_SIZE_BYTES {
            writer.write_all(&bytes).await?;
            bytes.clear();
        }
        bytes.extend(frame);
    }
    writer.write_all(&bytes).await?;
    writer.flush().await
}

/// The frame's bytes. An answer that is too long for a frame becomes a refusal: one that the client
/// must take for damage would cost it the whole stream.
fn encode(frame: FromNode) -> Vec<u8> {
    let bytes = codec::encode(&frame);
    match frame {
        FromNode::Answered(answered) if bytes.len() > CLIENT_FRAME_SIZE_MAX_BYTES => {
            let refusal = Refusal::new(Code::FrameTooLarge, "The answer is too long for one frame; ask for less.");
            codec::encode(&FromNode::Answered(Answered { result: Err(refusal), ..answered }))
        }
        _ => bytes,
    }
}
