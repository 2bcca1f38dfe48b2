//! Keeps the index up with the messages: behind them, many at a time, so that storing a message does not wait for its words.
//!
//! ```text
//! applying ─▶ note: what was stored ─▶ waiting, until there are enough ─▶ add: one transaction
//! opening, a snapshot, too many at once ─▶ catch up: conversation by conversation, a transaction for each some
//! ```
//! What the index does not have yet is found all the same: whoever searches looks at those texts.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use chat::{Conversation, ConversationId, Cursor, Message};
use tokio::sync::watch;

use super::index::{Extent, Postings, Progress};
use crate::app::keys::{self, Key};
use crate::app::tables::Tables;
use crate::app::value;
use crate::store::StoreError;
use crate::store::state::StateStore;

/// So many messages, or so much text, go into the index at once: enough that words they have in common share rows and
/// pages, and few enough that whoever searches reads the rest quickly and whoever writes does not wait for long.
const MESSAGES_AT_ONCE: usize = 1_024;
const TEXT_AT_ONCE_BYTES: usize = 128 * 1024;

/// How many messages may wait to be taken in. Beyond it they are looked up in the tables.
const WAITING_MAX: usize = 64 * 1024;

/// How many conversations are looked at for new messages at once.
const CONVERSATIONS_AT_ONCE: usize = 1_024;

/// A message that was stored.
#[derive(Clone, Copy, Debug)]
pub(in crate::app) struct Stored {
    pub(in crate::app) conversation: ConversationId,
    pub(in crate::app) cursor: Cursor,
    pub(in crate::app) size_bytes: usize,
}

impl From<&Message> for Stored {
    fn from(message: &Message) -> Self {
        let (conversation, cursor) = (message.conversation, message.cursor);
        Self { conversation, cursor, size_bytes: message.text.as_str().len() }
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

#[derive(Default)]
struct Work {
    /// In the order of the log.
    waiting: VecDeque<Stored>,
    size_bytes: usize,
    /// How far the index goes, as far as is known here: everything after it is waiting, unless we are `behind`.
    up_to: Cursor,
    behind: bool,
    stop: bool,
}

impl Work {
    fn is_enough(&self) -> bool {
        self.waiting.len() >= MESSAGES_AT_ONCE || self.size_bytes >= TEXT_AT_ONCE_BYTES
    }

    fn fall_behind(&mut self) {
        self.waiting.clear();
        self.size_bytes = 0;
        self.behind = true;
    }
}

/// What the thread does next.
enum Next {
    CatchUp,
    /// Takes these in, if the index still goes up to there.
    Add(Cursor, Vec<Stored>),
}

impl Indexer {
    /// Begins with what the index of this store does not have.
    pub(in crate::app) fn begin(
        store: Arc<dyn StateStore>,
        failure: watch::Sender<Option<StoreError>>,
    ) -> Result<Self, StoreError> {
        let work = Mutex::new(Work { behind: true, ..Work::default() });
        let shared = Arc::new(Shared { store, work, news: Condvar::new(), turn: Mutex::default(), failure });
        let thread = std::thread::Builder::new().name("index".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run()
        });
        let thread = thread.map_err(|error| StoreError::Io {
            action: "start",
            place: "the thread that keeps the index of words".to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// These were stored, and can be read. In the order of the log.
    pub(in crate::app) fn note(&self, stored: Vec<Stored>) {
        if stored.is_empty() {
            return;
        }
        let mut work = self.shared.work();
        work.size_bytes += stored.iter().map(|stored| stored.size_bytes).sum::<usize>();
        work.waiting.extend(stored);
        if work.waiting.len() > WAITING_MAX {
            work.fall_behind();
        }
        if work.behind || work.is_enough() {
            self.shared.news.notify_one();
        }
    }

    /// Another state has taken the place of the one there was.
    pub(in crate::app) fn start_over(&self) {
        self.shared.work().fall_behind();
        self.shared.news.notify_one();
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

    fn run(&self) {
        while let Some(next) = self.next() {
            let done = match next {
                Next::CatchUp => self.catch_up(),
                Next::Add(after, stored) => self.add(after, &stored),
            };
            if let Err(error) = done {
                self.failure.send_replace(Some(error));
                return;
            }
        }
    }

    /// Waits for something to do. None: to stop.
    fn next(&self) -> Option<Next> {
        let idle = |work: &mut Work| !work.stop && !work.behind && !work.is_enough();
        let mut work = self.news.wait_while(self.work(), idle).unwrap_or_else(PoisonError::into_inner);
        if work.stop {
            return None;
        }
        if work.behind {
            return Some(Next::CatchUp);
        }
        let mut size_bytes = 0;
        let mut count = 0;
        for stored in work.waiting.iter().take(MESSAGES_AT_ONCE) {
            size_bytes += stored.size_bytes;
            count += 1;
            if size_bytes >= TEXT_AT_ONCE_BYTES {
                break;
            }
        }
        work.size_bytes -= size_bytes;
        let stored = work.waiting.drain(..count).collect();
        Some(Next::Add(work.up_to, stored))
    }

    /// Takes these in, which are all that was stored after that place up to the last of them.
    fn add(&self, after: Cursor, stored: &[Stored]) -> Result<(), StoreError> {
        let _turn = self.turn();
        let Some(last) = stored.last() else { return Ok(()) };
        let expected = Extent { up_to: after, progress: None };
        let messages = self.read(stored)?;
        if self.write(expected, &Postings::of(&messages), Extent { up_to: last.cursor, progress: None })? {
            self.work().up_to = last.cursor;
        } else {
            self.work().fall_behind();
        }
        Ok(())
    }

    fn read(&self, stored: &[Stored]) -> Result<Vec<Message>, StoreError> {
        let state = self.store.read()?;
        let missing = || value::damaged("the state", "a message that was stored");
        let read = |stored: &Stored| Tables(&*state).message(stored.conversation, stored.cursor)?.ok_or_else(missing);
        stored.iter().map(read).collect()
    }

    /// Takes in what is there and the index does not have, as of now.
    fn catch_up(&self) -> Result<(), StoreError> {
        let _turn = self.turn();
        self.work().behind = false;
        let mut count = 0;
        // Going on with what was begun earlier does not reach what was stored since.
        let mut reaches_now = false;
        loop {
            let missing = Missing::read(&*self.store)?;
            reaches_now |= missing.extent.progress.is_none();
            count += missing.messages.len();
            let is_last = missing.then.progress.is_none();
            // Nothing is written where there is nothing to say.
            let is_idle = is_last && missing.messages.is_empty() && missing.extent.progress.is_none();
            let done = is_idle || self.write(missing.extent, &Postings::of(&missing.messages), missing.then)?;
            let mut work = self.work();
            if work.stop || work.behind {
                return Ok(());
            }
            if done && is_last && reaches_now {
                work.up_to = if is_idle { missing.extent.up_to } else { missing.then.up_to };
                work.waiting.retain(|stored| stored.cursor > missing.then.up_to);
                work.size_bytes = work.waiting.iter().map(|stored| stored.size_bytes).sum();
                break;
            }
        }
        if count > MESSAGES_AT_ONCE {
            tracing::info!(messages = count, "made the index for searching");
        }
        Ok(())
    }

    /// Whether it was written: not if the index has become another one meanwhile, with a state that was received.
    fn write(&self, expected: Extent, postings: &Postings, then: Extent) -> Result<bool, StoreError> {
        let mut written = false;
        self.store.write(&mut |to| {
            written = Extent::of(Tables(to))? == expected;
            if written {
                postings.write(to)?;
                then.write(to)?;
            }
            Ok(())
        })?;
        Ok(written)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
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
            // It has nothing left to say.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Indexer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Indexer").finish_non_exhaustive()
    }
}
