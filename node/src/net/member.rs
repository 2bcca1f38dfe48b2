//! A member of a founded cluster: what it answers other nodes, and its way to the leader.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat::{Cursor, Replica, SessionId};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use wire::message::ClusterHealth;
use wire::peer::{Candidate, PeerAnswer, PeerRequest, StoreId};
use wire::{Code, PeerId, Refusal};

use super::{AskError, Net, gate};
use crate::app::{App, AppReply, ClusterCommand, Entry, RosterNode};
use crate::formation::Membership;
use crate::raft::{NodeId, ProposeError, Raft, RaftError, RaftState};
use crate::store::StoreError;

/// How long a request may look for a leader; an election takes less.
const LEADER_WITHIN: Duration = Duration::from_secs(2);

/// How long to wait before a leader that turned out not to be one is tried again.
const LEADER_AGAIN: Duration = Duration::from_millis(50);

/// How long the leader may take to carry something out; after that the outcome is unknown.
const CARRIED_OUT_WITHIN: Duration = Duration::from_secs(5);

/// How long a node waits for an entry to be applied before it gives up on its digest.
const DIGEST_WITHIN: Duration = Duration::from_secs(3);

/// What a node's disk holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    pub used_bytes: u64,
    pub free_bytes: u64,
}

/// The sessions that listen at a node, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub at: Replica,
    pub sessions: Vec<SessionId>,
}

/// What a member is made of.
#[expect(missing_debug_implementations, reason = "taken apart at once")]
pub struct Parts {
    pub membership: Membership,
    pub name: String,
    pub net: Arc<Net>,
    pub raft: Raft,
    pub app: Arc<App>,
    /// Where presence reports go on the leader.
    pub reports: mpsc::Sender<Report>,
    pub disk: Arc<dyn Fn() -> DiskUse + Send + Sync>,
}

/// A running member.
pub struct Member {
    pub(super) node_id: NodeId,
    pub(super) membership: Membership,
    /// What it calls itself until the roster has been applied here.
    own_name: String,
    pub(super) net: Arc<Net>,
    pub(super) raft: Raft,
    pub(super) app: Arc<App>,
    reports: mpsc::Sender<Report>,
    pub(super) disk: Arc<dyn Fn() -> DiskUse + Send + Sync>,
    pub(super) health: watch::Sender<ClusterHealth>,
    /// Told when the roster has changed, so that the members follow at once.
    roster_changed: Notify,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("node_id", &self.node_id).finish_non_exhaustive()
    }
}

impl Member {
    /// A member, nothing of it running yet.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            node_id: parts.membership.node_id,
            membership: parts.membership,
            own_name: parts.name,
            net: parts.net,
            raft: parts.raft,
            app: parts.app,
            reports: parts.reports,
            disk: parts.disk,
            health: watch::Sender::new(ClusterHealth::default()),
            roster_changed: Notify::new(),
        })
    }

    pub fn node_id(&self) -> NodeId {
        self.node_id
    }

    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    pub fn net(&self) -> &Arc<Net> {
        &self.net
    }

    /// Its name, as the cluster has it.
    pub fn name(&self) -> String {
        self.name_of(self.node_id).unwrap_or_else(|| self.own_name.clone())
    }

    /// The name of a node, as far as this one knows it.
    pub fn name_of(&self, node_id: NodeId) -> Option<String> {
        let roster = self.roster();
        let known = roster.iter().find(|node| node.node_id == node_id).map(|node| node.name.clone());
        let founder = || self.membership.founding.founders.iter().find(|founder| founder.node_id == node_id);
        known.or_else(|| founder().map(|founder| founder.name.clone()))
    }

    /// Who belongs to the cluster, as far as has been applied here; the founders before that.
    pub fn roster(&self) -> Vec<RosterNode> {
        // A failure to read stops the node elsewhere: the next apply meets it as well.
        let applied = self.app.roster().unwrap_or_default();
        if !applied.is_empty() {
            return applied;
        }
        let founders = self.membership.founding.founders.iter();
        founders.map(as_roster_node).collect()
    }

    /// Returns once the roster may have changed.
    pub async fn roster_changed(&self) {
        self.roster_changed.notified().await;
    }

    /// The id under which the peer may replicate, or why it may not.
    pub fn may_replicate(&self, peer: PeerId, claim: &wire::hello::Claim) -> Result<NodeId, Refusal> {
        let state = self.raft.watch().borrow().clone();
        let roster = self.roster();
        let known = gate::Known {
            founding: &self.membership.founding,
            roster: &roster,
            applied: state.applied,
            members: &state.members,
        };
        gate::may_replicate(peer, claim, &known)
    }

    /// Answers another node.
    pub async fn answer(&self, from: PeerId, request: PeerRequest) -> PeerAnswer {
        match request {
            PeerRequest::Gather(candidate) => self.introduce(from, &candidate),
            PeerRequest::Promise(record) | PeerRequest::Found(record) if record == self.membership.founding => {
                PeerAnswer::Done
            }
            PeerRequest::Promise(_) | PeerRequest::Found(_) => {
                let sentence = "the node is a member of another cluster";
                PeerAnswer::Refused(Refusal::new(Code::MembershipRefused, sentence))
            }
            PeerRequest::Admit { peer, .. } if peer == from => match self.through_leader(request).await {
                Ok(answer) => answer,
                Err(refusal) => PeerAnswer::Refused(refusal),
            },
            PeerRequest::Status => self.own_status(),
            PeerRequest::Digest { index } => self.digest(index).await,
            to_the_leader => self.lead(to_the_leader).await,
        }
    }

    fn introduce(&self, from: PeerId, candidate: &Candidate) -> PeerAnswer {
        if candidate.peer != from {
            return PeerAnswer::Refused(Refusal::new(Code::Forbidden, "a node introduces itself only"));
        }
        if let Err(refusal) = may_stay(&self.roster(), candidate.peer, candidate.store) {
            return PeerAnswer::Refused(refusal);
        }
        self.net.learn_from(candidate);
        PeerAnswer::Candidate(self.net.candidate())
    }

    /// Carries out what only the leader can, on this node; `NotLeader` where it is none.
    pub(super) async fn lead(&self, request: PeerRequest) -> PeerAnswer {
        match request {
            // Nothing is awaited before the proposal: requests enter the log in the order they came in.
            PeerRequest::Propose(command) => match Entry::decode(&command) {
                Ok(_) => self.propose_here(command.into()).await,
                // In the log it would stop every node that cannot read it.
                Err(error) => PeerAnswer::Refused(Refusal::new(Code::VersionUnknown, error.to_string())),
            },
            PeerRequest::ReadBarrier => match self.raft.read_barrier().await {
                Ok(index) => PeerAnswer::ReadBarrier { index: Cursor(index) },
                Err(error) => unproposed(error),
            },
            PeerRequest::Presence { node_id, sessions } => self.take_report(Replica(node_id), sessions),
            PeerRequest::Admit { peer, store, name, name_chosen } => self.admit(peer, store, name, name_chosen).await,
            PeerRequest::TransferLeader { to } => match self.raft.transfer_leader(to).await {
                Ok(()) => PeerAnswer::Done,
                Err(error) => unchanged(error),
            },
            PeerRequest::Remove { node_id } => self.remove(node_id).await,
            _ => PeerAnswer::Refused(Refusal::new(Code::Internal, "this is not the leader's matter")),
        }
    }

    async fn propose_here(&self, command: Bytes) -> PeerAnswer {
        match self.raft.propose(command).await {
            Ok((index, reply)) => PeerAnswer::Proposed { index: Cursor(index), reply: reply.to_vec() },
            Err(error) => unproposed(error),
        }
    }

    /// Puts an entry of the cluster's own into the log, on the leader.
    pub(crate) async fn propose_command(&self, command: ClusterCommand) -> Result<AppReply, PeerAnswer> {
        match self.propose_here(Entry::Cluster(command).encode()).await {
            PeerAnswer::Proposed { reply, .. } => decoded(&reply).map_err(PeerAnswer::Refused),
            other => Err(other),
        }
    }

    fn take_report(&self, at: Replica, sessions: Vec<SessionId>) -> PeerAnswer {
        let state = self.state();
        if state.leader != Some(self.node_id) {
            return PeerAnswer::NotLeader { leader: state.leader };
        }
        // A report that does not fit is left out: the next one, a second later, says it all again.
        let _ = self.reports.try_send(Report { at, sessions });
        PeerAnswer::Done
    }

    /// The node's id comes from the entry; Raft's members follow the roster (the autopilot's matter).
    async fn admit(&self, peer: PeerId, store: StoreId, name: String, name_chosen: bool) -> PeerAnswer {
        if let Err(refusal) = may_stay(&self.roster(), peer, store) {
            return PeerAnswer::Refused(refusal);
        }
        match self.propose_command(ClusterCommand::Admit { peer, store, name, name_chosen }).await {
            Ok(AppReply::Admitted { node_id, founding }) => {
                self.roster_changed.notify_waiters();
                PeerAnswer::Admitted { node_id, founding }
            }
            Ok(AppReply::Refused(refusal)) => PeerAnswer::Refused(refusal),
            Ok(_) => PeerAnswer::Unknown,
            Err(answer) => answer,
        }
    }

    async fn remove(&self, node_id: NodeId) -> PeerAnswer {
        let state = self.state();
        if state.leader != Some(self.node_id) {
            return PeerAnswer::NotLeader { leader: state.leader };
        }
        if let Err(refusal) = self.may_remove(node_id, &state) {
            return PeerAnswer::Refused(refusal);
        }
        if node_id == self.node_id {
            // A leader does not remove itself: whoever leads next does. The asker tries again there.
            let handed_over = self.raft.transfer_leader(None).await;
            return handed_over.map_or_else(unchanged, |()| PeerAnswer::NotLeader { leader: None });
        }
        match self.propose_command(ClusterCommand::Remove { node_id }).await {
            Ok(AppReply::Refused(refusal)) => PeerAnswer::Refused(refusal),
            Ok(_) => {
                self.roster_changed.notify_waiters();
                PeerAnswer::Done
            }
            Err(answer) => answer,
        }
    }

    /// What stays must be able to go on: a majority of the remaining voters has to be reached.
    fn may_remove(&self, node_id: NodeId, state: &RaftState) -> Result<(), Refusal> {
        let refused = |sentence: &str| Err(Refusal::new(Code::MembershipRefused, sentence));
        let remaining: Vec<_> = state.voters.iter().filter(|voter| **voter != node_id).collect();
        if remaining.is_empty() {
            return refused("the last voting node cannot be removed");
        }
        if !state.voters.contains(&node_id) {
            return Ok(());
        }
        let reached = |id: &NodeId| state.members.get(id).is_some_and(|member| self.net.reaches(member.peer));
        let reached = remaining.iter().filter(|id| reached(id)).count();
        if reached * 2 > remaining.len() {
            Ok(())
        } else {
            refused("too few of the other nodes can be reached: removing this one would stop the cluster")
        }
    }

    async fn digest(&self, index: Cursor) -> PeerAnswer {
        let mut digests = self.app.digests();
        let computed = digests.wait_for(|digests| digests.contains_key(&index));
        // In vain where the check was so long ago that its digest is no longer kept.
        let _ = tokio::time::timeout(DIGEST_WITHIN, computed).await;
        PeerAnswer::Digest { digest: self.app.digest_at(index) }
    }

    /// Has the leader carry out the request, wherever it is. What came to nothing is asked again until a
    /// leader takes it; what may have happened never is.
    pub(super) async fn through_leader(&self, request: PeerRequest) -> Result<PeerAnswer, Refusal> {
        let mut states = self.raft.watch();
        let search_until = Instant::now() + LEADER_WITHIN;
        loop {
            let leader = states.borrow_and_update().leader;
            let answer = match leader {
                Some(leader) if leader == self.node_id => self.lead(request.clone()).await,
                Some(leader) => self.forward(leader, request.clone(), &mut states).await,
                None => PeerAnswer::NotLeader { leader: None },
            };
            match answer {
                PeerAnswer::NotLeader { .. } if Instant::now() < search_until => {}
                PeerAnswer::NotLeader { .. } => return Err(no_quorum()),
                PeerAnswer::Unknown => return Err(outcome_unknown()),
                PeerAnswer::Refused(refusal) => return Err(refusal),
                carried_out => return Ok(carried_out),
            }
            // Either the view changes, or the leader that was none yet has become one.
            let _ = tokio::time::timeout(LEADER_AGAIN, states.changed()).await;
        }
    }

    async fn forward(
        &self,
        leader: NodeId,
        request: PeerRequest,
        states: &mut watch::Receiver<RaftState>,
    ) -> PeerAnswer {
        let Some(peer) = self.peer_of(leader) else { return PeerAnswer::NotLeader { leader: None } };
        let asked = self.net.ask(peer, request, CARRIED_OUT_WITHIN);
        let deposed = states.wait_for(|state| state.leader.is_some_and(|other| other != leader));
        tokio::select! {
            biased;
            answer = asked => match answer {
                Ok(answer) => answer,
                Err(AskError::Lost) => PeerAnswer::Unknown,
                Err(AskError::Unreachable(_) | AskError::Refused(_)) => PeerAnswer::NotLeader { leader: None },
            },
            // Another leads: this one may never answer, and the client asks again at once.
            _ = deposed => PeerAnswer::Unknown,
        }
    }

    /// Who a member is, by its id.
    pub(crate) fn peer_of(&self, node_id: NodeId) -> Option<PeerId> {
        let member = self.raft.watch().borrow().members.get(&node_id).map(|member| member.peer);
        let rostered = || self.roster().iter().find(|node| node.node_id == node_id).map(|node| node.peer);
        member.or_else(rostered)
    }

    /// Reports the sessions that listen here to the leader. A leader that does not answer twice running is
    /// held to be out of reach.
    pub async fn report(&self, sessions: Vec<SessionId>, within: Duration) -> Result<(), PeerId> {
        let Some(leader) = self.state().leader else { return Ok(()) };
        let at = Replica(self.node_id);
        if leader == self.node_id {
            self.take_report(at, sessions);
            return Ok(());
        }
        let Some(peer) = self.peer_of(leader) else { return Ok(()) };
        let request = PeerRequest::Presence { node_id: self.node_id, sessions };
        self.net.ask(peer, request, within).await.map(|_| ()).map_err(|_| peer)
    }

    /// This node's view of Raft.
    pub fn state(&self) -> RaftState {
        self.raft.watch().borrow().clone()
    }

    /// Why this node may not stay, if the roster says so.
    pub fn removal(&self) -> Option<Refusal> {
        let roster = self.roster();
        let me = roster.iter().find(|node| node.node_id == self.node_id)?;
        me.removed.then(|| gate::removed(&me.name))
    }

    /// What an unreadable state means: the node has to stop.
    pub fn check_readable(&self) -> Result<(), StoreError> {
        self.app.founding().map(|_| ())
    }
}

/// A removed node stays removed, and a key goes with one data folder.
fn may_stay(roster: &[RosterNode], peer: PeerId, store: StoreId) -> Result<(), Refusal> {
    match roster.iter().rev().find(|node| node.peer == peer) {
        Some(node) if node.removed => Err(gate::removed(&node.name)),
        Some(node) if node.store != store => Err(Refusal::new(
            Code::MembershipRefused,
            format!("{} has joined with another data folder; remove this one and let the node join anew", node.name),
        )),
        _ => Ok(()),
    }
}

fn as_roster_node(founder: &wire::peer::Founder) -> RosterNode {
    RosterNode {
        node_id: founder.node_id,
        peer: founder.peer,
        store: founder.store,
        name: founder.name.clone(),
        removed: false,
    }
}

fn unproposed(error: ProposeError) -> PeerAnswer {
    match error {
        ProposeError::NotLeader { leader } => PeerAnswer::NotLeader { leader },
        ProposeError::Unknown => PeerAnswer::Unknown,
        ProposeError::NoQuorum => PeerAnswer::Refused(no_quorum()),
        ProposeError::Stopped(_) => PeerAnswer::Refused(stopping()),
    }
}

fn unchanged(error: RaftError) -> PeerAnswer {
    match error {
        RaftError::NotLeader { leader } => PeerAnswer::NotLeader { leader },
        RaftError::InProgress => {
            PeerAnswer::Refused(Refusal::retry_after(Code::MembershipRefused, error.to_string(), 1000))
        }
        RaftError::Refused(_) => PeerAnswer::Refused(Refusal::new(Code::MembershipRefused, error.to_string())),
        RaftError::Store(_) | RaftError::Stopped(_) => PeerAnswer::Refused(stopping()),
    }
}

/// The reply of the application, from its bytes.
pub(super) fn decoded(reply: &[u8]) -> Result<AppReply, Refusal> {
    let unreadable = |_| Refusal::new(Code::VersionUnknown, "the leader's reply is of another version");
    AppReply::decode(reply).map_err(unreadable)
}

pub(super) fn no_quorum() -> Refusal {
    let sentence = "too few nodes can be reached from here to store anything; nothing was stored";
    Refusal::retry_after(Code::NoQuorum, sentence, 500)
}

pub(super) fn outcome_unknown() -> Refusal {
    Refusal::new(Code::Timeout, "no answer came in time; it is not known whether it was carried out")
}

fn stopping() -> Refusal {
    Refusal::new(Code::ShuttingDown, "the node is stopping")
}
