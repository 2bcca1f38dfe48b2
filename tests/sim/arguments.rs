//! What is asked of the program.

use std::ops::Range;

/// What `cargo test` runs.
const USUAL: Range<u64> = 0..100;

/// How many of them are run twice, to see that one seed is one run.
const USUAL_TWICE: u64 = 4;

/// See the module.
pub(crate) enum Wanted {
    /// `cargo test` was asked for other tests.
    Nothing,
    One {
        seed: u64,
        trace: bool,
        terse: bool,
    },
    Many(Seeds),
}

/// A range of seeds.
pub(crate) struct Seeds {
    pub(crate) seeds: Range<u64>,
    /// How many of the first are run twice.
    pub(crate) twice: u64,
    /// How many at the same time.
    pub(crate) jobs: usize,
    /// Whether the first that is not clean is enough.
    pub(crate) until_found: bool,
}

const USAGE: &str = "usage: [--seeds A..B [--twice COUNT] [--jobs COUNT] [--until-found]] | --seed N [--trace]";

/// Understands the arguments, ours and those that `cargo test` gives to every test.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let (mut seed, mut trace, mut terse) = (None, false, false);
    let (mut seeds, mut twice, mut jobs) = (None, None, None);
    let (mut is_for_us, mut until_found) = (true, false);
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        let mut value = |what: &str| arguments.next().ok_or_else(|| format!("{what} needs a value; {USAGE}"));
        match argument.as_str() {
            "--seed" => seed = Some(number(&value("--seed")?)?),
            "--seeds" => seeds = Some(range(&value("--seeds")?)?),
            "--twice" => twice = Some(number(&value("--twice")?)?),
            "--jobs" => jobs = Some(number(&value("--jobs")?)?.max(1)),
            "--trace" => trace = true,
            "--until-found" => until_found = true,
            "--terse" => terse = true,
            "--list" => is_for_us = false,
            // An option of libtest's; those with a value use `=`, or do not matter here.
            option if option.starts_with("--") => {}
            filter => is_for_us = "simulation".contains(filter),
        }
    }
    if let Some(seed) = seed {
        return Ok(Wanted::One { seed, trace, terse });
    }
    if !is_for_us {
        return Ok(Wanted::Nothing);
    }
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Wanted::Many(Seeds {
        twice: twice.unwrap_or(if seeds.is_none() { USUAL_TWICE } else { 0 }),
        seeds: seeds.unwrap_or(USUAL),
        until_found,
        jobs: jobs.map_or_else(processors, |jobs| usize::try_from(jobs).unwrap_or(1)),
    }))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number; {USAGE}"))
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (first, end) = text.split_once("..").ok_or_else(|| format!("{text:?} is no range of seeds, as 0..100 is"))?;
    let range = number(first)?..number(end)?;
    if range.is_empty() { Err(format!("there is no seed in {text}")) } else { Ok(range) }
}
