//! The machines of a run and the nodes on them: real nodes, over a network and disks in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use futures::FutureExt;
use node::app::{self, App};
use node::autopilot::Limits;
use node::daemon::{Keys, Node, Parts, Timing};
use node::formation::{MemoryRecords, driver};
use node::net::Cluster;

use node::raft;
use node::store::memory::{MemoryLog, MemoryState};
use node::store::memtable::MemtableState;
use tests::chance::Chance;
use tests::history::{Recorder, What};
use wire::PeerId;
use wire::peer::StoreId;
use wire::secret::ClusterSecret;
use wire::transport::memory::Network;

use crate::disk::{Disk, Space};
use crate::time::{Elapsed, WallClock};
use crate::weather::Weather;

/// A machine, by the order in which they came. A wiped one comes back under another number.
pub(crate) type Number = u8;

/// Exit code of a node that was removed from its cluster.
const NOT_A_MEMBER: u8 = 4;

/// What a machine keeps when its process dies.
struct Machine {
    records: Arc<MemoryRecords>,
    disk: Disk,
    state: Arc<MemoryState>,
    space: Arc<Space>,
    wrong_by_ms: Arc<AtomicI64>,
    store: StoreId,
    node: Option<Node>,
    /// How often it has been started.
    starts: u64,
}

/// All machines, and the network between them.
pub(crate) struct Machines {
    pub(crate) network: Network,
    pub(crate) weather: Weather,
    pub(crate) secret: ClusterSecret,
    pub(crate) elapsed: Elapsed,
    chance: Chance,
    recorder: Recorder,
    seed: u64,
    expect: u32,
    machines: BTreeMap<Number, Machine>,
    next: Number,
}

impl Machines {
    /// So many machines, with a node starting on each.
    pub(crate) fn start(seed: u64, count: u8, elapsed: Elapsed, chance: Chance, recorder: Recorder) -> Self {
        let network = Network::new();
        let weather = Weather::over(&network, chance.clone());
        let secret = ClusterSecret::generate(&mut |bytes| bytes.fill(7));
        let (expect, machines) = (u32::from(count), BTreeMap::new());
        let mut all = Self { network, weather, secret, elapsed, chance, recorder, seed, expect, machines, next: 1 };
        for _ in 0..count {
            all.add();
        }
        all
    }

    /// A machine that was not there before.
    pub(crate) fn add(&mut self) -> Number {
        let number = self.next;
        self.next += 1;
        self.machines.insert(number, self.empty(StoreId([number; 16])));
        self.launch(number);
        number
    }

    fn empty(&self, store: StoreId) -> Machine {
        Machine {
            records: Arc::default(),
            disk: Disk::holding(MemoryLog::new(), self.chance.clone()),
            state: MemoryState::new(app::TABLES),
            space: Arc::default(),
            wrong_by_ms: Arc::default(),
            store,
            node: None,
            starts: 0,
        }
    }

    /// All that was on the machine is gone but for the key by which others know it, and it starts anew.
    pub(crate) async fn empty_but_for_key(&mut self, number: Number) {
        self.crash(number).await;
        self.machines.insert(number, self.empty(StoreId([!number; 16])));
        self.launch(number);
    }

    /// Starts the node on a machine where none runs.
    pub(crate) fn launch(&mut self, number: Number) {
        let Some(machine) = self.machines.get_mut(&number).filter(|machine| machine.node.is_none()) else { return };
        machine.starts += 1;
        let clock = WallClock { elapsed: self.elapsed, wrong_by_ms: Arc::clone(&machine.wrong_by_ms) };
        let parts = Parts {
            transport: self.network.join(peer(number)),
            log: Arc::clone(&machine.disk.log) as _,
            state: MemtableState::in_place(Arc::clone(&machine.state) as _, app::TABLES),
            records: Arc::clone(&machine.records) as _,
            store: machine.store,
            keys: Keys { node: self.secret.node_secret(), operator: Some(self.secret.operator_key()) },
            name: "n1".to_owned(),
            name_chosen: false,
            expect: self.expect,
            seeds: Vec::new(),
            runtime: None,
            clock: Arc::new(clock),
            timing: timing(self.seed ^ (machine.starts << 32)),
            disk: Arc::clone(&machine.space) as _,
        };
        match Node::start(parts) {
            Ok(node) => machine.node = Some(node),
            Err(error) => complain(&self.recorder, number, &format!("it does not start: {error}")),
        }
    }

    /// The power of a machine fails: its process is gone at once, and what was not synced may be.
    pub(crate) async fn crash(&mut self, number: Number) {
        let Some(machine) = self.machines.get_mut(&number) else { return };
        let Some(node) = machine.node.take() else { return };
        self.network.crash(peer(number));
        let left = machine.disk.cut_power(&self.chance);
        machine.disk = Disk::holding(left, self.chance.clone());
        machine.state = machine.state.crash();
        machine.records = Arc::new(machine.records.crash());
        // What still runs of it writes to what is no more and speaks to nobody.
        node.stop().await;
    }

    /// The node is told to leave.
    pub(crate) async fn leave(&mut self, number: Number) {
        let Some(machine) = self.machines.get_mut(&number) else { return };
        let Some(node) = machine.node.take() else { return };
        node.leave().await;
        self.network.crash(peer(number));
        // Everything is on the disk: nothing is left for a crash to take.
        let left = machine.disk.log.crash_after(usize::MAX);
        machine.disk = Disk::holding(left, self.chance.clone());
    }

    /// The machine is gone, with all that was on it.
    pub(crate) async fn destroy(&mut self, number: Number) {
        self.crash(number).await;
        self.machines.remove(&number);
    }

    /// Those that a node runs on.
    pub(crate) fn running(&self) -> Vec<Number> {
        self.all().into_iter().filter(|number| self.node(*number).is_some()).collect()
    }

    pub(crate) fn all(&self) -> Vec<Number> {
        self.machines.keys().copied().collect()
    }

    fn node(&self, number: Number) -> Option<&Node> {
        self.machines.get(&number)?.node.as_ref()
    }

    /// What the node on it has applied, if it is a member.
    pub(crate) fn app(&self, number: Number) -> Option<Arc<App>> {
        self.node(number)?.app()
    }

    /// The cluster as the node on it sees it, if it is a member.
    pub(crate) fn cluster(&self, number: Number) -> Option<Cluster> {
        self.node(number)?.joined().now_or_never()
    }

    /// Whoever leads, as far as any node knows.
    pub(crate) fn leader(&self) -> Option<Number> {
        self.running().into_iter().find_map(|number| {
            let health = self.cluster(number)?.health().borrow().clone();
            let leader = health.nodes.iter().find(|node| Some(&node.name) == health.leader.as_ref())?;
            Some(leader.peer.0[0])
        })
    }

    /// Whether one more new machine can only join the cluster. As many new ones as found a cluster, started while none of the old ones can
    /// be reached, would found another (ARCHITECTURE.md, *Caveats*).
    pub(crate) fn may_add(&self) -> bool {
        let is_new = |machine: &&Machine| !matches!(driver::membership(&*machine.records), Ok(Some(_)));
        let new = u32::try_from(self.machines.values().filter(is_new).count()).unwrap_or(u32::MAX);
        new.saturating_add(1) < self.expect
    }

    /// The name that the cluster has given to the node on it.
    pub(crate) fn name(&self, number: Number) -> String {
        self.cluster(number).map_or_else(|| format!("machine {number}"), |cluster| cluster.me().1)
    }

    /// Nothing reaches its disk, until it goes on.
    pub(crate) fn stall(&self, number: Number, stalled: bool) {
        if let Some(machine) = self.machines.get(&number) {
            machine.disk.stall(stalled);
        }
    }

    /// So many bytes are left on its disk.
    pub(crate) fn leave_room(&self, number: Number, free_bytes: u64) {
        if let Some(machine) = self.machines.get(&number) {
            machine.space.leave(free_bytes);
        }
    }

    /// Its clock on the wall is wrong from now on.
    pub(crate) fn set_clock_wrong(&self, number: Number, by_ms: i64) {
        if let Some(machine) = self.machines.get(&number) {
            machine.wrong_by_ms.store(by_ms, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Nodes that have ended by themselves are taken away. None but those that were removed from the cluster may.
    pub(crate) fn bury(&mut self) {
        let mut removed = Vec::new();
        for (number, machine) in &mut self.machines {
            let Some(reason) = machine.node.as_ref().and_then(|node| node.ended().now_or_never()) else { continue };
            self.network.crash(peer(*number));
            machine.node = None;
            if reason.exit_code == NOT_A_MEMBER {
                removed.push(*number);
            } else {
                complain(&self.recorder, *number, &format!("it ended by itself: {reason}"));
            }
        }
        for number in removed {
            self.machines.remove(&number);
        }
    }
}

fn complain(recorder: &Recorder, number: Number, line: &str) {
    recorder.note(What::Complained { process: format!("machine {number}"), line: line.to_owned() });
}

/// Who the node on this machine is to others.
pub(crate) fn peer(number: Number) -> PeerId {
    PeerId([number; 32])
}

/// As in the world, but for logs that are cut much sooner, and an autopilot that decides within seconds.
fn timing(seed: u64) -> Timing {
    Timing {
        raft: raft::Timing { snapshot_after: 50, keep_entries: 30, seed, ..raft::Timing::default() },
        forming: Duration::from_millis(100),
        member: Duration::from_secs(1),
        look: Duration::from_millis(250),
        autopilot: Limits { well_ms: 1_000, dead_ms: 8_000, ..Limits::default() },
        compare: Duration::from_secs(5),
        ..Timing::default()
    }
}
