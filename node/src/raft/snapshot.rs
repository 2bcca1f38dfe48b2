//! Snapshots between two members: logical rows, hashed as they go, so that a snapshot that arrives is the one
//! that was sent, to the byte, or nothing.

use std::io;
use std::time::Duration;

use openraft::raft::SnapshotResponse;
use openraft::storage::Snapshot;
use tokio::io::split;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use wire::BoxStream;
use wire::codec::{FrameReader, FrameWriter};

use super::Peer;
use super::application::{SnapshotRead, SnapshotWrite};
use super::entry::{Applied, Ballot, CodecError};
use super::machine::{App, Rows};
use super::message::{FRAME_SIZE_MAX_BYTES, RowsHash, SnapshotDone, SnapshotPart};
use super::types::{LeaderId, SnapshotMeta, TypeConfig, Vote};

/// A snapshot with its rows.
pub(super) type RaftSnapshot = Snapshot<LeaderId, u64, Peer, Rows>;

/// How long either side waits for the other to take or send the next part.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// While entries are applied, a chunk is followed by a pause as long as it took: whoever waits for these is not to wait much longer because
/// a member catches up. This is the longest; a chunk takes milliseconds, unless the other end stands still.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// For so long after an entry was applied more are expected.
const BUSY_FOR: Duration = Duration::from_millis(100);

/// Sends the snapshot and waits until it is installed. `applied` is how far this member has applied its log.
pub(super) async fn send(
    stream: BoxStream,
    app: &App,
    applied: watch::Receiver<u64>,
    vote: Vote,
    snapshot: RaftSnapshot,
) -> io::Result<SnapshotResponse<TypeConfig>> {
    let (read, stream) = split(stream);
    write(stream, app, applied, vote, snapshot).await?;
    let mut reader = FrameReader::new(read, FRAME_SIZE_MAX_BYTES);
    // Unhurried: to install is to sync all of it.
    let done = timeout(PATIENCE, reader.next::<SnapshotDone>()).await?.map_err(io::Error::other)?;
    let done = done.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(SnapshotResponse::new(done.ballot.into()))
}

/// Writes the snapshot, from its first part to its last.
pub(super) async fn write<W>(
    stream: W,
    app: &App,
    applied: watch::Receiver<u64>,
    vote: Vote,
    snapshot: RaftSnapshot,
) -> io::Result<()>
where
    W: tokio::io::AsyncWrite + Unpin,
{
    let begin = SnapshotPart::Begin { ballot: vote.into(), applied: Applied::from(&snapshot.meta).encode().into() };
    let mut sender = Sender { writer: FrameWriter::new(stream), hash: RowsHash::after(&begin), applied };
    sender.send(&begin).await?;
    let Rows::Read(rows) = snapshot.snapshot else {
        return Err(io::Error::other("a snapshot without rows was to be sent"));
    };
    sender.send_rows(app, rows).await
}

struct Sender<W> {
    writer: FrameWriter<W>,
    hash: RowsHash,
    applied: watch::Receiver<u64>,
}

impl<W: tokio::io::AsyncWrite + Unpin> Sender<W> {
    async fn send_rows(&mut self, app: &App, mut rows: Box<dyn SnapshotRead>) -> io::Result<()> {
        let mut busy_until = Instant::now();
        loop {
            let began = Instant::now();
            let (chunk, rest) = app.read_rows(rows).await?;
            rows = rest;
            let hash = self.hash.add(&chunk);
            if chunk.is_empty() {
                return self.send(&SnapshotPart::End { count: self.hash.count, hash }).await;
            }
            self.send(&SnapshotPart::Rows { rows: chunk, hash }).await?;
            if self.applied.has_changed().unwrap_or(false) {
                self.applied.mark_unchanged();
                busy_until = Instant::now() + BUSY_FOR;
            }
            if Instant::now() < busy_until {
                sleep(began.elapsed().min(PAUSE_MAX)).await;
            }
        }
    }

    async fn send(&mut self, part: &SnapshotPart) -> io::Result<()> {
        self.writer.push(part);
        timeout(PATIENCE, self.writer.flush()).await?
    }
}

/// A snapshot that has arrived whole, and whose it is.
pub(super) struct Received {
    pub(super) vote: Vote,
    pub(super) snapshot: RaftSnapshot,
}

/// Receives a snapshot. Whatever is wrong with it, or if this is dropped, nothing of it stays.
pub(super) async fn receive<R>(reader: R, app: &App, leads: impl Fn(Ballot) -> bool) -> io::Result<Received>
where
    R: tokio::io::AsyncRead + Unpin,
{
    let mut reader = FrameReader::new(reader, FRAME_SIZE_MAX_BYTES);
    let begin = next(&mut reader).await?;
    let hash = RowsHash::after(&begin);
    let SnapshotPart::Begin { ballot, applied } = begin else { return Err(wrong()) };
    if !leads(ballot) {
        return Err(wrong());
    }
    let meta: SnapshotMeta = Applied::decode(&applied).map_err(|_: CodecError| wrong())?.into();
    let received = receive_rows(&mut reader, app, hash).await?;
    Ok(Received { vote: ballot.into(), snapshot: Snapshot { meta, snapshot: Rows::Received(received) } })
}

async fn receive_rows<R>(
    reader: &mut FrameReader<R>,
    app: &App,
    mut hash: RowsHash,
) -> io::Result<Box<dyn SnapshotWrite>>
where
    R: tokio::io::AsyncRead + Unpin,
{
    let mut received = app.receive().await?;
    loop {
        match next(reader).await? {
            SnapshotPart::Begin { .. } => return Err(wrong()),
            SnapshotPart::Rows { rows, hash: sent } => {
                if hash.add(&rows) != sent {
                    return Err(wrong());
                }
                received = app.write_rows(received, rows).await?;
            }
            SnapshotPart::End { count, hash: sent } => {
                let whole = count == hash.count && hash.add(&[]) == sent;
                return if whole { Ok(received) } else { Err(wrong()) };
            }
        }
    }
}

async fn next<R: tokio::io::AsyncRead + Unpin>(reader: &mut FrameReader<R>) -> io::Result<SnapshotPart> {
    let part = timeout(PATIENCE, reader.next()).await?.map_err(io::Error::other)?;
    part.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn wrong() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the snapshot is not what was sent")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use tokio::io::AsyncReadExt as _;

    use super::super::failure::Failure;
    use super::super::message::Row;
    use super::super::toy::{TABLES, Toy};
    use super::super::types::LogId;
    use super::*;
    use crate::store::StoreError;
    use crate::store::memory::MemoryState;
    use crate::store::state::{Row as StateRow, Table};

    fn rows(keys: &[&str]) -> Vec<Row> {
        let row = |key: &&str| Row::new("commands", Bytes::from(key.to_string()), Bytes::from_static(b"v"));
        keys.iter().map(row).collect()
    }

    fn applied() -> Bytes {
        let log_id = LogId { leader_id: LeaderId { term: 1, node_id: 1 }, index: 9 };
        Applied { log_id: Some(log_id), ..Applied::default() }.encode().into()
    }

    /// What the receiver makes of these parts.
    async fn receive_parts(parts: impl IntoIterator<Item = SnapshotPart>) -> (io::Result<Received>, Arc<Toy>) {
        let toy = Toy::new(MemoryState::new(TABLES));
        let app = App::new(toy.clone(), Failure::default());
        let sent = parts.into_iter().flat_map(|part| wire::codec::encode(&part)).collect::<Vec<_>>();
        (receive(&sent[..], &app, |ballot| ballot.candidate == 1).await, toy)
    }

    fn parts() -> Vec<SnapshotPart> {
        let begin = SnapshotPart::Begin { ballot: Vote::new_committed(1, 1).into(), applied: applied() };
        let mut hash = RowsHash::after(&begin);
        let mut parts = vec![begin];
        for keys in [&["a", "b"][..], &["c"]] {
            parts.push(SnapshotPart::Rows { hash: hash.add(&rows(keys)), rows: rows(keys) });
        }
        parts.push(SnapshotPart::End { count: hash.count, hash: hash.add(&[]) });
        parts
    }

    #[tokio::test]
    async fn a_whole_snapshot_is_taken_and_nothing_changes_before_it_is_installed() {
        let (received, toy) = receive_parts(parts()).await;
        assert_eq!(received.unwrap().snapshot.meta.last_log_id.map(|id| id.index), Some(9));
        assert!(toy.commands().is_empty());
    }

    #[tokio::test]
    async fn a_snapshot_that_is_not_what_was_sent_is_refused() {
        let whole = parts().len();
        for missing in 0..whole {
            let mut parts = parts();
            parts.remove(missing);
            assert!(receive_parts(parts).await.0.is_err(), "part {missing} is missing");
        }
        let mut tampered = parts();
        let SnapshotPart::Rows { rows: found, .. } = &mut tampered[2] else { panic!("the third part has rows") };
        *found = rows(&["d"]);
        assert!(receive_parts(tampered).await.0.is_err());
        let mut elsewhere = parts();
        let log_id = LogId { leader_id: LeaderId { term: 1, node_id: 1 }, index: 10 };
        let applied = Applied { log_id: Some(log_id), ..Applied::default() }.encode().into();
        elsewhere[0] = SnapshotPart::Begin { ballot: Vote::new_committed(1, 1).into(), applied };
        assert!(receive_parts(elsewhere).await.0.is_err(), "the same rows as of another place in the log");
        let mut swapped = parts();
        swapped.swap(1, 2);
        assert!(receive_parts(swapped).await.0.is_err());
    }

    #[tokio::test]
    async fn a_snapshot_of_anybody_but_the_leader_is_refused() {
        let mut foreign = parts();
        foreign[0] = SnapshotPart::Begin { ballot: Vote::new_committed(1, 2).into(), applied: applied() };
        assert!(receive_parts(foreign).await.0.is_err());
    }

    /// So many chunks of a row each.
    struct Chunks(u32);

    impl SnapshotRead for Chunks {
        fn next(&mut self, _size_max_bytes: usize) -> Result<Vec<(Table, StateRow)>, StoreError> {
            let Some(left) = self.0.checked_sub(1) else { return Ok(Vec::new()) };
            self.0 = left;
            Ok(vec![(TABLES[0], (left.to_be_bytes().to_vec(), vec![7; 1_000]))])
        }
    }

    /// How long twenty chunks take to a member that takes one in 10 ms, while an entry is applied each 50 ms or none is.
    async fn twenty_chunks(entries: bool) -> Duration {
        let (stream, mut slow) = tokio::io::duplex(64);
        tokio::spawn(async move {
            let mut chunk = [0; 1_000];
            while slow.read_exact(&mut chunk).await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        });
        let (progress, applied) = watch::channel(1);
        let _entries = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                sleep(Duration::from_millis(50)).await;
                progress.send_if_modified(|_| entries);
            }
        }));
        let app = App::new(Toy::new(MemoryState::new(TABLES)), Failure::default());
        let snapshot = Snapshot { meta: Applied::default().into(), snapshot: Rows::Read(Box::new(Chunks(20))) };
        let began = Instant::now();
        write(stream, &app, applied, Vote::new_committed(1, 1), snapshot).await.unwrap();
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_snapshot_leaves_half_of_the_time_to_entries_where_there_are_any() {
        let (alone, beside) = (twenty_chunks(false).await, twenty_chunks(true).await);
        assert!(beside > alone * 3 / 2, "{beside:?} beside entries, {alone:?} without");
        assert!(beside < alone * 5 / 2, "{beside:?} beside entries, {alone:?} without");
    }
}
