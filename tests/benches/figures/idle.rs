//! What clients cost that are there and say nothing: memory and processor time of the nodes, and what the others notice of them.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use tests::Cluster;
use wire::secret::ClusterSecret;
use wire::{Address, Transport};

use crate::founded;
use crate::loader::{Loader, Sent, next_order, tell};
use crate::machine::Used;
use crate::person::Person;
use crate::sender::Start;
use crate::statistics::Rounds;

/// How many are idle, unless told otherwise.
pub(crate) const CLIENTS: usize = 1_000;

/// How many others send, one message after the other.
const SENDERS: usize = 16;

const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_secs(5);

/// For how long the nodes are watched while nobody sends.
const QUIET: Duration = Duration::from_secs(10);

/// How many begin at once.
const AT_ONCE: usize = 32;

/// Measures and prints. False: something acknowledged is missing or doubled.
pub(crate) fn measure(clients: usize) -> bool {
    let mut cluster = founded(3);
    let start = |clients| serde_json::to_string(&Start::of(&cluster, clients, 1)).expect("plain data");
    let mut sender = Loader::start(&["--loader".to_owned(), start(SENDERS)]);
    let idle = start(clients);
    sender.send(Duration::from_secs(1));
    let before = Seen::of(&mut cluster, &mut sender);
    let crowd = Loader::start(&["--idle".to_owned(), idle]);
    let process = [crowd.process()];
    let home = cluster.home().to_owned();
    let own = || Used::by(&process, &home);
    let (then, since) = (own(), Instant::now());
    let with = Seen::of(&mut cluster, &mut sender);
    let crowd_cores = own().since(then).cpu_seconds / since.elapsed().as_secs_f64();
    drop(crowd);
    let whole: bool = sender.order(crate::loader::Order::ReadBack);
    let bytes = with.anonymous_bytes.saturating_sub(before.anonymous_bytes);
    println!(
        "idle: {clients} clients over a connection each, signed in and subscribed, add {:.0} MB to all nodes ({:.0} KB each); \
         with nobody sending these use {:.3} of a core ({:.3} without them), and the clients themselves {crowd_cores:.3} of the same machine",
        bytes as f64 / 1e6,
        bytes as f64 / 1e3 / clients as f64,
        with.quiet_cores,
        before.quiet_cores,
    );
    println!(
        "idle: {SENDERS} others are acknowledged {:.0}/s beside them, {:.2} x the {:.0}/s without them; p99 {:.1} ms, {:.2} x; read back: {}",
        with.per_second,
        with.per_second / before.per_second,
        before.per_second,
        with.p99_ms,
        with.p99_ms / before.p99_ms,
        if whole { "every one, once, in order" } else { "BROKEN" },
    );
    whole
}

/// How it is at one time.
struct Seen {
    quiet_cores: f64,
    anonymous_bytes: u64,
    per_second: f64,
    p99_ms: f64,
}

impl Seen {
    fn of(cluster: &mut Cluster, sender: &mut Loader) -> Self {
        let processes: Vec<_> = cluster.running().iter().map(|name| cluster.process(name)).collect();
        let used = || Used::by(&processes, cluster.home());
        let before = used();
        std::thread::sleep(QUIET);
        let quiet = used().since(before);
        let rounds: Vec<Sent> = (0..ROUNDS).map(|_| sender.send(SPAN)).collect();
        // After the rounds, when the nodes have as many entries of the log in memory as they ever have, with a crowd or without.
        let anonymous_bytes = used().anonymous_bytes;
        let middle = |of: fn(&Sent) -> f64| Rounds::of(rounds.iter().map(of)).median;
        Self {
            quiet_cores: quiet.cpu_seconds / QUIET.as_secs_f64(),
            anonymous_bytes,
            per_second: middle(Sent::per_second),
            p99_ms: middle(|sent| sent.p99_ms),
        }
    }
}

/// Within a process of its own: so many are there, until nobody listens any more.
pub(crate) fn run(start: &Start) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the runtime starts");
    runtime.block_on(async {
        let (nodes, secret) = start.where_to();
        let beginning = (0..start.clients).map(|number| begin(nodes[number % nodes.len()].clone(), &secret, number));
        stream::iter(beginning).buffer_unordered(AT_ONCE).collect::<()>().await;
        tell(&"ready");
        // Nothing is ever ordered of it.
        while next_order::<()>().await.is_some() {}
    });
    ExitCode::SUCCESS
}

/// There from when it is signed in, as long as the runtime is.
async fn begin(node: Address, secret: &ClusterSecret, number: usize) {
    let transport = crate::crowd::new_transport().await;
    let mut person = Person::create(&*transport, node, secret, &format!("idle.{number}")).await;
    person.subscribe().await;
    tokio::spawn(be_there(person, transport));
}

async fn be_there(mut person: Person, _transport: Arc<dyn Transport>) {
    loop {
        person.next_push().await;
    }
}
