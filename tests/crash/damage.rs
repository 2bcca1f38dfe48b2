//! What comes of damage to the files of one node: bits that flip, sectors and pages that are zeros, pages that were written to another
//! place, files cut short or gone; while the node is stopped, and under it while it runs.
//!
//! Whatever it is, either all that the node says is still as it was, or the node says that it is damaged and what to do. Damage that LMDB
//! trips over may take the process along, which has to say so as well; so each trial is made in a process of its own kind, started again
//! where it died.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Seek};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use node::trap::SENTENCE;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use tests::disk::Recording;

use crate::checks::{self, Looked};
use crate::interpose;
use crate::scenario::NODES;
use crate::workers::say;

const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// How many wrong trials are told of.
const TOLD_MAX: usize = 5;

/// What was done to a file.
#[derive(Clone, Copy, Debug)]
enum Kind {
    BitFlipped,
    SectorZeroed,
    PageZeroed,
    /// It has what belongs elsewhere in the same file.
    PageMisplaced,
    CutShort,
    Gone,
}

const KINDS: [Kind; 6] =
    [Kind::BitFlipped, Kind::SectorZeroed, Kind::PageZeroed, Kind::PageMisplaced, Kind::CutShort, Kind::Gone];

/// A worker's lines.
#[derive(Debug, Serialize, Deserialize)]
enum Line {
    Trying { number: u64, what: String },
    Tried { outcome: Outcome },
}

#[derive(Debug, Serialize, Deserialize)]
enum Outcome {
    /// All is as it was.
    Harmless,
    /// In these words.
    Refused(String),
    /// It opens with another state, which comes out when the replicas compare theirs.
    Compared,
    Wrong(String),
}

/// What came of all.
#[derive(Default)]
struct Sum {
    outcomes: BTreeMap<String, u64>,
    wrong: Vec<(u64, String)>,
}

/// Does so many damages to what was recorded in the folder, and says what came of it. Whether nothing was wrong.
#[expect(clippy::print_stdout, reason = "what the program is for")]
pub(crate) fn try_all(recorded: &Path, numbers: Range<u64>, seed: u64) -> Result<bool, String> {
    let began = Instant::now();
    let mut sum = Sum::default();
    let (mut next, end, count) = (numbers.start, numbers.end, numbers.end - numbers.start);
    while next < end {
        next = try_some(recorded, next..end, seed, &mut sum)?;
    }
    let outcomes: Vec<_> = sum.outcomes.iter().map(|(what, count)| format!("{count} {what}")).collect();
    println!(
        "damage: {count} damages with seed {seed} in {:.1} s: {}; {} wrong",
        began.elapsed().as_secs_f64(),
        outcomes.join(", "),
        sum.wrong.len()
    );
    for (number, wrong) in sum.wrong.iter().take(TOLD_MAX) {
        println!("damage {number}: {wrong}");
        println!("again: cargo xtask crash --recording {} --seed {seed} --damage {number}", recorded.display());
    }
    Ok(sum.wrong.is_empty())
}

/// Has a process go on from the first of the numbers, and returns where the next has to.
fn try_some(recorded: &Path, numbers: Range<u64>, seed: u64, sum: &mut Sum) -> Result<u64, String> {
    let mut worker = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    let range = [numbers.start.to_string(), numbers.end.to_string(), seed.to_string()];
    worker.args(["--be", "damaged"]).arg(recorded).args(range);
    // A process that dies of damage, as some should, cleans nothing up.
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    worker.env("TMPDIR", home.path());
    let said = tempfile::tempfile().map_err(|error| error.to_string())?;
    let stderr = said.try_clone().map_err(|error| error.to_string())?;
    worker.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).env("RUST_LOG", "off");
    let mut worker = worker.spawn().map_err(|error| format!("a worker cannot be started: {error}"))?;
    let output = worker.stdout.take().ok_or("a worker says nothing")?;
    let mut trying = None;
    for line in BufReader::new(output).lines() {
        let line = line.map_err(|error| error.to_string())?;
        match serde_json::from_str(&line).map_err(|error| format!("{error} in {line}"))? {
            Line::Trying { number, what } => trying = Some((number, what)),
            Line::Tried { outcome } => {
                let (number, what) = trying.take().ok_or("a worker tried what it had not said")?;
                let outcome = match outcome {
                    Outcome::Harmless => "without consequence",
                    Outcome::Refused(_) => "refused",
                    Outcome::Compared => "for the comparison of states to find",
                    Outcome::Wrong(wrong) => {
                        sum.wrong.push((number, format!("{what}: {wrong}")));
                        "wrong"
                    }
                };
                *sum.outcomes.entry(outcome.to_owned()).or_default() += 1;
            }
        }
    }
    let status = worker.wait().map_err(|error| error.to_string())?;
    let said = read_from_start(said).map_err(|error| error.to_string())?;
    let Some((number, what)) = trying else {
        return if status.success() { Ok(numbers.end) } else { Err(format!("a worker failed: {status}; {said}")) };
    };
    let outcome = if said.contains(SENTENCE) {
        "ended the process, with a sentence"
    } else {
        sum.wrong.push((number, format!("{what}: the process ended without a sentence: {status}; {said}")));
        "ended the process"
    };
    *sum.outcomes.entry(outcome.to_owned()).or_default() += 1;
    Ok(number + 1)
}

fn read_from_start(mut file: fs::File) -> std::io::Result<String> {
    file.rewind()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Does damage and looks what comes of it, for another process.
pub(crate) fn work(recorded: &Path, numbers: Range<u64>, seed: u64) -> Result<(), String> {
    node::trap::explain_damage();
    interpose::sync_only(interpose::Syncing::Off);
    let root = Recording::root(recorded);
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let copy = home.path().join("copy");
    let mut sound = BTreeMap::new();
    for name in NODES {
        copy_folder(&root.join(name), &copy).map_err(|error| error.to_string())?;
        sound.insert(name, within_a_runtime(|| checks::look(name, &copy))?);
        fs::remove_dir_all(&copy).map_err(|error| error.to_string())?;
    }
    for number in numbers {
        let mut chance = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let name = *NODES.choose(&mut chance).expect("there are nodes");
        copy_folder(&root.join(name), &copy).map_err(|error| error.to_string())?;
        let damage = Damage::draw(&copy, &mut chance)?;
        let runs = chance.gen_bool(0.5);
        let when = if runs { "while it runs" } else { "while it is stopped" };
        say(&Line::Trying { number, what: format!("{} of {name}, {when}", damage.what) })?;
        let looked = within_a_runtime(|| {
            if !runs {
                damage.strike()?;
            }
            checks::look_after(name, &copy, || if runs { damage.strike() } else { Ok(()) })
        });
        let outcome = match looked {
            Err(refusal) => Outcome::Refused(refusal),
            // Each row that is left is whole, and LMDB does not know that others are hidden, or belong elsewhere. The other nodes do.
            Ok(looked) if damage.is_of_state && looked.differs_in_state_only(&sound[name]) => Outcome::Compared,
            Ok(looked) => looked.differs_from(&sound[name]).map_or(Outcome::Harmless, Outcome::Wrong),
        };
        say(&Line::Tried { outcome })?;
        fs::remove_dir_all(&copy).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Within a runtime of one thread a state is hashed in place.
fn within_a_runtime(look: impl FnOnce() -> Result<Looked, String>) -> Result<Looked, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string());
    runtime?.block_on(async { look() })
}

/// Damage to a file: what is in it afterwards.
struct Damage {
    what: String,
    file: PathBuf,
    /// None: it is gone.
    content: Option<(usize, Vec<u8>)>,
    length: u64,
    /// Whether it is the database of the state.
    is_of_state: bool,
}

impl Damage {
    fn draw(folder: &Path, chance: &mut StdRng) -> Result<Self, String> {
        let mut files = Vec::new();
        list(folder, &mut files).map_err(|error| error.to_string())?;
        // The databases are where nearly all the bytes are.
        let databases: Vec<_> = files.iter().filter(|path| path.ends_with("data.mdb")).cloned().collect();
        let among = if chance.gen_bool(0.7) { &databases } else { &files };
        let file = among.choose(chance).ok_or("there are no files")?.clone();
        let bytes = fs::read(&file).map_err(|error| error.to_string())?;
        let kind = *KINDS.choose(chance).expect("there are kinds");
        // Where something is: most of a log's file is not in use.
        let used: Vec<_> =
            bytes.chunks(SECTOR).enumerate().filter(|(_, sector)| sector.iter().any(|byte| *byte != 0)).collect();
        let sector = used.choose(chance).map_or(0, |(at, _)| at * SECTOR);
        let page = sector / PAGE * PAGE;
        let part = |from: usize, size: usize| bytes[from..bytes.len().min(from + size)].to_vec();
        let content = match kind {
            Kind::BitFlipped if bytes.is_empty() => None,
            Kind::BitFlipped => {
                let at = (sector + chance.gen_range(0..SECTOR)).min(bytes.len() - 1);
                Some((at, vec![bytes[at] ^ (1 << chance.gen_range(0..8))]))
            }
            Kind::SectorZeroed => Some((sector, vec![0; part(sector, SECTOR).len()])),
            Kind::PageZeroed => Some((page, vec![0; part(page, PAGE).len()])),
            Kind::PageMisplaced => {
                let other = used.choose(chance).map_or(0, |(at, _)| at * SECTOR / PAGE * PAGE);
                let mut other = part(other, PAGE);
                other.truncate(part(page, PAGE).len());
                Some((page, other))
            }
            Kind::CutShort => Some((sector, Vec::new())),
            Kind::Gone => None,
        };
        let length = if matches!(kind, Kind::CutShort) { sector } else { bytes.len() } as u64;
        let name = file.strip_prefix(folder).unwrap_or(&file).display().to_string();
        let what = match &content {
            Some((at, _)) => format!("{kind:?} at {at} in {name}"),
            None => format!("{name} is gone"),
        };
        let is_of_state = name.starts_with("state/") && name.ends_with("data.mdb");
        Ok(Self { what, file, content, length, is_of_state })
    }

    fn strike(&self) -> Result<(), String> {
        let strike = || -> std::io::Result<()> {
            use std::os::unix::fs::FileExt as _;
            let Some((at, bytes)) = &self.content else { return fs::remove_file(&self.file) };
            let file = fs::OpenOptions::new().write(true).open(&self.file)?;
            file.write_all_at(bytes, *at as u64)?;
            file.set_len(self.length)
        };
        strike().map_err(|error| format!("{} cannot be damaged: {error}", self.file.display()))
    }
}

fn list(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        if entry.file_type()?.is_dir() { list(&entry.path(), into)? } else { into.push(entry.path()) }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let into = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &into)?;
        } else {
            fs::copy(entry.path(), into)?;
        }
    }
    Ok(())
}
