//! Many targets, each in a process of its own.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tests::fuzz::Target;

use crate::arguments::{Budget, Many};
use crate::corpus;
use crate::one::{Now, Summary, told};

/// How long a process may take longer than it was told to: known inputs come first, and a failing one is made shorter.
const MORE: Duration = Duration::from_secs(60);

/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Runs the targets and says what came of each. Whether nothing was found.
#[expect(clippy::print_stdout, reason = "what the program is for")]
pub(crate) fn run(wanted: &Many) -> Result<bool, String> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..wanted.jobs {
            scope.spawn(|| {
                while let Some(target) = wanted.targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let came = once(target, wanted);
                    println!("{}", came.as_ref().map_or_else(Clone::clone, in_words));
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(came);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let clean: Vec<_> = done.iter().filter_map(|came| came.as_ref().ok()).collect();
    let runs: u64 = clean.iter().map(|summary| summary.runs).sum();
    let (clean, all) = (clean.len(), done.len());
    println!(
        "fuzzing: {clean} of {all} targets clean, {runs} runs in {:.0} s, seed {}",
        began.elapsed().as_secs_f64(),
        wanted.seed
    );
    Ok(clean == all)
}

fn in_words(summary: &Summary) -> String {
    let Summary { target, runs, seconds, known, kept, edges: (taken, edges) } = summary;
    let pace = *runs as f64 / seconds.max(0.001);
    let coverage = if *edges == 0 { String::new() } else { format!(", {kept} kept; {taken} of {edges} edges") };
    format!("{target:>16}: {runs:>9} runs in {seconds:>5.1} s, {pace:>7.0}/s, of {known} known inputs{coverage}")
}

/// One target; an error is all that is to be said about it.
fn once(target: &Target, wanted: &Many) -> Result<Summary, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut run = Command::new(this);
    run.args(["--alone", "--target", target.name, "--seed", &wanted.seed.to_string()]).args(wanted.budget.arguments());
    run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = run.spawn().map_err(|error| format!("{} cannot be run: {error}", target.name))?;
    let began = Instant::now();
    let limit = match wanted.budget {
        Budget::Time(time) => Some(time + MORE),
        Budget::Runs(_) => None,
    };
    // What it prints fits a pipe.
    while let Ok(None) = running.try_wait() {
        if limit.is_some_and(|limit| began.elapsed() > limit) {
            // It may just have ended.
            let _ = running.kill();
            let _ = running.wait();
            return Err(left_behind(target, "it does not end"));
        }
        std::thread::sleep(LOOK);
    }
    let ran = running.wait_with_output().map_err(|error| format!("{} cannot be run: {error}", target.name))?;
    let printed = String::from_utf8_lossy(&ran.stdout);
    match printed.lines().last().and_then(|line| serde_json::from_str(line).ok()) {
        Some(summary) if ran.status.success() => Ok(summary),
        // It has said itself what it found.
        _ if ran.status.code() == Some(1) && printed.contains("FAILS") => Err(printed.into_owned()),
        _ => {
            let said = String::from_utf8_lossy(&ran.stderr);
            Err(left_behind(target, &format!("the process ends with {}\n{said}", ran.status)))
        }
    }
}

/// What was being run when the process ended.
fn left_behind(target: &Target, why: &str) -> String {
    let Some(input) = Now::left(target) else { return format!("{} FAILS: {why}", target.name) };
    let kept = corpus::keep(&corpus::found_in().join("found").join(target.name), &input);
    kept.map_or_else(|error| error, |file| told(target.name, &file, &input, why))
}
