//! A cluster of one, without Raft: what is proposed is applied at once, unless the test takes its
//! majority away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat::{Cursor, Replica, Timestamp};
use futures::future::{BoxFuture, FutureExt, ready};
use opaque_ke::ServerSetup;
use rand::rngs::OsRng;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::hello::{Claim, ClaimedRole};
use wire::message::{ClusterHealth, ClusterStatus, NodeDigest};
use wire::opaque::Suite;
use wire::peer::{FoundingRecord, Incarnation};
use wire::{Code, PeerId, Refusal};

use super::guest::Guest;
use crate::api::{ApiContext, Quorum, serve_client};
use crate::app::{App, AppReply, ClusterCommand, Entry, TABLES};
use crate::clock::{Clock, SystemClock};
use crate::raft::application::tests::Whole;
use crate::raft::application::{Application, Committed};
use crate::store::memory::MemoryState;

/// How much of a stream's bytes may be under way: little, so that a slow reader is felt soon.
const PIPE_BYTES: usize = 16 * 1024;

/// The cluster, as the API sees it.
#[derive(Debug)]
pub(super) struct Twin {
    app: Arc<App>,
    log: Mutex<Vec<Entry>>,
    majority: AtomicBool,
    /// Whether reads have to wait for the others.
    stalled: watch::Sender<bool>,
    health: watch::Sender<ClusterHealth>,
}

impl Twin {
    fn apply(&self, entry: Entry) -> (Cursor, AppReply) {
        let mut log = self.log.lock().expect("no test panics while it applies");
        log.push(entry.clone());
        let index = log.len() as u64;
        let reply = Arc::new(Mutex::new(None));
        let answered = Arc::clone(&reply);
        let committed = Committed {
            index,
            term: 1,
            command: Some(entry.encode()),
            respond: Some(Box::new(move |bytes| *answered.lock().expect("not poisoned") = Some(bytes))),
        };
        self.app.apply(&mut Whole::new(vec![committed], b"")).expect("memory does not fail");
        let bytes = reply.lock().expect("not poisoned").take().expect("every entry is answered");
        (Cursor(index), AppReply::decode(&bytes).expect("the app's own reply"))
    }

    fn with_majority<T>(&self, answer: impl FnOnce() -> T) -> Result<T, Refusal> {
        if self.majority.load(Ordering::SeqCst) {
            return Ok(answer());
        }
        Err(Refusal::new(Code::NoQuorum, "Too few nodes can be reached."))
    }
}

impl Quorum for Twin {
    fn here(&self) -> Replica {
        Replica(1)
    }

    fn propose(&self, entry: Entry) -> BoxFuture<'_, Result<(Cursor, AppReply), Refusal>> {
        async move {
            // As in a cluster, where channels are on the way.
            tokio::task::consume_budget().await;
            let applied = self.with_majority(|| self.apply(entry));
            // As in a cluster, the place is taken at the first poll and the answer comes later.
            tokio::task::yield_now().await;
            applied
        }
        .boxed()
    }

    fn read_barrier(&self, _within: Duration) -> BoxFuture<'_, Result<Cursor, Refusal>> {
        async move {
            let _ = self.stalled.subscribe().wait_for(|stalled| !stalled).await;
            self.with_majority(|| *self.app.applied().borrow())
        }
        .boxed()
    }

    fn status(&self) -> BoxFuture<'_, ClusterStatus> {
        let status = ClusterStatus {
            nodes: Vec::new(),
            leader: None,
            voters: 1,
            reachable_voters: 1,
            can_lose: 0,
            writable: self.majority.load(Ordering::SeqCst),
            epoch: 1,
            answered_by: "n1".into(),
        };
        ready(status).boxed()
    }

    fn health(&self) -> watch::Receiver<ClusterHealth> {
        self.health.subscribe()
    }

    fn check(&self) -> BoxFuture<'_, Result<(Cursor, Vec<NodeDigest>), Refusal>> {
        ready(self.with_majority(|| (Cursor(1), Vec::new()))).boxed()
    }

    fn remove_node<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<(), Refusal>> {
        ready(self.with_majority(|| ())).boxed()
    }

    fn transfer_leader<'a>(&'a self, _to: Option<&'a str>) -> BoxFuture<'a, Result<(), Refusal>> {
        ready(self.with_majority(|| ())).boxed()
    }
}

/// A node that clients can connect to.
pub(super) struct Node {
    pub(super) context: Arc<ApiContext>,
    pub(super) twin: Arc<Twin>,
    pub(super) stopping: CancellationToken,
}

impl Node {
    pub(super) fn new() -> Self {
        let app = App::open(MemoryState::new(TABLES)).expect("memory does not fail");
        let twin = Arc::new(Twin {
            app: Arc::clone(&app),
            log: Mutex::default(),
            majority: AtomicBool::new(true),
            stalled: watch::Sender::new(false),
            health: watch::Sender::new(ClusterHealth::default()),
        });
        let founding = FoundingRecord {
            incarnation: Incarnation([1; 16]),
            founders: Vec::new(),
            opaque_setup: ServerSetup::<Suite>::new(&mut OsRng).serialize().to_vec(),
            operator_key: [0; 32],
        };
        twin.apply(Entry::Cluster(ClusterCommand::Found(founding)));
        let stopping = CancellationToken::new();
        let quorum: Arc<dyn Quorum> = Arc::clone(&twin) as _;
        let context = ApiContext::new(app, quorum, Arc::new(Noon), stopping.clone());
        Self { context: Arc::new(context), twin, stopping }
    }

    /// A client on the device of that number, after its hello.
    pub(super) fn connect(&self, device: u8) -> Guest {
        self.connect_as(device, false)
    }

    /// A client that has proved the cluster secret.
    pub(super) fn connect_operator(&self, device: u8) -> Guest {
        self.connect_as(device, true)
    }

    fn connect_as(&self, device: u8, operator: bool) -> Guest {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let claim = Claim {
            role: ClaimedRole::Client,
            operator,
            incarnation: None,
            store: None,
            node_id: None,
            name: String::new(),
        };
        let served = serve_client(Arc::clone(&self.context), claim, PeerId([device; 32]), Box::pin(ours));
        Guest::new(Box::pin(theirs), tokio::spawn(served))
    }

    /// From here on nothing can be written, or read as of now.
    pub(super) fn lose_majority(&self) {
        self.twin.majority.store(false, Ordering::SeqCst);
    }

    pub(super) fn regain_majority(&self) {
        self.twin.majority.store(true, Ordering::SeqCst);
    }

    /// Has reads wait for the others, or lets them go on.
    pub(super) fn stall(&self, stalled: bool) {
        self.twin.stalled.send_replace(stalled);
    }

    /// Tells everyone how the cluster is.
    pub(super) fn set_health(&self, health: ClusterHealth) {
        self.twin.health.send_replace(health);
    }

    pub(super) fn applied(&self) -> Cursor {
        *self.context.app.applied().borrow()
    }
}

/// What every command of these tests is stamped with.
pub(super) const NOON: Timestamp = Timestamp(1_700_000_000_000);

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        NOON
    }

    fn fill(&self, bytes: &mut [u8]) {
        SystemClock.fill(bytes);
    }
}
