//! One seed, in this process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tests::checker::second_opinion::{Verdict, second_opinion};
use tests::checker::{self, Limits, Report};
use tests::history::{Event, What};

use crate::entropy;
use crate::run::{self, Ran};
use crate::time::EPOCH_MS;
use crate::trace::Trace;

/// What came of a seed, in a line for whoever started it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) seed: u64,
    pub(crate) is_clean: bool,
    /// What tells this run from any other.
    pub(crate) trace: String,
    /// Of simulated time.
    pub(crate) seconds: f64,
    pub(crate) faults: Vec<String>,
    pub(crate) stored: usize,
    pub(crate) seen: usize,
    pub(crate) reads: usize,
    pub(crate) deletions: usize,
    /// Pieces of the history that a general checker looked at, too.
    pub(crate) pieces: usize,
    /// From the end of all faults until a new message was read everywhere.
    pub(crate) recovery_seconds: f64,
}

/// Runs the seed and judges it. Whether it is clean.
#[expect(clippy::print_stdout, reason = "what the program is for")]
pub(crate) fn run(seed: u64, print: bool, terse: bool) -> Result<bool, String> {
    entropy::begin(seed, EPOCH_MS);
    let trace = Trace::begin(print);
    let panics = catch_panics();
    let ran = simulate(seed, &trace)?;
    let mut events = ran.events.clone();
    let panics = std::mem::take(&mut *panics.lock().unwrap_or_else(PoisonError::into_inner));
    let complaints = trace.errors().into_iter().chain(panics);
    let end_ns = events.last().map_or(0, |event| event.at_ns);
    events.extend(
        complaints
            .map(|line| Event { at_ns: end_ns, what: What::Complained { process: "simulation".to_owned(), line } }),
    );

    let report = checker::check(&events, &Limits::default());
    // What is malformed the report says.
    let second = second_opinion(&events).unwrap_or_default();
    let summary = summary(seed, &ran, &events, (&report, &second), &trace);
    if !summary.is_clean {
        let kept = keep(seed, &events)?;
        println!("seed {seed} breaks a promise; its history is in {}\n{report}\n{second}", kept.display());
    }
    if terse {
        println!("{}", serde_json::to_string(&summary).map_err(|error| error.to_string())?);
    } else {
        println!(
            "seed {seed}: {:.1} s simulated, {} stored, {} faults, recovered in {:.2} s, trace {}: {}",
            summary.seconds,
            summary.stored,
            summary.faults.len(),
            summary.recovery_seconds,
            summary.trace,
            if summary.is_clean { "clean" } else { "NOT clean" }
        );
    }
    Ok(summary.is_clean)
}

fn simulate(seed: u64, trace: &Trace) -> Result<Ran, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| format!("there is no runtime: {error}"))?;
    // In memory where there is such a folder: profiles are synced.
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = place.join(format!("five9s-sim-{}", std::process::id()));
    // A process of the same number may have been killed: its devices would know another cluster. Usually there is none.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    let ran = runtime.block_on(async {
        trace.start_clock();
        let ran = run::run(seed, &folder).await;
        trace.stop();
        ran
    });
    // Nothing is left to be done with what still runs.
    runtime.shutdown_background();
    std::fs::remove_dir_all(&folder).map_err(|error| format!("{} cannot be removed: {error}", folder.display()))?;
    ran
}

/// A panic in a task ends the task only; here it is to be heard of.
fn catch_panics() -> Arc<Mutex<Vec<String>>> {
    let panics = Arc::new(Mutex::new(Vec::new()));
    std::panic::set_hook(Box::new({
        let panics = Arc::clone(&panics);
        move |panic| panics.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string())
    }));
    panics
}

fn summary(seed: u64, ran: &Ran, events: &[Event], judged: (&Report, &Verdict), trace: &Trace) -> Summary {
    let (report, second) = judged;
    let at = |which: fn(&What) -> bool| events.iter().rfind(|event| which(&event.what)).map(|event| event.at_ns);
    let healed = at(|what| matches!(what, What::Healed));
    let recovered = at(|what| matches!(what, What::Recovered { .. }));
    Summary {
        seed,
        is_clean: report.is_clean() && second.contradictions.is_empty(),
        trace: trace.digest(),
        seconds: ran.seconds,
        faults: ran.faults.clone(),
        stored: report.counts.acknowledged,
        seen: report.counts.rows_seen,
        reads: report.counts.reads + report.counts.lists,
        deletions: report.counts.deletions,
        pieces: second.windows,
        recovery_seconds: healed.zip(recovered).map_or(0.0, |(from, to)| to.saturating_sub(from) as f64 / 1e9),
    }
}

/// Writes the history down, for whoever has to find out why.
fn keep(seed: u64, events: &[Event]) -> Result<PathBuf, String> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sim-{seed}.jsonl"));
    let lines: Result<Vec<_>, _> = events.iter().map(serde_json::to_string).collect();
    let lines = lines.map_err(|error| error.to_string())?.join("\n");
    std::fs::write(&path, lines + "\n").map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    Ok(path)
}
