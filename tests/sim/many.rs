//! Many seeds, each in a process of its own.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tests::process::cpu_time;

use crate::arguments::Seeds;
use crate::one::Summary;

/// How much time of a processor a run may take; they take a few seconds. On a busy machine that may be a long time of the day.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// How long it may go without any: nothing in it ever waits for something outside, so it waits for itself.
const STANDS_STILL: Duration = Duration::from_secs(60);

/// How often it is looked whether a run has ended.
const LOOK: Duration = Duration::from_millis(10);

/// How many failing seeds are told of in full.
const TOLD_MAX: usize = 5;

/// Runs the seeds and says what came of them. Whether all are clean.
#[expect(clippy::print_stdout, reason = "what the program is for")]
pub(crate) fn run(wanted: &Seeds) -> Result<bool, String> {
    let began = Instant::now();
    let next = AtomicU64::new(wanted.seeds.start);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..wanted.jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= wanted.seeds.end {
                        return;
                    }
                    let twice = seed - wanted.seeds.start < wanted.twice;
                    let came = once(seed).and_then(|first| if twice { same_again(first) } else { Ok(first) });
                    if came.is_err() && wanted.until_found {
                        next.store(wanted.seeds.end, Ordering::Relaxed);
                    }
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((seed, came));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(seed, _)| *seed);
    let failed: Vec<_> = done.iter().filter_map(|(seed, came)| Some((seed, came.as_ref().err()?))).collect();
    for (_, why) in failed.iter().take(TOLD_MAX) {
        println!("{why}");
    }
    let clean: Vec<_> = done.iter().filter_map(|(_, came)| came.as_ref().ok()).collect();
    println!("{}", told(&clean, began.elapsed().as_secs_f64(), wanted));
    if failed.is_empty() {
        return Ok(true);
    }
    let seeds: Vec<_> = failed.iter().map(|(seed, _)| seed.to_string()).collect();
    println!("{} of {} seeds are NOT clean: {}", failed.len(), done.len(), seeds.join(" "));
    println!("again, with all that was said: cargo xtask sim --seed {} --trace", seeds[0]);
    Ok(false)
}

/// One run; an error is all that it printed.
fn once(seed: u64) -> Result<Summary, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut run = Command::new(this);
    run.args(["--seed", &seed.to_string(), "--terse"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = run.spawn().map_err(|error| format!("seed {seed} cannot be run: {error}"))?;
    let (mut before, mut moved) = (Duration::ZERO, Instant::now());
    // What it prints fits a pipe.
    while let Ok(None) = running.try_wait() {
        let used = cpu_time(running.id()).unwrap_or_default();
        if used != before {
            (before, moved) = (used, Instant::now());
        }
        let why = match used {
            used if used > ENDS_WITHIN => "no time passes in it, while something goes on and on",
            _ if moved.elapsed() > STANDS_STILL => "something in it waits for what never comes",
            _ => {
                std::thread::sleep(LOOK);
                continue;
            }
        };
        // It may just have ended.
        let _ = running.kill();
        let _ = running.wait();
        return Err(format!("seed {seed} does not end: {why}"));
    }
    let ran = running.wait_with_output().map_err(|error| format!("seed {seed} cannot be run: {error}"))?;
    let printed = String::from_utf8_lossy(&ran.stdout);
    let summary = printed.lines().last().and_then(|line| serde_json::from_str::<Summary>(line).ok());
    match summary {
        Some(summary) if ran.status.success() && summary.is_clean => Ok(summary),
        _ => Err(format!("seed {seed}: {}\n{printed}{}", ran.status, String::from_utf8_lossy(&ran.stderr))),
    }
}

/// Runs the seed once more, and compares.
fn same_again(first: Summary) -> Result<Summary, String> {
    let again = once(first.seed)?;
    if again.trace == first.trace {
        return Ok(first);
    }
    let (seed, one, other) = (first.seed, &first.trace, &again.trace);
    Err(format!("seed {seed} is not one run but two: their traces are {one} and {other}"))
}

fn told(clean: &[&Summary], wall_seconds: f64, wanted: &Seeds) -> String {
    let sum = |of: fn(&Summary) -> usize| clean.iter().map(|summary| of(summary)).sum::<usize>();
    let simulated: f64 = clean.iter().map(|summary| summary.seconds).sum();
    let slowest = clean.iter().map(|summary| summary.recovery_seconds).fold(0.0, f64::max);
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for kind in clean.iter().flat_map(|summary| &summary.faults) {
        *kinds.entry(kind).or_default() += 1;
    }
    let kinds: Vec<_> = kinds.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    format!(
        "simulation: {} seeds clean ({} of them run twice, with one trace), {simulated:.0} s simulated in {wall_seconds:.0} s\n  \
         {} messages stored, {} seen by feeds, {} reads, {} accounts deleted; slowest recovery {slowest:.2} s\n  \
         {} pieces of the histories have an order for a general checker, too\n  faults: {}",
        clean.len(),
        wanted.twice.min(clean.len() as u64),
        sum(|summary| summary.stored),
        sum(|summary| summary.seen),
        sum(|summary| summary.reads),
        sum(|summary| summary.deletions),
        sum(|summary| summary.pieces),
        kinds.join(", ")
    )
}
