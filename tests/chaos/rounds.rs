//! Round after round, until the time is over.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::arguments::Chaos;
use crate::course::{CLIENTS, Came, NODES_MAX, Round};
use crate::disk;
use crate::faults::Fault;
use crate::lan::Lan;

/// How long things go wrong in a round.
const ROUND: Duration = Duration::from_secs(90);

/// Less is no round.
const ROUND_MIN: Duration = Duration::from_secs(10);

/// Sums over the rounds that were clean.
#[derive(Default)]
struct Sums {
    rounds: usize,
    stored: usize,
    seen: usize,
    reads: usize,
    pieces: usize,
    slowest: Duration,
    faults: BTreeMap<Fault, usize>,
}

/// Runs them. Whether all are clean; what is not is printed, and kept.
#[expect(clippy::print_stdout, reason = "what the program is for")]
pub(crate) fn run(chaos: &Chaos) -> Result<bool, String> {
    // Names of networks are kept below /run, and that is the machine's.
    let hidden = Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]).status();
    if !hidden.is_ok_and(|status| status.success()) {
        return Err("a folder for the names of networks cannot be made".to_owned());
    }
    let lan = Lan::build(NODES_MAX + CLIENTS, chaos.seed)?;
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos");
    remove(&home)?;
    make(&home)?;
    let has_disks = match disk::try_out(&home) {
        Ok(()) => true,
        Err(why) => {
            println!("chaos: without {:?}, which need disks of one's own, as root has: {why}", Fault::of_disks());
            false
        }
    };
    let (began, mut raged, mut seed, mut sums) = (Instant::now(), Duration::ZERO, chaos.seed, Sums::default());
    while raged + ROUND_MIN <= chaos.rage {
        let rage = ROUND.min(chaos.rage - raged);
        // Three, five, three again.
        let nodes = chaos.nodes.unwrap_or(if seed % 2 == 0 { 3 } else { 5 });
        println!("round {seed}: {nodes} nodes, {} s", rage.as_secs());
        let home = home.join(seed.to_string());
        make(&home)?;
        let round = Round { seed, nodes, rage, home: home.clone(), has_disks, only: chaos.only.clone() };
        let came =
            round.run(&lan).map_err(|error| format!("round {seed}: {error}; what it left is in {}", home.display()))?;
        if !came.is_clean() {
            println!("round {seed} breaks a promise; its history and logs are in {}", home.display());
            println!("{}\n{}", came.report, came.second);
            let only = chaos.only.iter().flatten().map(Fault::to_string).collect::<Vec<_>>().join(",");
            println!(
                "the same faults again: cargo xtask chaos --seconds {} --seed {seed} --nodes {nodes}{}{only}",
                rage.as_secs(),
                if only.is_empty() { "" } else { " --only " }
            );
            return Ok(false);
        }
        sums.add(&came);
        remove(&home)?;
        raged += rage;
        seed += 1;
    }
    println!("{}", sums.told(raged, began.elapsed()));
    Ok(true)
}

impl Sums {
    fn add(&mut self, came: &Came) {
        self.rounds += 1;
        self.stored += came.report.counts.acknowledged;
        self.seen += came.report.counts.rows_seen;
        self.reads += came.report.counts.reads + came.report.counts.lists;
        self.pieces += came.second.windows;
        self.slowest = self.slowest.max(came.recovery.unwrap_or_default());
        for fault in &came.faults {
            *self.faults.entry(*fault).or_default() += 1;
        }
    }

    fn told(&self, raged: Duration, took: Duration) -> String {
        let faults: Vec<_> = self.faults.iter().map(|(fault, count)| format!("{count} {fault}")).collect();
        format!(
            "chaos: {} rounds clean, {} s of faults in {} s\n  {} messages stored, {} seen by feeds, {} reads; slowest recovery {:.2} s\n  \
             {} pieces of the histories have an order for a general checker, too\n  faults: {}",
            self.rounds,
            raged.as_secs(),
            took.as_secs(),
            self.stored,
            self.seen,
            self.reads,
            self.slowest.as_secs_f64(),
            self.pieces,
            faults.join(", ")
        )
    }
}

fn make(folder: &PathBuf) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))
}

fn remove(folder: &PathBuf) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{} cannot be removed: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}
