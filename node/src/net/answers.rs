//! What a member answers other nodes; what only the leader can do is in here as well.

use std::time::Duration;

use bytes::Bytes;
use chat::{Cursor, Replica, SessionId};
use wire::peer::{Candidate, PeerAnswer, PeerRequest, StoreId};
use wire::{Code, PeerId, Refusal};

use super::gate;
use super::member::{Member, Report};
use super::outcome::{decoded, unchanged, unproposed};
use crate::app::{AppReply, ClusterCommand, Entry};
use crate::raft::{NodeId, RaftState};

/// How long it may take until what was applied can be seen.
const SEEN_WITHIN: Duration = Duration::from_secs(1);

/// How long a node waits for an entry to be applied before it gives up on its digest.
const DIGEST_WITHIN: Duration = Duration::from_secs(3);

impl Member {
    /// Answers another node.
    pub async fn answer(&self, from: PeerId, request: PeerRequest) -> PeerAnswer {
        match request {
            PeerRequest::Propose(command) => self.take_encoded(command).await,
            // Apart: there are few of them, and what each may wait for would take room in every proposal.
            rare => Box::pin(self.answer_rarely(from, rare)).await,
        }
    }

    async fn answer_rarely(&self, from: PeerId, request: PeerRequest) -> PeerAnswer {
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
        if let Err(refusal) = gate::may_stay(&self.roster(), candidate.peer, candidate.store) {
            return PeerAnswer::Refused(refusal);
        }
        self.net.learn_from(candidate);
        PeerAnswer::Candidate(self.net.candidate())
    }

    /// Carries out what only the leader can, on this node; `NotLeader` where it is none.
    pub(super) async fn lead(&self, request: PeerRequest) -> PeerAnswer {
        match request {
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

    /// Puts the entry of these bytes into the log.
    async fn take_encoded(&self, command: Bytes) -> PeerAnswer {
        match Entry::decode(&command) {
            Ok(entry) => self.take(&entry, command).await,
            // In the log it would stop every node that cannot read it.
            Err(error) => PeerAnswer::Refused(Refusal::new(Code::VersionUnknown, error.to_string())),
        }
    }

    /// Puts the entry, which these are the bytes of, into the log if there is room. Nothing is awaited before that: entries enter
    /// the log in the order in which this is first polled.
    pub(super) async fn take(&self, entry: &Entry, command: Bytes) -> PeerAnswer {
        match self.no_room_for(entry) {
            Some(refusal) => PeerAnswer::Refused(refusal),
            None => self.propose_here(command).await,
        }
    }

    /// Why the leader does not take the entry now; nobody else can tell.
    fn no_room_for(&self, entry: &Entry) -> Option<Refusal> {
        let states = self.raft.watch();
        let state = states.borrow();
        let leads = state.leader == Some(self.node_id);
        leads.then(|| self.room.refuses(entry, &state.voters))?
    }

    async fn propose_here(&self, command: Bytes) -> PeerAnswer {
        match self.raft.propose(command).await {
            Ok((index, reply)) => PeerAnswer::Proposed { index: Cursor(index), reply },
            Err(error) => unproposed(error),
        }
    }

    /// Puts a check into the log, on the leader, and returns where it is.
    pub(crate) async fn check(&self) -> Result<Cursor, PeerAnswer> {
        match self.propose_here(Entry::Cluster(ClusterCommand::Check).encode()).await {
            PeerAnswer::Proposed { index, .. } => Ok(index),
            other => Err(other),
        }
    }

    /// Puts an entry of the cluster's own into the log, on the leader.
    pub(crate) async fn propose_command(&self, command: ClusterCommand) -> Result<AppReply, PeerAnswer> {
        match self.propose_here(Entry::Cluster(command).encode()).await {
            PeerAnswer::Proposed { index, reply } => {
                // Whoever is told of it next looks into the state.
                let _ = tokio::time::timeout(SEEN_WITHIN, self.app.reached(index)).await;
                decoded(&reply).map_err(PeerAnswer::Refused)
            }
            other => Err(other),
        }
    }

    pub(super) fn take_report(&self, at: Replica, sessions: Vec<SessionId>) -> PeerAnswer {
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
        if let Err(refusal) = gate::may_stay(&self.roster(), peer, store) {
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
}
