//! Whether there is room for more on the disks.
//!
//! A store that meets the end of its disk in the middle of a write stops its node. So nobody comes near it: a node whose disk runs
//! low does not want to lead; the leader takes nothing new from clients once too few nodes have room for it; and a node with hardly
//! anything left takes no more entries from the leader, but stays. All of it ends by itself when there is room again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use wire::{Code, Refusal};

use crate::app::Entry;
use crate::raft::NodeId;

/// A node with less is low on room. Twice what is needed to get on with what was taken before.
pub const LOW_BYTES: u64 = 64 << 20;

/// A node with less takes nothing at all any more: what is left is for votes, for what it has in its log and not yet in its state,
/// and for whatever came between two looks.
pub const NONE_BYTES: u64 = 32 << 20;

/// With less, words are not taken into the index. One transaction of that may have ten thousand different words, each on another page
/// of a large table, and every page that changes is written anew: forty MiB, and those of the transaction before are not free yet.
pub const INDEX_BYTES: u64 = 256 << 20;

/// What a node's stores are on.
pub trait Disk: Send + Sync {
    /// Bytes that the node's folder takes.
    fn used_bytes(&self) -> u64;

    /// Bytes that its stores may still take.
    fn free_bytes(&self) -> u64;
}

/// What a node knows of the room on its disk, and, while it leads, on the others'.
#[derive(Debug)]
pub struct Room {
    free_bytes: watch::Sender<u64>,
    low: Mutex<BTreeSet<NodeId>>,
}

impl Default for Room {
    /// There is room, as far as anybody has looked.
    fn default() -> Self {
        Self { free_bytes: watch::Sender::new(u64::MAX), low: Mutex::default() }
    }
}

impl Room {
    /// Takes in how much is left here. Whether that makes a difference: the old and the new.
    pub fn measured(&self, free_bytes: u64) -> Option<(Left, Left)> {
        let before = Left::of(self.free_bytes.send_replace(free_bytes));
        let now = Left::of(free_bytes);
        (before != now).then_some((before, now))
    }

    /// How much is left here.
    pub fn left(&self) -> Left {
        Left::of(*self.free_bytes.borrow())
    }

    /// Returns once there is next to nothing left here.
    pub async fn none_left(&self) {
        let mut free_bytes = self.free_bytes.subscribe();
        // The sender is a field of self.
        let _ = free_bytes.wait_for(|free_bytes| Left::of(*free_bytes) == Left::None).await;
    }

    /// Takes in what the members said they have left; one that did not answer is as it was.
    pub fn heard(&self, free_bytes: &BTreeMap<NodeId, Option<u64>>) {
        let mut low = self.low.lock().unwrap_or_else(PoisonError::into_inner);
        low.retain(|id| free_bytes.contains_key(id));
        for (id, free_bytes) in free_bytes {
            match free_bytes.map(Left::of) {
                Some(Left::Enough) => drop(low.remove(id)),
                Some(Left::Little | Left::None) => drop(low.insert(*id)),
                None => {}
            }
        }
    }

    /// The members that are low, as far as this node has heard.
    pub fn low(&self) -> BTreeSet<NodeId> {
        self.low.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why a leader of these voters does not take the entry, if so.
    pub fn refuses(&self, entry: &Entry, voters: &BTreeSet<NodeId>) -> Option<Refusal> {
        let Entry::Chat(command) = entry else { return None };
        let is_full = match self.left() {
            Left::None => true,
            // Logins and marks are small, and without them nobody could read.
            Left::Little | Left::Enough => adds(command) && !majority_has_room(voters, &self.low()),
        };
        is_full.then(full)
    }
}

/// How much is left on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Enough,
    Little,
    None,
}

impl Left {
    /// What so many bytes come to.
    pub fn of(free_bytes: u64) -> Self {
        match free_bytes {
            LOW_BYTES.. => Self::Enough,
            NONE_BYTES.. => Self::Little,
            _ => Self::None,
        }
    }
}

/// Whether enough voters have room for a majority to store something.
pub(super) fn majority_has_room(voters: &BTreeSet<NodeId>, low: &BTreeSet<NodeId>) -> bool {
    voters.difference(low).count() > voters.len() / 2
}

/// Whether the command adds to what is kept for good.
fn adds(command: &chat::Command) -> bool {
    matches!(command, chat::Command::CreateAccount { .. } | chat::Command::Send { .. })
}

fn full() -> Refusal {
    let sentence = "too few of the nodes have room for more; nothing was stored";
    Refusal::retry_after(Code::StorageFull, sentence, 1_000)
}

#[cfg(test)]
mod tests {
    use chat::{Command, SessionId};

    use super::*;
    use crate::app::ClusterCommand;

    fn send() -> Entry {
        Entry::Chat(Command::Send {
            session: SessionId(1),
            seq: chat::Seq(1),
            follows: None,
            id: chat::MessageId(1),
            to: chat::Recipient::Account(chat::AccountId(1)),
            text: chat::Text::parse("hello").unwrap(),
            at: chat::Timestamp(0),
        })
    }

    fn close() -> Entry {
        Entry::Chat(Command::CloseSession { session: SessionId(1) })
    }

    fn free(ids: &[NodeId], free_bytes: u64) -> BTreeMap<NodeId, Option<u64>> {
        ids.iter().map(|id| (*id, Some(free_bytes))).collect()
    }

    fn refused(room: &Room, entry: &Entry) -> Option<Code> {
        room.refuses(entry, &BTreeSet::from([1, 2, 3])).map(|refusal| refusal.code)
    }

    #[test]
    fn a_message_is_taken_while_a_majority_has_room() {
        let room = Room::default();
        assert_eq!(refused(&room, &send()), None);
        room.heard(&free(&[3], LOW_BYTES - 1));
        assert_eq!(refused(&room, &send()), None, "two have room");
        room.heard(&free(&[2, 3], LOW_BYTES - 1));
        assert_eq!(refused(&room, &send()), Some(Code::StorageFull));
        assert_eq!(refused(&room, &close()), None, "it adds nothing");
        assert_eq!(refused(&room, &Entry::Cluster(ClusterCommand::Check)), None);
        room.heard(&free(&[2, 3], LOW_BYTES));
        assert_eq!(refused(&room, &send()), None, "there is room again");
    }

    #[test]
    fn a_member_that_does_not_answer_is_as_it_was_and_one_that_left_is_nothing() {
        let room = Room::default();
        room.heard(&free(&[2, 3], 0));
        room.heard(&BTreeMap::from([(2, None), (3, None)]));
        assert_eq!(room.low(), BTreeSet::from([2, 3]));
        room.heard(&BTreeMap::from([(2, None)]));
        assert_eq!(room.low(), BTreeSet::from([2]));
    }

    #[test]
    fn a_leader_with_nothing_left_takes_nothing_from_clients() {
        let room = Room::default();
        room.measured(NONE_BYTES);
        assert_eq!(refused(&room, &send()), None, "the others have room, and it hands over");
        room.measured(NONE_BYTES - 1);
        assert_eq!(refused(&room, &close()), Some(Code::StorageFull));
        assert_eq!(refused(&room, &Entry::Cluster(ClusterCommand::Check)), None, "an operator has to get on");
    }

    #[test]
    fn only_a_difference_is_told() {
        let room = Room::default();
        assert_eq!(room.measured(LOW_BYTES), None);
        assert_eq!(room.measured(LOW_BYTES - 1), Some((Left::Enough, Left::Little)));
        assert_eq!(room.measured(NONE_BYTES), None);
        assert_eq!(room.measured(0), Some((Left::Little, Left::None)));
    }
}
