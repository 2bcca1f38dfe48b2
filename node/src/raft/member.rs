//! A running member: what the rest of the node asks of Raft.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::errors::{
    ChangeMembershipError, ClientWriteError, Fatal, ForwardReason, ForwardToLeader, InitializeError,
    LinearizableReadError,
};
use openraft::storage::RaftStateMachine;
use openraft::{ChangeMembers, ReadPolicy};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use wire::blocking::beside_the_runtime;
use wire::message::Role;
use wire::{BoxStream, Protocol};

use super::application::Application;
use super::backlog::Backlog;
use super::failure::Failure;
use super::hearing::Hearing;
use super::holds::Holds;
use super::log::RaftLog;
use super::machine::{App, Machine};
use super::network::Network;
use super::proposals::Proposals;
use super::server::Server;
use super::state::{self, View};
use super::succession::Succession;
use super::types::{Command, Runtime, TypeConfig};
use super::{Dialer, NodeId, Peer, ProposeError, RaftError, RaftState, Timing};
use crate::stages::Stages;
use crate::store::StoreError;
use crate::store::log::EntryLog;

/// A proposal that a leader took and then lost its majority over is never answered by openraft.
const ANSWER_MAX: Duration = Duration::from_secs(5);

type Core = openraft::Raft<TypeConfig, Machine>;
type CoreError<E> = openraft::errors::RaftError<TypeConfig, E>;

/// A running member. Cheap to clone.
#[derive(Clone)]
pub struct Raft {
    inner: Arc<Inner>,
}

struct Inner {
    id: NodeId,
    core: Core,
    log: Arc<dyn EntryLog>,
    server: Server,
    view: View,
    applied: watch::Receiver<u64>,
    stages: Stages,
    state: watch::Receiver<RaftState>,
    leader: watch::Receiver<Option<NodeId>>,
    following: AbortHandle,
    backlog: Backlog,
    proposals: Proposals,
}

impl Raft {
    /// Starts with what the log and the application hold; waits for nothing but that.
    ///
    /// Not for a leader, either: a member that is alone must come up and answer reads from what it has.
    /// Whoever read from it before it stopped comes with the index it had seen, and waits for that with
    /// [`Raft::wait_applied`]; so what was once seen is never unseen, although after a power cut the
    /// application may have to be given its last entries again.
    pub async fn start(
        id: NodeId,
        timing: Timing,
        log: Arc<dyn EntryLog>,
        app: Arc<dyn Application>,
        dialer: Arc<dyn Dialer>,
    ) -> Result<Self, RaftError> {
        let failure = Failure::default();
        let config = Arc::new(timing.config()?);
        let stages = app.stages();
        let app = App::new(app, failure.clone());
        let raft_log = RaftLog::open(log.clone(), failure.clone(), stages.clone())?;
        let holds = Holds::new(timing.keep_entries);
        let opened = Machine::open(app.clone(), holds.clone()).await;
        let (mut machine, applied) = opened.map_err(|error| failed(&failure, &error))?;
        let (last_applied, _) = machine.applied_state().await.map_err(|error| failed(&failure, &error))?;
        let checked = raft_log.check_vote(last_applied).and_then(|()| raft_log.give_way_to(last_applied));
        checked.map_err(|error| failed(&failure, &error))?;
        let patience = Duration::from_millis(timing.patience_ms());
        let network = Network::new(dialer.clone(), app.clone(), applied.clone(), holds, patience);
        // Members with one seed must not all draw the same election timeouts, and tie.
        let seed = timing.seed ^ id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let written = raft_log.clone();
        let core = Runtime::scope(seed, Core::new(id, config, network, raft_log, machine)).await;
        let core = core.map_err(|fatal| failed(&failure, &fatal))?;
        let hearing = Hearing::new(patience);
        let succession = Succession::new(core.clone(), dialer, hearing.clone());
        let server = Server::new(core.clone(), app, hearing.clone(), succession, written, seed);
        let view = View { core: core.clone(), timing, hearing, applied: applied.clone(), failure };
        let now = view.now();
        let (leaders, leader) = watch::channel(now.leader);
        let (sender, state) = watch::channel(now);
        let following = tokio::spawn(state::follow(view.clone(), sender, leaders)).abort_handle();
        let backlog = Backlog::default();
        let proposals = Proposals::to(core.clone());
        let inner =
            Inner { id, core, log, server, view, applied, stages, state, leader, following, backlog, proposals };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Founds the cluster with exactly these voters. Done already: nothing happens.
    pub async fn initialize(&self, members: BTreeMap<NodeId, Peer>) -> Result<(), RaftError> {
        match self.inner.core.initialize(members).await {
            Ok(()) | Err(CoreError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(CoreError::APIError(error)) => Err(RaftError::Refused(error.to_string())),
            Err(CoreError::Fatal(fatal)) => Err(RaftError::Stopped(self.reason(&fatal))),
        }
    }

    /// Puts the command into the log; returns its index and the application's reply once it was applied here.
    /// Only the leader does; nothing is passed on. Answers within 5 s.
    pub async fn propose(&self, command: Bytes) -> Result<(u64, Bytes), ProposeError> {
        if self.stands_still() {
            return Err(ProposeError::NoQuorum);
        }
        let proposed = self.inner.stages.begin();
        let written = timeout(ANSWER_MAX, self.inner.proposals.write(Command(command))).await;
        match written {
            Err(_) => Err(ProposeError::Unknown),
            Ok(Some(Ok(response))) => {
                self.inner.stages.answered(proposed, response.log_id.index);
                Ok((response.log_id.index, response.data.0))
            }
            Ok(Some(Err(ClientWriteError::ForwardToLeader(forward)))) => Err(self.forward(&forward)),
            // Thrown out of this log, which says nothing of the others.
            Ok(Some(Err(_))) => Err(ProposeError::Unknown),
            Ok(None) => Err(ProposeError::Stopped(self.reason(&Fatal::Stopped))),
        }
    }

    /// Whether it leads, and a majority does not write what it sends.
    fn stands_still(&self) -> bool {
        let state = self.inner.state.borrow();
        state.role == Role::Leader && self.inner.backlog.stands_still(state.committed, state.last_index)
    }

    /// The index that a linearizable read has to wait for. Only the leader knows, once a majority has
    /// confirmed that it still leads; many reads share one confirmation.
    pub async fn read_barrier(&self) -> Result<u64, ProposeError> {
        let read = timeout(ANSWER_MAX, self.inner.core.get_read_log_id(ReadPolicy::ReadIndex)).await;
        match read {
            Ok(Ok((id, _applied))) => Ok(id.index()),
            Err(_) | Ok(Err(CoreError::APIError(LinearizableReadError::QuorumNotEnough(_)))) => {
                Err(ProposeError::NoQuorum)
            }
            Ok(Err(CoreError::APIError(LinearizableReadError::ForwardToLeader(forward)))) => {
                Err(self.forward(&forward))
            }
            Ok(Err(CoreError::Fatal(fatal))) => Err(ProposeError::Stopped(self.reason(&fatal))),
        }
    }

    /// Whether the application has applied that far, in time.
    pub async fn wait_applied(&self, index: u64, within: Duration) -> bool {
        let mut applied = self.inner.applied.clone();
        matches!(timeout(within, applied.wait_for(|applied| *applied >= index)).await, Ok(Ok(_)))
    }

    /// This node's view, kept up to date.
    pub fn watch(&self) -> watch::Receiver<RaftState> {
        self.inner.state.clone()
    }

    /// Who leads, as this node sees it; for whatever waits for nothing else.
    pub fn leader(&self) -> watch::Receiver<Option<NodeId>> {
        self.inner.leader.clone()
    }

    /// Adds a member without a vote. Returns once that is committed; it catches up afterwards.
    pub async fn add_learner(&self, id: NodeId, peer: Peer) -> Result<(), RaftError> {
        self.changed(self.inner.core.add_learner(id, peer, false)).await
    }

    /// Makes exactly these members voters; the former voters stay as learners. Also finishes a change that
    /// was left half done.
    pub async fn change_voters(&self, voters: BTreeSet<NodeId>) -> Result<(), RaftError> {
        self.changed(self.inner.core.change_membership(ChangeMembers::ReplaceAllVoters(voters), true)).await
    }

    /// Removes members, voters or not.
    pub async fn remove(&self, members: BTreeSet<NodeId>) -> Result<(), RaftError> {
        let now = self.inner.view.now();
        let voters = members.intersection(&now.voters).copied().collect::<BTreeSet<_>>();
        if !voters.is_empty() {
            self.changed(self.inner.core.change_membership(ChangeMembers::RemoveVoters(voters), true)).await?;
        }
        let known = members.into_iter().filter(|id| now.members.contains_key(id)).collect();
        self.changed(self.inner.core.change_membership(ChangeMembers::RemoveNodes(known), true)).await
    }

    /// Hands the lead to this voter, or to the one that is most up to date. Returns once it has been
    /// asked to take over; watch the state to see it happen.
    pub async fn transfer_leader(&self, to: Option<NodeId>) -> Result<(), RaftError> {
        let now = self.inner.view.now();
        if now.role != Role::Leader {
            return Err(RaftError::NotLeader { leader: now.leader });
        }
        let others = now.voters.iter().filter(|id| **id != self.inner.id);
        let closest = others.max_by_key(|id| now.progress.get(id).copied().flatten()).copied();
        let to = to.or(closest).filter(|to| now.voters.contains(to));
        let to = to.ok_or_else(|| RaftError::Refused("there is no other voter to take the lead".to_owned()))?;
        let asked = self.inner.core.trigger().transfer_leader(to).await;
        asked.map_err(|fatal| RaftError::Stopped(self.reason(&fatal)))
    }

    /// Lets everyone hear that this member leads, now and not only with the next heartbeat. One that does not lead says nothing.
    pub async fn beat(&self) {
        // That Raft has stopped is told elsewhere.
        let _ = self.inner.core.trigger().heartbeat().await;
    }

    /// Serves a stream that the member `from` opened (hello done), until it ends.
    pub async fn serve(&self, from: NodeId, protocol: Protocol, stream: BoxStream) {
        self.inner.server.serve(from, protocol, stream).await;
    }

    /// Resolves, with the reason, when the node must stop.
    pub fn fatal(&self) -> impl Future<Output = String> + Send + 'static {
        let mut state = self.inner.state.clone();
        async move {
            match state.wait_for(|state| state.running.is_err()).await.as_deref() {
                Ok(RaftState { running: Err(reason), .. }) => reason.clone(),
                _ => "Raft has stopped".to_owned(),
            }
        }
    }

    /// What was wrong with the store, where that is why this member cannot go on.
    pub fn store_failure(&self) -> Option<StoreError> {
        self.inner.view.failure.first().cloned()
    }

    /// Stops, and closes the log once all of it is on the disk.
    pub async fn shutdown(&self) {
        if let Err(error) = self.inner.core.shutdown().await {
            tracing::error!(%error, "Raft did not stop in good order");
        }
        let log = self.inner.log.clone();
        if let Err(error) = beside_the_runtime(move || log.close()).await {
            tracing::error!(%error, "the log was not closed in good order");
        }
    }

    async fn changed<T>(
        &self,
        change: impl Future<Output = Result<T, CoreError<ClientWriteError<TypeConfig>>>>,
    ) -> Result<(), RaftError> {
        match change.await {
            Ok(_) => Ok(()),
            Err(CoreError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
                Err(RaftError::NotLeader { leader: forward.leader_id })
            }
            Err(CoreError::APIError(ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(_)))) => {
                Err(RaftError::InProgress)
            }
            Err(CoreError::APIError(error)) => Err(RaftError::Refused(error.to_string())),
            Err(CoreError::Fatal(fatal)) => Err(RaftError::Stopped(self.reason(&fatal))),
        }
    }

    fn forward(&self, forward: &ForwardToLeader<TypeConfig>) -> ProposeError {
        match forward.reason {
            ForwardReason::LeaseExpired => ProposeError::NoQuorum,
            // Named by this leader itself, to which no other leader speaks.
            ForwardReason::LeadershipTransfer => ProposeError::NotLeader { leader: forward.leader_id },
            ForwardReason::NotLeader => ProposeError::NotLeader { leader: self.inner.view.living(forward.leader_id) },
        }
    }

    fn reason(&self, fatal: &Fatal<TypeConfig>) -> String {
        self.inner.view.reason(fatal)
    }
}

fn failed(failure: &Failure, error: &dyn std::error::Error) -> RaftError {
    match failure.first() {
        Some(first) => RaftError::Store(first.clone()),
        None => RaftError::Stopped(error.to_string()),
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl std::fmt::Debug for Raft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raft").field("id", &self.inner.id).finish_non_exhaustive()
    }
}
