//! The way of committed entries into the tables.
//!
//! A batch is one transaction. Its replies go out from inside it, since the entries are on a majority's
//! disks already; whatever others can see follows the commit.

use bytes::Bytes;
use chat::{Command, Cursor, Notice};

use super::App;
use super::changes::{self, put};
use super::entry::{AppReply, ClusterCommand, Entry};
use super::keys::Key;
use super::tables::Tables;
use super::view::Guarded;
use super::{roster, snapshot};
use crate::raft::application::{Application, Committed, Snapshot, SnapshotWrite};
use crate::store::StoreError;
use crate::store::state::Write;

impl Application for App {
    fn applied(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Tables(&*self.store.read()?).applied()
    }

    fn apply(&self, entries: Vec<Committed>, applied: &[u8]) -> Result<(), StoreError> {
        self.digests.failure().borrow().clone().map_or(Ok(()), Err)?;
        let mut steps = entries.into_iter().map(Step::of).collect::<Result<Vec<_>, _>>()?;
        loop {
            let check = steps.iter().position(Step::is_check);
            let rest = steps.split_off(check.map_or(steps.len(), |check| check + 1));
            let at = self.commit(steps, rest.is_empty().then_some(applied))?;
            if check.is_some() {
                // Right after the commit, before any other: the state is that of the check's index.
                self.digests.compute(at, self.store.read()?);
            }
            if rest.is_empty() {
                return Ok(());
            }
            steps = rest;
        }
    }

    fn sync(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let applied = Application::applied(self)?;
        self.store.sync()?;
        Ok(applied)
    }

    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let state = self.store.read()?;
        Ok((Tables(&*state).applied()?, Box::new(snapshot::Outgoing::of(state))))
    }

    fn receive(&self) -> Result<Box<dyn SnapshotWrite>, StoreError> {
        Ok(Box::new(snapshot::Incoming::into_store(self.store.clone(), self.applied.clone())?))
    }
}

impl App {
    /// Applies in one transaction and returns how far the state is then. Without `applied`, more of Raft's
    /// batch follows: should the node die in between, Raft brings all of it again, and what is in the
    /// state already is passed over.
    fn commit(&self, steps: Vec<Step>, applied: Option<&[u8]>) -> Result<Cursor, StoreError> {
        let mut steps = Some(steps);
        let (mut at, mut notices) = (Cursor::START, Vec::new());
        self.store.write(&mut |to| {
            let before = Tables(to).cursor()?;
            at = before;
            let new = steps.take().into_iter().flatten().filter(|step| step.at > before);
            for step in new {
                at = step.at;
                notices.extend(follow(to, step)?.into_iter().map(|notice| (at, notice)));
            }
            put(to, Key::Cursor, &at)?;
            applied.map_or(Ok(()), |applied| to.put(Key::Applied.table(), &Key::Applied.bytes(), applied))
        })?;
        self.publish(at, notices);
        Ok(at)
    }

    fn publish(&self, at: Cursor, notices: Vec<(Cursor, Notice)>) {
        self.applied.send_replace(at);
        for notice in notices {
            // Nobody may be listening.
            let _ = self.notices.send(notice);
        }
    }
}

/// An entry on its way into the state.
struct Step {
    at: Cursor,
    /// None for the entries that are Raft's own business.
    entry: Option<Entry>,
    respond: Option<Box<dyn FnOnce(Bytes) + Send>>,
}

impl Step {
    fn of(committed: Committed) -> Result<Self, StoreError> {
        let entry = committed.command.map(|bytes| Entry::decode(&bytes)).transpose()?;
        Ok(Self { at: Cursor(committed.index), entry, respond: committed.respond })
    }

    fn is_check(&self) -> bool {
        matches!(self.entry, Some(Entry::Cluster(ClusterCommand::Check)))
    }
}

/// Writes what follows from the entry and answers whoever waits for it.
fn follow(to: &mut dyn Write, step: Step) -> Result<Vec<Notice>, StoreError> {
    let (reply, notices) = match step.entry {
        None => return Ok(Vec::new()),
        Some(Entry::Chat(command)) => follow_chat(to, step.at, &command)?,
        Some(Entry::Cluster(command)) => (roster::apply(to, step.at.0, command)?, Vec::new()),
    };
    if let Some(respond) = step.respond {
        respond(reply.encode());
    }
    Ok(notices)
}

fn follow_chat(to: &mut dyn Write, at: Cursor, command: &Command) -> Result<(AppReply, Vec<Notice>), StoreError> {
    let view = Guarded::over(Tables(to));
    let outcome = chat::apply(&view, at, command);
    // Before a single change is written: what follows from a failed lookup is no outcome.
    view.finish()?;
    for change in &outcome.changes {
        changes::write(to, change)?;
    }
    Ok((AppReply::Chat(outcome.reply), outcome.notices))
}
