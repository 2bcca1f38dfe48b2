//! What is asked of the program.

use std::path::PathBuf;

use crate::processes::Role;
use crate::workers::{Share, Trial};

/// How many states `cargo test` tries.
const USUAL: u64 = 300;

/// How many daemons it kills.
const KILLS_USUAL: u64 = 4;

/// How many kinds of damage it tries.
const DAMAGES_USUAL: u64 = 100;

/// How many of the states it starts as clusters.
const REVIVALS_USUAL: u64 = 3;

/// See the module.
pub(crate) enum Wanted {
    /// `cargo test` was asked for other tests.
    Nothing,
    /// To be one of the processes that are recorded.
    Process(Role),
    /// To try some states, for another process of this program.
    Worker(Share),
    All(Trial),
}

const USAGE: &str = "usage: [--states COUNT] [--damages COUNT] [--kills COUNT] [--revivals COUNT] [--seed S] [--jobs COUNT] [--kill N] [--recording FOLDER [--state N | --damage N | --revival N]]";

/// Understands the arguments, ours and those that `cargo test` gives to every test.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut arguments = arguments.peekable();
    if arguments.next_if(|argument| argument == "--be").is_some() {
        return Role::parse(arguments).map(Wanted::Process);
    }
    let (mut states, mut seed, mut jobs, mut state, mut recording, mut share) = (None, None, None, None, None, None);
    let (mut damages, mut damage, mut kills, mut kill) = (None, None, None, None);
    let (mut revivals, mut revival) = (None, None);
    let mut is_for_us = true;
    while let Some(argument) = arguments.next() {
        let mut value = |what: &str| arguments.next().ok_or_else(|| format!("{what} needs a value; {USAGE}"));
        match argument.as_str() {
            "--states" => states = Some(number(&value("--states")?)?),
            "--damages" => damages = Some(number(&value("--damages")?)?),
            "--damage" => damage = Some(number(&value("--damage")?)?),
            "--kills" => kills = Some(number(&value("--kills")?)?),
            "--revivals" => revivals = Some(number(&value("--revivals")?)?),
            "--revival" => revival = Some(number(&value("--revival")?)?),
            "--kill" => kill = Some(number(&value("--kill")?)?),
            "--seed" => seed = Some(number(&value("--seed")?)?),
            "--jobs" => jobs = Some(number(&value("--jobs")?)?.max(1)),
            "--state" => state = Some(number(&value("--state")?)?),
            "--recording" => recording = Some(PathBuf::from(value("--recording")?)),
            "--share" => share = Some(number(&value("--share")?)?),
            "--list" => is_for_us = false,
            // An option of libtest's; those with a value use `=`, or do not matter here.
            option if option.starts_with("--") => {}
            filter => is_for_us = "crash".contains(filter),
        }
    }
    let seed = seed.unwrap_or(0);
    // One alone is all of it.
    let is_one = [state, damage, kill, revival].iter().any(Option::is_some);
    let of = |one: Option<u64>, count: Option<u64>, usual: u64| match one {
        Some(one) => one..one + 1,
        None if is_one => 0..0,
        None => 0..count.unwrap_or(usual),
    };
    let (states, damages) = (of(state, states, USUAL), of(damage, damages, DAMAGES_USUAL));
    let (kills, revivals) = (of(kill, kills, KILLS_USUAL), of(revival, revivals, REVIVALS_USUAL));
    let processors = || std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let jobs = jobs.unwrap_or_else(processors);
    match (share, recording) {
        (Some(share), Some(recording)) => Ok(Wanted::Worker(Share { recording, states, seed, share, of: jobs })),
        (None, recording) if is_for_us => {
            Ok(Wanted::All(Trial { states, damages, kills, revivals, seed, jobs, recording }))
        }
        _ => Ok(Wanted::Nothing),
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number; {USAGE}"))
}
