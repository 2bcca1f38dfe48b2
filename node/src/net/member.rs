//! A member of a founded cluster: what it knows of itself and the others, and its way to the leader.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat::{Replica, SessionId};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use wire::message::ClusterHealth;
use wire::peer::{PeerAnswer, PeerRequest};
use wire::{Code, PeerId, Refusal};

use super::outcome::{leader_lost, no_quorum, outcome_unknown};
use super::room::{Disk, Room};
use super::{AskError, Net, gate};
use crate::app::{App, Entry, RosterNode};
use crate::formation::Membership;
use crate::raft::{NodeId, Raft, RaftState};
use crate::store::StoreError;

/// How long a request may look for a leader; an election takes less.
const LEADER_WITHIN: Duration = Duration::from_secs(2);

/// How long to wait before a leader that turned out not to be one is tried again.
const LEADER_AGAIN: Duration = Duration::from_millis(50);

/// How long the leader may take to carry something out; after that the outcome is unknown.
const CARRIED_OUT_WITHIN: Duration = Duration::from_secs(5);

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
    pub disk: Arc<dyn Disk>,
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
    pub(super) reports: mpsc::Sender<Report>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) room: Room,
    pub(super) health: watch::Sender<ClusterHealth>,
    /// The first failure to read the roster.
    damage: watch::Sender<Option<StoreError>>,
    /// Told when the roster has changed, so that the members follow at once.
    pub(super) roster_changed: Notify,
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
            room: Room::default(),
            health: watch::Sender::new(ClusterHealth::default()),
            damage: watch::Sender::new(None),
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

    /// Whether there is room for more.
    pub fn room(&self) -> &Room {
        &self.room
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
        let applied = self.app.roster().unwrap_or_else(|error| {
            self.damage.send_if_modified(|first| first.is_none() && first.replace(error).is_none());
            Vec::new()
        });
        if !applied.is_empty() {
            return applied;
        }
        let founders = self.membership.founding.founders.iter();
        founders.map(as_roster_node).collect()
    }

    /// Whether the cluster's first entry has been applied here. Before that, nobody is let in.
    pub(super) fn is_founded(&self) -> bool {
        self.app.founding().is_ok_and(|founding| founding.is_some())
    }

    /// Resolves when the roster could not be read: the node must stop.
    pub async fn damaged(&self) -> StoreError {
        let mut damage = self.damage.subscribe();
        let damaged = damage.wait_for(Option::is_some).await.expect("the sender is a field of self");
        damaged.clone().expect("it was waited for")
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

    /// Has the leader carry out the request, wherever it is.
    pub(super) async fn through_leader(&self, request: PeerRequest) -> Result<PeerAnswer, Refusal> {
        self.at_leader(|| self.lead(request.clone()), || request.clone()).await
    }

    /// Has the leader put the entry into the log, wherever it is.
    pub(super) async fn propose(&self, entry: &Entry) -> Result<PeerAnswer, Refusal> {
        let command = entry.encode();
        self.at_leader(|| self.take(entry, command.clone()), || PeerRequest::Propose(command.clone())).await
    }

    /// Has something done `here` if this node leads, or else asked of the leader. What came to nothing is tried again until a
    /// leader takes it; what may have happened never is.
    async fn at_leader<F: Future<Output = PeerAnswer>>(
        &self,
        here: impl Fn() -> F,
        request: impl Fn() -> PeerRequest,
    ) -> Result<PeerAnswer, Refusal> {
        let mut leaders = self.raft.leader();
        let search_until = Instant::now() + LEADER_WITHIN;
        loop {
            let leader = *leaders.borrow_and_update();
            let asked_at = Instant::now();
            let answer = match leader {
                Some(leader) if leader == self.node_id => here().await,
                Some(leader) => self.forward(leader, &request(), &mut leaders).await,
                None => PeerAnswer::NotLeader { leader: None },
            };
            match answer {
                PeerAnswer::NotLeader { .. } if Instant::now() < search_until => {}
                PeerAnswer::NotLeader { .. } => return Err(no_quorum()),
                PeerAnswer::Unknown if asked_at.elapsed() < CARRIED_OUT_WITHIN => return Err(leader_lost()),
                PeerAnswer::Unknown => return Err(outcome_unknown()),
                PeerAnswer::Refused(refusal) => return Err(refusal),
                carried_out => return Ok(carried_out),
            }
            // Either the view changes, or the leader that was none yet has become one.
            if let Ok(Err(_)) = tokio::time::timeout(LEADER_AGAIN, leaders.changed()).await {
                // Raft has stopped here: nobody will lead any more.
                return Err(Refusal::new(Code::ShuttingDown, "the node is stopping"));
            }
        }
    }

    async fn forward(
        &self,
        leader: NodeId,
        request: &PeerRequest,
        leaders: &mut watch::Receiver<Option<NodeId>>,
    ) -> PeerAnswer {
        let Some(peer) = self.peer_of(leader) else { return PeerAnswer::NotLeader { leader: None } };
        let asked = self.net.ask(peer, request, CARRIED_OUT_WITHIN);
        let deposed = leaders.wait_for(|now| now.is_some_and(|other| other != leader));
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
        self.net.ask(peer, &request, within).await.map(|_| ()).map_err(|_| peer)
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
