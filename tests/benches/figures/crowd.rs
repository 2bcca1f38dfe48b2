//! Many people who are logged in, and what they write.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tests::Cluster;
use wire::secret::ClusterSecret;
use wire::transport::libp2p::{Config, Libp2p, Limits};
use wire::{Address, Transport};

use crate::MESSAGE_SIZE_BYTES;
use crate::person::Person;

/// How many clients fill a cluster.
const FILLERS: usize = 256;

/// How many of them share one connection.
const FILLERS_PER_CONNECTION: usize = 32;

/// How many are registered until all those before say that they are there: a client that is silent for 20 s is gone, to a node.
const PING_AFTER: usize = 64;

/// People who are logged in.
pub(crate) struct Crowd {
    pub(crate) people: Vec<(String, Person)>,
    /// To be kept as long as the people.
    pub(crate) _transports: Vec<Arc<dyn Transport>>,
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
    let Crowd { people, _transports } =
        Crowd::gather(&addresses(cluster), &secret(cluster), who, FILLERS, FILLERS_PER_CONNECTION).await;
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
    started.elapsed()
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

impl Crowd {
    /// Logs so many in, spread over the nodes; so many share a connection, as the processes of one machine would.
    pub(crate) async fn gather(
        nodes: &[Address],
        secret: &ClusterSecret,
        who: &str,
        count: usize,
        per_connection: usize,
    ) -> Self {
        let mut people = Vec::new();
        let mut transports: Vec<Arc<dyn Transport>> = Vec::new();
        for number in 0..count {
            if number % per_connection == 0 {
                transports.push(new_transport().await);
            }
            let transport = transports.last().expect("made for the first one");
            let name = format!("{who}.{number}");
            let node = nodes[(number / per_connection + number) % nodes.len()].clone();
            people.push((name.clone(), Person::create(&**transport, node, secret, &name).await));
            // Registering many takes longer than the first may be silent.
            if people.len() % PING_AFTER == 0 {
                ping(people.iter_mut().map(|(_, person)| person)).await;
            }
        }
        Self { people, _transports: transports }
    }
}

/// Has everybody say that they are there.
pub(crate) async fn ping(people: impl Iterator<Item = &mut Person>) {
    for person in people {
        person.ping().await;
    }
}

/// A device of its own.
pub(crate) async fn new_transport() -> Arc<dyn Transport> {
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
    addresses_without(cluster, None)
}

/// The same, without one of them.
pub(crate) fn addresses_without(cluster: &Cluster, name: Option<&str>) -> Vec<Address> {
    let files = std::fs::read_dir(cluster.home().join("runtime/nodes")).expect("the daemons left word of themselves");
    let paths = files.map(|file| file.expect("the folder can be read").path());
    let others = paths.filter(|path| name.is_none_or(|name| path.file_stem().is_some_and(|stem| stem != name)));
    let address = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(path).expect("so can the file");
        let word: serde_json::Value = serde_json::from_str(&text).expect("the file is JSON");
        word["addresses"][0].as_str().and_then(|text| text.parse().ok()).expect("a daemon listens somewhere")
    };
    others.map(address).collect()
}

/// The text of somebody's nth message.
pub(crate) fn text(name: &str, number: usize) -> String {
    format!("{:<MESSAGE_SIZE_BYTES$}", format!("{name} {number}"))
}

/// Whether somebody finds exactly what was acknowledged, in order.
pub(crate) async fn reads_back(name: &str, person: &mut Person, sent: usize) -> bool {
    is_whole(name, &person.texts(name).await, sent)
}

/// Whether these are somebody's first so many messages, each once and in order.
#[expect(clippy::print_stderr, reason = "what is missing is to be heard of, wherever this runs")]
pub(crate) fn is_whole(name: &str, texts: &[String], sent: usize) -> bool {
    let same = texts.len() == sent && texts.iter().enumerate().all(|(number, found)| *found == text(name, number));
    if !same {
        eprintln!("{name}: {sent} acknowledged, {} found", texts.len());
    }
    same
}
