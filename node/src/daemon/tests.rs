//! Whole nodes in one process, over a network and disks in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use wire::peer::StoreId;
use wire::secret::ClusterSecret;
use wire::transport::memory::Network;
use wire::{Code, PeerId, Transport};

use super::{DaemonError, Keys, Node, Parts, Timing};
use crate::app::{self, AppReply, ClusterCommand, Entry};
use crate::autopilot::Limits;
use crate::clock::SystemClock;
use crate::formation::{MemoryRecords, Promise, Records, load};
use crate::net::Cluster;
use crate::net::room::{Disk, LOW_BYTES, NONE_BYTES};
use crate::store::StoreError;
use crate::store::memory::{MemoryLog, MemoryState};
use crate::store::memtable::MemtableState;
use crate::store::state::StateStore;

/// Nothing in these stories takes longer, on a machine that is busy with others.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a machine keeps when its process dies.
struct Machine {
    records: Arc<FailingRecords>,
    log: Arc<MemoryLog>,
    state: Arc<MemoryState>,
    /// The state as the node sees it that runs there.
    seen: Option<Arc<MemtableState>>,
    disk: Arc<Space>,
}

/// So much room, in bytes.
struct Space(AtomicU64);

impl Disk for Space {
    fn used_bytes(&self) -> u64 {
        0
    }

    fn free_bytes(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Records on a disk that can fail.
#[derive(Default)]
struct FailingRecords {
    records: MemoryRecords,
    broken: AtomicBool,
}

impl Records for FailingRecords {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.records.read(name)
    }

    fn write(&self, name: &str, record: &[u8]) -> Result<(), StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            let reason = "the test broke the disk".to_owned();
            return Err(StoreError::Io { action: "write", place: name.to_owned(), reason });
        }
        self.records.write(name, record)
    }
}

/// Machines on a network, and the nodes that run on them.
struct Town {
    network: Network,
    secret: ClusterSecret,
    expect: u32,
    machines: BTreeMap<u8, Machine>,
    nodes: BTreeMap<u8, Node>,
}

impl Town {
    fn new(expect: u32) -> Self {
        let secret = ClusterSecret::generate(&mut |bytes| bytes.fill(7));
        let (machines, nodes) = (BTreeMap::new(), BTreeMap::new());
        Self { network: Network::new(), secret, expect, machines, nodes }
    }

    fn of(expect: u32, count: u8) -> Self {
        let mut town = Self::new(expect);
        (1..=count).for_each(|number| town.start(number));
        town
    }

    fn machine(&mut self, number: u8) -> &mut Machine {
        self.machines.entry(number).or_insert_with(|| Machine {
            records: Arc::default(),
            log: MemoryLog::new(),
            state: MemoryState::new(app::TABLES),
            seen: None,
            disk: Arc::new(Space(AtomicU64::new(u64::MAX))),
        })
    }

    fn start(&mut self, number: u8) {
        self.start_with(number, timing(number));
    }

    fn start_with(&mut self, number: u8, timing: Timing) {
        self.try_start_with(number, timing).expect("the node starts");
    }

    fn try_start_with(&mut self, number: u8, timing: Timing) -> Result<(), DaemonError> {
        let transport: Arc<dyn Transport> = self.network.join(peer(number));
        let keys = Keys { node: self.secret.node_secret(), operator: Some(self.secret.operator_key()) };
        let (expect, machine) = (self.expect, self.machine(number));
        let seen = MemtableState::in_place(Arc::clone(&machine.state) as _, app::TABLES);
        machine.seen = Some(Arc::clone(&seen));
        let parts = Parts {
            transport,
            log: Arc::clone(&machine.log) as _,
            state: Arc::clone(&seen) as _,
            records: Arc::clone(&machine.records) as _,
            store: StoreId([number; 16]),
            keys,
            name: "n1".into(),
            name_chosen: false,
            expect,
            seeds: Vec::new(),
            runtime: None,
            clock: Arc::new(SystemClock),
            timing,
            disk: Arc::clone(&machine.disk) as _,
        };
        self.nodes.insert(number, Node::start(parts)?);
        Ok(())
    }

    /// The process dies; what was on the disk stays.
    async fn crash(&mut self, number: u8) {
        self.network.crash(peer(number));
        let node = self.nodes.remove(&number).expect("the node runs");
        node.stop().await;
        let machine = self.machines.get_mut(&number).expect("it has a machine");
        (machine.log, machine.state) = (machine.log.crash(), machine.state.crash());
    }

    /// So many bytes are left on its disk.
    fn fill(&self, number: u8, free_bytes: u64) {
        self.machines[&number].disk.0.store(free_bytes, Ordering::SeqCst);
    }

    async fn joined(&self, number: u8) -> Cluster {
        within("the node joins", self.nodes[&number].joined()).await
    }

    async fn ended(&self, number: u8) -> DaemonError {
        within("the node ends", self.nodes[&number].ended()).await
    }

    /// The number of the leader, as this node knows it.
    async fn leader(&self, seen_by: u8) -> u8 {
        let cluster = self.joined(seen_by).await;
        let mut health = cluster.health();
        let writable = health.wait_for(|health| health.writable);
        let health = within("there is a leader", writable).await.expect("the node runs").clone();
        let leader = health.nodes.iter().find(|node| Some(&node.name) == health.leader.as_ref());
        leader.expect("the leader is a node").peer.0[0]
    }

    fn promise(&self, number: u8) -> Promise {
        load(&*self.machines[&number].records, "promise").expect("it can be read").unwrap_or_default()
    }

    async fn eventually(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        within(what, async {
            while !holds(self).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
}

fn peer(number: u8) -> PeerId {
    PeerId([number; 32])
}

fn timing(number: u8) -> Timing {
    Timing {
        raft: crate::raft::Timing { seed: u64::from(number), ..crate::raft::Timing::default() },
        forming: Duration::from_millis(100),
        look: Duration::from_millis(200),
        autopilot: Limits { well_ms: 1_000, dead_ms: 5_000, ..Limits::default() },
        compare: Duration::from_millis(500),
        ..Timing::default()
    }
}

async fn within<T>(what: &str, story: impl Future<Output = T>) -> T {
    timeout(DEADLINE, story).await.unwrap_or_else(|_| panic!("in time: {what}"))
}

/// As a client does: an election may take longer than a node looks for a leader, or the leader not know yet that it
/// is a member, so it asks again.
async fn propose(cluster: &Cluster) {
    within("it is stored", async {
        loop {
            match cluster.propose(check()).await {
                Ok((_, reply)) => return assert_eq!(reply, AppReply::Checked),
                Err(refusal) => {
                    assert!(matches!(refusal.code, Code::NoQuorum | Code::Timeout | Code::Busy), "{refusal:?}");
                }
            }
        }
    })
    .await;
}

fn check() -> Entry {
    Entry::Cluster(ClusterCommand::Check)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn three_nodes_found_a_cluster_and_each_of_them_takes_what_is_proposed() {
    let town = Town::of(3, 3);
    for number in 1..=3 {
        let cluster = town.joined(number).await;
        propose(&cluster).await;
        assert_eq!(cluster.me(), (number.into(), format!("n{number}")));
    }
    let cluster = town.joined(1).await;
    let (_, digests) = within("all compare", cluster.check()).await.expect("the cluster takes it");
    assert_eq!(digests.len(), 3);
    assert!(digests.windows(2).all(|pair| pair[0].digest.is_some() && pair[0].digest == pair[1].digest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_says_it_can_be_written_to_is_founded() {
    let mut town = Town::new(3);
    (1..=3).for_each(|number| town.start_with(number, Timing { look: Duration::from_secs(3600), ..timing(number) }));
    for number in 1..=3 {
        let cluster = town.joined(number).await;
        let mut health = cluster.health();
        within("it is writable", health.wait_for(|health| health.writable)).await.expect("the node runs");
        let seen = town.machines[&number].seen.clone().expect("the node runs");
        let founding = app::App::open(seen).expect("the state can be read").founding();
        assert!(founding.expect("it can be read").is_some(), "n{number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_leader_that_is_cut_off_is_replaced_and_says_that_it_cannot_write() {
    let town = Town::of(3, 3);
    let leader = town.leader(1).await;
    let others: Vec<u8> = (1..=3).filter(|number| *number != leader).collect();
    town.network.partition(&[peer(leader)], &others.iter().map(|number| peer(*number)).collect::<Vec<_>>());
    town.eventually("the others go on", async |town| town.joined(others[0]).await.propose(check()).await.is_ok()).await;
    let cut_off = town.joined(leader).await;
    let mut health = cut_off.health();
    within("it says so", health.wait_for(|health| !health.writable)).await.expect("the node runs");
    let refusal = within("it answers", cut_off.propose(check())).await.expect_err("nobody else hears of it");
    assert!(matches!(refusal.code, Code::NoQuorum | Code::Timeout | Code::Busy), "{refusal:?}");
    town.network.heal();
    town.eventually("it comes back", async |town| town.joined(leader).await.propose(check()).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_others_carry_on_when_the_proposer_dies_between_two_promises() {
    let mut town = Town::new(3);
    town.machine(3).records.broken.store(true, Ordering::SeqCst);
    (1..=3).for_each(|number| town.start(number));
    assert_eq!(town.ended(3).await.exit_code, 6, "3 cannot write its promise, so it does not give it");
    town.eventually("2 promises", async |town| town.promise(2).given.is_some()).await;
    town.crash(1).await;
    town.crash(3).await;
    assert_eq!(town.promise(3), Promise::default());
    town.machine(3).records.broken.store(false, Ordering::SeqCst);
    town.start(3);
    propose(&town.joined(3).await).await;
    town.start(1);
    let first = town.joined(1).await;
    propose(&first).await;
    assert_eq!(first.me().0, 1, "it is the founder that it promised to be");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_six_nodes_three_found_the_cluster_and_the_others_join_it() {
    let town = Town::of(3, 6);
    let mut names = Vec::new();
    for number in 1..=6 {
        let cluster = town.joined(number).await;
        // So that its own admission has been applied at it.
        within("it catches up", cluster.read_barrier(DEADLINE)).await.expect("there is a leader");
        names.push(cluster.me().1);
    }
    names.sort();
    assert_eq!(names, ["n1", "n2", "n3", "n4", "n5", "n6"]);
    town.eventually("five of them vote", async |town| {
        let status = town.joined(1).await.status().await;
        status.voters == 5 && status.can_lose == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_again_is_what_it_was() {
    let mut town = Town::of(3, 3);
    for number in 1..=3 {
        propose(&town.joined(number).await).await;
    }
    for number in 1..=3 {
        town.crash(number).await;
    }
    (1..=3).for_each(|number| town.start(number));
    for number in 1..=3 {
        let cluster = town.joined(number).await;
        propose(&cluster).await;
        assert_eq!(cluster.me().0, u64::from(number));
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_again_need_not_wait_for_a_heartbeat() {
    let rare = |number| {
        let raft = crate::raft::Timing {
            heartbeat_ms: 20_000,
            election_min_ms: 25_000,
            election_max_ms: 30_000,
            ..timing(number).raft
        };
        Timing { raft, ..timing(number) }
    };
    let mut town = Town::new(3);
    (1..=3).for_each(|number| town.start_with(number, rare(number)));
    let leader = town.leader(1).await;
    let follower = if leader == 3 { 2 } else { 3 };
    for _ in 0..3 {
        town.crash(follower).await;
        let started = tokio::time::Instant::now();
        town.start_with(follower, rare(follower));
        assert_eq!(town.leader(follower).await, leader);
        // Of the test's own clock. The leader's next attempt to replicate comes a fifth of a second later.
        assert!(started.elapsed() < Duration::from_millis(150), "it took {:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_stops_and_is_not_let_in_again() {
    let mut town = Town::of(3, 4);
    for number in 1..=4 {
        propose(&town.joined(number).await).await;
    }
    let spare = town.joined(4).await;
    within("it catches up", spare.read_barrier(DEADLINE)).await.expect("there is a leader");
    let name = spare.me().1;
    within("it is removed", town.joined(1).await.remove_node(&name)).await.expect("the others can go on");
    assert_eq!(town.ended(4).await.exit_code, 4);
    town.crash(4).await;
    town.start(4);
    let again = town.ended(4).await;
    assert_eq!(again.exit_code, 4);
    assert!(again.message.contains("was removed from the cluster"), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_voter_is_replaced_by_a_spare_node() {
    let mut town = Town::of(3, 4);
    for number in 1..=4 {
        propose(&town.joined(number).await).await;
    }
    town.crash(2).await;
    town.eventually("the spare votes", async |town| {
        let status = town.joined(1).await.status().await;
        let votes = |number: u8| status.nodes.iter().any(|node| node.peer == peer(number) && node.voter);
        status.voters == 3 && votes(4) && !votes(2)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lead_is_handed_over_before_a_node_leaves() {
    let town = Town::of(3, 3);
    let leader = town.leader(1).await;
    let other = if leader == 1 { 2 } else { 1 };
    let before = tokio::time::Instant::now();
    within("it leaves", town.nodes[&leader].leave()).await;
    assert!(before.elapsed() < Duration::from_secs(5));
    propose(&town.joined(other).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_disk_fills_up_gives_way_and_one_without_room_takes_no_more_but_stays() {
    let town = Town::of(3, 3);
    let cluster = town.joined(1).await;
    propose(&cluster).await;
    let first = town.leader(1).await;
    town.fill(first, LOW_BYTES - 1);
    town.eventually("another leads", async |town| town.leader(1).await != first).await;
    let leader = town.leader(1).await;
    town.fill(first, NONE_BYTES - 1);
    town.eventually("it takes no more", async |town| !town.joined(first).await.health().borrow().writable).await;
    let elsewhere = town.joined(leader).await;
    let before = elsewhere.propose(check()).await.unwrap().0;
    let behind = town.joined(first).await.read_barrier(Duration::from_millis(500)).await.unwrap_err();
    assert_eq!(behind.code, Code::Timeout, "it has not got entry {before:?}");
    assert!(town.joined(first).await.health().borrow().leader.is_some(), "it still hears the leader");

    town.fill(first, u64::MAX);
    let seen = within("it catches up", async {
        loop {
            if let Ok(seen) = town.joined(first).await.read_barrier(Duration::from_secs(1)).await {
                return seen;
            }
        }
    });
    assert!(seen.await >= before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_majority_has_no_room_clients_are_told_and_the_cluster_stays() {
    let town = Town::of(3, 3);
    let cluster = town.joined(1).await;
    propose(&cluster).await;
    let create = || {
        Entry::Chat(chat::Command::CreateAccount {
            creation: chat::CreationId(1),
            name: chat::Name::parse("ada").unwrap(),
            credentials: vec![1],
            device: chat::DeviceId([1; 32]),
            token_hash: [1; 32],
            at: chat::Timestamp(1),
        })
    };
    (1..=3).for_each(|number| town.fill(number, NONE_BYTES));
    town.eventually("it is full", async |_| match cluster.propose(create()).await {
        Err(refusal) => refusal.code == Code::StorageFull,
        Ok(_) => false,
    })
    .await;
    assert!(!cluster.status().await.writable);
    within("what adds nothing is taken", cluster.propose(check())).await.unwrap();
    within("reads go on", cluster.read_barrier(DEADLINE)).await.unwrap();
    town.fill(1, u64::MAX);
    town.fill(2, u64::MAX);
    town.eventually("there is room", async |_| cluster.propose(create()).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_lost_the_record_of_its_cluster_does_not_begin_anew() {
    let mut town = Town::of(3, 3);
    propose(&town.joined(1).await).await;
    town.crash(1).await;
    town.machines.get_mut(&1).expect("it has a machine").records = Arc::default();
    let refused = town.try_start_with(1, timing(1)).expect_err("it has voted");
    assert!(refused.message.contains("is missing"), "{refused:?}");
}

/// A row that is as good as any, and that the other nodes do not have.
fn put_wrong_row(town: &Town, number: u8) {
    let names = app::TABLES.iter().find(|table| table.0 == "names").expect("there are names");
    let state: &dyn StateStore = &*town.machines[&number].state;
    state.write(&mut |to| to.put(*names, b"mallory", &[1, 1])).expect("the store works");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_state_differs_takes_itself_out_for_good() {
    for leads in [false, true] {
        let mut town = Town::of(3, 3);
        let cluster = town.joined(1).await;
        propose(&cluster).await;
        let leader = town.leader(1).await;
        let wrong = (1..=3).find(|number| (*number == leader) == leads).expect("one of them");
        put_wrong_row(&town, wrong);
        let error = town.ended(wrong).await;
        assert!(error.message.contains("is not what the others have"), "{error:?}");
        assert_eq!(error.exit_code, 6);
        town.crash(wrong).await;
        let refused = town.try_start_with(wrong, timing(wrong)).expect_err("it stays out");
        assert_eq!(refused.message, error.message);
        let other = (1..=3).find(|number| *number != wrong).expect("two are left");
        propose(&town.joined(other).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_secret_is_never_let_in() {
    let mut town = Town::of(3, 3);
    propose(&town.joined(1).await).await;
    town.secret = ClusterSecret::generate(&mut |bytes| bytes.fill(8));
    town.start(4);
    let joined = timeout(Duration::from_secs(20), town.nodes[&4].joined()).await;
    assert!(joined.is_err(), "it waits for nodes of its own cluster");
    assert_eq!(town.joined(1).await.status().await.nodes.len(), 3);
}
