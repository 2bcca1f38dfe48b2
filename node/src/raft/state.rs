//! Keeps a [`RaftState`] up to date from openraft's metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::errors::Fatal;
use openraft::metrics::{RaftDataMetrics, RaftServerMetrics};
use openraft::rt::watch::WatchReceiver;
use openraft::{Instant as _, ServerState};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use wire::message::Role;

use super::failure::Failure;
use super::hearing::Hearing;
use super::machine::Machine;
use super::types::TypeConfig;
use super::{NodeId, RaftState, Timing};

type Core = openraft::Raft<TypeConfig, Machine>;
type Server = RaftServerMetrics<TypeConfig>;
type Data = RaftDataMetrics<TypeConfig>;

/// How far the log has come changes with every entry, and a leader's last confirmation with every tick of openraft's; whoever watches the
/// state need not wake so often.
const PAUSE: Duration = Duration::from_millis(25);

/// Follows openraft's metrics until it has stopped, for as long as anybody may look: who leads and who is a member at once, the rest after
/// a while. The leader is published by itself, too: it hardly ever changes, and whatever is under way watches it.
pub(super) async fn follow(view: View, state: watch::Sender<RaftState>, leader: watch::Sender<Option<NodeId>>) {
    let (mut members, mut progress) = (view.core.server_metrics(), view.core.data_metrics());
    loop {
        let now = view.now();
        let stopped = now.running.is_err();
        leader.send_if_modified(|before| std::mem::replace(before, now.leader) != now.leader);
        publish(&state, now);
        if stopped {
            return;
        }
        let next = Instant::now() + PAUSE;
        // Not only when the metrics change: that a majority is gone shows in nothing happening.
        let rest = async {
            let fresh =
                timeout(Duration::from_millis(view.timing.heartbeat_ms), progress.changed()).await.unwrap_or(Ok(()));
            // Where changes are rarer than that, this wakes nobody.
            sleep_until(next).await;
            fresh
        };
        // In order, and not at random: a simulation has to run the same way twice.
        let fresh = tokio::select! {
            biased;
            fresh = members.changed() => fresh,
            fresh = rest => fresh,
        };
        if fresh.is_err() {
            // In a statement of its own: what is borrowed while it is published is waited for for ever.
            let last = state.borrow().clone();
            leader.send_replace(None);
            return publish(&state, view.stopped(&last));
        }
    }
}

/// Where the state is seen from.
#[derive(Clone)]
pub(super) struct View {
    pub(super) core: Core,
    pub(super) timing: Timing,
    pub(super) hearing: Hearing,
    /// What the application has applied; openraft only knows what it handed over.
    pub(super) applied: watch::Receiver<u64>,
    pub(super) failure: Failure,
}

/// Replaces the state, and wakes those who watch it if more than the age of the last confirmation is new.
fn publish(state: &watch::Sender<RaftState>, new: RaftState) {
    state.send_if_modified(|old| {
        let same_age = RaftState { quorum_ack_age: new.quorum_ack_age, ..old.clone() };
        let is_news = same_age != new;
        *old = new;
        is_news
    });
}

impl View {
    /// The state right now.
    pub(super) fn now(&self) -> RaftState {
        // Copied at once: openraft waits while its metrics are being looked at. The union of them is told last, and at every tick.
        let (term, running) = {
            let all = self.core.metrics();
            let all = all.borrow_watched();
            (all.current_term, all.running_state.clone())
        };
        let server = self.core.server_metrics().borrow_watched().clone();
        let data = self.core.data_metrics().borrow_watched().clone();
        self.of(term, running, &server, &data)
    }

    /// The leader, if it is not known to be gone.
    pub(super) fn living(&self, leader: Option<NodeId>) -> Option<NodeId> {
        leader.filter(|leader| self.hearing.is_alive(*leader))
    }

    /// Why openraft has stopped; the store's own words if it was the store.
    pub(super) fn reason(&self, fatal: &Fatal<TypeConfig>) -> String {
        self.failure.first().map_or_else(|| fatal.to_string(), ToString::to_string)
    }

    fn stopped(&self, last: &RaftState) -> RaftState {
        RaftState { running: Err(self.reason(&Fatal::Stopped)), has_quorum: false, leader: None, ..last.clone() }
    }

    fn of(&self, term: u64, running: Result<(), Fatal<TypeConfig>>, server: &Server, data: &Data) -> RaftState {
        let membership = server.membership_config.membership();
        let role = role(server.state);
        let quorum_ack_age = data.last_quorum_acked.filter(|_| role == Role::Leader).map(|at| at.elapsed());
        // Heartbeats may be under way for long: one that was asked for just before the last answer counts.
        let lease = Duration::from_millis(self.timing.election_max_ms + 2 * self.timing.heartbeat_ms);
        let voters = membership.voter_ids().collect::<BTreeSet<_>>();
        // Nobody confirms a leader who is the only voter, and nobody needs to.
        let alone = voters.iter().eq([&server.id]);
        let leader = if role == Role::Leader { Some(server.id) } else { self.living(server.current_leader) };
        RaftState {
            id: server.id,
            role,
            term: term.max(server.vote.leader_id.term),
            leader,
            last_index: data.last_log.map_or(0, |id| id.index),
            committed: data.local_committed.map_or(0, |id| id.index),
            applied: *self.applied.borrow(),
            voters,
            joint: membership.get_joint_config().len() > 1,
            members: membership.nodes().map(|(id, peer)| (*id, *peer)).collect(),
            quorum_ack_age,
            has_quorum: match role {
                Role::Leader => alone || quorum_ack_age.is_some_and(|age| age <= lease),
                _ => leader.is_some(),
            },
            progress: progress(data),
            // A store that failed stops the node even before openraft meets it.
            running: match self.failure.first() {
                Some(failure) => Err(failure.to_string()),
                None => running.map_err(|fatal| self.reason(&fatal)),
            },
        }
    }
}

fn role(state: ServerState) -> Role {
    match state {
        ServerState::Leader => Role::Leader,
        ServerState::Follower => Role::Follower,
        ServerState::Candidate => Role::Candidate,
        ServerState::Learner => Role::Learner,
        ServerState::Shutdown => Role::Unknown,
    }
}

fn progress(data: &Data) -> BTreeMap<u64, Option<u64>> {
    let replication = data.replication.iter().flatten();
    replication.map(|(id, matched)| (*id, matched.map(|matched| matched.index))).collect()
}
