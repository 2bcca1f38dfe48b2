//! How long a node that holds 100,000 messages takes from its start until it serves.

use std::time::{Duration, Instant};

use tests::{Cluster, eventually};

use crate::statistics::ms;
use crate::{crowd, founded};

const MESSAGES: usize = 100_000;

/// Measures and prints.
pub(crate) async fn measure() -> bool {
    let mut cluster = founded(3);
    crowd::fill(&cluster, MESSAGES).await;
    println!(
        "restart: a node that holds {MESSAGES} messages serves after {} ms",
        ms(of(&a_follower(&mut cluster), &mut cluster))
    );
    true
}

/// One that does not lead.
pub(crate) fn a_follower(cluster: &mut Cluster) -> String {
    let leader = cluster.leader();
    cluster.running().into_iter().find(|name| *name != leader).expect("there are followers")
}

/// How long this follower takes from its start until it hears of its leader again.
pub(crate) fn of(name: &str, cluster: &mut Cluster) -> Duration {
    cluster.kill(name);
    let before = cluster.log(name).matches(" leads ").count();
    let started = Instant::now();
    cluster.launch(name);
    eventually("the node hears of its leader again", || {
        let count = cluster.log(name).matches(" leads ").count();
        if count > before { Ok(()) } else { Err(count) }
    });
    started.elapsed()
}
