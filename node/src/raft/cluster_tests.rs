//! Three members and more in one process, over the network in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use openraft::entry::RaftEntry;
use openraft::raft::VoteRequest;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use wire::message::Role;
use wire::peer::StoreId;
use wire::transport::memory::{MemoryTransport, Network};
use wire::{BoxStream, Incoming, PeerId, Protocol, Target, Transport, rpc};

use super::entry::encode_entry;
use super::message::{Answer, Ask, FRAME_SIZE_MAX_BYTES};
use super::toy::{TABLES, Toy};
use super::types::{Entry, LeaderId, LogId, Vote};
use super::{Dialer, NodeId, Peer, ProposeError, Raft, RaftError, RaftState, Timing};
use crate::store::log::{EntryLog, StoredEntry};
use crate::store::memory::{MemoryLog, MemoryState};
use crate::store::state::StateStore;

/// Long enough for any of this on a busy machine; nothing waits for it to pass.
const DEADLINE: Duration = Duration::from_secs(30);

/// So that a busy machine does not unseat a leader in the middle of a test.
const CALM: Timing = Timing {
    heartbeat_ms: 80,
    election_min_ms: 600,
    election_max_ms: 1_200,
    snapshot_after: 50_000,
    keep_entries: 100_000,
    seed: 0,
};

struct TestDialer {
    transport: Arc<MemoryTransport>,
    /// How many append streams were asked for.
    dials: Arc<AtomicU64>,
    /// Whether others take entries of this member's; they hear it in any case.
    is_refused: Arc<AtomicBool>,
}

impl Dialer for TestDialer {
    fn open(&self, _id: NodeId, peer: &Peer, protocol: Protocol) -> BoxFuture<'_, io::Result<BoxStream>> {
        if protocol == Protocol::RaftAppend {
            let dials = self.dials.fetch_add(1, Ordering::Relaxed);
            // Without a pause in between this would never end.
            assert!(dials < 10_000, "a member is dialled all the time");
            if self.is_refused.load(Ordering::Relaxed) {
                return futures::future::ready(Err(io::ErrorKind::StorageFull.into())).boxed();
            }
        }
        let target = Target { peer: Some(peer.peer), addresses: vec![] };
        let opened = async move { self.transport.open(target, protocol).await };
        opened.map(|opened| opened.map(|(_, stream)| stream).map_err(io::Error::other)).boxed()
    }
}

fn peer(id: NodeId) -> Peer {
    let byte = u8::try_from(id).unwrap();
    Peer { peer: PeerId([byte; 32]), store: StoreId([byte; 16]) }
}

fn id_of(peer: PeerId) -> NodeId {
    peer.0[0].into()
}

/// What a member keeps when it dies.
#[derive(Clone)]
struct Stores {
    log: Arc<MemoryLog>,
    state: Arc<MemoryState>,
}

struct Member {
    raft: Raft,
    toy: Arc<Toy>,
    stores: Stores,
    dials: Arc<AtomicU64>,
    is_refused: Arc<AtomicBool>,
    /// Serves what others open; ends with the member.
    serving: JoinSet<()>,
}

struct Cluster {
    network: Network,
    timing: Timing,
    members: BTreeMap<NodeId, Member>,
}

impl Cluster {
    /// Members 1, 2 and 3, founded, with a leader.
    async fn founded(timing: Timing) -> Self {
        Self::founded_by(3, timing).await
    }

    /// Members 1 and so on, founded, with a leader.
    async fn founded_by(length: NodeId, timing: Timing) -> Self {
        let mut cluster = Self { network: Network::new(), timing, members: BTreeMap::new() };
        for id in 1..=length {
            cluster.start_new(id).await;
        }
        let founders = (1..=length).map(|id| (id, peer(id))).collect();
        cluster.raft(1).initialize(founders).await.unwrap();
        cluster.leader_of(&(1..=length).collect::<Vec<_>>()).await;
        cluster
    }

    async fn start_new(&mut self, id: NodeId) {
        let stores = Stores { log: MemoryLog::new(), state: MemoryState::new(TABLES) };
        self.start(id, stores).await;
    }

    async fn start(&mut self, id: NodeId, stores: Stores) {
        let toy = Toy::new(stores.state.clone());
        self.start_with(id, stores, toy).await;
    }

    async fn start_with(&mut self, id: NodeId, stores: Stores, toy: Arc<Toy>) {
        let transport = self.network.join(peer(id).peer);
        let timing = Timing { seed: id, ..self.timing };
        let dials = Arc::new(AtomicU64::new(0));
        let is_refused = Arc::new(AtomicBool::new(false));
        let (counted, refused) = (dials.clone(), is_refused.clone());
        let dialer = Arc::new(TestDialer { transport: transport.clone(), dials: counted, is_refused: refused });
        let raft = Raft::start(id, timing, stores.log.clone(), toy.clone(), dialer).await.unwrap();
        let mut serving = JoinSet::new();
        for protocol in [Protocol::RaftAppend, Protocol::RaftControl, Protocol::RaftSnapshot] {
            serving.spawn(serve(raft.clone(), transport.accept(protocol), protocol));
        }
        self.members.insert(id, Member { raft, toy, stores, dials, is_refused, serving });
    }

    /// Kills the member; what it leaves is what a power cut would.
    async fn kill(&mut self, id: NodeId) -> Stores {
        self.network.crash(peer(id).peer);
        let mut member = self.members.remove(&id).unwrap();
        let left = Stores { log: member.stores.log.crash(), state: member.stores.state.crash() };
        member.serving.shutdown().await;
        member.raft.shutdown().await;
        left
    }

    fn raft(&self, id: NodeId) -> &Raft {
        &self.members[&id].raft
    }

    /// Waits until one of these leads with a majority, and the others of them follow it.
    async fn leader_of(&self, ids: &[NodeId]) -> NodeId {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let states = ids.iter().map(|id| self.raft(*id).watch().borrow().clone()).collect::<Vec<_>>();
            let leader = states.iter().find(|state| state.role == Role::Leader && state.has_quorum);
            if let Some(leader) = leader
                && states.iter().all(|state| state.leader == Some(leader.id))
            {
                return leader.id;
            }
            assert!(Instant::now() < deadline, "nobody leads: {states:#?}");
            // Not `changed`: it may be so at once, again and again, and then no time passes where that is simulated.
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn propose(&self, id: NodeId, command: String) -> Result<u64, ProposeError> {
        let (index, reply) = self.raft(id).propose(Bytes::from(command.clone())).await?;
        assert_eq!(reply, format!("did {command}").as_bytes());
        Ok(index)
    }

    /// Proposes all at once; returns the last index.
    async fn propose_all(&self, id: NodeId, commands: impl IntoIterator<Item = u64>) -> u64 {
        let proposals = commands.into_iter().map(|n| self.propose(id, format!("c{n}")));
        join_all(proposals).await.into_iter().map(Result::unwrap).max().unwrap()
    }

    /// Waits until these have applied the index, and checks that they hold the same, with nothing doubled.
    async fn agree(&self, ids: &[NodeId], index: u64) -> Vec<String> {
        for id in ids {
            assert!(self.raft(*id).wait_applied(index, DEADLINE).await, "{id} has not applied {index}");
        }
        let mut all = ids.iter().map(|id| self.members[id].toy.commands()).collect::<Vec<_>>();
        let first = all.pop().unwrap();
        for other in &all {
            assert_eq!(*other, first);
        }
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), first.len(), "a command was applied twice");
        first
    }
}

async fn serve(raft: Raft, mut incoming: mpsc::Receiver<Incoming>, protocol: Protocol) {
    let mut streams = JoinSet::new();
    while let Some(stream) = incoming.recv().await {
        let raft = raft.clone();
        streams.spawn(async move { raft.serve(id_of(stream.peer), protocol, stream.stream).await });
    }
}

async fn until(raft: &Raft, what: &str, is_so: impl FnMut(&RaftState) -> bool) -> RaftState {
    let mut state: watch::Receiver<RaftState> = raft.watch();
    let waited = timeout(DEADLINE, state.wait_for(is_so)).await.map(|seen| seen.unwrap().clone());
    waited.unwrap_or_else(|_| panic!("{what}: {:#?}", raft.watch().borrow().clone()))
}

/// For what nobody tells of: looks again and again.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn others(ids: &[NodeId], but: NodeId) -> Vec<NodeId> {
    ids.iter().copied().filter(|id| *id != but).collect()
}

fn peers(ids: &[NodeId]) -> Vec<PeerId> {
    ids.iter().map(|id| peer(*id).peer).collect()
}

const ALL: &[NodeId] = &[1, 2, 3];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_leader_takes_all_members_apply_in_one_order() {
    let cluster = Cluster::founded(CALM).await;
    let leader = cluster.leader_of(ALL).await;
    let last = cluster.propose_all(leader, 0..500).await;
    let as_proposed = (0..500).map(|n| format!("c{n}")).collect::<Vec<_>>();
    assert_eq!(cluster.agree(ALL, last).await, as_proposed);
    assert!(cluster.raft(leader).read_barrier().await.unwrap() >= last);
    let follower = others(ALL, leader)[0];
    let not_leader = ProposeError::NotLeader { leader: Some(leader) };
    assert_eq!(cluster.propose(follower, "x".to_owned()).await, Err(not_leader.clone()));
    assert_eq!(cluster.raft(follower).read_barrier().await, Err(not_leader));
    let founders = ALL.iter().map(|id| (*id, peer(*id))).collect();
    assert_eq!(cluster.raft(follower).initialize(founders).await, Ok(()), "founded again, it stays as it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_leader_is_replaced_and_nothing_is_lost() {
    let mut cluster = Cluster::founded(CALM).await;
    let dead = cluster.leader_of(ALL).await;
    cluster.propose_all(dead, 0..50).await;
    let left = cluster.kill(dead).await;
    let alive = others(ALL, dead);
    let leader = cluster.leader_of(&alive).await;
    cluster.propose_all(leader, 50..100).await;
    cluster.start(dead, left).await;
    let last = cluster.propose_all(leader, 100..101).await;
    assert_eq!(cluster.agree(ALL, last).await.len(), 101);
}

/// The election timer would take minutes.
const PATIENT: Timing = Timing { heartbeat_ms: 200, election_min_ms: 120_000, election_max_ms: 180_000, ..CALM };

#[tokio::test(start_paused = true)]
async fn a_leader_whose_connections_break_is_followed_at_once() {
    for length in [3, 5] {
        let mut cluster = Cluster::founded_by(length, PATIENT).await;
        let all = (1..=length).collect::<Vec<_>>();
        let dead = cluster.leader_of(&all).await;
        cluster.propose_all(dead, 0..50).await;
        let killed = Instant::now();
        cluster.kill(dead).await;
        let alive = others(&all, dead);
        let leader = cluster.leader_of(&alive).await;
        assert!(killed.elapsed() < Duration::from_millis(500), "{length} members took {:?}", killed.elapsed());
        let last = cluster.propose_all(leader, 50..60).await;
        assert_eq!(cluster.agree(&alive, last).await.len(), 60);
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_alive_outlasts_broken_connections() {
    let cluster = Cluster::founded(PATIENT).await;
    let leader = cluster.leader_of(ALL).await;
    let term = cluster.raft(leader).watch().borrow().term;
    let [one, other] = others(ALL, leader)[..] else { panic!("there are three") };
    let (leading, one, other) = (peer(leader).peer, peer(one).peer, peer(other).peer);
    let calm = async |what: &str| {
        sleep(Duration::from_secs(2)).await;
        let last = cluster.propose(leader, what.to_owned()).await.unwrap();
        cluster.agree(ALL, last).await;
        assert_eq!(cluster.raft(leader).watch().borrow().term, term, "{what}");
    };
    for follower in [one, other] {
        cluster.network.reset(follower, leading);
    }
    calm("all lose it and find it again").await;
    cluster.network.partition(&[leading], &[one]);
    sleep(Duration::from_secs(2)).await;
    cluster.network.heal();
    calm("one cannot find it again, and is told by the other that it is there").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_dead_at_once_come_back_with_everything() {
    let mut cluster = Cluster::founded(CALM).await;
    let leader = cluster.leader_of(ALL).await;
    let last = cluster.propose_all(leader, 0..50).await;
    let mut left = vec![];
    for id in ALL {
        left.push(cluster.kill(*id).await);
    }
    for (id, stores) in ALL.iter().zip(left) {
        cluster.start(*id, stores).await;
    }
    cluster.leader_of(ALL).await;
    assert_eq!(cluster.agree(ALL, last).await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_without_a_majority_says_so_and_follows_the_next_one() {
    let cluster = Cluster::founded(CALM).await;
    let old = cluster.leader_of(ALL).await;
    let majority = others(ALL, old);
    cluster.propose_all(old, 0..10).await;
    cluster.network.partition(&peers(&[old]), &peers(&majority));
    // Taken before it knew: nobody can say what becomes of it, but an answer comes.
    let caught = timeout(DEADLINE, cluster.propose(old, "caught".to_owned())).await.unwrap();
    assert!(matches!(caught, Err(ProposeError::Unknown | ProposeError::NoQuorum)), "{caught:?}");
    until(cluster.raft(old), "it notices", |state| !state.has_quorum).await;
    assert_eq!(cluster.propose(old, "refused".to_owned()).await, Err(ProposeError::NoQuorum));
    assert_eq!(cluster.raft(old).read_barrier().await, Err(ProposeError::NoQuorum));

    let new = cluster.leader_of(&majority).await;
    cluster.propose_all(new, 10..20).await;
    cluster.network.heal();
    until(cluster.raft(old), "it follows", |state| state.leader == Some(new)).await;
    let last = cluster.propose_all(new, 20..21).await;
    let commands = cluster.agree(ALL, last).await;
    assert!(!commands.contains(&"refused".to_owned()));
    assert_eq!(commands.iter().filter(|command| command.starts_with('c') && *command != "caught").count(), 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_followers_hear_and_nobody_writes_for_does_not_pile_up_what_it_is_asked() {
    let cluster = Cluster::founded(CALM).await;
    let leader = cluster.leader_of(ALL).await;
    cluster.propose_all(leader, 0..10).await;
    let raft = cluster.raft(leader).clone();
    let is_refused = &cluster.members[&leader].is_refused;
    is_refused.store(true, Ordering::Relaxed);
    for follower in others(ALL, leader) {
        cluster.network.reset(peer(leader).peer, peer(follower).peer);
    }
    let began = Instant::now();
    let mut count = 0;
    let refused = loop {
        count += 1;
        // Nobody waits for an answer that does not come.
        let taken = timeout(Duration::from_millis(100), cluster.propose(leader, format!("piled up {count}"))).await;
        if let Ok(Err(ProposeError::NoQuorum)) = taken {
            break raft.watch().borrow().clone();
        }
        assert!(began.elapsed() < DEADLINE, "it goes on to take what nobody writes: {taken:?}");
    };
    assert_eq!((refused.role, refused.has_quorum), (Role::Leader, true), "it is heard all the time");
    let last = raft.watch().borrow().last_index;
    assert_eq!(cluster.propose(leader, "refused".to_owned()).await, Err(ProposeError::NoQuorum));
    assert_eq!(raft.watch().borrow().last_index, last);

    is_refused.store(false, Ordering::Relaxed);
    until(&raft, "what it took is committed", |state| state.committed >= last).await;
    let last = cluster.propose_all(leader, 10..20).await;
    let commands = cluster.agree(ALL, last).await;
    assert!(!commands.contains(&"refused".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_behind_the_purged_log_catches_up_by_a_snapshot() {
    let mut cluster = Cluster::founded(Timing { snapshot_after: 20, keep_entries: 8, ..CALM }).await;
    let leader = cluster.leader_of(ALL).await;
    let away = others(ALL, leader)[0];
    cluster.propose_all(leader, 0..5).await;
    let left = cluster.kill(away).await;
    for n in 5..120 {
        cluster.propose_all(leader, [n]).await;
    }
    let log = cluster.members[&leader].stores.log.clone();
    let end = left.log.extent().end;
    // The next time that it is tried in vain: until then its next entries are held to be on their way.
    eventually("the leader has purged what it lacks", || log.extent().first > end).await;
    cluster.start(away, left).await;
    let last = cluster.propose_all(leader, 120..121).await;
    assert_eq!(cluster.agree(ALL, last).await.len(), 121);
    let log = cluster.members[&away].stores.log.clone();
    eventually("it came as a snapshot, not entry by entry", || log.extent().first > 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_takes_longer_than_the_log_is_kept_is_sent_once() {
    let mut cluster = Cluster::founded(Timing { snapshot_after: 20, keep_entries: 8, ..CALM }).await;
    let leader = cluster.leader_of(ALL).await;
    let log = cluster.members[&leader].stores.log.clone();
    let away = others(ALL, leader)[0];
    let left = cluster.kill(away).await;
    for n in 0..120 {
        cluster.propose_all(leader, [n]).await;
    }
    let end = left.log.extent().end;
    eventually("the leader has purged what it lacks", || log.extent().first > end).await;
    let toy = Toy::new(left.state.clone());
    toy.hold_installing(true);
    cluster.start_with(away, left, toy.clone()).await;
    eventually("the snapshot is there", || toy.installed() > 0).await;
    let mut last = 0;
    for n in 120..320 {
        last = cluster.propose_all(leader, [n]).await;
    }
    toy.hold_installing(false);
    assert_eq!(cluster.agree(ALL, last).await.len(), 320);
    assert_eq!(toy.installed(), 1);
    for n in 320..400 {
        cluster.propose_all(leader, [n]).await;
    }
    eventually("the log is purged again", || log.extent().first > 320).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lead_is_handed_over_without_an_election_timeout() {
    let slow = Timing { election_min_ms: 4_000, election_max_ms: 5_000, ..CALM };
    let cluster = Cluster::founded(slow).await;
    let leader = cluster.leader_of(ALL).await;
    cluster.propose_all(leader, 0..10).await;
    for to in [Some(others(ALL, leader)[0]), Some(leader)] {
        let from = cluster.leader_of(ALL).await;
        let asked = Instant::now();
        cluster.raft(from).transfer_leader(to).await.unwrap();
        until(cluster.raft(to.unwrap()), "it leads", |state| state.role == Role::Leader && state.has_quorum).await;
        // By itself it would have waited for the lease of the old leader to end, and longer.
        assert!(asked.elapsed() < Duration::from_millis(slow.election_max_ms), "{:?}", asked.elapsed());
    }
    cluster.raft(leader).transfer_leader(None).await.unwrap();
    until(cluster.raft(leader), "another leads", |state| state.leader.is_some_and(|now| now != leader)).await;
    assert!(matches!(cluster.raft(leader).transfer_leader(None).await, Err(RaftError::NotLeader { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_survivor_comes_up_with_what_it_has() {
    let mut cluster = Cluster::founded(CALM).await;
    let leader = cluster.leader_of(ALL).await;
    let last = cluster.propose_all(leader, 0..10).await;
    cluster.agree(ALL, last).await;
    let mut left = BTreeMap::new();
    for id in ALL {
        left.insert(*id, cluster.kill(*id).await);
    }
    let mine = left.remove(&2).unwrap();
    timeout(DEADLINE, cluster.start(2, mine)).await.unwrap();
    // A power cut may cost the application its last transaction; without a majority it does not come back.
    assert!(cluster.members[&2].toy.commands().len() <= 10);
    assert_eq!(cluster.propose(2, "x".to_owned()).await, Err(ProposeError::NotLeader { leader: None }));
    assert!(!cluster.raft(2).watch().borrow().has_quorum);
}

/// It died before its removal of an earlier leader's entries was on its disk, while what it applied in their places was.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_others_threw_out_gives_way_to_what_is_applied() {
    let mut cluster = Cluster::founded(CALM).await;
    let leader = cluster.leader_of(ALL).await;
    let last = cluster.propose_all(leader, 0..10).await;
    cluster.agree(ALL, last).await;
    let follower = others(ALL, leader)[0];
    cluster.members[&follower].stores.state.sync().unwrap();
    let left = cluster.kill(follower).await;
    let leader_id = LeaderId { term: 0, node_id: 9 };
    let thrown_out = (last - 2..last + 3).map(|index| {
        let entry = Entry::new_blank(LogId { leader_id, index });
        StoredEntry { index, bytes: encode_entry(&entry).into() }
    });
    left.log.truncate(last - 2);
    left.log.append(thrown_out.collect(), Box::new(|written| written.unwrap()));
    cluster.start(follower, left).await;
    let last = cluster.propose_all(leader, 10..20).await;
    assert_eq!(cluster.agree(ALL, last).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go() {
    let mut cluster = Cluster::founded(CALM).await;
    let leader = cluster.leader_of(ALL).await;
    cluster.propose_all(leader, 0..10).await;
    for id in [4, 5] {
        cluster.start_new(id).await;
        cluster.raft(leader).add_learner(id, peer(id)).await.unwrap();
    }
    let last = cluster.propose_all(leader, 10..20).await;
    cluster.agree(&[1, 2, 3, 4, 5], last).await;
    cluster.raft(leader).change_voters(BTreeSet::from([1, 2, 3, 4, 5])).await.unwrap();
    let state = until(cluster.raft(leader), "five vote", |state| state.voters.len() == 5 && !state.joint).await;
    assert_eq!(state.members[&4], peer(4));
    assert_eq!(state.progress.len(), 5);

    cluster.raft(leader).change_voters(BTreeSet::from([1, 2, 3])).await.unwrap();
    cluster.raft(leader).remove(BTreeSet::from([4, 5, 9])).await.unwrap();
    let state = until(cluster.raft(leader), "three are left", |state| state.members.len() == 3).await;
    assert_eq!(state.voters, BTreeSet::from([1, 2, 3]));
    let unknown = cluster.raft(leader).change_voters(BTreeSet::from([1, 2, 7])).await;
    assert!(matches!(unknown, Err(RaftError::Refused(_))), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_apply_stops_and_says_why() {
    let cluster = Cluster::founded(CALM).await;
    let leader = cluster.leader_of(ALL).await;
    let broken = others(ALL, leader)[0];
    let fatal = cluster.raft(broken).fatal();
    cluster.members[&broken].toy.break_down();
    let last = cluster.propose_all(leader, 0..1).await;
    let reason = timeout(DEADLINE, fatal).await.unwrap();
    assert_eq!(reason, Toy::broken().to_string());
    cluster.agree(&others(ALL, broken), last).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_stands_for_election_in_anothers_name() {
    let cluster = Cluster::founded(CALM).await;
    let leader = cluster.leader_of(ALL).await;
    let liar = others(ALL, leader)[0];
    let (near, far) = tokio::io::duplex(64 * 1024);
    let raft = cluster.raft(leader).clone();
    let serving = tokio::spawn(async move { raft.serve(liar, Protocol::RaftControl, Box::pin(far)).await });
    let (caller, driver) = rpc::caller::<Ask, Answer>(Box::pin(near), FRAME_SIZE_MAX_BYTES);
    let driving = tokio::spawn(driver);
    let stand = async |candidate| {
        let request = VoteRequest::new(Vote::new(1_000, candidate), None);
        caller.call(&Ask::PreVote(request.into())).await
    };
    assert!(matches!(stand(leader).await, Ok(Answer::Unable)));
    assert!(matches!(stand(liar).await, Ok(Answer::Voted { granted: false, .. })), "its log is behind");
    drop(caller);
    driving.await.unwrap();
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_member_is_dialled_a_few_times_a_second() {
    let mut cluster = Cluster::founded(CALM).await;
    let leader = cluster.leader_of(&[1, 2, 3]).await;
    let follower = (1..=3).find(|id| *id != leader).unwrap();
    cluster.kill(follower).await;
    // Something that it lacks: without, nobody needs to reach it.
    cluster.propose_all(leader, 0..1).await;
    let dials = || cluster.members[&leader].dials.load(Ordering::Relaxed);
    let before = dials();
    sleep(Duration::from_secs(10)).await;
    let tries = dials() - before;
    assert!((10..=100).contains(&tries), "{tries} times in ten seconds");
}
