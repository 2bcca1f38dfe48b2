//! Raft's bytes without a Raft: what a frame, an entry or a snapshot says, to whoever has one at hand and no cluster.
//!
//! Everything goes through the functions that members use themselves. The fuzz targets hold them to their word by way of these.

use std::io;
use std::sync::Arc;

use ::bytes::Bytes;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::raft::AppendEntriesRequest;
use openraft::storage::RaftStateMachine;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use wire::codec::{self, FrameError};

pub use super::entry::CodecError;

use super::NodeId;
use super::application::Application;
use super::entry;
use super::failure::Failure;
use super::holds::Holds;
use super::machine::{App, Machine};
use super::message::{Answer, Append, Appended, Ask, SnapshotDone, SnapshotPart};
use super::snapshot;
use super::types::{Command, Entry, LeaderId, LogId, Payload, TypeConfig, Vote};

/// The kinds of frames that members send each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    Ask,
    Answer,
    Append,
    Appended,
    SnapshotPart,
    SnapshotDone,
}

impl Frames {
    /// Every kind there is.
    pub const ALL: [Self; 6] =
        [Self::Ask, Self::Answer, Self::Append, Self::Appended, Self::SnapshotPart, Self::SnapshotDone];

    /// Understands the body of a frame of this kind, entries included, and writes the frame anew.
    pub fn reread(self, body: &[u8]) -> Result<Vec<u8>, FrameError> {
        match self {
            Self::Ask => match codec::decode(body)? {
                Ask::Append(append) => Ok(codec::encode(&Ask::Append(reread_entries(append)?))),
                other => Ok(codec::encode(&other)),
            },
            Self::Append => Ok(codec::encode(&reread_entries(codec::decode(body)?)?)),
            Self::Answer => reread::<Answer>(body),
            Self::Appended => reread::<Appended>(body),
            Self::SnapshotPart => reread::<SnapshotPart>(body),
            Self::SnapshotDone => reread::<SnapshotDone>(body),
        }
    }
}

fn reread<T: Serialize + DeserializeOwned>(body: &[u8]) -> Result<Vec<u8>, FrameError> {
    Ok(codec::encode(&codec::decode::<T>(body)?))
}

fn reread_entries(append: Append) -> Result<Append, FrameError> {
    let request = AppendEntriesRequest::<TypeConfig>::try_from(append);
    request.map(|request| Append::from(&request)).map_err(|error| FrameError::Malformed(error.to_string()))
}

/// An entry of the log, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRead {
    pub index: u64,
    /// What it holds for the application; None where it is Raft's own business.
    pub command: Option<Bytes>,
    /// The entry as this build writes it.
    pub bytes: Vec<u8>,
}

/// Understands an entry as it lies in the log and travels.
pub fn reread_entry(bytes: &Bytes) -> Result<EntryRead, CodecError> {
    let entry = entry::decode_entry(bytes)?;
    let command = match &entry.payload {
        EntryPayload::Normal(command) => Some(command.0.clone()),
        EntryPayload::Blank | EntryPayload::Membership(_) => None,
    };
    Ok(EntryRead { index: entry.index(), command, bytes: entry::encode_entry(&entry) })
}

/// An entry of the log with a command for the application, as `leader` would write it.
pub fn write_entry(term: u64, leader: NodeId, index: u64, command: Bytes) -> Vec<u8> {
    let log_id = LogId { leader_id: LeaderId { term, node_id: leader }, index };
    entry::encode_entry(&Entry::new(log_id, Payload::Normal(Command(command))))
}

/// Writes the snapshot of the application, as `leader` sends it to a member that is behind. Within a Tokio runtime.
pub async fn write_snapshot<W>(app: Arc<dyn Application>, term: u64, leader: NodeId, into: W) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    let app = App::new(app, Failure::default());
    let (mut machine, applied) = Machine::open(app.clone(), Holds::new(0)).await?;
    let snapshot = machine.get_current_snapshot().await?.ok_or(io::ErrorKind::NotFound)?;
    snapshot::write(into, &app, applied, Vote::new_committed(term, leader), snapshot).await
}

/// Receives a snapshot that `leader` sends, and installs it if it has come whole. Within a Tokio runtime.
pub async fn install_snapshot<R>(app: Arc<dyn Application>, leader: NodeId, from: R) -> io::Result<()>
where
    R: AsyncRead + Unpin,
{
    let app = App::new(app, Failure::default());
    let (mut machine, _) = Machine::open(app.clone(), Holds::new(0)).await?;
    let received = snapshot::receive(from, &app, |ballot| ballot.candidate == leader).await?;
    machine.install_snapshot(&received.snapshot.meta, received.snapshot.snapshot).await
}
