//! What is asked of the program.

use std::path::PathBuf;
use std::time::Duration;

use tests::fuzz::{TARGETS, Target, target};

/// How long each target runs unless it is said otherwise.
const USUAL: Duration = Duration::from_secs(20);

/// Says otherwise, in seconds, where `cargo test` gives no arguments.
const SECONDS: &str = "FIVE9S_FUZZ_SECONDS";

/// See the module.
pub(crate) enum Wanted {
    /// `cargo test` was asked for other tests.
    Nothing,
    /// Several targets, each in a process of its own.
    Many(Many),
    One(Hunt),
    /// One input, once.
    Replay {
        target: &'static Target,
        input: PathBuf,
    },
    /// Only writes down the inputs that everything begins with, for other fuzzers.
    Seeds(PathBuf),
}

/// Targets, and how to run each.
pub(crate) struct Many {
    pub(crate) targets: Vec<&'static Target>,
    pub(crate) budget: Budget,
    pub(crate) seed: u64,
    /// How many at the same time.
    pub(crate) jobs: usize,
}

/// One target, in this process.
pub(crate) struct Hunt {
    pub(crate) target: &'static Target,
    pub(crate) budget: Budget,
    pub(crate) seed: u64,
}

/// When it is enough.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    Time(Duration),
    /// The same inputs every time, however fast the machine is.
    Runs(u64),
}

const USAGE: &str =
    "usage: [--seconds S | --runs N] [--seed N] [--jobs N] [--target NAME]... | --replay NAME FILE | --seeds-to FOLDER";

/// Understands the arguments, ours and those that `cargo test` gives to every test.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let (mut budget, mut seed, mut jobs, mut alone) = (None, 1, None, false);
    let (mut targets, mut is_for_us) = (Vec::new(), true);
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        let mut value = |what: &str| arguments.next().ok_or_else(|| format!("{what} needs a value; {USAGE}"));
        match argument.as_str() {
            "--seconds" => budget = Some(Budget::Time(seconds(&value("--seconds")?)?)),
            "--runs" => budget = Some(Budget::Runs(number(&value("--runs")?)?)),
            "--seed" => seed = number(&value("--seed")?)?,
            "--jobs" => jobs = Some(usize::try_from(number(&value("--jobs")?)?.max(1)).unwrap_or(1)),
            "--target" => targets.push(named(&value("--target")?)?),
            "--alone" => alone = true,
            "--replay" => {
                let target = named(&value("--replay")?)?;
                return Ok(Wanted::Replay { target, input: value("--replay")?.into() });
            }
            "--seeds-to" => return Ok(Wanted::Seeds(value("--seeds-to")?.into())),
            "--list" => is_for_us = false,
            // An option of libtest's; those with a value use `=`, or do not matter here.
            option if option.starts_with("--") => {}
            filter => is_for_us = "fuzzing".contains(filter),
        }
    }
    if !is_for_us {
        return Ok(Wanted::Nothing);
    }
    let budget = budget.map_or_else(usual, Ok)?;
    if alone && let [target] = targets[..] {
        return Ok(Wanted::One(Hunt { target, budget, seed }));
    }
    if targets.is_empty() {
        targets = TARGETS.iter().collect();
    }
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Wanted::Many(Many { targets, budget, seed, jobs: jobs.unwrap_or_else(processors) }))
}

impl Budget {
    /// As arguments for another process.
    pub(crate) fn arguments(self) -> [String; 2] {
        match self {
            Self::Time(time) => ["--seconds".to_owned(), time.as_secs_f64().to_string()],
            Self::Runs(runs) => ["--runs".to_owned(), runs.to_string()],
        }
    }
}

fn usual() -> Result<Budget, String> {
    std::env::var(SECONDS).map_or(Ok(USUAL), |text| seconds(&text)).map(Budget::Time)
}

fn named(name: &str) -> Result<&'static Target, String> {
    let known = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    target(name).ok_or_else(|| format!("there is no target {name}; there are: {}", known()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("{text:?} is no number of seconds; {USAGE}"))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number; {USAGE}"))
}
