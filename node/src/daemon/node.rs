//! A node: looks for its cluster, becomes a member, and stays one until it is told to leave or must stop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;
use wire::blocking::beside_the_runtime;
use wire::hello::Identity;
use wire::peer::{Standing, StoreId};
use wire::secret::{NodeSecret, OperatorKey};
use wire::{Address, Transport};

use super::host::{Host, Phase, Seat};
use super::{DaemonError, draft, duties, quarantine};
use crate::api::ApiContext;
use crate::app::App;
use crate::clock::Clock;
use crate::formation::driver::{self, Formation, FormationError};
use crate::formation::{Me, Membership, PEERS, Records, check_log, load};
use crate::net::member::{self, Member};
use crate::net::rendezvous::{self, Encounter, Sources};
use crate::net::room::Disk;
use crate::net::runtime_files::RuntimeFolder;
use crate::net::{AddressBook, Cluster, Introduction, Net, accept};
use crate::raft::{NodeId, Peer, Raft, RaftError};
use crate::store::StoreError;
use crate::store::log::EntryLog;
use crate::store::state::StateStore;
use crate::{autopilot, presence, raft};

/// Introductions that wait to be looked at; beyond it one is left out, and comes again with the next round.
const ENCOUNTERS_MAX: usize = 64;

/// Requests that wait for the rules of formation; beyond it a node is asked to come again.
const CALLS_MAX: usize = 64;

/// Reports of sessions that wait for the leader's timers; beyond it one is left out, and comes again.
const REPORTS_MAX: usize = 64;

/// How long another node gets to take the lead over.
const HAND_OVER_WITHIN: Duration = Duration::from_millis(1_000);

/// How long clients get to have what they asked answered.
const CLIENTS_WITHIN: Duration = Duration::from_millis(1_500);

/// How long Raft, the tasks, and the disks get, each.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// What proves the node.
#[derive(Clone, Debug)]
pub struct Keys {
    pub node: NodeSecret,
    /// Where the cluster secret itself is at hand.
    pub operator: Option<OperatorKey>,
}

/// How fast a node does what it does.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub raft: raft::Timing,
    /// Between introductions while the node looks for its cluster, and between repeated requests.
    pub forming: Duration,
    /// Between introductions of a member.
    pub member: Duration,
    /// How often the leader looks at the members, and every node at itself.
    pub look: Duration,
    pub autopilot: autopilot::Limits,
    pub presence_ttl_ms: u64,
    /// How often the leader has the states compared: each time, every node reads all that it has.
    pub compare: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            raft: raft::Timing::default(),
            forming: Duration::from_millis(300),
            member: Duration::from_secs(5),
            look: Duration::from_secs(1),
            autopilot: autopilot::Limits::default(),
            presence_ttl_ms: presence::TTL_MS,
            compare: Duration::from_secs(3600),
        }
    }
}

/// All that a node is made of.
pub struct Parts {
    pub transport: Arc<dyn Transport>,
    pub log: Arc<dyn EntryLog>,
    pub state: Arc<dyn StateStore>,
    pub records: Arc<dyn Records>,
    pub store: StoreId,
    pub keys: Keys,
    pub name: String,
    pub name_chosen: bool,
    pub expect: u32,
    /// Where others may be.
    pub seeds: Vec<Address>,
    pub runtime: Option<RuntimeFolder>,
    pub clock: Arc<dyn Clock>,
    pub timing: Timing,
    pub disk: Arc<dyn Disk>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    run: Arc<Run>,
}

/// What the node's tasks share.
pub(super) struct Run {
    pub(super) parts: Parts,
    pub(super) net: Arc<Net>,
    phase: watch::Sender<Phase>,
    host: Arc<Host>,
    pace: watch::Sender<Duration>,
    pub(super) tasks: TaskTracker,
    /// Clients are told to move on.
    leaving: CancellationToken,
    /// Every task ends.
    pub(super) stop: CancellationToken,
    /// Why the node cannot go on, once it cannot.
    ended: watch::Sender<Option<DaemonError>>,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts: takes streams, looks for others. Within a Tokio runtime. Does not wait for anybody.
    pub fn start(parts: Parts) -> Result<Self, DaemonError> {
        quarantine::refuse(&*parts.records)?;
        let known = driver::membership(&*parts.records)?;
        check_log(known.as_ref(), &*parts.log)?;
        let net = net(&parts)?;
        let phase = watch::Sender::new(Phase::Starting);
        let host = Arc::new(Host::new(phase.subscribe()));
        let run = Arc::new(Run {
            net,
            host,
            pace: watch::Sender::new(parts.timing.forming),
            parts,
            phase,
            tasks: TaskTracker::new(),
            leaving: CancellationToken::new(),
            stop: CancellationToken::new(),
            ended: watch::Sender::new(None),
        });
        let host: Arc<dyn accept::Host> = Arc::clone(&run.host) as Arc<dyn accept::Host>;
        accept::start(&run.net, &host, &run.tasks, &run.stop);
        let (met, encounters) = mpsc::channel(ENCOUNTERS_MAX);
        let sources = Sources {
            cluster: run.parts.keys.node.cluster_id(),
            seeds: run.parts.seeds.clone(),
            runtime: run.parts.runtime.clone(),
        };
        run.spawn(rendezvous::run(Arc::clone(&run.net), sources, run.pace.subscribe(), met));
        run.spawn(Arc::clone(&run).live(known, encounters));
        Ok(Self { run })
    }

    /// Returns with the reason once the node cannot go on.
    pub async fn ended(&self) -> DaemonError {
        let mut ended = self.run.ended.subscribe();
        let reason = ended.wait_for(Option::is_some).await.expect("the sender lives as long as the node");
        reason.clone().expect("it was waited for")
    }

    /// Returns once the node is a member.
    pub async fn joined(&self) -> Cluster {
        let mut phase = self.run.phase.subscribe();
        let joined = phase.wait_for(|phase| matches!(phase, Phase::Member(_))).await;
        match &*joined.expect("the sender lives as long as the node") {
            Phase::Member(seat) => Cluster::new(Arc::clone(&seat.member)),
            _ => unreachable!("it was waited for"),
        }
    }

    /// What the node has applied. None: it is not a member yet, or is no more.
    pub fn app(&self) -> Option<Arc<App>> {
        self.run.phase.borrow().seat().map(|seat| Arc::clone(seat.member.app()))
    }

    /// Leaves politely: hands the lead over, lets clients move on, finishes what is accepted, and closes.
    pub async fn leave(&self) {
        self.run.leaving.cancel();
        if let Some(seat) = self.run.phase.borrow().seat() {
            let _ = tokio::time::timeout(HAND_OVER_WITHIN, hand_over(&seat.member)).await;
            let _ = tokio::time::timeout(CLIENTS_WITHIN, self.run.host.clients_gone()).await;
        }
        self.stop().await;
        let (log, state) = (Arc::clone(&self.run.parts.log), Arc::clone(&self.run.parts.state));
        let closed = beside_the_runtime(move || {
            log.close();
            // The log replays what this would save.
            let _ = state.sync();
        });
        let _ = tokio::time::timeout(CLOSE_WITHIN, closed).await;
    }

    /// Ends everything that runs, and no more: to others it is as if the process had died.
    pub async fn stop(&self) {
        let seat = self.run.phase.send_replace(Phase::Leaving).seat();
        if let Some(seat) = seat {
            let _ = tokio::time::timeout(CLOSE_WITHIN, seat.member.raft().shutdown()).await;
        }
        self.run.stop.cancel();
        self.run.tasks.close();
        let _ = tokio::time::timeout(CLOSE_WITHIN, self.run.tasks.wait()).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.run.stop.cancel();
    }
}

impl Run {
    /// Runs the task until the node stops.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled_owned(task).await });
    }

    /// The node cannot go on; the first reason counts.
    pub(super) fn end(&self, reason: DaemonError) {
        self.ended.send_if_modified(|ended| ended.is_none() && ended.replace(reason).is_none());
    }

    async fn live(self: Arc<Self>, known: Option<Membership>, encounters: mpsc::Receiver<Encounter>) {
        let found = match known {
            Some(membership) => Ok((membership, encounters)),
            None => self.form(encounters).await,
        };
        let joined = match found {
            Ok((membership, encounters)) => Arc::clone(&self).join(membership, encounters).await,
            Err(FormationError::Store(error)) => Err(error.into()),
            Err(FormationError::Refused(refusal)) => Err(DaemonError::not_a_member(refusal.message)),
            Err(FormationError::Stopping) => Ok(()),
        };
        if let Err(reason) = joined {
            self.end(reason);
        }
    }

    async fn form(
        &self,
        encounters: mpsc::Receiver<Encounter>,
    ) -> Result<(Membership, mpsc::Receiver<Encounter>), FormationError> {
        let (caller, calls) = mpsc::channel(CALLS_MAX);
        self.phase.send_replace(Phase::Forming(caller));
        driver::run(Formation {
            net: Arc::clone(&self.net),
            records: Arc::clone(&self.parts.records),
            me: me(&self.parts),
            draft: draft::draw(&*self.parts.clock),
            tick: self.parts.timing.forming,
            tasks: self.tasks.clone(),
            calls,
            encounters,
        })
        .await
    }

    async fn join(
        self: Arc<Self>,
        membership: Membership,
        encounters: mpsc::Receiver<Encounter>,
    ) -> Result<(), DaemonError> {
        self.become_known(&membership);
        let app = App::open(Arc::clone(&self.parts.state))?;
        let stages = app.stages().clone();
        let raft = self.start_raft(&membership, &app).await?;
        let (reports, reported) = mpsc::channel(REPORTS_MAX);
        let member = Member::new(member::Parts {
            name: founder_name(&membership).unwrap_or_else(|| self.parts.name.clone()),
            membership,
            net: Arc::clone(&self.net),
            raft,
            app: Arc::clone(&app),
            reports,
            disk: Arc::clone(&self.parts.disk),
        });
        let cluster = Arc::new(Cluster::new(Arc::clone(&member)));
        let clock = Arc::clone(&self.parts.clock);
        let api = Arc::new(ApiContext::new(app, cluster, clock, self.leaving.clone()));
        let seat = Arc::new(Seat { member: Arc::clone(&member), api });
        info!(node_id = member.node_id(), "joined the cluster as {}", member.name());
        self.pace.send_replace(self.parts.timing.member);
        self.spawn(stages.tell());
        duties::start(&self, &seat, reported, encounters);
        self.phase.send_replace(Phase::Member(seat));
        Ok(())
    }

    /// From here on the node proves which member it is, and holds others to the same founding.
    fn become_known(&self, membership: &Membership) {
        let identity = self.net.identity();
        self.net.become_known_as(Identity {
            incarnation: Some(membership.founding.incarnation),
            node_id: Some(membership.node_id),
            name: founder_name(membership).unwrap_or_else(|| self.parts.name.clone()),
            ..Identity::clone(&identity)
        });
        let incarnation = membership.founding.incarnation;
        self.net.stand_as(Standing::Member { node_id: membership.node_id, incarnation });
    }

    async fn start_raft(&self, membership: &Membership, app: &Arc<App>) -> Result<Raft, DaemonError> {
        let dialer = Arc::clone(&self.net) as Arc<dyn raft::Dialer>;
        let app = Arc::clone(app) as Arc<dyn raft::application::Application>;
        let log = Arc::clone(&self.parts.log);
        let raft = Raft::start(membership.node_id, self.parts.timing.raft, log, app, dialer).await;
        let raft = raft.map_err(cannot_run)?;
        // Everyone initialises with the same set, so it does not matter who is first; done already, it is
        // done. Whoever was admitted waits for the leader instead.
        if membership.is_founder() {
            raft.initialize(founders(membership)).await.map_err(cannot_run)?;
        }
        Ok(raft)
    }
}

/// Gives the lead to another, if this node has it, and waits until it is taken.
async fn hand_over(member: &Member) {
    let mut states = member.raft().watch();
    let me = Some(member.node_id());
    if states.borrow_and_update().leader == me && member.raft().transfer_leader(None).await.is_ok() {
        let _ = states.wait_for(|state| state.leader.is_some() && state.leader != me).await;
    }
}

fn net(parts: &Parts) -> Result<Arc<Net>, StoreError> {
    let book: AddressBook = load(&*parts.records, PEERS)?.unwrap_or_default();
    let keys = wire::hello::Keys::Node { secret: parts.keys.node.clone(), operator: parts.keys.operator.clone() };
    let identity =
        Identity { keys, incarnation: None, store: Some(parts.store), node_id: None, name: parts.name.clone() };
    let introduction = Introduction {
        store: parts.store,
        name: parts.name.clone(),
        name_chosen: parts.name_chosen,
        expect: parts.expect,
        operator_key: parts.keys.operator.as_ref().map(OperatorKey::public),
        standing: Standing::Fresh,
    };
    Ok(Net::new(Arc::clone(&parts.transport), identity, introduction, book))
}

fn me(parts: &Parts) -> Me {
    Me {
        peer: parts.transport.local(),
        store: parts.store,
        name: parts.name.clone(),
        name_chosen: parts.name_chosen,
        expect: parts.expect,
        operator_key: parts.keys.operator.as_ref().map(OperatorKey::public),
    }
}

fn founders(membership: &Membership) -> std::collections::BTreeMap<NodeId, Peer> {
    let founders = membership.founding.founders.iter();
    founders.map(|founder| (founder.node_id, Peer { peer: founder.peer, store: founder.store })).collect()
}

fn founder_name(membership: &Membership) -> Option<String> {
    let founders = &membership.founding.founders;
    founders.iter().find(|founder| founder.node_id == membership.node_id).map(|founder| founder.name.clone())
}

fn cannot_run(error: RaftError) -> DaemonError {
    DaemonError::damaged(error.to_string())
}
