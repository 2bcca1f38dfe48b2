//! The process that sends to the nodes: clients that are signed in, each over a connection of its own.

use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tests::Cluster;
use tokio::time::timeout;
use wire::Address;
use wire::secret::ClusterSecret;

use crate::crowd::{self, Crowd};
use crate::loader::{Order, all_send, next_order, tell};
use crate::person::Person;

/// A client that is silent for 20 s is gone, to a node.
const PING_EVERY: Duration = Duration::from_secs(5);

/// What it is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) nodes: Vec<String>,
    pub(crate) secret: String,
    pub(crate) clients: usize,
    /// How many messages each has under way at once.
    pub(crate) window: usize,
}

impl Start {
    /// So many clients of this cluster, with so many messages under way each.
    pub(crate) fn of(cluster: &Cluster, clients: usize, window: usize) -> Self {
        Self::at(&crowd::addresses(cluster), cluster, clients, window)
    }

    /// The same, at these of its nodes.
    pub(crate) fn at(nodes: &[Address], cluster: &Cluster, clients: usize, window: usize) -> Self {
        let nodes = nodes.iter().map(ToString::to_string).collect();
        Self { nodes, secret: crowd::secret(cluster).to_text(), clients, window }
    }

    /// Which nodes, and what lets one in.
    pub(crate) fn where_to(&self) -> (Vec<Address>, ClusterSecret) {
        let nodes = self.nodes.iter().map(|node| node.parse().expect("an address")).collect();
        (nodes, ClusterSecret::parse(&self.secret).expect("the secret is well formed"))
    }
}

/// Sends and reads back when it is told to, until nobody tells it anything any more.
pub(crate) fn run(start: &Start) -> ExitCode {
    // One thread, so that it takes from the nodes no more of the machine than it must.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the runtime starts");
    runtime.block_on(async {
        let (nodes, secret) = start.where_to();
        let Crowd { people, _transports } = Crowd::gather(&nodes, &secret, "c", start.clients, 1).await;
        let mut people: Vec<_> = people.into_iter().map(|(name, person)| (name, person, 0)).collect();
        tell(&"ready");
        while let Some(order) = order(&mut people).await {
            match order {
                Order::Send { ms } => {
                    let sent;
                    (people, sent) = all_send(people, ms, |one, until| send_for(one, start.window, until)).await;
                    tell(&sent);
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

/// What to do next. Meanwhile everybody goes on to be there for the nodes, as a real client does.
async fn order(people: &mut [One]) -> Option<Order> {
    let mut order = pin!(next_order());
    loop {
        if let Ok(order) = timeout(PING_EVERY, &mut order).await {
            return order;
        }
        crowd::ping(people.iter_mut().map(|(_, person, _)| person)).await;
    }
}

async fn send_for((name, mut person, mut sent): One, window: usize, until: Instant) -> (One, Vec<Duration>) {
    let mut next_text = || {
        (Instant::now() < until).then(|| {
            sent += 1;
            crowd::text(&name, sent - 1)
        })
    };
    let taken = person.send_many(&name, window, &mut next_text).await;
    ((name, person, sent), taken)
}
