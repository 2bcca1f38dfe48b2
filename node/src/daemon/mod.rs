//! The composition root: builds a node in order and knows everyone. No rules here.
//!
//! [`run`] is the process: its folder, its secret, its port, its signals. [`Node`] is what runs in it,
//! and runs as well in a test, three to a process, over a network and disks in memory.

mod disk;
mod draft;
mod duties;
mod files;
mod host;
mod leading;
mod logging;
mod node;
mod place;
mod quarantine;
mod secret_file;
mod signals;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use wire::Transport;
use wire::transport::libp2p::{Config as NetworkConfig, Libp2p, Limits};

pub use self::node::{Keys, Node, Parts, Timing};
use self::place::Place;
use self::signals::Signals;
use crate::app;
use crate::autopilot;
use crate::clock::{Clock, SystemClock};
use crate::config::{DaemonConfig, TimingOverrides};
use crate::formation;
use crate::net::runtime_files::{Announcement, RuntimeFolder};
use crate::store::StoreError;
use crate::store::lmdb::{LmdbLog, LmdbState};
use crate::store::log::EntryLog;
use crate::store::memtable::MemtableState;
use crate::store::state::StateStore;

/// Where the first daemon of a machine listens; the next ones take the next free ports.
const PORT_FIRST: u16 = 12340;

/// How often the runtime file is brought up to date, should an interface have come or gone.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(10);

/// Everything polite about stopping ends by then: the promise is 5 s.
const STOP_WITHIN: Duration = Duration::from_millis(4_500);

/// What is left to the runtime after that.
const SHUT_DOWN_WITHIN: Duration = Duration::from_millis(100);

/// Why the daemon stopped, with the exit code that goes with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DaemonError {
    pub message: String,
    pub exit_code: u8,
}

impl DaemonError {
    /// The person who started the daemon can mend it.
    fn mendable(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: 1 }
    }

    /// Not a node of this cluster.
    fn not_a_member(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: 4 }
    }

    /// The data cannot be used.
    fn damaged(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: 6 }
    }
}

impl From<StoreError> for DaemonError {
    fn from(error: StoreError) -> Self {
        Self::damaged(error.to_string())
    }
}

/// How many threads carry what is asked and answered. Half of what the machine can run at once: the log, the state and the index have
/// threads of their own, and tasks that wake each other across threads cost a tenth of all CPU (`cargo xtask bench cluster`, 64 clients,
/// two cores). So what may take long does it where others go on ([`wire::blocking`]): nobody else would see to timers and sockets. A page
/// of messages is read in place: to hand the rest over would make opening a conversation longer by a sixth (three runs in turns).
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

/// Runs the daemon until it is told to stop.
pub fn run(config: DaemonConfig) -> Result<(), DaemonError> {
    logging::start(config.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build();
    let runtime = runtime.map_err(|error| DaemonError::mendable(format!("cannot start: {error}")))?;
    // First of all: told to end while it waits for its disk, it ends in good order, too, once it has got so far.
    let signals = {
        let _within = runtime.enter();
        Signals::listen(config.until_eof)?
    };
    let place = Place::take(&config, &SystemClock)?;
    let ended = runtime.block_on(run_in(config, place, signals));
    // What still hangs, such as a disk, must not keep the process.
    runtime.shutdown_timeout(SHUT_DOWN_WITHIN);
    ended
}

async fn run_in(config: DaemonConfig, place: Place, mut signals: Signals) -> Result<(), DaemonError> {
    let transport = listen(&config, &place).await?;
    let runtime = RuntimeFolder(config.paths.nodes_dir());
    let folder = Arc::clone(&place.folder);
    if formation::kept(&*folder)?.1.is_some() {
        folder.require_stores()?;
    }
    let log = LmdbLog::open(&folder.log_dir())?;
    let state = LmdbState::open_within(&folder.state_dir(), app::TABLES, config.max_state_bytes.unwrap_or(u64::MAX))?;
    let state = MemtableState::start(state, app::TABLES)?;
    let announcing = announce(runtime.clone(), &place, Arc::clone(&transport));
    let (log, state): (Arc<dyn EntryLog>, Arc<dyn StateStore>) = (log, state);
    let disk = disk::Folder { path: folder.path().to_owned(), log: Arc::clone(&log), state: Arc::clone(&state) };
    let node = Node::start(Parts {
        transport: Arc::clone(&transport) as Arc<dyn Transport>,
        log,
        state,
        store: folder.store_id(),
        records: folder,
        keys: place.keys.clone(),
        name: place.name.clone(),
        name_chosen: config.name.is_some(),
        expect: config.expect,
        seeds: place.seeds.iter().chain(&config.peers).cloned().collect(),
        runtime: Some(runtime.clone()),
        clock: Arc::new(SystemClock),
        timing: Timing {
            raft: raft_timing(&config.timing),
            autopilot: autopilot_limits(&config.timing),
            ..Timing::default()
        },
        disk: Arc::new(disk),
    })?;
    let ended = tokio::select! {
        error = node.ended() => Err(error),
        () = signals.asked_to_stop() => Ok(()),
    };
    announcing.abort();
    runtime.withdraw(&place.name);
    info!("stopping");
    tokio::select! {
        stopped = tokio::time::timeout(STOP_WITHIN, stop(&node, &transport)) => if stopped.is_err() {
            warn!("not everything could be finished in time");
        },
        () = signals.asked_to_stop() => {}
    }
    ended
}

async fn stop(node: &Node, transport: &Libp2p) {
    node.leave().await;
    transport.shutdown().await;
}

async fn listen(config: &DaemonConfig, place: &Place) -> Result<Arc<Libp2p>, DaemonError> {
    let network = NetworkConfig {
        seed: place.folder.seed(),
        listen: config.listen.clone(),
        port_first: config.listen.is_empty().then_some(PORT_FIRST),
        mdns: config.mdns,
        limits: Limits { total: files::room_for_connections(), ..Limits::default() },
    };
    let transport = Libp2p::start(network).await.map_err(|error| DaemonError::mendable(error.to_string()))?;
    let addresses: Vec<_> = transport.addresses().iter().map(ToString::to_string).collect();
    info!(name = place.name, peer = %transport.local(), "listening on {}", addresses.join(" "));
    Ok(transport)
}

/// Keeps the runtime file, by which clients and nodes of this machine find this one.
fn announce(runtime: RuntimeFolder, place: &Place, transport: Arc<Libp2p>) -> tokio::task::JoinHandle<()> {
    let (name, cluster) = (place.name.clone(), place.keys.node.cluster_id().to_string());
    tokio::spawn(async move {
        let mut announced = None;
        loop {
            let (peer, addresses) = (transport.local().to_string(), transport.addresses());
            let announcement = Announcement { peer, cluster: cluster.clone(), name: name.clone(), addresses };
            if announced.as_ref() != Some(&announcement) {
                if let Err(error) = runtime.announce(&announcement) {
                    warn!("others on this machine cannot find this node by a file: {error}");
                }
                announced = Some(announcement);
            }
            tokio::time::sleep(ANNOUNCE_EVERY).await;
        }
    })
}

fn raft_timing(overrides: &TimingOverrides) -> crate::raft::Timing {
    let default = crate::raft::Timing::default();
    let mut seed = [0; 8];
    SystemClock.fill(&mut seed);
    crate::raft::Timing {
        heartbeat_ms: overrides.heartbeat_ms.unwrap_or(default.heartbeat_ms),
        election_min_ms: overrides.election_min_ms.unwrap_or(default.election_min_ms),
        election_max_ms: overrides.election_max_ms.unwrap_or(default.election_max_ms),
        snapshot_after: overrides.snapshot_after_entries.unwrap_or(default.snapshot_after),
        keep_entries: overrides.keep_log_entries.unwrap_or(default.keep_entries),
        seed: u64::from_be_bytes(seed),
    }
}

fn autopilot_limits(overrides: &TimingOverrides) -> autopilot::Limits {
    let default = autopilot::Limits::default();
    autopilot::Limits { well_ms: overrides.promote_after_ms.unwrap_or(default.well_ms), ..default }
}
