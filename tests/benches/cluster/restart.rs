//! How long a node that holds 100,000 messages takes from its start until it serves.

use std::time::Instant;

use tests::eventually;

use crate::statistics::ms;
use crate::{MESSAGE_SIZE_BYTES, cluster};

const MESSAGES: usize = 100_000;

/// Measures and prints.
pub(crate) async fn measure() -> bool {
    let mut cluster = cluster();
    let alice = cluster.cli().as_account("alice").timeout("10m");
    alice.run(&["account", "create", "alice"]).ok();
    let lines: Vec<String> = (0..MESSAGES).map(|number| format!("{number:<MESSAGE_SIZE_BYTES$}")).collect();
    alice.json().run_with_input(&["message", "send", "alice", "--lines"], &lines.join("\n")).ok();
    let leader = cluster.leader();
    let name = cluster.running().into_iter().find(|name| *name != leader).expect("there are followers");
    cluster.kill(&name);
    let joined = cluster.log(&name).matches("serving").count();
    let started = Instant::now();
    cluster.launch(&name);
    eventually("the node serves again", || {
        let count = cluster.log(&name).matches("serving").count();
        if count > joined { Ok(()) } else { Err(count) }
    });
    println!("restart: a node that holds {MESSAGES} messages serves after {} ms", ms(started.elapsed()));
    true
}
