//! What members say to each other, as frames. openraft's own structs never travel.

use std::borrow::Cow;

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, StreamAppendError, TransferLeaderError, TransferLeaderRequest,
    VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};

use super::NodeId;
use super::entry::{self, Ballot, CodecError, Position};
use super::types::{LogId, TypeConfig};
use crate::store::state::{Row as StateRow, Table};

/// The longest frame. Entries for a follower stop at 1 MiB, but one of them may be as long as the longest
/// command, which came in a frame between peers.
pub(super) const FRAME_SIZE_MAX_BYTES: usize = 2 * wire::peer::PEER_FRAME_SIZE_MAX_BYTES;

/// On the control stream: small, and answered in any order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    Vote(Candidacy),
    PreVote(Candidacy),
    Append(Append),
    Transfer { leader: Ballot, to: NodeId, last: Option<Position> },
}

/// The answer to an [`Ask`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Voted {
        ballot: Ballot,
        granted: bool,
        last: Option<Position>,
    },
    Appended(Appended),
    Transferred(Result<(), TransferRefused>),
    /// Raft has stopped there, or it was asked something that makes no sense.
    Unable,
}

/// Somebody wants to lead.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Candidacy {
    pub(super) ballot: Ballot,
    last: Option<Position>,
    transfer: bool,
}

/// Entries from the leader; without any, a heartbeat. On the append stream they are answered in order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Append {
    pub(super) ballot: Ballot,
    prev: Option<Position>,
    commit: Option<Position>,
    /// As they lie in the log.
    entries: Vec<Bytes>,
}

/// How far a follower's log matches now.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Appended {
    Matching(Option<Position>),
    Conflict(Option<Position>),
    HigherBallot(Ballot),
}

/// Why a node does not take over the lead.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum TransferRefused {
    BallotChanged { expected: Ballot, actual: Ballot },
    NotOnDisk { expected: Option<Position>, actual: Option<Position> },
}

/// On the snapshot stream, in this order: one `Begin`, many `Rows`, one `End`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum SnapshotPart {
    /// `applied` as the application keeps it.
    Begin {
        ballot: Ballot,
        applied: Bytes,
    },
    /// `hash`: of the beginning and all rows so far.
    Rows {
        rows: Vec<Row>,
        hash: [u8; 32],
    },
    End {
        count: u64,
        hash: [u8; 32],
    },
}

/// The end of a snapshot stream: installed, or refused for the receiver's higher ballot.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SnapshotDone {
    pub(super) ballot: Ballot,
}

/// A row of a snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    table: Cow<'static, str>,
    key: Bytes,
    value: Bytes,
}

/// The running hash over a snapshot: its beginning, and its rows.
#[derive(Debug)]
pub(super) struct RowsHash {
    hasher: blake3::Hasher,
    pub(super) count: u64,
    /// Kept from one call to the next, so that not each takes memory anew.
    laid_out: Vec<u8>,
}

impl RowsHash {
    /// Begins with the `Begin`: rows that are installed as of another place in the log are as wrong as other rows.
    pub(super) fn after(begin: &SnapshotPart) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&wire::codec::encode(begin));
        Self { hasher, count: 0, laid_out: Vec::new() }
    }

    /// Adds rows; returns the hash of all so far.
    pub(super) fn add(&mut self, rows: &[Row]) -> [u8; 32] {
        // Laid out first: given in one piece, it is hashed many blocks at a time.
        self.laid_out.clear();
        for row in rows {
            for part in [row.table.as_bytes(), &row.key, &row.value] {
                self.laid_out.extend((part.len() as u64).to_be_bytes());
                self.laid_out.extend_from_slice(part);
            }
        }
        self.hasher.update(&self.laid_out);
        self.count += rows.len() as u64;
        *self.hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
impl Row {
    pub(super) fn new(table: &str, key: Bytes, value: Bytes) -> Self {
        Self { table: table.to_owned().into(), key, value }
    }
}

impl From<(Table, StateRow)> for Row {
    fn from((table, (key, value)): (Table, StateRow)) -> Self {
        Self { table: table.0.into(), key: key.into(), value: value.into() }
    }
}

impl From<Row> for (String, StateRow) {
    fn from(row: Row) -> Self {
        (row.table.into_owned(), (row.key.into(), row.value.into()))
    }
}

impl From<VoteRequest<TypeConfig>> for Candidacy {
    fn from(request: VoteRequest<TypeConfig>) -> Self {
        Self {
            ballot: request.vote.into(),
            last: request.last_log_id.map(Position::from),
            transfer: request.leadership_transfer,
        }
    }
}

impl From<Candidacy> for VoteRequest<TypeConfig> {
    fn from(candidacy: Candidacy) -> Self {
        let mut request = Self::new(candidacy.ballot.into(), candidacy.last.map(LogId::from));
        request.leadership_transfer = candidacy.transfer;
        request
    }
}

impl From<VoteResponse<TypeConfig>> for Answer {
    fn from(response: VoteResponse<TypeConfig>) -> Self {
        Self::Voted {
            ballot: response.vote.into(),
            granted: response.vote_granted,
            last: response.last_log_id.map(Position::from),
        }
    }
}

impl From<&AppendEntriesRequest<TypeConfig>> for Append {
    fn from(request: &AppendEntriesRequest<TypeConfig>) -> Self {
        Self {
            ballot: request.vote.into(),
            prev: request.prev_log_id.map(Position::from),
            commit: request.leader_commit.map(Position::from),
            entries: request.entries.iter().map(|entry| entry::encode_entry(entry).into()).collect(),
        }
    }
}

impl TryFrom<Append> for AppendEntriesRequest<TypeConfig> {
    type Error = CodecError;

    fn try_from(append: Append) -> Result<Self, CodecError> {
        Ok(Self {
            vote: append.ballot.into(),
            prev_log_id: append.prev.map(LogId::from),
            leader_commit: append.commit.map(LogId::from),
            entries: append.entries.iter().map(entry::decode_entry).collect::<Result<_, _>>()?,
        })
    }
}

/// openraft's answer to one append of a stream.
pub(super) type StreamAppendResult = openraft::raft::StreamAppendResult<TypeConfig>;

impl From<StreamAppendResult> for Appended {
    fn from(result: StreamAppendResult) -> Self {
        match result {
            Ok(matching) => Self::Matching(matching.map(Position::from)),
            Err(StreamAppendError::Conflict(at)) => Self::Conflict(Some(at.into())),
            Err(StreamAppendError::HigherVote(vote)) => Self::HigherBallot(vote.into()),
        }
    }
}

impl Appended {
    /// What a single append came to, where `sent` is the last position it would have matched up to.
    pub(super) fn of(response: AppendEntriesResponse<TypeConfig>, prev: Option<LogId>, sent: Option<LogId>) -> Self {
        match response {
            AppendEntriesResponse::Success => Self::Matching(sent.map(Position::from)),
            AppendEntriesResponse::PartialSuccess(matching) => Self::Matching(matching.map(Position::from)),
            AppendEntriesResponse::Conflict => Self::Conflict(prev.map(Position::from)),
            AppendEntriesResponse::HigherVote(vote) => Self::HigherBallot(vote.into()),
        }
    }

    /// For openraft's stream; None where a conflict names no position, which none does.
    pub(super) fn into_result(self) -> Option<StreamAppendResult> {
        match self {
            Self::Matching(matching) => Some(Ok(matching.map(LogId::from))),
            Self::Conflict(at) => at.map(|at| Err(StreamAppendError::Conflict(at.into()))),
            Self::HigherBallot(ballot) => Some(Err(StreamAppendError::HigherVote(ballot.into()))),
        }
    }

    /// For openraft's single append.
    pub(super) fn into_response(self) -> AppendEntriesResponse<TypeConfig> {
        match self {
            Self::Matching(matching) => AppendEntriesResponse::PartialSuccess(matching.map(LogId::from)),
            Self::Conflict(_) => AppendEntriesResponse::Conflict,
            Self::HigherBallot(ballot) => AppendEntriesResponse::HigherVote(ballot.into()),
        }
    }
}

impl From<&TransferLeaderRequest<TypeConfig>> for Ask {
    fn from(request: &TransferLeaderRequest<TypeConfig>) -> Self {
        Self::Transfer {
            leader: (*request.from_leader()).into(),
            to: *request.to_node_id(),
            last: request.last_log_id().map(|id| Position::from(*id)),
        }
    }
}

impl From<TransferLeaderError<TypeConfig>> for TransferRefused {
    fn from(error: TransferLeaderError<TypeConfig>) -> Self {
        match error {
            TransferLeaderError::VoteChanged { expected, actual } => {
                Self::BallotChanged { expected: expected.into(), actual: actual.into() }
            }
            TransferLeaderError::LogNotFlushed { expected, actual } => {
                Self::NotOnDisk { expected: expected.map(Position::from), actual: actual.map(Position::from) }
            }
        }
    }
}

impl From<TransferRefused> for TransferLeaderError<TypeConfig> {
    fn from(refused: TransferRefused) -> Self {
        match refused {
            TransferRefused::BallotChanged { expected, actual } => {
                Self::VoteChanged { expected: expected.into(), actual: actual.into() }
            }
            TransferRefused::NotOnDisk { expected, actual } => {
                Self::LogNotFlushed { expected: expected.map(LogId::from), actual: actual.map(LogId::from) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! The bytes of every frame, as they were when it was first released (`golden/v1/raft_*.hex`), the way `wire` keeps its own:
    //! `FIVE9S_GOLDEN=write cargo test -p node --lib raft::message` writes new ones; then read the difference.

    use std::path::Path;

    use super::super::bytes::{Frames, write_entry};
    use super::super::types::{LeaderId, Vote};
    use super::*;

    fn position(index: u64) -> Position {
        LogId { leader_id: LeaderId { term: 3, node_id: 2 }, index }.into()
    }

    fn ballot() -> Ballot {
        Vote::new_committed(3, 2).into()
    }

    fn candidacy(transfer: bool) -> Candidacy {
        Candidacy { ballot: ballot(), last: Some(position(300)), transfer }
    }

    fn append() -> Append {
        let entry = write_entry(3, 2, 301, Bytes::from_static(b"command"));
        Append { ballot: ballot(), prev: Some(position(300)), commit: None, entries: vec![entry.into()] }
    }

    fn rows() -> Vec<Row> {
        vec![Row::new("accounts", Bytes::from_static(b"key"), Bytes::from_static(b"value"))]
    }

    fn samples(of: Frames) -> Vec<Vec<u8>> {
        match of {
            Frames::Ask => written(&[
                Ask::Vote(candidacy(false)),
                Ask::PreVote(candidacy(true)),
                Ask::Append(append()),
                Ask::Transfer { leader: ballot(), to: 5, last: None },
            ]),
            Frames::Answer => written(&[
                Answer::Voted { ballot: ballot(), granted: true, last: Some(position(300)) },
                Answer::Appended(Appended::Conflict(Some(position(7)))),
                Answer::Transferred(Ok(())),
                Answer::Transferred(Err(TransferRefused::BallotChanged { expected: ballot(), actual: ballot() })),
                Answer::Transferred(Err(TransferRefused::NotOnDisk { expected: None, actual: Some(position(7)) })),
                Answer::Unable,
            ]),
            Frames::Append => written(&[append()]),
            Frames::Appended => written(&[
                Appended::Matching(None),
                Appended::Conflict(Some(position(7))),
                Appended::HigherBallot(ballot()),
            ]),
            Frames::SnapshotPart => written(&snapshot()),
            Frames::SnapshotDone => written(&[SnapshotDone { ballot: ballot() }]),
        }
    }

    fn snapshot() -> [SnapshotPart; 3] {
        let begin = SnapshotPart::Begin { ballot: ballot(), applied: entry::Applied::default().encode().into() };
        let hash = RowsHash::after(&begin).add(&rows());
        [begin, SnapshotPart::Rows { rows: rows(), hash }, SnapshotPart::End { count: 1, hash }]
    }

    fn written<T: Serialize>(samples: &[T]) -> Vec<Vec<u8>> {
        samples.iter().map(wire::codec::encode).collect()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_bytes_of_frames_never_change() {
        for frames in Frames::ALL {
            let samples = samples(frames);
            let lines: String = samples.iter().map(|frame| format!("{frames:?} {}\n", hex(frame))).collect();
            let file = format!("golden/v1/raft_{frames:?}.hex").to_lowercase();
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
            if std::env::var("FIVE9S_GOLDEN").is_ok_and(|what| what == "write") {
                std::fs::write(&path, &lines).unwrap();
            }
            let known = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(known, lines, "{file} has other bytes than this build writes");
            for frame in samples {
                assert_eq!(
                    frames.reread(&frame[4..]).unwrap(),
                    frame,
                    "{frames:?} is not understood as it was written"
                );
            }
        }
    }
}
