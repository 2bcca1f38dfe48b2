//! The process that sends: clients that are signed in, each over a connection of its own, told what to do on standard input.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use wire::Address;
use wire::secret::ClusterSecret;

use crate::crowd::{self, Crowd};
use crate::person::Person;
use crate::statistics::{Latencies, milliseconds};

/// What it is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) nodes: Vec<String>,
    pub(crate) secret: String,
    pub(crate) clients: usize,
    /// How many messages each has under way at once.
    pub(crate) window: usize,
}

/// What it is told.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    Send {
        ms: u64,
    },
    /// To look whether everything is there.
    ReadBack,
}

/// What it answers.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) count: usize,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
}

impl Sent {
    pub(crate) fn of(latencies: Vec<Duration>, took: Duration) -> Self {
        let latencies = Latencies::new(latencies);
        let [p50_ms, p99_ms, p999_ms] = [0.5, 0.99, 0.999].map(|share| milliseconds(latencies.percentile(share)));
        Self { count: latencies.count(), seconds: took.as_secs_f64(), p50_ms, p99_ms, p999_ms }
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.count as f64 / self.seconds
    }
}

/// Sends and reads back when it is told to, until nobody tells it anything any more.
pub(crate) fn run(start: &Start) -> ExitCode {
    // One thread, so that it takes from the nodes no more of the machine than it must.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the runtime starts");
    runtime.block_on(async {
        let nodes: Vec<Address> = start.nodes.iter().map(|node| node.parse().expect("an address")).collect();
        let secret = ClusterSecret::parse(&start.secret).expect("the secret is well formed");
        let Crowd { people, _transports } = Crowd::gather(&nodes, &secret, "c", start.clients, 1).await;
        let mut people: Vec<_> = people.into_iter().map(|(name, person)| (name, person, 0)).collect();
        tell(&"ready");
        while let Some(order) = next_order().await {
            match order {
                Order::Send { ms } => {
                    let (began, window) = (Instant::now(), start.window);
                    let until = began + Duration::from_millis(ms);
                    let tasks: Vec<_> =
                        people.into_iter().map(|one| tokio::spawn(send_for(one, window, until))).collect();
                    let mut taken = Vec::new();
                    people = Vec::new();
                    for task in tasks {
                        let (one, latencies) = task.await.expect("a client panicked; see above");
                        people.push(one);
                        taken.extend(latencies);
                    }
                    tell(&Sent::of(taken, began.elapsed()));
                }
                Order::ReadBack => {
                    let mut whole = true;
                    for (name, person, sent) in &mut people {
                        whole &= crowd::reads_back(name, person, *sent).await;
                    }
                    tell(&whole);
                }
            }
        }
    });
    ExitCode::SUCCESS
}

/// Somebody, and how much was acknowledged so far.
type One = (String, Person, usize);

async fn send_for((name, mut person, mut sent): One, window: usize, until: Instant) -> (One, Vec<Duration>) {
    let mut next_text = || {
        sent += 1;
        crowd::text(&name, sent - 1)
    };
    let taken = person.send_many(&name, window, until, &mut next_text).await;
    ((name, person, sent), taken)
}

/// Says one thing to whoever started this process.
pub(crate) fn tell(what: &impl Serialize) {
    let line = serde_json::to_string(what).expect("plain data");
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody listens");
}

/// What it is told next.
pub(crate) async fn next_order<T: DeserializeOwned>() -> Option<T> {
    // A line at a time, and none before the last was answered: nothing is lost with the buffer.
    let line = BufReader::new(tokio::io::stdin()).lines().next_line().await.ok()??;
    Some(serde_json::from_str(&line).expect("an order"))
}
