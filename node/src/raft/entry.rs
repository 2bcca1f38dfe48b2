//! How entries, votes and memberships lie on the disk and travel: our own encoding, which stays the same
//! whatever openraft does to its structs. The first byte is the version of all of it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::types::{Command, Entry, LeaderId, LogId, Membership, Payload, StoredMembership, Vote};
use super::{NodeId, Peer};

const VERSION: u8 = 1;

/// Bytes that are not what they should be. They passed their checksum, so this is a newer version, or a
/// fault in a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error("version {0} is newer than this program")]
    Newer(u8),
    #[error("it cannot be understood")]
    Malformed,
}

impl CodecError {
    pub(super) const KNOWN: u8 = VERSION;
}

/// An entry's place in the log, and under whom it was put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    term: u64,
    leader: NodeId,
    index: u64,
}

/// For whom a node has voted, and whether that one leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ballot {
    term: u64,
    pub(super) candidate: NodeId,
    committed: bool,
}

/// The members: one set of voters, or two during a change, and everybody's peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Members {
    voters: Vec<BTreeSet<NodeId>>,
    peers: BTreeMap<NodeId, Peer>,
}

/// How far the application has come: kept by it, in the transaction that got it there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) log_id: Option<LogId>,
    pub(super) membership: StoredMembership,
}

#[derive(Serialize, Deserialize)]
struct StoredApplied {
    position: Option<Position>,
    members_at: Option<Position>,
    members: Members,
}

/// The most that precedes a command, version included: three numbers of up to ten bytes, and what it is.
const HEAD_SIZE_BYTES: usize = 32;

/// What precedes a command; the command itself is the rest of the entry.
#[derive(Serialize, Deserialize)]
struct Head {
    position: Position,
    content: Content,
}

#[derive(Serialize, Deserialize)]
enum Content {
    Blank,
    Command,
    Members(Members),
}

impl From<LogId> for Position {
    fn from(id: LogId) -> Self {
        Self { term: id.leader_id.term, leader: id.leader_id.node_id, index: id.index }
    }
}

impl From<Position> for LogId {
    fn from(position: Position) -> Self {
        let leader_id = LeaderId { term: position.term, node_id: position.leader };
        Self { leader_id, index: position.index }
    }
}

impl From<Vote> for Ballot {
    fn from(vote: Vote) -> Self {
        Self { term: vote.leader_id.term, candidate: vote.leader_id.node_id, committed: vote.committed }
    }
}

impl From<Ballot> for Vote {
    fn from(ballot: Ballot) -> Self {
        let leader_id = LeaderId { term: ballot.term, node_id: ballot.candidate };
        Self { leader_id, committed: ballot.committed }
    }
}

impl From<&Membership> for Members {
    fn from(membership: &Membership) -> Self {
        let peers = membership.nodes().map(|(id, peer)| (*id, *peer)).collect();
        Self { voters: membership.get_joint_config().clone(), peers }
    }
}

impl TryFrom<Members> for Membership {
    type Error = CodecError;

    fn try_from(members: Members) -> Result<Self, CodecError> {
        // The membership before the first has no voters at all, which openraft's constructor refuses.
        if members == Members::default() {
            return Ok(Self::default());
        }
        Self::new(members.voters, members.peers).map_err(|_| CodecError::Malformed)
    }
}

/// An entry in bytes.
pub(super) fn encode_entry(entry: &Entry) -> Vec<u8> {
    let (content, command) = match &entry.payload {
        EntryPayload::Blank => (Content::Blank, &[][..]),
        EntryPayload::Normal(Command(bytes)) => (Content::Command, &bytes[..]),
        EntryPayload::Membership(membership) => (Content::Members(membership.into()), &[][..]),
    };
    let mut bytes = encode_onto(
        Vec::with_capacity(HEAD_SIZE_BYTES + command.len()),
        &Head { position: entry.log_id().into(), content },
    );
    bytes.extend_from_slice(command);
    bytes
}

/// The entry in the bytes, which its command goes on sharing.
pub(super) fn decode_entry(bytes: &Bytes) -> Result<Entry, CodecError> {
    let (head, rest) = postcard::take_from_bytes::<Head>(body(bytes)?).map_err(|_| CodecError::Malformed)?;
    let payload = match head.content {
        Content::Command => Payload::Normal(Command(bytes.slice_ref(rest))),
        _ if !rest.is_empty() => return Err(CodecError::Malformed),
        Content::Blank => Payload::Blank,
        Content::Members(members) => Payload::Membership(members.try_into()?),
    };
    Ok(Entry::new(head.position.into(), payload))
}

/// A log id as a record.
pub(super) fn encode_log_id(id: LogId) -> Vec<u8> {
    encode(&Position::from(id))
}

pub(super) fn decode_log_id(bytes: &[u8]) -> Result<LogId, CodecError> {
    decode::<Position>(bytes).map(LogId::from)
}

/// A vote as a record.
pub(super) fn encode_vote(vote: Vote) -> Vec<u8> {
    encode(&Ballot::from(vote))
}

pub(super) fn decode_vote(bytes: &[u8]) -> Result<Vote, CodecError> {
    decode::<Ballot>(bytes).map(Vote::from)
}

impl Applied {
    /// As the application keeps it.
    pub(super) fn encode(&self) -> Vec<u8> {
        encode(&StoredApplied {
            position: self.log_id.map(Position::from),
            members_at: self.membership.log_id().map(Position::from),
            members: self.membership.membership().into(),
        })
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let stored = decode::<StoredApplied>(bytes)?;
        let members_at = stored.members_at.map(LogId::from);
        let membership = StoredMembership::new(members_at, stored.members.try_into()?);
        Ok(Self { log_id: stored.position.map(LogId::from), membership })
    }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    encode_onto(Vec::new(), value)
}

fn encode_onto<T: Serialize>(mut bytes: Vec<u8>, value: &T) -> Vec<u8> {
    bytes.push(VERSION);
    postcard::to_extend(value, bytes).expect("these types have no value that postcard refuses")
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match postcard::take_from_bytes(body(bytes)?) {
        Ok((value, [])) => Ok(value),
        _ => Err(CodecError::Malformed),
    }
}

fn body(bytes: &[u8]) -> Result<&[u8], CodecError> {
    match bytes.split_first() {
        Some((&VERSION, body)) => Ok(body),
        Some((&version, _)) if version > VERSION => Err(CodecError::Newer(version)),
        _ => Err(CodecError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use wire::PeerId;
    use wire::peer::StoreId;

    use super::*;

    fn log_id(index: u64) -> LogId {
        LogId { leader_id: LeaderId { term: 3, node_id: 2 }, index }
    }

    fn membership() -> Membership {
        let peer = |n: u8| Peer { peer: PeerId([n; 32]), store: StoreId([n; 16]) };
        let voters = vec![BTreeSet::from([1]), BTreeSet::from([1, 2])];
        Membership::new(voters, BTreeMap::from([(1, peer(1)), (2, peer(2)), (9, peer(9))])).unwrap()
    }

    fn entries() -> [Entry; 3] {
        [
            Entry::new(log_id(7), Payload::Blank),
            Entry::new(log_id(8), Payload::Normal(Command(Bytes::from_static(b"command")))),
            Entry::new(log_id(300), Payload::Membership(membership())),
        ]
    }

    #[test]
    fn entries_come_back_as_they_were() {
        for entry in entries() {
            let bytes = Bytes::from(encode_entry(&entry));
            assert_eq!(decode_entry(&bytes), Ok(entry));
        }
    }

    #[test]
    fn records_come_back_as_they_were() {
        assert_eq!(decode_log_id(&encode_log_id(log_id(70_000))), Ok(log_id(70_000)));
        for vote in [Vote::new(5, 1), Vote::new_committed(6, 2)] {
            assert_eq!(decode_vote(&encode_vote(vote)), Ok(vote));
        }
        let membership = StoredMembership::new(Some(log_id(6)), membership());
        for applied in [Applied::default(), Applied { log_id: Some(log_id(8)), membership }] {
            assert_eq!(Applied::decode(&applied.encode()), Ok(applied));
        }
    }

    #[test]
    fn the_bytes_never_change() {
        let [blank, command, members] = entries().map(|entry| encode_entry(&entry));
        assert_eq!(blank, [1, 3, 2, 7, 0]);
        assert_eq!(command, b"\x01\x03\x02\x08\x01command");
        let peer = |n: u8| [vec![n], vec![n; 48]].concat();
        let head = vec![1, 3, 2, 0xac, 2, 2, 2, 1, 1, 2, 1, 2, 3];
        assert_eq!(members, [head, peer(1), peer(2), peer(9)].concat());
        assert_eq!(encode_vote(Vote::new_committed(3, 2)), [1, 3, 2, 1]);
        assert_eq!(encode_log_id(log_id(9)), [1, 3, 2, 9]);
        let applied = Applied { log_id: Some(log_id(9)), membership: StoredMembership::default() };
        assert_eq!(applied.encode(), [1, 1, 3, 2, 9, 0, 0, 0]);
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        let [blank, ..] = entries().map(|entry| encode_entry(&entry));
        let decode = |bytes: &[u8]| decode_entry(&Bytes::copy_from_slice(bytes)).unwrap_err();
        assert_eq!(decode(&[]), CodecError::Malformed);
        assert_eq!(decode(&[2, 3, 2, 7, 0]), CodecError::Newer(2));
        assert_eq!(decode(&[0, 3, 2, 7, 0]), CodecError::Malformed);
        assert_eq!(decode(&blank[..3]), CodecError::Malformed);
        assert_eq!(decode(&[&blank[..], b"x"].concat()), CodecError::Malformed, "nothing may follow a blank");
        assert_eq!(decode_vote(&[1, 3, 2, 1, 0]), Err(CodecError::Malformed));
    }
}
