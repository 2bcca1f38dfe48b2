//! openraft's log over an [`EntryLog`].
//!
//! What openraft awaits inside its core must not wait for the disk: of all the writes here only a vote
//! does, because nothing may be promised by it before.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::entry;
use super::failure::Failure;
use super::types::{Entry, LogId, TypeConfig, Vote};
use crate::stages::Stages;
use crate::store::StoreError;
use crate::store::log::{EntryLog, StoredEntry};

pub(super) const VOTE: &str = "vote";
pub(super) const PURGED: &str = "purged";
const COMMITTED: &str = "committed";

/// How often it is taken down what is committed: there is no need to know it better.
const COMMITTED_EVERY: Duration = Duration::from_millis(200);

/// The most that one message to a follower carries, unless a single entry is longer.
const READ_SIZE_MAX_BYTES: usize = 1024 * 1024;

/// The log, for openraft. Clones are the same log.
#[derive(Clone, Debug)]
pub(super) struct RaftLog {
    log: Arc<dyn EntryLog>,
    failure: Failure,
    /// When what is committed was last taken down.
    committed_put: Option<Instant>,
    stages: Stages,
}

impl RaftLog {
    /// Takes the log as it was left, and goes on with a purge that was cut short.
    pub(super) fn open(log: Arc<dyn EntryLog>, failure: Failure, stages: Stages) -> Result<Self, StoreError> {
        let opened = Self { log, failure, committed_put: None, stages };
        let purged = opened.read_log_id(PURGED).map_err(|_| opened.first_failure())?;
        let (first, next) = (opened.log.extent().first, purged.map_or(0, |id| id.index + 1));
        if first > next {
            let what = format!("the record of what was purged before log entry {first}");
            return Err(StoreError::Damaged { place: "the log".to_owned(), what });
        }
        if first < next {
            opened.log.purge(next);
        }
        Ok(opened)
    }

    /// Removes entries that everybody else has thrown out, where the application has others in their places.
    ///
    /// A member applies what a majority has on their disks, though its own copy may still be on its way to this one. If it dies before,
    /// what it was to throw out first is all that is in its log. What is applied is committed, so that nothing behind it of an
    /// earlier term ever was; and what is applied need not be in the log.
    pub(super) fn give_way_to(&self, applied: Option<LogId>) -> io::Result<()> {
        let (Some(last), Some(applied)) = (self.last()?, applied) else { return Ok(()) };
        if last < applied && last.index >= applied.index {
            tracing::warn!("what the log has up to {last} gives way to {applied}, which is applied");
            self.log.truncate(applied.index + 1);
            self.log.put(PURGED, entry::encode_log_id(applied), None);
            self.log.purge(applied.index + 1);
        }
        Ok(())
    }

    /// Refuses a log that has forgotten how this member voted: it takes entries of a term only after it has voted in it, on its disk. Pages
    /// of the log in others' places may be older ones of the same rows, and each row of them is whole.
    pub(super) fn check_vote(&self, applied: Option<LogId>) -> io::Result<()> {
        let term = |id: Option<LogId>| id.map_or(0, |id| id.leader_id.term);
        let newest = term(self.last()?).max(term(applied));
        let voted = self.vote()?.map_or(0, |vote| vote.leader_id.term);
        if voted >= newest {
            return Ok(());
        }
        let what = format!("the record of the vote (of term {voted}, beside entries of term {newest})");
        Err(self.failure.note(StoreError::Damaged { place: "the log".to_owned(), what }))
    }

    pub(super) fn vote(&self) -> io::Result<Option<Vote>> {
        let Some(bytes) = self.record(VOTE)? else { return Ok(None) };
        entry::decode_vote(&bytes).map(Some).map_err(|error| self.failure.note_codec(VOTE, error))
    }

    /// Returns once all that was written before this call is on the disk.
    pub(super) async fn on_disk(&self) -> io::Result<()> {
        let (sender, on_disk) = oneshot::channel();
        self.log.append(Vec::new(), Box::new(move |result| drop(sender.send(result))));
        self.told(on_disk).await
    }

    async fn told(&self, on_disk: oneshot::Receiver<Result<(), StoreError>>) -> io::Result<()> {
        match on_disk.await {
            Ok(result) => result.map_err(|error| self.failure.note(error)),
            Err(_) => Err(io::Error::other("the log's writer is gone")),
        }
    }

    /// The last entry of the log, be it purged.
    fn last(&self) -> io::Result<Option<LogId>> {
        let end = self.log.extent().end;
        match self.read(end.saturating_sub(1), end, usize::MAX)?.pop() {
            Some(last) => Ok(Some(last.log_id())),
            None => self.read_log_id(PURGED),
        }
    }

    fn first_failure(&self) -> StoreError {
        self.failure.first().cloned().expect("every error of the log is noted")
    }

    fn record(&self, key: &'static str) -> io::Result<Option<Vec<u8>>> {
        self.log.get(key).map_err(|error| self.failure.note(error))
    }

    pub(super) fn read_log_id(&self, key: &'static str) -> io::Result<Option<LogId>> {
        let Some(bytes) = self.record(key)? else { return Ok(None) };
        entry::decode_log_id(&bytes).map(Some).map_err(|error| self.failure.note_codec(key, error))
    }

    pub(super) fn read(&self, from: u64, to: u64, size_max_bytes: usize) -> io::Result<Vec<Entry>> {
        let stored = self.log.read(from..to, size_max_bytes).map_err(|error| self.failure.note(error))?;
        stored.into_iter().map(|stored| self.decode(stored)).collect()
    }

    fn decode(&self, stored: StoredEntry) -> io::Result<Entry> {
        let what = || format!("log entry {}", stored.index);
        let decoded = entry::decode_entry(&Bytes::from_owner(stored.bytes));
        let decoded = decoded.map_err(|error| self.failure.note_codec(&what(), error))?;
        if decoded.index() != stored.index {
            return Err(self.failure.note_codec(&what(), entry::CodecError::Malformed));
        }
        Ok(decoded)
    }

    /// The next entries of an entry stream; None at its end.
    fn read_on(&self, from: u64, to: u64) -> Option<io::Result<Vec<Entry>>> {
        if from >= to {
            return None;
        }
        match self.read(from, to, READ_SIZE_MAX_BYTES) {
            // What was there when the stream began is gone, though it is not applied yet.
            Ok(entries) if entries.first().map(RaftEntry::index) != Some(from) => {
                Some(Err(self.failure.note_codec(&format!("log entry {from}"), entry::CodecError::Malformed)))
            }
            result => Some(result),
        }
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(index) => *index,
        Bound::Excluded(index) => index + 1,
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(index) => index.saturating_add(1),
        Bound::Excluded(index) => *index,
        Bound::Unbounded => u64::MAX,
    };
    (from, to)
}

impl RaftLogReader<TypeConfig> for RaftLog {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> io::Result<Vec<Entry>>
    where
        RB: RangeBounds<u64> + Clone + Debug + Send,
    {
        let (from, to) = bounds(&range);
        self.read(from, to, usize::MAX)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        let entries = self.read(start, end, READ_SIZE_MAX_BYTES)?;
        // Purged in the meantime: nothing, which openraft takes for a heartbeat, rather than entries that do
        // not follow on `start`. A snapshot is next.
        let follows = entries.first().map(RaftEntry::index) == Some(start);
        Ok(if follows { entries } else { vec![] })
    }

    /// In pieces: after a long absence what is to be applied may not fit into memory.
    async fn entries_stream<RB>(&mut self, range: RB) -> impl Stream<Item = io::Result<Entry>> + Send
    where
        RB: RangeBounds<u64> + Clone + Debug + Send,
    {
        let (from, to) = bounds(&range);
        let extent = self.log.extent();
        let (log, from, to) = (self.clone(), from.max(extent.first), to.min(extent.end));
        let pieces = stream::unfold(from, move |from| {
            let piece = log.read_on(from, to);
            async move {
                piece.map(|piece| match piece {
                    Ok(entries) => {
                        let next = from + entries.len() as u64;
                        (entries.into_iter().map(Ok).collect::<Vec<_>>(), next)
                    }
                    Err(error) => (vec![Err(error)], u64::MAX),
                })
            }
        });
        pieces.flat_map(stream::iter).boxed()
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        self.vote()
    }
}

impl RaftLogStorage<TypeConfig> for RaftLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        Ok(LogState { last_purged_log_id: self.read_log_id(PURGED)?, last_log_id: self.last()? })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    /// Returns once the vote is on the disk: before that this node must not tell anybody of it.
    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let (sender, on_disk) = oneshot::channel();
        // Nobody waits any more where openraft has stopped.
        let done = Box::new(move |result| drop(sender.send(result)));
        self.log.put(VOTE, entry::encode_vote(*vote), Some(done));
        self.told(on_disk).await
    }

    /// Durable with a later write, and not each time: what is lost with it is only how much need not be asked for again.
    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let now = Instant::now();
        let is_due = self.committed_put.is_none_or(|before| now - before >= COMMITTED_EVERY);
        if let Some(committed) = committed.filter(|_| is_due) {
            self.committed_put = Some(now);
            self.log.put(COMMITTED, entry::encode_log_id(committed), None);
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        self.read_log_id(COMMITTED)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        let stored = |entry: Entry| StoredEntry { index: entry.index(), bytes: entry::encode_entry(&entry).into() };
        let stored: Vec<_> = entries.into_iter().map(stored).collect();
        let indexes = stored.first().map_or(0..0, |first| first.index..first.index + stored.len() as u64);
        let (failure, stages) = (self.failure.clone(), self.stages.clone());
        stages.appended(indexes.clone());
        let done = move |result: Result<(), StoreError>| {
            stages.persisted(indexes);
            callback.io_completed(result.map_err(|error| failure.note(error)));
        };
        self.log.append(stored, Box::new(done));
        Ok(())
    }

    /// Not waited for: the log's writer keeps the order, so no later entry is durable before this is.
    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> io::Result<()> {
        self.log.truncate(last_log_id.map_or(0, |id| id.index + 1));
        Ok(())
    }

    /// Not waited for. The record goes first: a log whose beginning is missing without it is damaged.
    async fn purge(&mut self, log_id: LogId) -> io::Result<()> {
        self.log.put(PURGED, entry::encode_log_id(log_id), None);
        self.log.purge(log_id.index + 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::{LeaderId, Payload};
    use super::*;
    use crate::store::memory::MemoryLog;

    fn at(term: u64, index: u64) -> LogId {
        LogId { leader_id: LeaderId { term, node_id: 1 }, index }
    }

    fn log(vote: Option<u64>, entry: Option<LogId>) -> RaftLog {
        let log = MemoryLog::new();
        if let Some(term) = vote {
            let vote = Vote { leader_id: LeaderId { term, node_id: 1 }, committed: true };
            log.put(VOTE, entry::encode_vote(vote), None);
        }
        if let Some(id) = entry {
            let bytes = entry::encode_entry(&Entry::new(id, Payload::Blank)).into();
            log.append(vec![StoredEntry { index: id.index, bytes }], Box::new(|_| {}));
        }
        RaftLog::open(log, Failure::default(), Stages::default()).unwrap()
    }

    #[test]
    fn a_log_without_the_vote_that_its_entries_needed_is_refused() {
        let refused = |vote, entry, applied: Option<LogId>| log(vote, entry).check_vote(applied).is_err();
        assert!(!refused(None, None, None), "nothing has been there");
        assert!(
            !refused(None, Some(at(0, 0)), Some(at(0, 0))),
            "founders write the first entry before anybody is elected"
        );
        assert!(!refused(Some(3), Some(at(3, 0)), Some(at(2, 0))));
        assert!(refused(None, Some(at(3, 0)), None));
        assert!(refused(Some(2), Some(at(3, 0)), None), "an older vote");
        assert!(refused(None, None, Some(at(3, 0))), "the state has what the log has forgotten");
        assert!(refused(Some(2), Some(at(2, 0)), Some(at(3, 0))));
    }
}
