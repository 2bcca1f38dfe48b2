//! How long it takes until a message is with everybody who follows, beside how long it takes with one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tests::Cluster;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use wire::Transport;
use wire::message::{FeedEvent, Push};

use crate::person::Person;
use crate::statistics::{Latencies, ms};
use crate::{crowd, founded};

/// How many devices follow the account, unless told otherwise: with the account's first, as many as it may have.
pub(crate) const READERS: usize = chat::SESSIONS_PER_ACCOUNT_MAX - 1;

/// How many messages are sent, one after the other.
const MESSAGES: usize = 200;

/// How long a message may take until the run counts as broken.
const LIMIT: Duration = Duration::from_secs(30);

const READER: &str = "reader";

/// Measures and prints. False: somebody was not told something.
pub(crate) async fn measure(readers: usize) -> bool {
    let cluster = founded(3);
    let transport = crowd::new_transport().await;
    let (secret, nodes) = (crowd::secret(&cluster), crowd::addresses(&cluster));
    let _account = Person::create(&*transport, nodes[0].clone(), &secret, READER).await;
    let mut sender = Person::create(&*transport, nodes[0].clone(), &secret, "sender").await;
    let (heard, mut hearing) = mpsc::channel(readers * 2);
    let mut whole = true;
    let mut all = Vec::new();
    // Those who follow stay: the many are one more than the one.
    for count in [1, readers.saturating_sub(1)] {
        all.extend(follow(&cluster, all.len(), count, &heard).await);
        let (first, last) = (send(&mut sender, all.len(), &mut hearing).await, all.len());
        whole &= first.whole;
        println!(
            "fanout: {last} devices follow an account at three nodes: a message is with the first after p50 {} ms, with all after p50 {} ms, p99 {} ms{}",
            ms(first.first.percentile(0.5)),
            ms(first.all.percentile(0.5)),
            ms(first.all.percentile(0.99)),
            if first.whole { "" } else { "  BROKEN" },
        );
    }
    whole
}

/// Those who follow say what they hear, until this is dropped.
async fn follow(
    cluster: &Cluster,
    from: usize,
    count: usize,
    heard: &mpsc::Sender<String>,
) -> Vec<AbortOnDropHandle<()>> {
    let (secret, nodes) = (crowd::secret(cluster), crowd::addresses(cluster));
    let mut following = Vec::new();
    // One at a time: a password is tried five times at once, and no oftener.
    for number in from..from + count {
        let transport = crowd::new_transport().await;
        let node = nodes[number % nodes.len()].clone();
        let mut person = Person::log_in(&*transport, node, &secret, READER).await;
        person.subscribe().await;
        // At once: it is let go if it says nothing until the last one is there.
        following.push(AbortOnDropHandle::new(tokio::spawn(listen(person, transport, heard.clone()))));
    }
    following
}

async fn listen(mut person: Person, _transport: Arc<dyn Transport>, heard: mpsc::Sender<String>) {
    loop {
        if let Push::Feed { event: FeedEvent::Message(message), .. } = person.next_push().await
            && heard.send(message.text).await.is_err()
        {
            return;
        }
    }
}

/// After how long.
struct Told {
    first: Latencies,
    all: Latencies,
    whole: bool,
}

async fn send(sender: &mut Person, readers: usize, hearing: &mut mpsc::Receiver<String>) -> Told {
    let (mut first, mut all, mut whole) = (Vec::new(), Vec::new(), true);
    for number in 0..MESSAGES {
        let text = crowd::text("sender", number);
        let began = Instant::now();
        sender.send(READER, &text).await;
        for count in 0..readers {
            match tokio::time::timeout(LIMIT, hearing.recv()).await {
                Ok(Some(heard)) => whole &= heard == text,
                _ => return Told { first: Latencies::new(first), all: Latencies::new(all), whole: false },
            }
            if count == 0 {
                first.push(began.elapsed());
            }
        }
        all.push(began.elapsed());
    }
    Told { first: Latencies::new(first), all: Latencies::new(all), whole }
}
