//! What a log holds, and how far Raft knows the application to be, for whoever looks at them while no member runs on them.

use std::sync::Arc;

use bytes::Bytes;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;

use super::NodeId;
use super::application::Application;
use super::entry;
use super::failure::Failure;
use super::log::{PURGED, RaftLog, VOTE};
use super::types::{Command, Entry, LogId};
use crate::stages::Stages;
use crate::store::StoreError;
use crate::store::log::EntryLog;

/// Where an entry stands, and under whom it was put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub term: u64,
    pub leader: NodeId,
    pub index: u64,
}

/// An entry; `command` None for those that are Raft's own business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    pub place: Place,
    pub command: Option<Bytes>,
}

/// What a log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The term that the node has voted in, and for whom.
    pub vote: Option<(u64, NodeId)>,
    /// The last entry that is not kept any more.
    pub purged: Option<Place>,
    /// All that are kept, without a hole.
    pub entries: Vec<Logged>,
}

/// Whether a member has ever written to this log.
pub fn is_used(log: &dyn EntryLog) -> Result<bool, StoreError> {
    Ok(log.extent().end > 0 || log.get(VOTE)?.is_some())
}

/// How far Raft takes the application to have come, by the record that the application keeps for it. It may have come further.
pub fn applied(app: &dyn Application) -> Result<Option<Place>, StoreError> {
    Ok(last_applied(app)?.map(place))
}

fn last_applied(app: &dyn Application) -> Result<Option<LogId>, StoreError> {
    let Some(bytes) = app.applied()? else { return Ok(None) };
    let damaged =
        |_| StoreError::Damaged { place: "the state".to_owned(), what: "the record of what was applied".to_owned() };
    Ok(entry::Applied::decode(&bytes).map_err(damaged)?.log_id)
}

/// Reads and checks all of a log, as a member does that starts on it and on this application; what has to give way in it is removed.
pub fn inspect(log: Arc<dyn EntryLog>, app: &dyn Application) -> Result<Contents, StoreError> {
    let (failure, applied) = (Failure::default(), last_applied(app)?);
    let read = || -> std::io::Result<Option<Contents>> {
        let Ok(opened) = RaftLog::open(Arc::clone(&log), failure.clone(), Stages::default()) else { return Ok(None) };
        opened.check_vote(applied)?;
        opened.give_way_to(applied)?;
        let vote = opened.vote()?;
        let purged = opened.read_log_id(PURGED)?.map(place);
        let extent = log.extent();
        let entries = opened.read(extent.first, extent.end, usize::MAX)?;
        let vote = vote.map(|vote| (vote.leader_id.term, vote.leader_id.node_id));
        Ok(Some(Contents { vote, purged, entries: entries.into_iter().map(logged).collect() }))
    };
    match read() {
        Ok(Some(contents)) => Ok(contents),
        _ => Err(failure.first().cloned().expect("every error of the log is noted")),
    }
}

fn place(id: LogId) -> Place {
    Place { term: id.leader_id.term, leader: id.leader_id.node_id, index: id.index }
}

fn logged(entry: Entry) -> Logged {
    let place = place(entry.log_id());
    let command = match entry.payload {
        EntryPayload::Normal(Command(bytes)) => Some(bytes),
        EntryPayload::Blank | EntryPayload::Membership(_) => None,
    };
    Logged { place, command }
}
