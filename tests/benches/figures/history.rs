//! What a long history costs: the same things done again and again while one conversation grows, beside what they cost where it was short.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use client::{Client, Cursor, To};
use tests::Cluster;
use tokio::runtime::Handle;
use wire::Code;

use crate::loader::{Loader, Order, Sent};
use crate::person::Person;
use crate::sender::Start;
use crate::statistics::{Latencies, milliseconds};
use crate::{MESSAGE_SIZE_BYTES, crowd, founded, real, restart};

/// How many messages the conversation has, one after the other, unless told otherwise.
pub(crate) const MESSAGES: &[usize] = &[10_000, 100_000, 1_000_000];

/// How many messages are under way while it grows.
const WINDOW: usize = 256;

/// How often each thing is done.
const TIMES: usize = 200;

/// How many messages a screen shows.
const PAGE: u32 = 50;

/// How many others send while a new node catches up.
const SENDERS: usize = 16;
const SPAN: Duration = Duration::from_secs(2);

/// How often is looked whether a new node has everything.
const GLANCE: Duration = Duration::from_millis(100);

/// How long is waited for the index of words, which is made behind the messages, and for a new node.
const LIMIT: Duration = Duration::from_secs(600);

const READER: &str = "reader";
const TALKER: &str = "talker";

/// Measures and prints. False: something that was stored was not found.
pub(crate) async fn measure(messages: &[usize]) -> bool {
    let mut cluster = founded(3);
    let reader = real::sign_up_at(&cluster, cluster.home(), READER).await;
    let sender = real::sign_up_at(&cluster, cluster.home(), "sender").await;
    let transport = crowd::new_transport().await;
    // Whoever does not fail over has to be at a node that stays.
    let restarted = restart::a_follower(&mut cluster);
    let staying = crowd::addresses_without(&cluster, Some(&restarted));
    let mut talker = Person::create(&*transport, staying[0].clone(), &crowd::secret(&cluster), TALKER).await;
    let start = serde_json::to_string(&Start::at(&staying, &cluster, SENDERS, 1)).expect("plain data");
    let mut others = Loader::start(&["--loader".to_owned(), start]);
    let (mut stored, mut whole, mut first) = (0, true, HashMap::new());
    for (round, count) in messages.iter().copied().enumerate() {
        let took = grow(&mut talker, stored, count).await;
        println!(
            "history: {count} messages in one conversation; the last {} were stored at {:.0}/s",
            count.saturating_sub(stored),
            count.saturating_sub(stored) as f64 / took.as_secs_f64()
        );
        stored = stored.max(count);
        // What stands in it is what is measured: the index has caught up.
        whole &= found(&reader, stored - 1, LIMIT).await;
        // Each is said as soon as it is known: the next may take minutes.
        tell("a send", send(&sender).await, &mut first);
        tell("opening the conversation", page(&reader, stored, |_| None).await, &mut first);
        tell("a page back from anywhere", page(&reader, stored, Some).await, &mut first);
        tell("finding one message by its word", search(&reader, stored, &mut whole).await, &mut first);
        tell("a restart until it serves", Costs::one(restart::of(&restarted, &mut cluster)), &mut first);
        let new = new_node(&mut cluster, &reader, &mut others, &format!("new{round}"));
        tell("a new node until it has everything", Costs::one(new.caught_up), &mut first);
        tell("p99 of others meanwhile, not as median", Costs::one(new.beside), &mut first);
        tell("  and without it", Costs::one(new.before), &mut first);
        tell("  and once it is there", Costs::one(new.after), &mut first);
    }
    whole &= others.order::<bool>(Order::ReadBack);
    println!("history: {}", if whole { "all of it was found and read back" } else { "BROKEN" });
    whole
}

/// Prints what something takes, beside what it took with the fewest messages.
fn tell(what: &'static str, cost: Costs, first: &mut HashMap<&'static str, Costs>) {
    let before = first.entry(what).or_insert(cost);
    println!(
        "history: {what:<40} p50 {:>8.2} ms, p99 {:>8.2} ms; {:.2} x",
        milliseconds(cost.p50),
        milliseconds(cost.p99),
        cost.p50.as_secs_f64() / before.p50.as_secs_f64(),
    );
}

/// What one thing takes.
#[derive(Clone, Copy, Debug)]
struct Costs {
    p50: Duration,
    p99: Duration,
}

impl Costs {
    fn one(took: Duration) -> Self {
        Self { p50: took, p99: took }
    }

    fn of(taken: Vec<Duration>) -> Self {
        let taken = Latencies::new(taken);
        Self { p50: taken.percentile(0.5), p99: taken.percentile(0.99) }
    }
}

/// A text of one word that no other has.
fn text(number: usize) -> String {
    format!("{:<MESSAGE_SIZE_BYTES$}", word(number))
}

fn word(number: usize) -> String {
    format!("n{number:08}")
}

async fn grow(talker: &mut Person, from: usize, to: usize) -> Duration {
    let began = Instant::now();
    let mut texts = (from..to).map(text);
    talker.send_many(READER, WINDOW, &mut || texts.next()).await;
    began.elapsed()
}

/// Whether the message is found in time.
async fn found(reader: &Client, number: usize, within: Duration) -> bool {
    let until = Instant::now() + within;
    loop {
        let found = match reader.search(&word(number), None, None, 10).await {
            Ok(page) => page.items.len(),
            // The index is still being made.
            Err(error) if error.code() == Code::QueryTooBroad => 0,
            Err(error) => panic!("it is looked for: {error:?}"),
        };
        if found > 0 || Instant::now() > until {
            return found == 1;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn send(sender: &Client) -> Costs {
    let mut taken = Vec::new();
    for number in 0..TIMES {
        let began = Instant::now();
        let id = sender.send(To::Name(READER.to_owned()), text(number), None).await.expect("the outbox takes it");
        sender.stored(id, Duration::from_secs(60)).await.expect("stored within a minute");
        taken.push(began.elapsed());
    }
    Costs::of(taken)
}

/// Pages before a place, or the last; of somewhere in the conversation.
async fn page(reader: &Client, stored: usize, before: impl Fn(Cursor) -> Option<Cursor>) -> Costs {
    let newest = reader.messages(To::Name(TALKER.to_owned()), None, None, 1).await.expect("the history can be read");
    let last = newest.1.items.last().expect("it is not empty").cursor;
    let mut taken = Vec::new();
    for time in 0..TIMES {
        // All over the conversation, none beside the one before.
        let back = (time * 7_919 * stored / TIMES % stored) as u64;
        let before = before(Cursor(last.0.saturating_sub(back)));
        let began = Instant::now();
        reader.messages(To::Name(TALKER.to_owned()), before, None, PAGE).await.expect("the history can be read");
        taken.push(began.elapsed());
    }
    Costs::of(taken)
}

async fn search(reader: &Client, stored: usize, whole: &mut bool) -> Costs {
    let mut taken = Vec::new();
    for time in 0..TIMES {
        let number = time * 7_919 % stored;
        let began = Instant::now();
        let found = reader.search(&word(number), Some(To::Name(TALKER.to_owned())), None, 10).await;
        taken.push(began.elapsed());
        *whole &= found.expect("it is found").items.iter().any(|message| message.text == text(number));
    }
    Costs::of(taken)
}

/// A new node, and what others notice of it.
struct NewNode {
    /// How long it takes until it has everything.
    caught_up: Duration,
    /// The p99 of others before it, the worst while it catches up, and once it is there.
    before: Duration,
    beside: Duration,
    after: Duration,
}

fn new_node(cluster: &mut Cluster, reader: &Client, others: &mut Loader, name: &str) -> NewNode {
    let p99 = |sent: Sent| Duration::from_secs_f64(sent.p99_ms / 1e3);
    let before = p99(others.send(SPAN));
    let began = Instant::now();
    cluster.launch(name);
    let runtime = Handle::current();
    let (caught_up, beside) = std::thread::scope(|scope| {
        let caught_up = scope.spawn(|| runtime.block_on(has_everything(reader, name, began)));
        let mut beside = Vec::new();
        while !caught_up.is_finished() && began.elapsed() < LIMIT {
            beside.push(p99(others.send(SPAN)));
        }
        (caught_up.join().expect("it catches up"), Latencies::new(beside).max())
    });
    let after = p99(others.send(SPAN));
    cluster.cli().run(&["cluster", "remove", name, "--yes"]).ok();
    cluster.wait_for_end(name);
    std::fs::remove_dir_all(cluster.data_dir(name)).expect("its folder can be removed");
    NewNode { caught_up, before, beside, after }
}

/// Since then. Over a connection that is there: a command for each look would take as much of the machine as the new node does.
async fn has_everything(reader: &Client, name: &str, began: Instant) -> Duration {
    while began.elapsed() < LIMIT {
        let status = reader.cluster_status().await.map(|status| status.nodes).unwrap_or_default();
        let head = status.iter().filter_map(|node| Some(node.progress.as_ref()?.last_index)).max();
        let applied =
            status.iter().find(|node| node.name == name).and_then(|node| Some(node.progress.as_ref()?.applied));
        // With others sending, none is ever quite there.
        if applied.zip(head).is_some_and(|(applied, head)| applied + 1_000 > head) {
            return began.elapsed();
        }
        tokio::time::sleep(GLANCE).await;
    }
    panic!("{name} has not everything within {LIMIT:?}")
}
