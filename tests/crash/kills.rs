//! kill -9 of a daemon in the middle of what it writes: after the Nth of its writes, syncs and changes of names, on its first start,
//! through founding, appending, snapshots and purging, or as it comes back and needs a snapshot.
//!
//! What a process wrote stays where only the process dies. So each of these moments is among the crash states as well; here whoever was
//! killed is started again, and the cluster goes on with it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::checks::{self, Looked};
use crate::scenario::{self, NODES, PEOPLE};

/// The writes of a daemon that counts them from its first start on, and of one that comes back. Small numbers are drawn as often as
/// large ones of ten times the range.
const FROM_FIRST_START: Range<f64> = 1.0..4_000.0;
const FROM_RETURN: Range<f64> = 1.0..1_200.0;

/// Who is killed, and when.
#[derive(Clone, Debug)]
pub(crate) struct Kill {
    pub(crate) name: &'static str,
    /// After so many calls that change something on the disk.
    pub(crate) at: u64,
    /// Counted from when it comes back after a long absence, and not from its first start.
    pub(crate) as_it_returns: bool,
}

impl Kill {
    fn draw(seed: u64, number: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let name = NODES.choose(&mut chance).expect("there are nodes");
        let as_it_returns = chance.gen_bool(0.4);
        let range = if as_it_returns { FROM_RETURN } else { FROM_FIRST_START };
        let at = chance.gen_range(range.start.ln()..range.end.ln()).exp();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies within the range")]
        Self { name, at: at as u64, as_it_returns }
    }
}

/// Kills so many daemons, one in each cluster, and says what came of it. Whether nothing was wrong.
#[expect(clippy::print_stdout, reason = "what the program is for")]
pub(crate) fn try_all(numbers: Range<u64>, seed: u64) -> Result<bool, String> {
    let began = Instant::now();
    let (mut killed, mut stored, mut wrong) = (0, 0, 0);
    for number in numbers.clone() {
        let kill = Kill::draw(seed, number);
        match try_one(&kill) {
            Ok((died, messages)) => {
                killed += u64::from(died);
                stored += messages;
            }
            Err(error) => {
                wrong += 1;
                println!("kill {number}, {kill:?}: {error}");
                println!("again: cargo xtask crash --seed {seed} --kill {number}");
            }
        }
    }
    println!(
        "kills: {} clusters with seed {seed} in {:.1} s, {killed} daemons killed within their writes; {stored} messages stored; {wrong} wrong",
        numbers.end - numbers.start,
        began.elapsed().as_secs_f64(),
    );
    Ok(wrong == 0)
}

/// Whether the daemon was killed, and how many messages were stored.
fn try_one(kill: &Kill) -> Result<(bool, usize), String> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let played = scenario::play_with_kill(home.path(), kill)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    // Within a runtime of one thread a state is hashed in place.
    let looked: Vec<Looked> = runtime.block_on(async {
        NODES.iter().map(|name| checks::look(name, &played.data_dir(name))).collect::<Result<_, _>>()
    })?;
    let stored: BTreeSet<String> = (0..PEOPLE).flat_map(|person| played.stored_by(person)).collect();
    checks::kept_by_most(&stored, &looked)?;
    checks::same_digests(looked.into_iter().filter_map(|node| node.digested))?;
    Ok((played.was_killed(), stored.len()))
}
