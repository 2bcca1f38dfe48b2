//! What only the leader does, besides leading: keeps Raft's members as the roster and their health want
//! them, and keeps track of who listens. Every node runs this, and does nothing while another leads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chat::{Command, Cursor, Replica};
use futures::StreamExt;
use futures::future::join_all;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, info, warn};
use wire::blocking::while_others_go_on;
use wire::message::Role;
use wire::peer::{PeerAnswer, PeerRequest};

use super::node::Timing;
use crate::app::{ClusterCommand, Digest, Entry};
use crate::autopilot::{self, Action, Conditions, View};
use crate::net::Cluster;
use crate::net::member::{Member, Report};
use crate::presence::{Event, Presence};
use crate::raft::{NodeId, RaftError, RaftState};

/// How long to wait before the founding record is proposed again where that failed.
const FOUND_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How long a member may take to say that it is there.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);

/// How long the voters may take to hash their states; a state of many gigabytes takes long to read.
const HASHED_WITHIN: Duration = Duration::from_secs(600);

/// How long a voter may take to say whether it has hashed its state: it waits a little until it has.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How long to wait before voters that have not hashed their state yet are asked again.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// When whoever comes is greeted, each after the one before: it may still have to read what it has stored, and whoever comes after
/// the first is greeted with the rest.
const GREETINGS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(150)];

/// How long a change of the members may take; one that takes longer is looked at again.
const CHANGE_WITHIN: Duration = Duration::from_secs(30);

/// How many disconnections are proposed at the same time; beyond it they wait their turn.
const PROPOSALS_MAX: usize = 64;

/// Founds the cluster in its own log, and drives the autopilot.
pub(super) async fn steer(member: Arc<Member>, timing: Timing) {
    let started = Instant::now();
    let mut conditions = Conditions::default();
    let mut states = member.raft().watch();
    let mut led = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(timing.look) => {}
            () = member.roster_changed() => {}
            // At once when this node begins to lead: nobody is let in before the cluster is founded.
            Ok(_) = states.wait_for(|state| leads(&member, state)), if !led => {}
        }
        let state = member.state();
        led = leads(&member, &state);
        if !led {
            conditions = Conditions::default();
            member.room().heard(&BTreeMap::new());
            continue;
        }
        if !found(&member).await {
            // It may have lost the lead in between, and may have it again.
            led = false;
            tokio::time::sleep(FOUND_AGAIN_AFTER).await;
            continue;
        }
        let free_bytes = what_is_free(&member, &state).await;
        let now_ms = elapsed_ms(started);
        conditions.observe(now_ms, &free_bytes.iter().map(|(id, free)| (*id, free.is_some())).collect());
        member.room().heard(&free_bytes);
        let view = view(&member, member.state(), conditions.at(now_ms));
        if let Some(action) = autopilot::decide(&view, &timing.autopilot) {
            change(&member, action).await;
        }
    }
}

/// Whoever has just come hears at once that this node leads: one that has started a moment ago serves nobody before.
pub(super) async fn greet(member: Arc<Member>) {
    loop {
        member.net().changed().await;
        for pause in GREETINGS {
            tokio::time::sleep(pause).await;
            if member.state().role == Role::Leader {
                member.raft().beat().await;
            }
        }
    }
}

/// Whether this node leads, and the others follow.
fn leads(member: &Member, state: &RaftState) -> bool {
    state.leader == Some(member.node_id()) && state.has_quorum
}

/// The first entry of every cluster says how it was founded. Whether it is there.
async fn found(member: &Member) -> bool {
    let Ok(None) = member.app().founding() else { return true };
    let record = member.membership().founding.clone();
    let proposed = member.propose_command(ClusterCommand::Found(record)).await;
    if proposed.is_err() {
        debug!("the founding record could not be proposed yet");
    }
    proposed.is_ok()
}

/// How many bytes each member has free; None: it does not answer.
async fn what_is_free(member: &Member, state: &RaftState) -> BTreeMap<NodeId, Option<u64>> {
    let asked = state.members.iter().map(|(id, peer)| async move {
        let answer = member.ask_any(peer.peer, PeerRequest::Status, ALIVE_WITHIN).await;
        let Some(PeerAnswer::Status { progress, .. }) = answer else { return (*id, None) };
        (*id, Some(progress.disk_free_bytes))
    });
    join_all(asked).await.into_iter().collect()
}

fn view(member: &Member, state: RaftState, condition: BTreeMap<NodeId, autopilot::Condition>) -> View {
    let behind = |matched: u64| state.last_index.saturating_sub(matched);
    let lag = state.progress.iter().filter_map(|(id, matched)| Some((*id, behind((*matched)?))));
    View {
        me: member.node_id(),
        lag: lag.collect(),
        voters: state.voters,
        joint: state.joint,
        members: state.members,
        roster: member.roster(),
        condition,
        low: member.room().low(),
    }
}

async fn change(member: &Member, action: Action) {
    info!("changing the members: {}", described(member, &action));
    let raft = member.raft();
    let done = tokio::time::timeout(CHANGE_WITHIN, async {
        match action {
            Action::AddLearner(id, peer) => raft.add_learner(id, peer).await,
            Action::SetVoters(voters) => raft.change_voters(voters).await,
            Action::Remove(ids) => {
                let peers: Vec<_> = ids.iter().filter_map(|id| member.peer_of(*id)).collect();
                let removed = raft.remove(ids).await;
                if removed.is_ok() {
                    for peer in peers {
                        member.net().drop_peer(peer);
                    }
                }
                removed
            }
            Action::HandOver(to) => raft.transfer_leader(to).await,
        }
    });
    match done.await {
        Ok(Ok(()) | Err(RaftError::NotLeader { .. })) => {}
        Ok(Err(error)) => warn!("the members were not changed: {error}"),
        Err(_) => warn!("the change of the members is not done yet"),
    }
}

fn described(member: &Member, action: &Action) -> String {
    let name = |id: &NodeId| member.name_of(*id).unwrap_or_else(|| id.to_string());
    let names = |ids: &BTreeSet<NodeId>| ids.iter().map(name).collect::<Vec<_>>().join(", ");
    match action {
        Action::AddLearner(id, _) => format!("{} joins", name(id)),
        Action::SetVoters(voters) => format!("{} vote", names(voters)),
        Action::Remove(ids) => format!("{} leave", names(ids)),
        Action::HandOver(None) => "another node has to lead".to_owned(),
        Action::HandOver(Some(to)) => format!("{} leads, as it has room on its disk", name(to)),
    }
}

/// Keeps the timers of presence, and proposes what they say.
pub(super) async fn keep_presence(member: Arc<Member>, mut reported: mpsc::Receiver<Report>, timing: Timing) {
    let started = Instant::now();
    let mut presence = Presence::new(timing.presence_ttl_ms);
    let mut led = None;
    let mut due = tokio::time::interval(timing.look);
    loop {
        let report = tokio::select! {
            _ = due.tick() => None,
            report = reported.recv() => match report {
                Some(report) => Some(report),
                None => return,
            },
        };
        let (now_ms, state) = (elapsed_ms(started), member.state());
        if !leads(&member, &state) {
            led = None;
            continue;
        }
        if led.replace(state.term) != Some(state.term) {
            presence.step(now_ms, Event::Lead);
        }
        let event = match report {
            Some(Report { at, sessions }) => Event::Reported { at, sessions },
            None => match look(&member) {
                Some(event) => event,
                None => continue,
            },
        };
        propose(&member, presence.step(now_ms, event)).await;
    }
}

/// None: the state cannot be read, which ends the node elsewhere.
fn look(member: &Member) -> Option<Event> {
    // All that there are.
    let connected = while_others_go_on(|| member.app().connected_sessions()).ok()?;
    let nodes = member.roster().into_iter().filter(|node| !node.removed);
    Some(Event::Tick {
        connected: connected.into_iter().map(|(session, _, at)| (session, at)).collect(),
        nodes: nodes.map(|node| Replica(node.node_id)).collect(),
    })
}

/// Has the replicas compare their states now and then, through the log: a check, and then what most of the voters came to at it. Whoever
/// came to something else stops.
pub(super) async fn compare_states(member: Arc<Member>, timing: Timing) {
    loop {
        tokio::time::sleep(timing.compare).await;
        if leads(&member, &member.state())
            && let Some((index, digest)) = agreed_state(&member).await
            && member.propose_command(ClusterCommand::Verdict { index, digest }).await.is_err()
        {
            debug!("the states could not be compared yet");
        }
    }
}

/// A check, and what more than half of the voters came to at it. None: too few of them said.
async fn agreed_state(member: &Arc<Member>) -> Option<(Cursor, Digest)> {
    let index = member.check().await.ok()?;
    let until = Instant::now() + HASHED_WITHIN;
    let state = member.state();
    let mut digests: BTreeMap<NodeId, Digest> = BTreeMap::new();
    while digests.len() < state.voters.len() && Instant::now() < until && leads(member, &member.state()) {
        let missing = state.members.iter().filter(|(id, _)| state.voters.contains(id) && !digests.contains_key(id));
        let asked = missing.map(|(id, peer)| async move {
            match member.ask_any(peer.peer, PeerRequest::Digest { index }, ANSWERS_WITHIN).await {
                Some(PeerAnswer::Digest { digest }) => Some((*id, digest?)),
                _ => None,
            }
        });
        digests.extend(join_all(asked).await.into_iter().flatten());
        if majority(&digests, state.voters.len()).is_some() {
            break;
        }
        tokio::time::sleep(ASKED_AGAIN_AFTER).await;
    }
    let agreed = majority(&digests, state.voters.len());
    if agreed.is_none() && digests.len() > state.voters.len() / 2 {
        warn!(
            index = index.0,
            "the nodes differ, and no majority of them has the same state: `cluster check` shows which"
        );
    }
    agreed.map(|digest| (index, digest))
}

/// The digest that more than half of so many voters have.
fn majority(digests: &BTreeMap<NodeId, Digest>, voters: usize) -> Option<Digest> {
    let count = |wanted: &Digest| digests.values().filter(|digest| *digest == wanted).count();
    digests.values().find(|digest| count(digest) > voters / 2).copied()
}

async fn propose(member: &Arc<Member>, commands: Vec<Command>) {
    let cluster = Cluster::new(Arc::clone(member));
    let proposals = futures::stream::iter(commands);
    proposals
        .for_each_concurrent(PROPOSALS_MAX, |command| {
            let cluster = cluster.clone();
            async move {
                if let Err(refusal) = cluster.propose(Entry::Chat(command)).await {
                    debug!("a session could not be disconnected yet: {refusal}");
                }
            }
        })
        .await;
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
