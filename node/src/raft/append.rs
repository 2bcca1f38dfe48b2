//! The append stream to one member: entries go out without waiting for the answers to earlier ones, which
//! come back in the same order.

use std::io;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use openraft::raft::AppendEntriesRequest;
use tokio::io::{ReadHalf, WriteHalf, split};
use tokio::time::{Instant, sleep_until};
use wire::BoxStream;
use wire::codec::{FrameReader, FrameWriter};
use wire::turns::let_others_go_first;

use super::message::{Append, Appended, FRAME_SIZE_MAX_BYTES, StreamAppendResult};
use super::types::TypeConfig;

/// Requests without an answer; beyond it the next is not read from the log before an answer has come.
/// As many as openraft takes at the other end.
const WINDOW: usize = 64;

/// An open append stream on which every request is answered.
pub(super) struct AppendLine {
    reader: FrameReader<ReadHalf<BoxStream>>,
    writer: FrameWriter<WriteHalf<BoxStream>>,
}

impl AppendLine {
    pub(super) fn new(stream: BoxStream) -> Self {
        let (read, write) = split(stream);
        Self { reader: FrameReader::new(read, FRAME_SIZE_MAX_BYTES), writer: FrameWriter::new(write) }
    }

    /// Whether the member has neither closed the line nor said something unasked since it was last used.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.reader.next::<Appended>().now_or_never().is_none()
    }
}

/// Sends one stream of requests over the line.
pub(super) struct Session<'s, S> {
    /// Where the line goes back to, once all is answered.
    home: &'s mut Option<AppendLine>,
    line: Option<AppendLine>,
    requests: S,
    no_more: bool,
    unanswered: usize,
    /// How long the member may stay silent while it owes an answer.
    patience: Duration,
    heard: Instant,
}

/// The next request, with all that the log has by then: it is made of that when it is asked for. Cancel safe.
async fn next_of<S: Stream + Unpin>(requests: &mut S) -> Option<S::Item> {
    let_others_go_first().await;
    requests.next().await
}

/// What happens next on the line.
enum Event {
    Flushed(io::Result<()>),
    Request(Option<AppendEntriesRequest<TypeConfig>>),
    Answer(io::Result<Appended>),
    Silence,
}

impl<'s, S> Session<'s, S>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Unpin,
{
    pub(super) fn new(home: &'s mut Option<AppendLine>, line: AppendLine, requests: S, patience: Duration) -> Self {
        let heard = Instant::now();
        Self { home, line: Some(line), requests, no_more: false, unanswered: 0, patience, heard }
    }

    /// The next answer; None at the end of all requests. After an error or a refusal there is nothing more,
    /// and the line is closed: what else was sent on it is of no use.
    pub(super) async fn next(&mut self) -> Option<io::Result<StreamAppendResult>> {
        loop {
            if self.no_more && self.unanswered == 0 {
                *self.home = self.line.take();
                return None;
            }
            let result = match self.event().await? {
                Event::Flushed(Ok(())) => continue,
                Event::Request(request) => {
                    self.take(request);
                    continue;
                }
                Event::Answer(Ok(appended)) => self.answered(appended),
                Event::Flushed(Err(error)) | Event::Answer(Err(error)) => Err(error),
                Event::Silence => Err(io::ErrorKind::TimedOut.into()),
            };
            if !matches!(result, Ok(Ok(_))) {
                self.line = None;
            }
            return Some(result);
        }
    }

    async fn event(&mut self) -> Option<Event> {
        let AppendLine { reader, writer } = self.line.as_mut()?;
        let is_pending = writer.pending_bytes() > 0;
        // In order, and not at random: a simulation has to run the same way twice.
        Some(tokio::select! {
            biased;
            // Also while none is owed: so the end of the line is noticed before the next request.
            answer = reader.next::<Appended>() => Event::Answer(match answer {
                Ok(Some(appended)) => Ok(appended),
                Ok(None) => Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) => Err(io::Error::other(error)),
            }),
            flushed = writer.flush(), if is_pending => Event::Flushed(flushed),
            request = next_of(&mut self.requests), if !self.no_more && !is_pending && self.unanswered < WINDOW => {
                Event::Request(request)
            }
            () = sleep_until(self.heard + self.patience), if self.unanswered > 0 => Event::Silence,
        })
    }

    fn take(&mut self, request: Option<AppendEntriesRequest<TypeConfig>>) {
        let (Some(request), Some(line)) = (request, &mut self.line) else {
            self.no_more = true;
            return;
        };
        if self.unanswered == 0 {
            self.heard = Instant::now();
        }
        line.writer.push(&Append::from(&request));
        self.unanswered += 1;
    }

    fn answered(&mut self, appended: Appended) -> io::Result<StreamAppendResult> {
        self.unanswered = self.unanswered.checked_sub(1).ok_or(io::ErrorKind::InvalidData)?;
        self.heard = Instant::now();
        appended.into_result().ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}
