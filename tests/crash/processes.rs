//! The processes that are recorded: this program again, as a daemon or as people who write.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use client::{Access, Client, Config, MessageId, Paths, To, Want};
use node::cli::args::Invocation;
use node::config::{DaemonConfig, Sources};
use tests::disk::SAID;
use tokio::time::sleep;

use crate::damage;
use crate::interpose::{self, Syncing};
use crate::scenario::{self, Length};

/// What a process is to be.
pub(crate) enum Role {
    /// `node`, with these arguments.
    Daemon(Vec<String>),
    /// So many people, each on a device.
    People(u32),
    /// What starts and stops the others, and leaves the recording in this folder.
    Stage(PathBuf, Length, Syncing),
    /// What damages copies of what was recorded in this folder, in ways with these numbers and this seed.
    Damaged(PathBuf, Range<u64>, u64),
}

/// Where a recorded process leaves its notes, what orders them, and the folder that counts.
pub(crate) const NOTES: &str = "CRASH_NOTES";
pub(crate) const COUNTER: &str = "CRASH_COUNTER";
pub(crate) const ROOT: &str = "CRASH_ROOT";
/// What does not sync: `databases`; or what does so late: the meta pages of those (`meta-late`).
pub(crate) const UNSYNCED: &str = "CRASH_UNSYNCED";

/// After how many writes a daemon is killed.
pub(crate) const KILLED_AFTER: &str = "CRASH_KILLED_AFTER";

/// Made when people are to stop.
pub(crate) const STOP: &str = "stop";

/// How many messages of each person are under way at once.
const UNDER_WAY: usize = 4;

/// Between two messages of a person.
const PAUSE: Duration = Duration::from_millis(4);

/// How long a message may take: an election lies within.
const PATIENCE: Duration = Duration::from_secs(40);

impl Role {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        match arguments.next().as_deref() {
            Some("daemon") => Ok(Self::Daemon(arguments.collect())),
            Some("people") => {
                let count = arguments.next().and_then(|count| count.parse().ok());
                count.map(Self::People).ok_or_else(|| "how many people?".to_owned())
            }
            Some("stage") => {
                let folder = arguments.next().map(PathBuf::from).ok_or_else(|| "where to?".to_owned())?;
                let (mut length, mut syncing) = (Length::Whole, Syncing::On);
                for argument in arguments {
                    match argument.as_str() {
                        "short" => length = Length::Short,
                        "databases-unsynced" => syncing = Syncing::NoDatabases,
                        "meta-late" => syncing = Syncing::MetaPagesLate,
                        _ => return Err(format!("{argument:?} is nothing to be recorded")),
                    }
                }
                Ok(Self::Stage(folder, length, syncing))
            }
            Some("damaged") => {
                let folder = arguments.next().map(PathBuf::from).ok_or_else(|| "of what?".to_owned())?;
                let numbers: Vec<u64> = arguments.filter_map(|number| number.parse().ok()).collect();
                match numbers[..] {
                    [from, to, seed] => Ok(Self::Damaged(folder, from..to, seed)),
                    _ => Err("which damages, and with which seed?".to_owned()),
                }
            }
            _ => Err("a process is a daemon, or people".to_owned()),
        }
    }
}

/// Runs until the process is told to stop, and records it.
pub(crate) fn run(role: Role) -> Result<(), String> {
    if let Role::Stage(folder, length, syncing) = role {
        return scenario::record(&folder, length, syncing);
    }
    if let Role::Damaged(folder, numbers, seed) = role {
        return damage::work(&folder, numbers, seed);
    }
    node::panic::abort_on_panic();
    let path = |name| std::env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("{name} is not set"));
    match std::env::var(UNSYNCED).as_deref() {
        Ok("databases") => interpose::sync_only(Syncing::NoDatabases),
        Ok("meta-late") => interpose::sync_only(Syncing::MetaPagesLate),
        _ => {}
    }
    let killed_after = environment(KILLED_AFTER).and_then(|count| count.parse().ok()).unwrap_or(0);
    let recorded = interpose::record(&path(ROOT)?, &path(NOTES)?, &path(COUNTER)?, killed_after);
    recorded.map_err(|error| format!("this process cannot be recorded: {error}"))?;
    match role {
        Role::Daemon(arguments) => daemon(arguments),
        Role::Stage(..) | Role::Damaged(..) => unreachable!("above"),
        Role::People(count) => {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.map_err(|error| error.to_string())?.block_on(people(count))
        }
    }
}

/// As `node` itself does.
fn daemon(arguments: Vec<String>) -> Result<(), String> {
    let line = std::iter::once("node".to_owned()).chain(arguments).map(OsString::from);
    let Ok(Invocation::Daemon(args)) = Invocation::parse(line) else {
        return Err("these are no arguments of a daemon".to_owned());
    };
    let paths = paths()?;
    let sources = Sources::gather(args.flags(), None, &paths, &environment).map_err(|error| error.to_string())?;
    let config = DaemonConfig::resolve(paths, &sources).map_err(|error| error.to_string())?;
    node::daemon::run(config).map_err(|error| error.to_string())
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn paths() -> Result<Paths, String> {
    Paths::of_user(&environment).ok_or_else(|| "there is no folder for everything".to_owned())
}

/// Says something, at its place among the notes of all.
pub(crate) struct Voice(File);

impl Voice {
    pub(crate) fn of(who: &str, root: &Path) -> Result<Self, String> {
        let file = OpenOptions::new().append(true).create(true).open(root.join(format!("{SAID}{who}")));
        file.map(Self).map_err(|error| error.to_string())
    }

    pub(crate) fn say(&self, line: &str) {
        // In one write, so that it is one note.
        let said = (&self.0).write_all(format!("{line}\n").as_bytes());
        said.expect("words can be written down");
    }
}

/// The account of a person.
pub(crate) fn account(person: u32) -> String {
    format!("person{person}")
}

/// Where a person's profile is, below the root.
pub(crate) fn profile(person: u32) -> String {
    format!("people/{person}")
}

async fn people(count: u32) -> Result<(), String> {
    let paths = paths()?;
    let secret = Access::founded_by(&paths).map_err(|error| error.to_string())?.ok_or("there is no cluster")?;
    let stop = paths.data_dir().with_file_name(STOP);
    let mut people = tokio::task::JoinSet::new();
    for person in 0..count {
        let root = paths.data_dir();
        let mut config = Config::new(root.join(profile(person)), paths.runtime_dir().to_owned());
        config.access = Access::from_secret(&secret).map_err(|error| error.to_string())?;
        config.mdns = false;
        config.deadline = PATIENCE;
        let voice = Arc::new(Voice::of(&account(person), root)?);
        people.spawn(live(person, account((person + 1) % count), config, voice, stop.clone()));
    }
    while let Some(lived) = people.join_next().await {
        lived.map_err(|error| error.to_string())??;
    }
    Ok(())
}

/// A person signs up, and writes to another until it is told to stop.
async fn live(person: u32, to: String, config: Config, voice: Arc<Voice>, stop: PathBuf) -> Result<(), String> {
    let client = Client::open(config).map_err(|error| error.to_string())?;
    let signed = client.create_account(&account(person), "correct horse").await;
    signed.map_err(|error| format!("{} cannot sign up: {error}", account(person)))?;
    voice.say(&format!("account {}", account(person)));
    let mut number = 0;
    let mut under_way = tokio::task::JoinSet::new();
    while !stop.exists() {
        number += 1;
        let text = format!("<{person}.{number:05}> {}", "and so on ".repeat(number % 40));
        let name = name_in(&text).unwrap_or_default();
        // Whom one writes to may not have signed up yet.
        let sent = client.send(To::Name(to.clone()), text.clone(), None).await;
        let id = sent.map_err(|error| format!("{name} cannot be sent: {error}"))?;
        voice.say(&format!("kept {name}"));
        under_way.spawn(settle(client.clone(), id, name, Arc::clone(&voice)));
        while under_way.len() >= UNDER_WAY {
            let _ = under_way.join_next().await;
        }
        sleep(PAUSE).await;
    }
    while under_way.join_next().await.is_some() {}
    Ok(())
}

async fn settle(client: Client, id: MessageId, name: String, voice: Arc<Voice>) {
    match client.settled(id, Want::Stored, PATIENCE).await {
        Ok(_) => voice.say(&format!("stored {name}")),
        // To somebody who has not signed up yet, for example.
        Err(error) => voice.say(&format!("failed {name}: {error}")),
    }
}

/// What names a message within its text.
pub(crate) fn name_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('<')?;
    let (name, _) = rest.split_once('>')?;
    Some(name.to_owned())
}
