//! What is looked at in what a power cut left, with the code that a start would run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use node::app::{self, App, ClusterCommand, Entry};
use node::formation::{self, Membership, Promise};
use node::raft::application::{Application, Committed, Entries};
use node::raft::inspect::{self, Contents};
use node::store::folder::Folder;
use node::store::lmdb::{LmdbLog, LmdbState};
use node::store::log::EntryLog;
use node::store::state::StateStore;
use rand::RngCore;
use tests::disk::{Disk, Recording};
use wire::peer::FoundingRecord;

use crate::scenario::NODES;

/// What a look finds to differ.
const MESSAGES: &str = "the messages";
const STATE: &str = "the state";

/// The digest of a state, under the term and the index of the last entry in it: with these two alike, all before is alike, and so is
/// the state.
pub(crate) type Digested = ((u64, u64), String);

/// What a node's folder holds.
pub(crate) struct Looked {
    name: &'static str,
    identity: Vec<u8>,
    contents: Contents,
    /// How far the state was, before the log was replayed.
    applied: u64,
    promise: Promise,
    pub(crate) membership: Option<Membership>,
    /// The messages in the state once the log was replayed.
    pub(crate) messages: BTreeSet<String>,
    pub(crate) digested: Option<Digested>,
}

/// Opens what is left of a node, as the node does, and replays its log. An error is a sentence.
pub(crate) fn look(name: &'static str, dir: &Path) -> Result<Looked, String> {
    look_after(name, dir, || Ok(()))
}

/// The same, with something that happens to the folder once all in it is open.
pub(crate) fn look_after(
    name: &'static str,
    dir: &Path,
    happens: impl FnOnce() -> Result<(), String>,
) -> Result<Looked, String> {
    let refused = |error| format!("{name} does not open: {error}");
    let folder = Folder::open(dir, &|bytes| rand::rngs::OsRng.fill_bytes(bytes)).map_err(refused)?;
    let identity = fs::read(dir.join("identity")).map_err(|error| format!("{name}: {error}"))?;
    let (promise, membership) = formation::kept(&folder).map_err(refused)?;
    if membership.is_some() {
        folder.require_stores().map_err(refused)?;
    }
    let log = LmdbLog::open(&folder.log_dir()).map_err(refused)?;
    let state = LmdbState::open(&folder.state_dir(), app::TABLES).map_err(refused)?;
    formation::check_log(membership.as_ref(), &*log).map_err(refused)?;
    let app = App::open(Arc::clone(&state) as Arc<dyn StateStore>).map_err(refused)?;
    happens()?;
    let contents = inspect::inspect(Arc::clone(&log) as Arc<dyn EntryLog>, &*app).map_err(refused)?;
    let applied = app.applied().borrow().0;
    let last = replay(name, &app, &contents, applied)?;
    let messages = messages(name, &*state)?;
    let digested = last.map(|last| digest(name, &app, last)).transpose()?;
    log.close();
    Ok(Looked { name, identity, contents, applied, promise, membership, messages, digested })
}

/// Entries, all at once.
struct Whole(Option<Vec<Committed>>);

impl Entries for Whole {
    fn next(&mut self) -> Option<Vec<Committed>> {
        self.0.take()
    }

    fn applied(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// Applies all that the log has and the state has not. Returns the term and the index of the last entry; None where there is none.
fn replay(name: &str, app: &App, contents: &Contents, applied: u64) -> Result<Option<(u64, u64)>, String> {
    let purged = contents.purged.map_or(0, |place| place.index);
    if purged > applied {
        return Err(format!("{name}: the log is gone up to {purged}, and the state has come to {applied} only"));
    }
    let known = inspect::applied(app).map_err(|error| format!("{name}: {error}"))?.map_or(0, |place| place.index);
    if known < purged || known > applied {
        return Err(format!(
            "{name}: the log is gone up to {purged}, the state has come to {applied}, and by its record to {known}"
        ));
    }
    let entries = contents.entries.iter().filter(|entry| entry.place.index > applied);
    let missing: Vec<_> = entries
        .map(|entry| Committed {
            index: entry.place.index,
            term: entry.place.term,
            command: entry.command.clone(),
            respond: None,
        })
        .collect();
    if let Some(first) = missing.first()
        && applied > 0
        && first.index != applied + 1
    {
        return Err(format!("{name}: the state has come to {applied}, and the log goes on at {} only", first.index));
    }
    let last = missing.last().map(|entry| (entry.term, entry.index));
    app.apply(&mut Whole(Some(missing))).map_err(|error| format!("{name}: the log cannot be replayed: {error}"))?;
    if last.is_some() || applied == 0 {
        return Ok(last);
    }
    let term = app.term(chat::Cursor(applied)).map_err(|error| format!("{name}: {error}"))?;
    Ok(Some((term.ok_or_else(|| format!("{name}: the state does not know the term of {applied}"))?, applied)))
}

/// Has the state hashed, as `cluster check` does.
fn digest(name: &str, app: &App, last: (u64, u64)) -> Result<Digested, String> {
    let index = last.1 + 1;
    let command = Some(Entry::Cluster(ClusterCommand::Check).encode());
    let check = Committed { index, term: last.0, command, respond: None };
    app.apply(&mut Whole(Some(vec![check]))).map_err(|error| format!("{name}: the state cannot be hashed: {error}"))?;
    let digest = app.digest_at(chat::Cursor(index)).ok_or_else(|| format!("{name}: the state is not hashed"))?;
    Ok((last, digest.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// The names of the messages in the state, each of which must be there once.
fn messages(name: &str, state: &dyn StateStore) -> Result<BTreeSet<String>, String> {
    let failed = |error| format!("{name}: the messages cannot be read: {error}");
    let table = app::TABLES.iter().find(|table| table.0 == "messages").ok_or("there is no table of messages")?;
    let (mut found, mut twice) = (BTreeSet::new(), None);
    let mut each = |_: &[u8], message: &[u8]| {
        if let Some(message) = name_within(message)
            && !found.insert(message.clone())
        {
            twice = Some(message);
        }
        true
    };
    state.read().map_err(failed)?.scan(*table, &[], None, &mut each).map_err(failed)?;
    twice.map_or(Ok(found), |message| Err(format!("{name}: message {message} is there twice")))
}

/// As `processes::name_in`, within a row: the bytes before the text may look like the beginning of a name.
fn name_within(row: &[u8]) -> Option<String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_name =
        |text: &str| text.split_once('.').is_some_and(|(person, number)| is_number(person) && is_number(number));
    row.iter().enumerate().filter(|(_, byte)| **byte == b'<').find_map(|(at, _)| {
        let rest = &row[at + 1..];
        let end = rest.iter().take(16).position(|byte| *byte == b'>')?;
        let text = std::str::from_utf8(&rest[..end]).ok()?;
        is_name(text).then(|| text.to_owned())
    })
}

/// What had been said when the power failed.
pub(crate) struct Known {
    /// The messages whose senders were told that they are stored.
    pub(crate) stored: BTreeSet<String>,
    /// The messages that `send` had returned for.
    pub(crate) kept: BTreeSet<String>,
    pub(crate) accounts: BTreeSet<String>,
}

impl Known {
    pub(crate) fn at(recording: &Recording, point: u64) -> Self {
        let said = recording.said.iter().take_while(|said| said.stamp < point).map(|said| said.line.as_str());
        let what = |word: &'static str| {
            let names = said.clone().filter_map(move |line| line.strip_prefix(word));
            names.map(str::to_owned).collect::<BTreeSet<_>>()
        };
        Self { stored: what("stored "), kept: what("kept "), accounts: what("account ") }
    }
}

/// Checks what the three hold against each other, and against what was said.
pub(crate) fn compare(looked: &[Looked], known: &Known, disk: &Disk, recording: &Recording) -> Result<(), String> {
    for node in looked {
        identity_stayed(node, disk, recording)?;
        node.vote_covers_the_log()?;
    }
    founding_is_bound(looked, disk)?;
    leaders_were_elected(looked)?;
    kept_by_most(&known.stored, looked)?;
    same_digests(looked.iter().filter_map(|node| node.digested.clone()))
}

/// What was acknowledged is at a majority of the nodes.
pub(crate) fn kept_by_most(stored: &BTreeSet<String>, looked: &[Looked]) -> Result<(), String> {
    for message in stored {
        let count = looked.iter().filter(|node| node.messages.contains(message)).count();
        if 2 * count <= looked.len() {
            return Err(format!("message {message} was acknowledged, and is at {count} of {} nodes", looked.len()));
        }
    }
    Ok(())
}

/// States after the same entries are the same.
pub(crate) fn same_digests(digested: impl IntoIterator<Item = Digested>) -> Result<(), String> {
    let mut known = BTreeMap::new();
    for (last, digest) in digested {
        if known.insert(last, digest.clone()).is_some_and(|before| before != digest) {
            return Err(format!("two replicas differ after entry {} of term {}", last.1, last.0));
        }
    }
    Ok(())
}

/// Whoever has begun to work under an identity has told others of it.
fn identity_stayed(node: &Looked, disk: &Disk, recording: &Recording) -> Result<(), String> {
    if !disk.has(&format!("{}/log/data.mdb", node.name)) {
        return Ok(());
    }
    let drawn = fs::read(Recording::root(&recording.folder).join(node.name).join("identity"));
    let drawn = drawn.map_err(|error| error.to_string())?;
    if node.identity == drawn { Ok(()) } else { Err(format!("{} has another identity than it began with", node.name)) }
}

impl Looked {
    /// Whether a comparison of the two states tells them apart, and all else is alike.
    pub(crate) fn differs_in_state_only(&self, other: &Self) -> bool {
        let differ = self.differences(other);
        differ.contains(&STATE) && differ.iter().all(|what| [STATE, MESSAGES].contains(what))
    }

    fn differences(&self, other: &Self) -> Vec<&'static str> {
        let looks = [
            ("the identity", self.identity == other.identity),
            // What was promised has done its work once there is a membership.
            ("what was promised", self.membership.is_some() || self.promise == other.promise),
            ("the membership", self.membership == other.membership),
            ("the log", self.contents == other.contents),
            (MESSAGES, self.messages == other.messages),
            (STATE, self.digested == other.digested),
        ];
        looks.iter().filter(|(_, alike)| !alike).map(|(what, _)| *what).collect()
    }

    /// In what this is not as the other; None: in nothing.
    pub(crate) fn differs_from(&self, other: &Self) -> Option<String> {
        let differ = self.differences(other);
        (!differ.is_empty()).then(|| format!("{} opened, and {} differ", self.name, differ.join(", ")))
    }

    /// The founding record that the node has said yes to.
    fn bound_by(&self) -> Option<&FoundingRecord> {
        self.membership.as_ref().map(|membership| &membership.founding).or(self.promise.given.as_ref())
    }

    fn last_term(&self) -> u64 {
        self.contents.entries.last().map_or(0, |entry| entry.place.term)
    }

    /// A node takes entries of a leader only after it has voted for it, or for that term at least, on its disk.
    fn vote_covers_the_log(&self) -> Result<(), String> {
        let voted = self.contents.vote.map_or(0, |(term, _)| term);
        if voted < self.last_term() {
            return Err(format!("{} has entries of term {}, and a vote of {voted}", self.name, self.last_term()));
        }
        Ok(())
    }

    /// Whether the node is ahead of its own log: it applied what a majority of others had on their disks.
    pub(crate) fn is_ahead(&self) -> bool {
        self.applied > self.contents.entries.last().map_or(0, |entry| entry.place.index)
    }
}

/// A node becomes a member only once all founders have said yes, on their disks.
fn founding_is_bound(looked: &[Looked], disk: &Disk) -> Result<(), String> {
    if !NODES.iter().any(|name| disk.has(&format!("{name}/membership"))) {
        return Ok(());
    }
    let first = looked.first().and_then(Looked::bound_by);
    for node in looked {
        match node.bound_by() {
            None => return Err(format!("the cluster is founded, and {} does not know that it said yes", node.name)),
            bound if bound != first => return Err(format!("{} said yes to another founding", node.name)),
            _ => {}
        }
    }
    Ok(())
}

/// An entry shows that its leader was elected: a majority had voted in its term, on their disks, and the leader itself.
fn leaders_were_elected(looked: &[Looked]) -> Result<(), String> {
    let places = looked.iter().filter_map(|node| node.contents.entries.last()).map(|entry| entry.place);
    // The first entry of all has no leader: every founder writes it for itself.
    let Some(newest) = places.max().filter(|newest| newest.term > 0) else { return Ok(()) };
    let voted = |node: &&Looked| node.contents.vote.is_some_and(|(term, _)| term >= newest.term);
    let count = looked.iter().filter(voted).count();
    if 2 * count <= looked.len() {
        return Err(format!(
            "there is an entry of term {}, and {count} of {} have voted in it",
            newest.term,
            looked.len()
        ));
    }
    let is_leader = |node: &&Looked| node.membership.as_ref().is_some_and(|own| own.node_id == newest.leader);
    match looked.iter().find(is_leader) {
        Some(leader) if !voted(&leader) => {
            Err(format!("{} led in term {} and has forgotten it", leader.name, newest.term))
        }
        _ => Ok(()),
    }
}
