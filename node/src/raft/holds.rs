//! What a leader keeps of its log for members that it sends snapshots to.
//!
//! A snapshot brings a member to where it was taken, and from there on the member needs the log. Were that purged as ever while the
//! snapshot is on its way, a state that takes longer to send than the log takes to be purged would be sent again and again, and the member
//! would never catch up. So nothing is purged until it has, within bounds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::NodeId;

/// Entries that are kept for a member at most; beyond it the log is purged, and the member begins anew. Two cores store 14,500 a second (512
/// clients of `bench cluster`), and send 9 GB of state in 77 s (`bench history`): enough for a state of 30 GB. By their lengths, those of 256
/// bytes take some 2 GB.
const KEPT_MAX: u64 = 4_000_000;

/// A member that has the snapshot, and takes no entry for so long, is no longer waited for.
const STILL_MAX: Duration = Duration::from_secs(60);

/// Clones are the same ones.
#[derive(Clone, Debug)]
pub(super) struct Holds {
    members: Arc<Mutex<BTreeMap<NodeId, Hold>>>,
    /// Nothing is kept for a member that lags by no more than this: so much of the log is there in any case.
    near: u64,
}

#[derive(Debug)]
struct Hold {
    /// Up to where the snapshot goes.
    from: u64,
    /// While it is being sent, whoever sends it knows when to give up.
    sending: bool,
    /// The member's log, as far as it is known, and since when.
    matched: u64,
    stirred: Instant,
}

impl Holds {
    /// For logs of which so many entries are kept at least.
    pub(super) fn new(keep_entries: u64) -> Self {
        Self { members: Arc::default(), near: keep_entries / 2 }
    }

    /// The member is being sent a snapshot that goes up to here, for as long as the value lives.
    pub(super) fn begin(&self, member: NodeId, from: u64) -> Sending {
        let hold = Hold { from, sending: true, matched: 0, stirred: Instant::now() };
        self.lock().insert(member, hold);
        Sending { holds: self.clone(), member, from, has_arrived: false }
    }

    /// The member's log is known to match up to here, and this is how far the leader has applied its own.
    pub(super) fn matched(&self, member: NodeId, index: u64, applied: u64) {
        let mut members = self.lock();
        let Some(hold) = members.get_mut(&member).filter(|hold| !hold.sending) else { return };
        if index.saturating_add(self.near) >= applied {
            members.remove(&member);
        } else if index > hold.matched {
            hold.matched = index;
            hold.stirred = Instant::now();
        }
    }

    /// Whether the log of a leader that has applied up to here may be purged as ever. What is kept too long is forgotten.
    pub(super) fn let_purge(&self, applied: u64) -> bool {
        let mut members = self.lock();
        members.retain(|member, hold| {
            let in_vain = !hold.sending && hold.stirred.elapsed() >= STILL_MAX;
            let too_many = applied.saturating_sub(hold.from) > KEPT_MAX;
            if in_vain || too_many {
                tracing::warn!(member, from = hold.from, "the log is no longer kept for a member that catches up");
            }
            !in_vain && !too_many
        });
        members.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Hold>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A snapshot on its way. Dropped before it has arrived, nothing is kept for it any more.
#[derive(Debug)]
pub(super) struct Sending {
    holds: Holds,
    member: NodeId,
    from: u64,
    has_arrived: bool,
}

impl Sending {
    /// The member has it all, and needs what comes after it.
    pub(super) fn arrived(mut self) {
        self.has_arrived = true;
        if let Some(hold) = self.holds.lock().get_mut(&self.member).filter(|hold| hold.from == self.from) {
            hold.sending = false;
            hold.stirred = Instant::now();
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.has_arrived {
            // Another may have begun before this one was over.
            let mut members = self.holds.lock();
            members.retain(|member, hold| *member != self.member || hold.from != self.from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: NodeId = 4;

    #[tokio::test(start_paused = true)]
    async fn the_log_is_kept_from_the_snapshot_on_until_the_member_is_near() {
        let holds = Holds::new(100);
        assert!(holds.let_purge(1_000));
        let sending = holds.begin(MEMBER, 1_000);
        // However long it takes; what an older stream says of the member is of no interest.
        tokio::time::advance(10 * STILL_MAX).await;
        holds.matched(MEMBER, 9_990, 10_000);
        assert!(!holds.let_purge(10_000));
        sending.arrived();
        holds.matched(MEMBER, 9_000, 10_000);
        assert!(!holds.let_purge(10_000));
        holds.matched(MEMBER, 9_950, 10_000);
        assert!(holds.let_purge(10_000));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_for_a_snapshot_that_does_not_arrive() {
        let holds = Holds::new(100);
        drop(holds.begin(MEMBER, 1_000));
        assert!(holds.let_purge(10_000));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_given_up_late_does_not_undo_the_next() {
        let holds = Holds::new(100);
        let given_up = holds.begin(MEMBER, 1_000);
        let next = holds.begin(MEMBER, 2_000);
        drop(given_up);
        assert!(!holds.let_purge(10_000));
        drop(next);
        assert!(holds.let_purge(10_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_gets_no_further_is_not_waited_for_for_ever() {
        let holds = Holds::new(100);
        holds.begin(MEMBER, 1_000).arrived();
        for index in [1_001, 1_002] {
            tokio::time::advance(STILL_MAX / 2).await;
            holds.matched(MEMBER, index, 10_000);
            assert!(!holds.let_purge(10_000), "it gets on");
        }
        tokio::time::advance(STILL_MAX).await;
        holds.matched(MEMBER, 1_002, 10_000);
        assert!(holds.let_purge(10_000));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_much_is_kept() {
        let holds = Holds::new(100);
        let _sending = holds.begin(MEMBER, 1_000);
        assert!(!holds.let_purge(1_000 + KEPT_MAX));
        assert!(holds.let_purge(1_001 + KEPT_MAX));
    }
}
