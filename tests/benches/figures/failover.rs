//! How long nothing is acknowledged after the leader is gone, with 64 real clients that fail over: after its process was killed, so that
//! its connections are reset, and after it was stopped, so that it falls silent.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::Client;
use tests::{Cluster, eventually};
use tokio::task::JoinHandle;

use crate::statistics::{Latencies, ms};
use crate::{MESSAGE_SIZE_BYTES, founded, real};

const CLIENTS: usize = 64;
pub(crate) const KILLS: usize = 10;

/// How long is looked for the longest silence after each.
const WATCHED: Duration = Duration::from_secs(4);

/// How the leader goes, and comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// `kill -9`; started again.
    Killed,
    /// `kill -STOP`; then `-CONT`.
    Silent,
}

/// When each message was acknowledged.
type Acknowledged = Arc<Mutex<Vec<Instant>>>;

/// Every way to go.
pub(crate) const ALL: [Gone; 2] = [Gone::Killed, Gone::Silent];

/// Measures and prints, as many of each of these kinds. False: something acknowledged is missing or doubled.
pub(crate) async fn measure(kills: usize, kinds: &[Gone]) -> bool {
    let mut cluster = founded(3);
    let profiles = real::profiles();
    let acknowledged = Acknowledged::default();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut senders = Vec::new();
    for number in 0..CLIENTS {
        let name = format!("f{number}");
        let client = real::sign_up_at(&cluster, profiles.path(), &name).await;
        senders.push(start_sending(name, client, acknowledged.clone(), stopped.clone()));
    }
    let mut silences = Vec::new();
    for &gone in kinds {
        let mut of_kind = Vec::new();
        for _ in 0..kills {
            of_kind.push(silence_without(&mut cluster, gone, &acknowledged).await);
        }
        silences.push((gone, Latencies::new(of_kind)));
    }
    stop.send(true).expect("the senders listen");
    let mut whole = true;
    for sender in senders {
        whole &= sender.await.expect("a client panicked; see above");
    }
    for (gone, silences) in silences {
        println!(
            "failover: the leader {} under {CLIENTS} clients, {} times: longest silence p50 {} ms, p99 {} ms, max {} ms",
            match gone {
                Gone::Killed => "killed (its connections are reset)",
                Gone::Silent => "stopped (it falls silent)",
            },
            silences.count(),
            ms(silences.percentile(0.5)),
            ms(silences.percentile(0.99)),
            ms(silences.max()),
        );
    }
    println!("failover: read back: {}", if whole { "every one, once, in order" } else { "BROKEN" });
    whole
}

/// Sends in a closed loop until told to stop, then reads back. Answers whether everything was there.
fn start_sending(
    name: String,
    client: Client,
    acknowledged: Acknowledged,
    stopped: tokio::sync::watch::Receiver<bool>,
) -> JoinHandle<bool> {
    tokio::spawn(async move {
        let mut sent = Vec::new();
        while !*stopped.borrow() {
            let text = format!("{:<MESSAGE_SIZE_BYTES$}", sent.len());
            real::send(&client, &name, text.clone()).await;
            acknowledged.lock().expect("nobody panicked").push(Instant::now());
            sent.push(text);
        }
        real::texts(&client, &name).await == sent
    })
}

async fn silence_without(cluster: &mut Cluster, gone: Gone, acknowledged: &Acknowledged) -> Duration {
    let leader = cluster.leader();
    acknowledged.lock().expect("nobody panicked").clear();
    let since = Instant::now();
    match gone {
        Gone::Killed => cluster.kill(&leader),
        Gone::Silent => cluster.signal(&leader, "STOP"),
    }
    tokio::time::sleep(WATCHED).await;
    let silence = longest_silence(since, &acknowledged.lock().expect("nobody panicked"));
    match gone {
        Gone::Killed => cluster.launch(&leader),
        Gone::Silent => cluster.signal(&leader, "CONT"),
    }
    cluster.wait_for_status("the node is back", |status| {
        status.cluster["reachable_voters"] == 3
            && status.nodes.iter().all(|row| row["lag"].as_u64().is_some_and(|lag| lag < 1000))
    });
    eventually("messages are acknowledged", || {
        let count = acknowledged.lock().expect("nobody panicked").len();
        if count > 0 { Ok(()) } else { Err(count) }
    });
    silence
}

fn longest_silence(since: Instant, acknowledged: &[Instant]) -> Duration {
    let mut before = since;
    let mut longest = Duration::ZERO;
    for &at in acknowledged.iter().filter(|at| **at > since) {
        longest = longest.max(at.saturating_duration_since(before));
        before = before.max(at);
    }
    // Silence to the end counts as well.
    longest.max((since + WATCHED).saturating_duration_since(before))
}
