//! How many messages are acknowledged each second, and after how long, by how many closed-loop clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tests::Cluster;
use wire::secret::ClusterSecret;
use wire::transport::libp2p::{Config, Libp2p, Limits};
use wire::{Address, Transport};

use crate::person::Person;
use crate::statistics::{Latencies, ms};
use crate::{MESSAGE_SIZE_BYTES, baseline, cluster};

/// The numbers of clients that are measured unless others are asked for.
pub(crate) const CLIENTS: &[usize] = &[1, 64, 512];

/// How long each number of clients is measured.
const SPAN: Duration = Duration::from_secs(8);

/// How many clients fill a cluster.
const FILLERS: usize = 256;

/// How many clients share one connection, as the processes of one machine would.
const CLIENTS_PER_CONNECTION: usize = 32;

/// Measures, prints, and reads back. False: something acknowledged is missing or doubled.
pub(crate) async fn measure(clients: &[usize]) -> bool {
    let cluster = cluster();
    let baseline = baseline::commits_per_second(cluster.home());
    println!("baseline: {baseline:.0} synced 256-byte LMDB commits/s on the same disk, one writer");
    println!("clients  acknowledged/s  x baseline  p50 ms  p99 ms  read back");
    let mut whole = true;
    for &clients in clients {
        whole &= one(&cluster, clients, baseline).await;
    }
    whole
}

async fn one(cluster: &Cluster, clients: usize, baseline: f64) -> bool {
    let (people, connections) = people(cluster, &format!("c{clients}"), clients).await;
    let started = Instant::now();
    let tasks: Vec<_> = people.into_iter().map(|(name, person)| tokio::spawn(send_for_a_while(name, person))).collect();
    let mut latencies = Vec::new();
    let mut finished = Vec::new();
    for task in tasks {
        let (name, person, taken) = task.await.expect("a client panicked; see above");
        finished.push((name, person, taken.len()));
        latencies.extend(taken);
    }
    let rate = latencies.len() as f64 / started.elapsed().as_secs_f64();
    let latencies = Latencies::new(latencies);
    let whole = read_back(finished).await;
    drop(connections);
    println!(
        "{clients:>7}  {rate:>14.0}  {:>10.2}  {:>6}  {:>6}  {}",
        rate / baseline,
        ms(latencies.percentile(0.5)),
        ms(latencies.percentile(0.99)),
        if whole { "every one, once, in order" } else { "BROKEN" },
    );
    whole
}

/// Has many clients store this many messages, or a few more.
pub(crate) async fn fill(cluster: &Cluster, messages: usize) {
    fill_with(cluster, messages, "filler", None, text).await;
}

/// Has many clients, called `who` and a number, store this many messages of such a text, to this account or else to themselves.
/// Answers how long that took.
pub(crate) async fn fill_with(
    cluster: &Cluster,
    messages: usize,
    who: &str,
    to: Option<&str>,
    text: fn(&str, usize) -> String,
) -> Duration {
    let (people, connections) = people(cluster, who, FILLERS).await;
    let each = messages.div_ceil(FILLERS);
    let started = Instant::now();
    let tasks = people.into_iter().map(|(name, mut person)| {
        let to = to.unwrap_or(&name).to_owned();
        tokio::spawn(async move {
            for number in 0..each {
                person.send(&to, &text(&name, number)).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("a client panicked; see above");
    }
    let took = started.elapsed();
    drop(connections);
    took
}

/// Has two people tell each other this many messages; their names are their passwords.
pub(crate) async fn converse(cluster: &Cluster, names: [&'static str; 2], messages: usize) {
    let transport = new_transport().await;
    let (secret, nodes) = (secret(cluster), addresses(cluster));
    let mut people = Vec::new();
    for name in names {
        people.push(Person::create(&*transport, nodes[0].clone(), &secret, name).await);
    }
    let tasks =
        people.into_iter().zip([[names[0], names[1]], [names[1], names[0]]]).map(|(mut person, [own, other])| {
            tokio::spawn(async move {
                for number in 0..messages / 2 {
                    person.send(other, &text(own, number)).await;
                }
            })
        });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("a client panicked; see above");
    }
}

/// Logs everyone in, spread over the nodes. The transports are to be kept as long as the people.
async fn people(cluster: &Cluster, who: &str, count: usize) -> (Vec<(String, Person)>, Vec<Arc<dyn Transport>>) {
    let secret = secret(cluster);
    let nodes = addresses(cluster);
    let mut people = Vec::new();
    let mut transports: Vec<Arc<dyn Transport>> = Vec::new();
    for number in 0..count {
        if number % CLIENTS_PER_CONNECTION == 0 {
            transports.push(new_transport().await);
        }
        let transport = transports.last().expect("made for the first one");
        let name = format!("{who}.{number}");
        let node = nodes[(number / CLIENTS_PER_CONNECTION + number) % nodes.len()].clone();
        people.push((name.clone(), Person::create(&**transport, node, &secret, &name).await));
    }
    (people, transports)
}

async fn new_transport() -> Arc<dyn Transport> {
    let mut seed = [0; 32];
    rand::RngCore::fill_bytes(&mut rand::rngs::OsRng, &mut seed);
    let config = Config { seed, listen: Vec::new(), port_first: None, mdns: false, limits: Limits::default() };
    Libp2p::start(config).await.expect("the transport starts")
}

/// The secret that the daemons of this profile made.
pub(crate) fn secret(cluster: &Cluster) -> ClusterSecret {
    let text = std::fs::read_to_string(cluster.home().join("data/cluster-secret")).expect("the daemons made a secret");
    ClusterSecret::parse(text.trim()).expect("it is well formed")
}

/// Where the nodes listen, as they leave word of it on their machine.
pub(crate) fn addresses(cluster: &Cluster) -> Vec<Address> {
    let files = std::fs::read_dir(cluster.home().join("runtime/nodes")).expect("the daemons left word of themselves");
    let address = |file: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(file.expect("the folder can be read").path()).expect("so can the file");
        let word: serde_json::Value = serde_json::from_str(&text).expect("the file is JSON");
        word["addresses"][0].as_str().and_then(|text| text.parse().ok()).expect("a daemon listens somewhere")
    };
    files.map(address).collect()
}

async fn send_for_a_while(name: String, mut person: Person) -> (String, Person, Vec<Duration>) {
    let started = Instant::now();
    let mut taken = Vec::new();
    while started.elapsed() < SPAN {
        let text = text(&name, taken.len());
        taken.push(person.send(&name, &text).await);
    }
    (name, person, taken)
}

/// The text of somebody's nth message.
fn text(name: &str, number: usize) -> String {
    format!("{:<MESSAGE_SIZE_BYTES$}", format!("{name} {number}"))
}

/// Whether everyone finds exactly what was acknowledged, in order.
async fn read_back(people: Vec<(String, Person, usize)>) -> bool {
    let mut whole = true;
    for (name, mut person, sent) in people {
        let texts = person.texts(&name).await;
        let same = texts.len() == sent && texts.iter().enumerate().all(|(number, found)| *found == text(&name, number));
        if !same {
            println!("{name}: {sent} acknowledged, {} found", texts.len());
        }
        whole &= same;
    }
    whole
}
