//! What a power cut left of all three nodes, started: the daemons found a cluster or go on with theirs, take messages, and have all that
//! was acknowledged.

use std::fs;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tests::disk::{Disk, Recording};
use tests::{Cluster, eventually};

use crate::checks::{self, Known, Looked};
use crate::scenario::{CONFIGURATION, NODES};
use crate::states::{Moments, State};

/// What is sent afterwards, by somebody whom the recording does not have.
const NEWCOMER: &str = "newcomer";
const MESSAGE: &str = "9.00001";

/// Starts what is left in these states, one after the other, and says what came of it. Whether nothing was wrong.
#[expect(clippy::print_stdout, reason = "what the program is for")]
pub(crate) fn try_all(folder: &Path, numbers: Range<u64>, seed: u64) -> Result<bool, String> {
    let began = Instant::now();
    let recording = Recording::read(folder)?;
    let moments = Moments::of(&recording);
    let mut states: Vec<_> = numbers.map(|number| moments.draw(seed, number)).collect();
    states.sort_by_key(|state| state.point);
    let (mut disk, mut ops, mut wrong, mut stored) = (Disk::new(), recording.ops.iter().peekable(), 0, 0);
    for state in &states {
        while let Some(op) = ops.next_if(|op| op.head.stamp < state.point) {
            disk.apply(op)?;
        }
        let known = Known::at(&recording, state.point);
        stored += known.stored.len();
        // What cannot be waited for any longer is a panic.
        let revived = catch_unwind(AssertUnwindSafe(|| revive(state, &disk, &recording, known)));
        if let Err(why) = revived.unwrap_or_else(|_| Err("see above".to_owned())) {
            wrong += 1;
            println!("started state {}, {}: {why}", state.number, moments.chapter(state.point));
            println!(
                "again: cargo xtask crash --recording {} --seed {seed} --revival {}",
                folder.display(),
                state.number
            );
        }
    }
    println!(
        "revivals: {} states with seed {seed} started as clusters in {:.1} s; {stored} messages had been acknowledged; {wrong} wrong",
        states.len(),
        began.elapsed().as_secs_f64(),
    );
    Ok(wrong == 0)
}

fn revive(state: &State, disk: &Disk, recording: &Recording, known: Known) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("what is left cannot be laid out: {error}");
    let mut cluster = Cluster::unstarted(NODES.len(), CONFIGURATION);
    let mut chance = StdRng::seed_from_u64(state.chance);
    let mut left = state.left.iter().copied().cycle();
    for name in NODES {
        let dir = cluster.data_dir(name);
        fs::create_dir_all(&dir).map_err(failed)?;
        disk.cut_power(name, left.next().expect("it goes round"), &mut chance, &dir).map_err(failed)?;
    }
    // An operator puts it on every machine.
    let secret = "cluster-secret";
    fs::copy(Recording::root(&recording.folder).join(secret), Recording::root(cluster.home()).join(secret))
        .map_err(failed)?;
    for name in NODES {
        cluster.launch(name);
    }
    cluster.wait_until_writable();
    let newcomer = cluster.cli().as_account(NEWCOMER).timeout("30s");
    newcomer.run(&["account", "create", NEWCOMER]).ok();
    newcomer.run(&["message", "send", NEWCOMER, &format!("<{MESSAGE}> after the power cut")]).ok();
    eventually("all nodes have the same state", || {
        let check = cluster.cli().run(&["cluster", "check"]);
        let all = NODES.iter().all(|name| check.stdout.contains(name));
        if check.code == Some(0) && all { Ok(()) } else { Err(check) }
    });
    for name in NODES {
        let ended = cluster.stop(name);
        if !ended.success() {
            return Err(format!("{name} ended with {ended}"));
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // Within a runtime of one thread a state is hashed in place.
    let looked: Vec<Looked> = runtime.map_err(|error| error.to_string())?.block_on(async {
        NODES.iter().map(|name| checks::look(name, &cluster.data_dir(name))).collect::<Result<_, _>>()
    })?;
    let mut stored = known.stored;
    stored.insert(MESSAGE.to_owned());
    checks::kept_by_most(&stored, &looked)?;
    checks::same_digests(looked.into_iter().filter_map(|node| node.digested))
}
