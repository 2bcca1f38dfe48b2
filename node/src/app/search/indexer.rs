//! Keeps the index up with the messages: behind them, very many at a time, so that storing a message does not wait for its words.
//!
//! ```text
//! applying ─▶ note: so much was stored ─▶ enough ─▶ conversation by conversation, a transaction for each some messages
//! ```
//! Messages of one conversation that go into the index together share a row for each word they have in common; so the longer
//! they wait, the less each costs. What the index does not have yet is found all the same: whoever searches looks at those texts.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use chat::{Conversation, ConversationId, Cursor, Message};
use tokio::sync::watch;
use wire::blocking::is_done_in_place;

use super::index::{Extent, Postings, Progress};
use crate::app::keys::{self, Key};
use crate::app::tables::Tables;
use crate::store::state::StateStore;
use crate::store::{StoreError, thread};

/// So many messages, or so much text, wait before they are taken in. A look at all of these takes a tenth of a second,
/// and whoever searches looks only at those of one account.
const MESSAGES_WAITING: usize = 16 * 1024;
const TEXT_WAITING_BYTES: usize = 4 * 1024 * 1024;

/// So many messages, or so much text, go into the index in one transaction: whoever stores messages waits for it, and,
/// where the disk is slow, for the flush that it goes to the tables with.
const MESSAGES_AT_ONCE: usize = 4_096;
const TEXT_AT_ONCE_BYTES: usize = 1024 * 1024;

/// How many conversations are looked at for new messages at once.
const CONVERSATIONS_AT_ONCE: usize = 1_024;

/// What was stored.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::app) struct Stored {
    messages: usize,
    text_bytes: usize,
}

impl Stored {
    pub(in crate::app) fn add(&mut self, message: &Message) {
        self.messages += 1;
        self.text_bytes += message.text.as_str().len();
    }
}

/// See the module. Dropped, it stops after the transaction under way.
pub(in crate::app) struct Indexer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    store: Arc<dyn StateStore>,
    work: Mutex<Work>,
    news: Condvar,
    /// Held by whoever takes messages in.
    turn: Mutex<()>,
    /// What the store failed with. It stops the node like any other failed read or write.
    failure: watch::Sender<Option<StoreError>>,
}

struct Work {
    waiting: Stored,
    /// Nobody knows how much is waiting.
    at_once: bool,
    /// There is no room for it.
    paused: bool,
    stop: bool,
}

impl Work {
    fn is_cut_short(&self) -> bool {
        self.stop || self.paused
    }

    fn is_enough(&self) -> bool {
        let is_much = self.waiting.messages >= MESSAGES_WAITING || self.waiting.text_bytes >= TEXT_WAITING_BYTES;
        !self.paused && (self.at_once || is_much)
    }
}

impl Indexer {
    /// Begins with what the index of this store does not have.
    pub(in crate::app) fn begin(
        store: Arc<dyn StateStore>,
        failure: watch::Sender<Option<StoreError>>,
    ) -> Result<Self, StoreError> {
        let work = Mutex::new(Work { waiting: Stored::default(), at_once: true, paused: false, stop: false });
        let shared = Arc::new(Shared { store, work, news: Condvar::new(), turn: Mutex::default(), failure });
        if is_done_in_place() {
            shared.catch_up()?;
            return Ok(Self { shared, thread: None });
        }
        let thread = thread::start("index", "keeps the index of words", {
            let shared = Arc::clone(&shared);
            move || shared.run()
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// So much was stored, and can be read.
    pub(in crate::app) fn note(&self, stored: Stored) {
        let mut work = self.shared.work();
        work.waiting.messages += stored.messages;
        work.waiting.text_bytes += stored.text_bytes;
        let is_enough = work.is_enough();
        drop(work);
        if is_enough {
            self.wake();
        }
    }

    /// Another state has taken the place of the one there was.
    pub(in crate::app) fn start_over(&self) {
        self.shared.work().at_once = true;
        self.wake();
    }

    /// Whether it may take something in.
    pub(in crate::app) fn can_grow(&self) -> bool {
        !self.shared.work().paused
    }

    /// Takes nothing in while it may not.
    pub(in crate::app) fn may_grow(&self, may_grow: bool) {
        let mut work = self.shared.work();
        let goes_on = work.paused && may_grow;
        work.paused = !may_grow;
        work.at_once |= goes_on;
        drop(work);
        if goes_on {
            self.wake();
        }
    }

    fn wake(&self) {
        if is_done_in_place() {
            self.shared.catch_up_or_fail();
        } else {
            self.shared.news.notify_one();
        }
    }

    /// Takes in all that is there.
    #[cfg(test)]
    pub(in crate::app) fn catch_up(&self) {
        self.shared.catch_up().expect("the store works");
    }

    /// Nothing is taken in while this is held.
    #[cfg(test)]
    pub(in crate::app) fn pause(&self) -> MutexGuard<'_, ()> {
        self.shared.turn()
    }
}

impl Shared {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        while self.wait() && self.catch_up_or_fail() {}
    }

    /// Whether it did not fail.
    fn catch_up_or_fail(&self) -> bool {
        let failed = self.catch_up().err();
        let has_caught_up = failed.is_none();
        if let Some(error) = failed {
            self.failure.send_replace(Some(error));
        }
        has_caught_up
    }

    /// Waits for something to do. False: to stop.
    fn wait(&self) -> bool {
        let idle = |work: &mut Work| !work.stop && !work.is_enough();
        !self.news.wait_while(self.work(), idle).unwrap_or_else(PoisonError::into_inner).stop
    }

    /// Takes in what is there and the index does not have, as of now.
    fn catch_up(&self) -> Result<(), StoreError> {
        let _turn = self.turn();
        // Before the state is looked at: what is stored from here on is counted anew.
        {
            let mut work = self.work();
            work.waiting = Stored::default();
            work.at_once = false;
        }
        // Going on with what was begun earlier does not reach what was stored since.
        let mut reaches_now = false;
        loop {
            let missing = Missing::read(&*self.store)?;
            reaches_now |= missing.extent.progress.is_none();
            let is_last = missing.then.progress.is_none();
            // Nothing is written where there is nothing to say.
            let is_idle = is_last && missing.messages.is_empty() && missing.extent.progress.is_none();
            let is_done = is_idle || self.write(&missing)?;
            if (is_done && is_last && reaches_now) || self.work().is_cut_short() {
                return Ok(());
            }
        }
    }

    /// Whether it was written: not if the index has become another one meanwhile, with a state that was received.
    fn write(&self, missing: &Missing) -> Result<bool, StoreError> {
        let postings = Postings::of(&missing.messages);
        let mut written = false;
        self.store.write(&mut |to| {
            written = Extent::of(Tables(to))? == missing.extent;
            if written {
                postings.write(to)?;
                missing.then.write(to)?;
            }
            Ok(())
        })?;
        if written {
            // Words lie all over the table: those of one transaction at a time are as much as there is room kept for on the disk.
            self.store.sync()?;
        }
        Ok(written)
    }
}

/// Some messages that the index does not have.
struct Missing {
    messages: Vec<Message>,
    /// The index as it is.
    extent: Extent,
    /// And with these.
    then: Extent,
}

impl Missing {
    fn read(store: &dyn StateStore) -> Result<Self, StoreError> {
        let state = store.read()?;
        let tables = Tables(&*state);
        let extent = Extent::of(tables)?;
        let begin = match extent.progress {
            Some(progress) => progress,
            None => Progress { target: tables.cursor()?, conversation: ConversationId(0), done: Cursor::START },
        };
        let mut walk = Walk { tables, up_to: extent.up_to, at: begin, messages: Vec::new(), size_bytes: 0 };
        let is_all = walk.take()?;
        let then = if is_all {
            Extent { up_to: begin.target.max(extent.up_to), progress: None }
        } else {
            Extent { progress: Some(walk.at), ..extent }
        };
        Ok(Self { messages: walk.messages, extent, then })
    }
}

/// From conversation to conversation, taking messages until it is enough.
struct Walk<'a> {
    tables: Tables<'a>,
    up_to: Cursor,
    at: Progress,
    messages: Vec<Message>,
    size_bytes: usize,
}

impl Walk<'_> {
    /// Whether there are no more.
    fn take(&mut self) -> Result<bool, StoreError> {
        loop {
            let (conversations, next) = self.conversations()?;
            for conversation in conversations {
                if conversation != self.at.conversation {
                    self.at = Progress { conversation, done: Cursor::START, ..self.at };
                }
                if !self.take_from_one()? {
                    return Ok(false);
                }
            }
            let Some(next) = next else { return Ok(true) };
            self.at = Progress { conversation: next, done: Cursor::START, ..self.at };
        }
    }

    /// Those of the next conversations that have something new, and where those begin that were not looked at.
    fn conversations(&self) -> Result<(Vec<ConversationId>, Option<ConversationId>), StoreError> {
        let from = Key::Conversation(self.at.conversation).bytes();
        let (mut found, mut looked, mut next) = (Vec::new(), 0, None);
        self.tables.scan(keys::CONVERSATIONS, &from, None, |_, conversation: Conversation| {
            if looked == CONVERSATIONS_AT_ONCE {
                next = Some(conversation.id);
                return false;
            }
            looked += 1;
            found.extend((conversation.last > self.up_to).then_some(conversation.id));
            true
        })?;
        Ok((found, next))
    }

    /// Whether there is room for more.
    fn take_from_one(&mut self) -> Result<bool, StoreError> {
        let Progress { target, conversation, done } = self.at;
        let from = keys::above(&Key::Message(conversation, done.max(self.up_to)).bytes());
        let to = keys::above(&Key::Message(conversation, target).bytes());
        self.tables.scan(keys::MESSAGES, &from, Some(&to), |_, message: Message| {
            self.at.done = message.cursor;
            self.size_bytes += message.text.as_str().len();
            self.messages.push(message);
            self.messages.len() < MESSAGES_AT_ONCE && self.size_bytes < TEXT_AT_ONCE_BYTES
        })?;
        Ok(self.messages.len() < MESSAGES_AT_ONCE && self.size_bytes < TEXT_AT_ONCE_BYTES)
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.shared.work().stop = true;
        self.shared.news.notify_one();
        if let Some(thread) = self.thread.take() {
            thread::end(thread);
        }
    }
}

impl fmt::Debug for Indexer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Indexer").finish_non_exhaustive()
    }
}
