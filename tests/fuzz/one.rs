//! One target, in this process: what is known first, then what is new.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tests::fuzz::Target;

use crate::arguments::{Budget, Hunt};
use crate::chance::Chance;
use crate::corpus;
use crate::coverage::Coverage;
use crate::mutate::Mutator;

/// Inputs grow no longer than this, or than twice the longest that is known.
const SIZE_MAX: usize = 4 * 1024;

/// How long a failing input may be made shorter.
const SHORTENING: Duration = Duration::from_secs(3);

/// What came of a target, for whoever started this process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) target: String,
    pub(crate) runs: u64,
    pub(crate) seconds: f64,
    /// Inputs that were known, and that were kept because they got somewhere new.
    pub(crate) known: usize,
    pub(crate) kept: usize,
    /// Edges taken, and edges there are; 0 where the build does not count.
    pub(crate) edges: (usize, usize),
}

/// Runs the target until it is enough. Whether nothing was found.
#[expect(clippy::print_stdout, reason = "the summary is for the process that started this one")]
pub(crate) fn run(hunt: &Hunt) -> Result<bool, String> {
    let now = Now::begin(hunt.target)?;
    // The encoders are the product's as well: if one of them panics here, that is said as any program says it.
    let mut inputs = corpus::of(hunt.target)?;
    let known = inputs.len();
    note_panics();
    let mut coverage = Coverage::begin();
    let mut try_one = |input: &[u8]| -> Result<bool, String> {
        now.note(input)?;
        coverage.forget();
        if let Some(why) = panics(hunt.target, input) {
            return Err(why);
        }
        Ok(coverage.is_new())
    };
    let mut runs = 0;
    for input in &inputs {
        runs += 1;
        if let Err(why) = try_one(input) {
            return tell(hunt.target, input, &format!("{why}\n  a known input, number {runs}"));
        }
    }
    let size_max = inputs.iter().map(|input| 2 * input.len()).max().unwrap_or(0).max(SIZE_MAX);
    let mutator = Mutator { words: hunt.target.words, size_max };
    let mut chance = Chance::new(hunt.seed);
    let began = Instant::now();
    while !hunt.budget.is_spent(runs, began) {
        let mut input = inputs[choose(&inputs, &mut chance)].clone();
        let other = &inputs[chance.below(inputs.len())];
        mutator.change(&mut input, other, &mut chance);
        runs += 1;
        match try_one(&input) {
            Ok(true) => inputs.push(input),
            Ok(false) => {}
            Err(why) => {
                let seconds = began.elapsed().as_secs_f64();
                let why = format!("{why}\n  after {runs} runs and {seconds:.2} s, with seed {}", hunt.seed);
                return tell(hunt.target, &shortened(hunt.target, input, &now), &why);
            }
        }
    }
    let summary = Summary {
        target: hunt.target.name.to_owned(),
        runs,
        seconds: began.elapsed().as_secs_f64(),
        known,
        kept: inputs.len() - known,
        edges: coverage.edges(),
    };
    if coverage.is_counted() {
        let folder = corpus::found_in().join("kept").join(hunt.target.name);
        inputs[known..].iter().try_for_each(|input| corpus::keep(&folder, input).map(drop))?;
    }
    println!("{}", serde_json::to_string(&summary).map_err(|error| error.to_string())?);
    Ok(true)
}

/// Runs one input, and lets it panic.
#[expect(clippy::print_stdout, reason = "what the program is for")]
pub(crate) fn replay(target: &Target, input: &Path) -> Result<bool, String> {
    let bytes = std::fs::read(input).map_err(|error| format!("{}: {error}", input.display()))?;
    (target.run)(&bytes);
    println!("{}: nothing is wrong with {}", target.name, input.display());
    Ok(true)
}

impl Budget {
    fn is_spent(self, runs: u64, began: Instant) -> bool {
        match self {
            Self::Time(time) => began.elapsed() >= time,
            Self::Runs(enough) => runs >= enough,
        }
    }
}

/// Any of the inputs; half the time one of the newest, which nobody has changed much yet.
fn choose(inputs: &[Vec<u8>], chance: &mut Chance) -> usize {
    let newest = inputs.len().div_ceil(8);
    if chance.once_in(2) { inputs.len() - 1 - chance.below(newest) } else { chance.below(inputs.len()) }
}

/// What panicked first, on whichever thread.
static PANICKED: Mutex<Option<String>> = Mutex::new(None);

fn note_panics() {
    std::panic::set_hook(Box::new(|panic| {
        PANICKED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic.to_string());
    }));
}

/// Why the target panics with this input; None: it does not.
fn panics(target: &Target, input: &[u8]) -> Option<String> {
    // What a panic leaves behind matters no more: nothing is run after it but to make the input shorter.
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let why = PANICKED.lock().unwrap_or_else(PoisonError::into_inner).take();
    why.or_else(|| ended.is_err().then(|| "it panicked without a word".to_owned()))
}

/// The input less whatever may be missing for it to panic still.
fn shortened(target: &Target, mut input: Vec<u8>, now: &Now) -> Vec<u8> {
    let began = Instant::now();
    let mut size = input.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < input.len() {
            if began.elapsed() > SHORTENING {
                return input;
            }
            let mut shorter = input.clone();
            drop(shorter.drain(at..(at + size).min(shorter.len())));
            // It may end the process, so it has to be known as well.
            if now.note(&shorter).is_ok() && panics(target, &shorter).is_some() {
                input = shorter;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    input
}

/// Says what is wrong, and how to see it again.
#[expect(clippy::print_stdout, reason = "what the program is for")]
fn tell(target: &Target, input: &[u8], why: &str) -> Result<bool, String> {
    let file = corpus::keep(&corpus::found_in().join("found").join(target.name), input)?;
    println!("{}", told(target.name, &file, input, why));
    Ok(false)
}

/// The same, in words.
pub(crate) fn told(target: &str, file: &Path, input: &[u8], why: &str) -> String {
    let shown: String =
        input.iter().take(64).flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect();
    let (size, file) = (input.len(), file.display());
    format!(
        "{target} FAILS: {why}\n  input of {size} bytes: {shown}\n  again: cargo xtask fuzz --replay {target} {file}"
    )
}

/// The input of the moment, in a file: whatever ends the process, it is known what did.
pub(crate) struct Now(File);

impl Now {
    pub(crate) fn file(target: &Target) -> PathBuf {
        corpus::found_in().join(format!("{}.now", target.name))
    }

    fn begin(target: &Target) -> Result<Self, String> {
        let path = Self::file(target);
        let failed = |error| format!("{}: {error}", path.display());
        std::fs::create_dir_all(corpus::found_in()).map_err(failed)?;
        let mut file = File::create(&path).map_err(failed)?;
        file.write_all(&0_u64.to_be_bytes()).map_err(failed)?;
        Ok(Self(file))
    }

    /// Length and bytes, written over the ones before.
    fn note(&self, input: &[u8]) -> Result<(), String> {
        let all = [&(input.len() as u64).to_be_bytes(), input].concat();
        self.0.write_all_at(&all, 0).map_err(|error| error.to_string())
    }

    /// The input that a process left behind.
    pub(crate) fn left(target: &Target) -> Option<Vec<u8>> {
        let bytes = std::fs::read(Self::file(target)).ok()?;
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        rest.get(..usize::try_from(u64::from_be_bytes(*length)).ok()?).map(<[u8]>::to_vec)
    }
}
