//! The other end of the streams that members open.
//!
//! Who is at the other end was proved before. Here it is only held to its word: a member speaks for itself,
//! and neither votes nor leads in another's name.

use std::io;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt, stream};
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest};
use tokio::io::{ReadHalf, split};
use tokio::sync::{oneshot, watch};
use wire::codec::{FrameReader, FrameWriter};
use wire::turns::let_others_go_first;
use wire::{BoxStream, Protocol, rpc};

use super::NodeId;
use super::entry::{Ballot, Position};
use super::hearing::Hearing;
use super::log::RaftLog;
use super::machine::{App, Machine};
use super::message::{Answer, Append, Appended, Ask, Candidacy, FRAME_SIZE_MAX_BYTES, SnapshotDone};
use super::snapshot;
use super::succession::Succession;
use super::types::{LogId, Runtime, TypeConfig};

/// Requests of one control stream under way; beyond it the stream is not read.
const CONCURRENT_MAX: usize = 64;

type Core = openraft::Raft<TypeConfig, Machine>;

/// Serves what members ask of this one.
#[derive(Clone)]
pub(super) struct Server {
    core: Core,
    app: App,
    hearing: Hearing,
    succession: Succession,
    log: RaftLog,
    seed: u64,
    /// Counts snapshots that began to arrive, so that an older one gives way to a newer.
    snapshots: Arc<watch::Sender<u64>>,
}

impl Server {
    pub(super) fn new(core: Core, app: App, hearing: Hearing, succession: Succession, log: RaftLog, seed: u64) -> Self {
        Self { core, app, hearing, succession, log, seed, snapshots: Arc::new(watch::Sender::new(0)) }
    }

    /// Serves the stream that `from` opened, until it ends.
    pub(super) async fn serve(&self, from: NodeId, protocol: Protocol, stream: BoxStream) {
        let result = match protocol {
            Protocol::RaftControl => self.serve_control(from, stream).await,
            // openraft starts a task for the stream, and a task needs a seed.
            Protocol::RaftAppend => Runtime::scope(self.seed, self.serve_append(from, stream)).await,
            Protocol::RaftSnapshot => self.serve_snapshot(from, stream).await,
            Protocol::Client | Protocol::Peer => Err(io::Error::other("this stream is none of Raft's")),
        };
        if let Err(error) = result {
            tracing::debug!(from, ?protocol, %error, "a stream of Raft's ended");
        }
        // The one that a leader keeps open as long as it can.
        if protocol == Protocol::RaftControl {
            self.succession.broken(from).await;
        }
    }

    async fn serve_control(&self, from: NodeId, stream: BoxStream) -> io::Result<()> {
        let server = self.clone();
        let handler = move |ask| -> BoxFuture<'static, Answer> {
            let server = server.clone();
            async move { server.answer(from, ask).await.unwrap_or(Answer::Unable) }.boxed()
        };
        rpc::serve(stream, FRAME_SIZE_MAX_BYTES, CONCURRENT_MAX, handler).await.map_err(io::Error::other)
    }

    async fn answer(&self, from: NodeId, ask: Ask) -> Option<Answer> {
        match ask {
            Ask::Vote(candidacy) if candidacy.ballot.candidate == from => {
                self.core.vote(candidacy.into()).await.ok().map(Answer::from)
            }
            Ask::PreVote(candidacy) if candidacy.ballot.candidate == from => self.pre_vote(candidacy).await,
            Ask::Append(append) if append.ballot.candidate == from => self.append(from, append).await,
            Ask::Transfer { leader, to, last } if leader.candidate == from => self.transfer(leader, to, last).await,
            _ => None,
        }
    }

    async fn pre_vote(&self, candidacy: Candidacy) -> Option<Answer> {
        self.core.pre_vote(candidacy.into()).await.ok().map(Answer::from)
    }

    async fn append(&self, from: NodeId, append: Append) -> Option<Answer> {
        let request = AppendEntriesRequest::try_from(append).ok()?;
        let prev = request.prev_log_id;
        let sent = request.entries.last().map(|entry| entry.log_id).or(prev);
        let response = self.core.append_entries(request).await.ok()?;
        let appended = Appended::of(response, prev, sent);
        self.note(from, &appended);
        Some(Answer::Appended(appended))
    }

    /// Whoever is not told of a higher ballot leads.
    fn note(&self, from: NodeId, appended: &Appended) {
        if !matches!(appended, Appended::HigherBallot(_)) {
            self.hearing.heard(from);
        }
    }

    async fn transfer(&self, leader: Ballot, to: NodeId, last: Option<Position>) -> Option<Answer> {
        let request = TransferLeaderRequest::new(leader.into(), to, last.map(LogId::from));
        let result = self.core.handle_transfer_leader(request).await.ok()?;
        Some(Answer::Transferred(result.map_err(Into::into)))
    }

    async fn serve_append(&self, from: NodeId, stream: BoxStream) -> io::Result<()> {
        let (read, write) = split(stream);
        // When the answers end, because one was a refusal, so must the requests: openraft goes on to wait for
        // them, and holds half of the stream meanwhile.
        let (_ended, end) = oneshot::channel::<()>();
        let requests = requests(from, FrameReader::new(read, FRAME_SIZE_MAX_BYTES)).take_until(end);
        let answers = self.core.stream_append(requests).fuse();
        futures::pin_mut!(answers);
        let mut writer = FrameWriter::new(write);
        while let Some(first) = answers.next().await {
            // One sync ends many appends.
            let_others_go_first().await;
            let mut next = Some(first);
            while let Some(result) = next {
                let appended = Appended::from(result.map_err(io::Error::other)?);
                self.note(from, &appended);
                writer.push(&appended);
                next = answers.next().now_or_never().flatten();
            }
            writer.flush().await?;
        }
        Ok(())
    }

    async fn serve_snapshot(&self, from: NodeId, stream: BoxStream) -> io::Result<()> {
        let mut mine = 0;
        self.snapshots.send_modify(|count| {
            *count += 1;
            mine = *count;
        });
        let mut snapshots = self.snapshots.subscribe();
        let (read, write) = split(stream);
        let received = tokio::select! {
            biased;
            _ = snapshots.wait_for(|count| *count > mine) => return Err(io::Error::other("another snapshot has begun to arrive")),
            received = snapshot::receive(read, &self.app, |ballot| ballot.candidate == from) => received?,
        };
        let installed = self.core.install_full_snapshot(received.vote, received.snapshot).await;
        let ballot = installed.map_err(io::Error::other)?.vote.into();
        // openraft passes over a snapshot of what this member has in its log already, and says so at once. The leader takes the answer for
        // all of it being on this disk, where it may still be on its way to it.
        self.log.on_disk().await?;
        let mut writer = FrameWriter::new(write);
        writer.push(&SnapshotDone { ballot });
        writer.flush().await
    }
}

/// The requests on an append stream; it ends with the first that is wrong.
fn requests(
    from: NodeId,
    reader: FrameReader<ReadHalf<BoxStream>>,
) -> impl Stream<Item = AppendEntriesRequest<TypeConfig>> + Send {
    stream::unfold(reader, move |mut reader| async move {
        let append = reader.next::<Append>().await.ok()??;
        if append.ballot.candidate != from {
            return None;
        }
        Some((append.try_into().ok()?, reader))
    })
}
