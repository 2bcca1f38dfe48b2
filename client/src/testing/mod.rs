//! A cluster for tests: nodes over the network in memory that share one state, as if a majority always agreed. What they answer follows the
//! real rules of `chat`; what goes wrong on the way is the test's choice.

mod guest;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat::{AccountId, Change, Command, Cursor, FeedRow, Memory, Reply, View};
use opaque_ke::ServerSetup;
use opaque_ke::rand::rngs::OsRng;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use wire::message::{AccountInfo, ClusterHealth, FeedEvent, MessageInfo, NodeHint};
use wire::opaque::Suite;
use wire::peer::Incarnation;
use wire::secret::ClusterSecret;
use wire::transport::memory::Network;
use wire::{Address, PeerId, Protocol, Transport};

use crate::{Access, Client, Config};

/// See the module.
pub(crate) struct Cluster {
    pub(crate) network: Network,
    secret: ClusterSecret,
    shared: Arc<Shared>,
    nodes: HashMap<u8, AbortOnDropHandle<()>>,
}

/// What the nodes have in common.
pub(crate) struct Shared {
    node_secret: wire::secret::NodeSecret,
    setup: ServerSetup<Suite>,
    state: Mutex<State>,
    pub(crate) applied: watch::Sender<Cursor>,
    /// Which nodes run, and where.
    pub(crate) health: watch::Sender<ClusterHealth>,
}

/// The replicated state, and what the test has in mind for each node.
pub(crate) struct State {
    pub(crate) memory: Memory,
    pub(crate) incarnation: Incarnation,
    pub(crate) feed: BTreeMap<(AccountId, Cursor), FeedRow>,
    pub(crate) faults: HashMap<PeerId, Fault>,
    /// How often a `Send` reached any node.
    pub(crate) sends: u64,
    /// How often any node was asked how the cluster is.
    pub(crate) status_asked: u64,
    /// How often a node that hangs was asked anything but how it is.
    pub(crate) unanswered: u64,
    /// What `Shuffles` keeps for later.
    late: Vec<Command>,
    /// What `Shuffles` draws from, the same in every run.
    chance: StdRng,
}

/// What is wrong with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is cut off from the majority: it cannot commit, and what it reads may be stale.
    NoQuorum,
    /// It has not caught up with the others: what it reads may be stale.
    IsBehind,
    /// Messages are stored, and the connection ends before the answer is out. So many times.
    LosesAnswers(u32),
    /// The leader is lost while it carries out what is asked of this node, so many times; the next one is found at once.
    LosesLeader(u32),
    /// It looks how the cluster is when it is asked, and says so only after this long. Until then it answers others.
    TellsStatusLate(Duration),
    /// It refuses whatever is asked because it has too much to do.
    IsBusy,
    /// Its disk is full. It takes so long to say so.
    IsFull(Duration),
    /// It cannot read its disk.
    IsDamaged,
    /// Its feed begins with rows that were not asked for.
    Repeats,
    /// It takes requests and says nothing more, not even to a ping.
    Hangs,
    /// Messages reach the log a little out of their order, some of them much later and with no answer, as they do while a new
    /// leader is elected; their answers arrive in yet another order.
    Shuffles,
}

impl Cluster {
    /// Without nodes yet.
    pub(crate) fn new() -> Self {
        Self::on(Network::new())
    }

    /// Without nodes yet, on this network.
    pub(crate) fn on(network: Network) -> Self {
        let secret = ClusterSecret::generate(&mut |bytes| bytes.fill(7));
        let state = State {
            memory: Memory::default(),
            incarnation: Incarnation([1; 16]),
            feed: BTreeMap::new(),
            faults: HashMap::new(),
            sends: 0,
            status_asked: 0,
            unanswered: 0,
            late: Vec::new(),
            chance: StdRng::seed_from_u64(1),
        };
        let shared = Shared {
            node_secret: secret.node_secret(),
            setup: ServerSetup::new(&mut OsRng),
            state: Mutex::new(state),
            applied: watch::Sender::new(Cursor::START),
            health: watch::Sender::default(),
        };
        Self { network, secret, shared: Arc::new(shared), nodes: HashMap::new() }
    }

    /// With these nodes running.
    pub(crate) fn of(nodes: &[u8]) -> Self {
        let mut cluster = Self::new();
        for number in nodes {
            cluster.start(*number);
        }
        cluster
    }

    /// Starts a node.
    pub(crate) fn start(&mut self, number: u8) {
        let transport = self.network.join(peer(number));
        self.tell(number, transport.addresses(), true);
        let shared = self.shared.clone();
        let mut incoming = transport.accept(Protocol::Client);
        let accepting = async move {
            let mut guests = tokio::task::JoinSet::new();
            while let Some(incoming) = incoming.recv().await {
                guests.spawn(guest::serve(shared.clone(), transport.local(), incoming));
            }
        };
        self.nodes.insert(number, AbortOnDropHandle::new(tokio::spawn(accepting)));
    }

    /// As if its process was killed.
    pub(crate) fn kill(&mut self, number: u8) {
        self.network.crash(peer(number));
        self.nodes.remove(&number);
        self.tell(number, Vec::new(), false);
    }

    /// The nodes learn of each other what they would by Raft.
    fn tell(&self, number: u8, addresses: Vec<Address>, reachable: bool) {
        let hint = NodeHint { name: format!("n{number}"), peer: peer(number), addresses, reachable };
        self.shared.health.send_modify(|health| {
            health.writable = true;
            health.nodes.retain(|node| node.peer != hint.peer);
            health.nodes.push(hint);
        });
    }

    /// All nodes tell their clients so.
    pub(crate) fn say_that_the_leader_is(&self, name: &str) {
        self.shared.health.send_modify(|health| health.leader = Some(name.to_owned()));
    }

    /// All nodes tell their clients whether messages can be stored.
    pub(crate) fn say_that_it_is_writable(&self, writable: bool) {
        self.shared.health.send_modify(|health| health.writable = writable);
    }

    /// Where the running nodes are.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        self.shared.health.borrow().nodes.iter().flat_map(|node| node.addresses.clone()).collect()
    }

    /// Makes something wrong with a node; None: nothing.
    pub(crate) fn fault(&self, number: u8, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.state().faults.insert(peer(number), fault),
            None => self.state().faults.remove(&peer(number)),
        };
    }

    /// Makes `Shuffles` draw otherwise.
    pub(crate) fn seed(&self, seed: u64) {
        self.state().chance = StdRng::seed_from_u64(seed);
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// Applies a command that none of the clients asked for.
    pub(crate) fn propose(&self, command: chat::Command) -> Reply {
        self.shared.propose(&command)
    }

    /// A client that knows no node but by what it sees on the network, with a profile of its own.
    pub(crate) fn client(&self, folder: &tempfile::TempDir) -> Client {
        Client::open(self.config(folder)).expect("a client")
    }

    pub(crate) fn config(&self, folder: &tempfile::TempDir) -> Config {
        let access = Access::from_secret(&self.secret.to_text()).expect("a secret");
        let runtime_dir = PathBuf::from("/nonexistent");
        let mut config = Config::new(folder.path().to_owned(), runtime_dir);
        // A device has one identity, whichever of its processes it is; each joins the network in its turn.
        let device = PeerId(*blake3::hash(folder.path().as_os_str().as_encoded_bytes()).as_bytes());
        config.transport = Some(self.network.join(device));
        config.access = access;
        config
    }

    /// The texts that an account's feed has, in order.
    pub(crate) fn texts(&self, account: AccountId) -> Vec<String> {
        let state = self.state();
        let rows = state.feed.range((account, Cursor::START)..=(account, Cursor(u64::MAX)));
        let events = rows.filter_map(|((_, cursor), row)| state.event(*cursor, row));
        let texts = events.filter_map(|event| match event {
            FeedEvent::Message(message) => Some(message.text),
            _ => None,
        });
        texts.collect()
    }
}

/// The peer of a node.
pub(crate) fn peer(number: u8) -> PeerId {
    PeerId([number; 32])
}

/// Lets time pass until it is so; fails when it never is.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("it never came to be so");
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies a command, as if a majority had agreed on it.
    pub(crate) fn propose(&self, command: &Command) -> Reply {
        let mut state = self.state();
        let position = Cursor(self.applied.borrow().0 + 1);
        let outcome = chat::apply(&state.memory, position, command);
        for change in &outcome.changes {
            if let Change::PutFeed(account, cursor, row) = change {
                state.feed.insert((*account, *cursor), row.clone());
            }
            state.memory.write(change);
        }
        self.applied.send_replace(position);
        outcome.reply
    }
}

impl State {
    /// Whether something happens that happens once in so many times.
    fn by_chance(&mut self, once_in: u32) -> bool {
        self.chance.gen_range(0..once_in) == 0
    }

    /// Moves each by a few places.
    fn shuffle<T>(&mut self, items: Vec<T>) -> Vec<T> {
        let mut placed: Vec<_> =
            items.into_iter().enumerate().map(|(at, item)| (at + self.chance.gen_range(0..5), item)).collect();
        placed.sort_by_key(|(at, _)| *at);
        placed.into_iter().map(|(_, item)| item).collect()
    }

    pub(crate) fn account(&self, id: AccountId) -> AccountInfo {
        let account = self.memory.account(id).expect("an account of the log");
        AccountInfo {
            id,
            name: account.name.as_str().to_owned(),
            active: account.connected > 0,
            deleted: account.deleted_at.is_some(),
            created_at: account.created_at,
        }
    }

    /// The message there, as any of its two accounts sees it.
    pub(crate) fn message(&self, conversation: chat::ConversationId, cursor: Cursor) -> Option<MessageInfo> {
        let message = self.memory.message(conversation, cursor)?;
        let to = self.memory.conversation(conversation)?.other(message.sender);
        let delivered = self.memory.member(conversation, to).delivered.up_to >= cursor;
        Some(MessageInfo {
            id: message.id,
            cursor,
            conversation,
            from: self.account(message.sender),
            to: self.account(to),
            text: message.text.as_str().to_owned(),
            sent_at: message.sent_at,
            state: if delivered { chat::Delivery::Delivered } else { chat::Delivery::Stored },
        })
    }

    pub(crate) fn event(&self, cursor: Cursor, row: &FeedRow) -> Option<FeedEvent> {
        match row {
            FeedRow::Message { conversation } => self.message(*conversation, cursor).map(FeedEvent::Message),
            FeedRow::Delivered { conversation, by, up_to } => {
                Some(FeedEvent::Delivered { conversation: *conversation, by: *by, up_to: *up_to })
            }
            _ => None,
        }
    }
}
