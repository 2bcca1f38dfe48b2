//! What a follower does when its connection to the leader breaks.
//!
//! A connection that was reset, to a process that then cannot be reached, is news that need not wait for the election timer: the lease
//! that this follower had granted is given up, and it stands. Nothing of Raft's safety rests on either. A leader that is alive is not
//! unseated: whoever stands asks first (pre-vote), and the leader and all who still hear it say no. A leader that falls silent, because
//! its power or the network is cut or it hangs, resets nothing; for that there is the timer.

use std::sync::Arc;
use std::time::Duration;

use openraft::raft::TransferLeaderRequest;
use openraft::rt::watch::WatchReceiver;
use tokio::time::{sleep, timeout};
use wire::Protocol;

use super::hearing::Hearing;
use super::machine::Machine;
use super::types::{TypeConfig, Vote};
use super::{Dialer, NodeId, Peer};

/// How long the leader may take to answer a new connection. One that is up and takes longer keeps its lead all the same.
const ANSWERS_WITHIN: Duration = Duration::from_millis(50);

/// Others may be told a little later that the connection is gone, and would say no until then.
const OTHERS_KNOW_AFTER: Duration = Duration::from_millis(10);

/// Between one voter's turn and the next one's. The first may have the shorter log, and not be elected.
const TURN: Duration = Duration::from_millis(60);

type Core = openraft::Raft<TypeConfig, Machine>;

/// What is needed to follow a leader that is gone.
#[derive(Clone)]
pub(super) struct Succession {
    core: Core,
    dialer: Arc<dyn Dialer>,
    hearing: Hearing,
}

/// The leader that is gone, as this member knew it.
struct Gone {
    vote: Vote,
    peer: Peer,
    /// How many voters stand before this one.
    before: u32,
}

impl Succession {
    pub(super) fn new(core: Core, dialer: Arc<dyn Dialer>, hearing: Hearing) -> Self {
        Self { core, dialer, hearing }
    }

    /// A connection from `member` has ended. Returns once nothing is left to be done about it, within half a second.
    pub(super) async fn broken(&self, member: NodeId) {
        let Some(gone) = self.leader(member) else { return };
        let opened = timeout(ANSWERS_WITHIN, self.dialer.open(member, &gone.peer, Protocol::RaftControl)).await;
        if let Ok(Ok(_)) = opened {
            return;
        }
        tracing::info!(leader = member, "the connection to the leader is gone, and it does not answer");
        self.hearing.forget(member);
        // openraft lets a follower give up a lease only where the leader hands over; to another than this member, that is all it does. Should
        // the leader be alive after all, this member has no lease of it for the rest of its term: it stands after one election timeout
        // of silence then, and asks first as ever.
        let give_up = TransferLeaderRequest::new(gone.vote, member, None);
        if self.core.handle_transfer_leader(give_up).await.is_err() {
            return;
        }
        sleep(OTHERS_KNOW_AFTER + TURN * gone.before).await;
        if self.leader(member).is_some_and(|still| still.vote == gone.vote) && !self.hearing.is_alive(member) {
            // An error: Raft has stopped, and whoever watches it knows.
            let _ = self.core.trigger().elect(true).await;
        }
    }

    /// The member, if this one follows it, and has a vote.
    fn leader(&self, member: NodeId) -> Option<Gone> {
        let metrics = self.core.metrics().borrow_watched().clone();
        if metrics.current_leader != Some(member) || metrics.id == member {
            return None;
        }
        let membership = metrics.membership_config.membership();
        let voters = || membership.voter_ids().filter(|voter| *voter != member);
        voters().find(|voter| *voter == metrics.id)?;
        // Of two that stand in one term the greater id is elected: it is the first.
        let before = voters().filter(|voter| *voter > metrics.id).count();
        let peer = *membership.get_node(&member)?;
        Some(Gone { vote: metrics.vote, peer, before: u32::try_from(before).ok()? })
    }
}
