//! Many states, shared out to processes: damage that LMDB trips over may take its process with it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tests::disk::{Disk, Recording};

use crate::checks::{self, Digested, Known};
use crate::processes::{account, profile};
use crate::scenario::{self, NODES, PEOPLE};
use crate::states::{Moments, State};
use crate::{damage, interpose, kills, profiles, revivals};

/// What is to be done.
pub(crate) struct Trial {
    pub(crate) states: Range<u64>,
    pub(crate) seed: u64,
    pub(crate) jobs: u64,
    pub(crate) damages: Range<u64>,
    pub(crate) kills: Range<u64>,
    pub(crate) revivals: Range<u64>,
    /// One that is there already.
    pub(crate) recording: Option<PathBuf>,
}

/// What a worker is to do of it.
pub(crate) struct Share {
    pub(crate) recording: PathBuf,
    pub(crate) states: Range<u64>,
    pub(crate) seed: u64,
    pub(crate) share: u64,
    pub(crate) of: u64,
}

/// What a worker says, a line each.
#[derive(Debug, Serialize, Deserialize)]
enum Line {
    Trying(u64),
    Tried { number: u64, chapter: String, left: String, ahead: u64, digested: Vec<Digested>, wrong: Option<String> },
}

/// A recording that has to be found wanting.
struct Control {
    what: &'static str,
    how: &'static str,
    /// States in which it has to be.
    states: u64,
    /// It is tried where at least so many states of the real recording are.
    worth_with: u64,
}

const CONTROLS: [Control; 2] = [
    Control { what: "databases that do not sync", how: "databases-unsynced", states: 30, worth_with: 0 },
    // The last transaction of a majority has to be lost, and to have had something in it that was acknowledged.
    Control {
        what: "databases whose meta pages come a sync too late",
        how: "meta-late",
        states: 600,
        worth_with: 1_000,
    },
];

/// How many failing states are told of in full.
const TOLD_MAX: usize = 5;

/// What came of all.
#[derive(Default)]
struct Sum {
    tried: u64,
    ahead: u64,
    chapters: BTreeMap<String, u64>,
    left: BTreeMap<String, u64>,
    digested: Vec<Digested>,
    wrong: Vec<(u64, String)>,
}

/// Tries all that is wanted, and says what came of it. Whether nothing was wrong.
#[expect(clippy::print_stdout, reason = "what the program is for")]
pub(crate) fn run(trial: &Trial) -> Result<bool, String> {
    if let Some(folder) = &trial.recording {
        return try_all(trial, folder);
    }
    let survived = kills::try_all(trial.kills.clone(), trial.seed)?;
    if trial.states.is_empty() && trial.damages.is_empty() && trial.revivals.is_empty() {
        return Ok(survived);
    }
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    for control in CONTROLS.iter().filter(|control| trial.states.end >= control.worth_with) {
        if !is_found(control, trial, home.path())? {
            return Ok(false);
        }
    }
    let began = Instant::now();
    let synced = home.path().join("synced");
    record(&synced, &[])?;
    println!("crash: recorded in {:.1} s", began.elapsed().as_secs_f64());
    let clean = try_all(trial, &synced)?;
    if !clean {
        let kept = home.keep();
        println!("the recording is kept in {}", kept.join("synced").display());
    }
    Ok(clean && survived)
}

/// Whether the harness finds what is wrong without syncs.
#[expect(clippy::print_stdout, reason = "what the program is for")]
fn is_found(control: &Control, trial: &Trial, home: &Path) -> Result<bool, String> {
    let began = Instant::now();
    let folder = home.join(control.how);
    record(&folder, &["short", control.how])?;
    let tried = Trial {
        states: 0..control.states,
        seed: trial.seed,
        jobs: trial.jobs,
        damages: 0..0,
        kills: 0..0,
        revivals: 0..0,
        recording: None,
    };
    let mut sum = share_out(&tried, &folder)?;
    sum.wrong.sort();
    let Some((first, wrong)) = sum.wrong.first() else {
        println!("crash: {}: nothing wrong in {} states, so this harness finds nothing", control.what, sum.tried);
        return Ok(false);
    };
    let (count, seconds) = (sum.wrong.len(), began.elapsed().as_secs_f64());
    let lost = sum.wrong.iter().filter(|(_, wrong)| wrong.contains("was acknowledged")).count();
    println!(
        "crash: {}: {count} of {} states wrong, as they must be ({seconds:.1} s); in {lost} all opens, and what was acknowledged is \
         gone\n  the first is state {first}: {wrong}",
        control.what, sum.tried,
    );
    Ok(true)
}

/// Has a process of its own record.
fn record(folder: &Path, how: &[&str]) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let mut stage = Command::new(this()?);
    let status = stage.args(["--be", "stage"]).arg(folder).args(how).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("nothing could be recorded: {status}")),
        Err(error) => Err(format!("nothing could be recorded: {error}")),
    }
}

#[expect(clippy::print_stdout, reason = "what the program is for")]
fn try_all(trial: &Trial, folder: &Path) -> Result<bool, String> {
    let recording = Recording::read(folder)?;
    scenario::check_whole(&recording)?;
    let began = Instant::now();
    let mut sum = share_out(trial, folder)?;
    let count = sum.digested.len();
    if let Err(wrong) = checks::same_digests(sum.digested.drain(..)) {
        sum.wrong.push((u64::MAX, wrong));
    }
    let counts = |of: &BTreeMap<String, u64>| {
        let counts: Vec<_> = of.iter().map(|(what, count)| format!("{count} {what}")).collect();
        counts.join(", ")
    };
    println!(
        "crash: {} states of {} writes and syncs tried with seed {} in {:.1} s; {} wrong\n  when: {}\n  left: {}\n  \
         {count} digests of replicas compared; {} times a state was ahead of its own log",
        sum.tried,
        recording.ops.len(),
        trial.seed,
        began.elapsed().as_secs_f64(),
        sum.wrong.len(),
        counts(&sum.chapters),
        counts(&sum.left),
        sum.ahead,
    );
    sum.wrong.sort();
    let unharmed = damage::try_all(folder, trial.damages.clone(), trial.seed)?;
    let revived = revivals::try_all(folder, trial.revivals.clone(), trial.seed)?;
    for (number, wrong) in sum.wrong.iter().take(TOLD_MAX) {
        println!("state {number}: {wrong}");
        println!("again: cargo xtask crash --recording {} --seed {} --state {number}", folder.display(), trial.seed);
    }
    Ok(sum.wrong.is_empty() && unharmed && revived)
}

/// Starts the workers, and listens to them.
fn share_out(trial: &Trial, folder: &Path) -> Result<Sum, String> {
    let mut workers = Vec::new();
    for share in 0..trial.jobs {
        let mut worker = Command::new(this()?);
        worker.arg("--recording").arg(folder).args(["--seed", &trial.seed.to_string()]);
        match trial.states.end - trial.states.start {
            1 => worker.args(["--state", &trial.states.start.to_string()]),
            _ => worker.args(["--states", &trial.states.end.to_string()]),
        };
        worker.args(["--jobs", &trial.jobs.to_string(), "--share", &share.to_string()]);
        worker.stdin(Stdio::null()).stdout(Stdio::piped()).env("RUST_LOG", "off");
        workers.push(worker.spawn().map_err(|error| format!("a worker cannot be started: {error}"))?);
    }
    let sums = std::thread::scope(|scope| {
        let listening: Vec<_> = workers.into_iter().map(|worker| scope.spawn(move || listen(worker))).collect();
        listening
            .into_iter()
            .map(|one| one.join().map_err(|_| "a worker was not understood".to_owned()))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let mut all = Sum::default();
    for sum in sums {
        let sum = sum?;
        all.tried += sum.tried;
        all.ahead += sum.ahead;
        for (what, count) in sum.chapters {
            *all.chapters.entry(what).or_default() += count;
        }
        for (what, count) in sum.left {
            *all.left.entry(what).or_default() += count;
        }
        all.digested.extend(sum.digested);
        all.wrong.extend(sum.wrong);
    }
    Ok(all)
}

fn listen(mut worker: Child) -> Result<Sum, String> {
    let output: Option<ChildStdout> = worker.stdout.take();
    let mut sum = Sum::default();
    let mut trying = None;
    for line in BufReader::new(output.ok_or("a worker says nothing")?).lines() {
        let line = line.map_err(|error| error.to_string())?;
        match serde_json::from_str(&line).map_err(|error| format!("{error} in {line}"))? {
            Line::Trying(number) => trying = Some(number),
            Line::Tried { number, chapter, left, ahead, digested, wrong } => {
                trying = None;
                sum.tried += 1;
                sum.ahead += ahead;
                *sum.chapters.entry(chapter).or_default() += 1;
                *sum.left.entry(left).or_default() += 1;
                sum.digested.extend(digested);
                sum.wrong.extend(wrong.map(|wrong| (number, wrong)));
            }
        }
    }
    let status = worker.wait().map_err(|error| error.to_string())?;
    if let Some(number) = trying {
        sum.tried += 1;
        sum.wrong.push((number, format!("opening what is left ended the process: {status}")));
    } else if !status.success() {
        return Err(format!("a worker failed: {status}"));
    }
    Ok(sum)
}

/// Tries a share of the states, in the order of their moments.
pub(crate) fn work(share: &Share) -> Result<(), String> {
    // What is looked at here needs not survive anything.
    interpose::sync_only(interpose::Syncing::Off);
    let recording = Recording::read(&share.recording)?;
    let moments = Moments::of(&recording);
    let mut states: Vec<_> = share.states.clone().map(|number| moments.draw(share.seed, number)).collect();
    states.sort_by_key(|state| state.point);
    let at = |share_of: u64| usize::try_from(share_of * states.len() as u64 / share.of).unwrap_or(usize::MAX);
    let states = &states[at(share.share)..at(share.share + 1)];
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut disk = Disk::new();
    let mut ops = recording.ops.iter().peekable();
    for state in states {
        while let Some(op) = ops.next_if(|op| op.head.stamp < state.point) {
            disk.apply(op)?;
        }
        say(&Line::Trying(state.number))?;
        let folder = home.path().join(state.number.to_string());
        say(&try_one(state, &disk, &recording, &moments, &folder))?;
        fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    }
    Ok(())
}

pub(crate) fn say(line: &impl Serialize) -> Result<(), String> {
    let line = serde_json::to_string(line).map_err(|error| error.to_string())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| error.to_string())
}

fn try_one(state: &State, disk: &Disk, recording: &Recording, moments: &Moments, folder: &Path) -> Line {
    let mut digested = Vec::new();
    let mut ahead = 0;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut go = || -> Result<(), String> {
        let mut chance = StdRng::seed_from_u64(state.chance);
        let mut left = state.left.iter().copied().cycle();
        let mut cut = |path: &str| {
            let left = left.next().expect("it goes round");
            let into = folder.join(path);
            fs::create_dir_all(&into)
                .and_then(|()| disk.cut_power(path, left, &mut chance, &into))
                .map_err(|error| error.to_string())?;
            Ok::<_, String>(into)
        };
        let nodes: Vec<_> = NODES.into_iter().map(|name| Ok((name, cut(name)?))).collect::<Result<_, String>>()?;
        let people: Vec<_> = (0..PEOPLE).map(|person| cut(&profile(person))).collect::<Result<_, String>>()?;
        let known = Known::at(recording, state.point);
        // Within a runtime of one thread a state is hashed in place.
        let looked = runtime.block_on(async {
            nodes.iter().map(|(name, dir)| checks::look(name, dir)).collect::<Result<Vec<_>, _>>()
        })?;
        ahead = looked.iter().filter(|node| node.is_ahead()).count() as u64;
        digested = looked.iter().filter_map(|node| node.digested.clone()).collect();
        checks::compare(&looked, &known, disk, recording)?;
        let root = Recording::root(&recording.folder);
        let secret = fs::read_to_string(root.join("cluster-secret")).map_err(|error| error.to_string())?;
        let at = |message: &&String| {
            2 * looked.iter().filter(|node| node.messages.contains(*message)).count() > looked.len()
        };
        let stored = known.kept.iter().filter(at).cloned().collect();
        for (person, dir) in (0..).zip(&people) {
            if disk.has(&format!("{}/profile.sqlite", profile(person))) || known.accounts.contains(&account(person)) {
                runtime.block_on(profiles::check(person, dir, &known, secret.trim(), &stored))?;
            }
        }
        Ok(())
    };
    let wrong = go().err();
    let chapter = moments.chapter(state.point).to_owned();
    let left = match state.left.first() {
        Some(first) if state.left.iter().all(|left| left == first) => format!("{first:?}"),
        _ => "of each kind".to_owned(),
    };
    Line::Tried { number: state.number, chapter, left, ahead, digested, wrong }
}

fn this() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| error.to_string())
}
