//! The way of committed entries into the tables.
//!
//! What is there at one time is one transaction. Its replies go out from inside it, since the entries are on a
//! majority's disks already; whatever others can see follows the commit.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::vec;

use bytes::Bytes;
use chat::{AccountId, Change, Command, Cursor, Notice};

use super::App;
use super::changes::{self, put};
use super::digest::Digest;
use super::entry::{AppReply, ClusterCommand, Entry};
use super::held::Held;
use super::keys::Key;
use super::search::Stored;
use super::tables::Tables;
use super::view::Guarded;
use super::watching::{self, Audience};
use super::{roster, snapshot};
use crate::raft::application::{Application, Committed, Entries, Snapshot, SnapshotWrite};
use crate::stages::Stages;
use crate::store::StoreError;
use crate::store::state::Write;

impl Application for App {
    fn applied(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Tables(&*self.store.read()?).applied()
    }

    fn stages(&self) -> Stages {
        self.stages.clone()
    }

    fn has_room(&self) -> bool {
        self.indexer.can_grow()
    }

    fn apply(&self, entries: &mut dyn Entries) -> Result<(), StoreError> {
        self.failure.borrow().clone().map_or(Ok(()), Err)?;
        let mut steps = Steps { taken: Vec::new().into_iter(), entries };
        loop {
            let done = self.commit(&mut steps)?;
            if done.check {
                // Right after the commit, before any other: the state is that of the check's index.
                self.digests.compute(done.at, self.store.read()?);
            }
            if !steps.take() {
                return Ok(());
            }
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
        Ok(Box::new(snapshot::Incoming::of(self)?))
    }
}

impl App {
    /// Applies in one transaction, up to a check. While taken steps are left, Raft's
    /// record stays as it was: should the node die in between, Raft brings all of them again, and what is in the
    /// state already is passed over.
    fn commit(&self, steps: &mut Steps<'_>) -> Result<Done, StoreError> {
        let mut done = Done { at: Cursor::START, check: false };
        let mut news = News::default();
        let mut held = self.kept.take();
        self.store.write(&mut |to| {
            let before = Tables(to).cursor()?;
            done.at = before;
            let mut term = Tables(to).term(before)?;
            let mut following = Following { to, held: &mut held, news: &mut news, replies: Vec::new() };
            while let Some(step) = steps.next()? {
                if step.at <= before {
                    continue;
                }
                done = Done { at: step.at, check: step.is_check() };
                if term.replace(step.term) != Some(step.term) {
                    put(following.to, Key::Term(step.at), &step.term)?;
                }
                following.follow(step)?;
                if steps.taken.len() == 0 || done.check {
                    following.reply();
                }
                if done.check {
                    break;
                }
            }
            let Following { to, held, news, .. } = following;
            held.write(to)?;
            for notice in std::mem::take(&mut news.notices) {
                news.audiences.push((notice, self.watched.audience(notice.account(), Tables(to))?));
            }
            put(to, Key::Cursor, &done.at)?;
            if steps.taken.len() == 0 {
                to.put(Key::Applied.table(), &Key::Applied.bytes(), &steps.entries.applied())?;
            }
            Ok(())
        })?;
        self.kept.keep(held);
        self.publish(done.at, news);
        Ok(done)
    }

    fn publish(&self, at: Cursor, news: News) {
        if news.ended {
            self.endings.fetch_add(1, Ordering::Release);
        }
        self.applied.send_replace(at);
        self.watched.tell(&news.concerned);
        for (notice, audience) in news.audiences {
            self.watched.announce(notice, &audience);
        }
        self.indexer.note(news.stored);
        for (check, digest) in news.verdicts {
            self.digests.compare(check, digest);
        }
    }
}

/// What others are told once it is committed.
#[derive(Default)]
struct News {
    notices: Vec<Notice>,
    /// The same, and who is told, once all that they may have to do with is written.
    audiences: Vec<(Notice, Audience)>,
    stored: Stored,
    /// Whose feeds or sessions changed.
    concerned: BTreeSet<AccountId>,
    /// A session did.
    ended: bool,
    verdicts: Vec<(Cursor, Digest)>,
}

/// What a transaction did.
struct Done {
    /// How far the state is.
    at: Cursor,
    /// Whether it ended with a check.
    check: bool,
}

/// The entries as they are taken, piece by piece.
struct Steps<'a> {
    taken: vec::IntoIter<Committed>,
    entries: &'a mut dyn Entries,
}

impl Steps<'_> {
    fn next(&mut self) -> Result<Option<Step>, StoreError> {
        self.take();
        self.taken.next().map(Step::of).transpose()
    }

    /// Takes more where none is left. Whether there is any.
    fn take(&mut self) -> bool {
        while self.taken.len() == 0
            && let Some(more) = self.entries.next()
        {
            self.taken = more.into_iter();
        }
        self.taken.len() > 0
    }
}

/// Takes the reply to an entry.
type Respond = Box<dyn FnOnce(Bytes) + Send>;

/// An entry on its way into the state.
struct Step {
    at: Cursor,
    term: u64,
    /// None for the entries that are Raft's own business.
    entry: Option<Entry>,
    respond: Option<Respond>,
}

impl Step {
    fn of(committed: Committed) -> Result<Self, StoreError> {
        let entry = committed.command.map(|bytes| Entry::decode(&bytes)).transpose()?;
        Ok(Self { at: Cursor(committed.index), term: committed.term, entry, respond: committed.respond })
    }

    fn is_check(&self) -> bool {
        matches!(self.entry, Some(Entry::Cluster(ClusterCommand::Check)))
    }
}

/// A transaction in which entries are followed.
struct Following<'a> {
    to: &'a mut dyn Write,
    held: &'a mut Held,
    news: &'a mut News,
    /// Of the entries that came together; they are told together, since each of them wakes somebody.
    replies: Vec<(Respond, Bytes)>,
}

impl Following<'_> {
    /// Writes what follows from the entry, and keeps the reply to whoever waits for it.
    fn follow(&mut self, step: Step) -> Result<(), StoreError> {
        let reply = match step.entry {
            None => return Ok(()),
            Some(Entry::Chat(command)) => self.follow_chat(step.at, &command)?,
            Some(Entry::Cluster(command)) => {
                if let ClusterCommand::Verdict { index, digest } = command {
                    self.news.verdicts.push((index, digest));
                }
                roster::apply(self.to, step.at.0, command)?
            }
        };
        if let Some(respond) = step.respond {
            self.replies.push((respond, reply.encode()));
        }
        Ok(())
    }

    /// Answers whoever waits for what was followed up to here.
    fn reply(&mut self) {
        for (respond, reply) in self.replies.drain(..) {
            respond(reply);
        }
    }

    fn follow_chat(&mut self, at: Cursor, command: &Command) -> Result<AppReply, StoreError> {
        let view = Guarded::over(Tables(self.to), std::mem::take(self.held));
        let outcome = chat::apply(&view, at, command);
        // Before a single change is written: what follows from a failed lookup is no outcome.
        *self.held = view.finish()?;
        for change in &outcome.changes {
            changes::write(self.to, self.held, change)?;
            match change {
                Change::PutMessage(message) => self.news.stored.add(message),
                Change::RemoveSession { .. } => self.news.ended = true,
                _ => {}
            }
            if let Some(account) = watching::concerned(change) {
                self.news.concerned.insert(account);
            }
        }
        self.news.notices.extend(outcome.notices);
        Ok(AppReply::Chat(outcome.reply))
    }
}
