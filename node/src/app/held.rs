//! Rows that entry after entry reads and changes: looked up and decoded once, and written once in a transaction.
//!
//! A message changes the session that it came from, its conversation, and what its members have in it; the next one of the same
//! people changes these again. They are kept here, as values, from one transaction to the next. What messages leave behind for good
//! (themselves, their places, rows of feeds) does not change again and goes to the tables at once.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat::{Account, AccountId, Conversation, ConversationId, Member, MessageId, NameKey, Seq, Session, SessionId};
use foldhash::fast::RandomState as Fast;
use serde::Serialize;

use super::changes::{put, remove};
use super::keys::Key;
use crate::store::StoreError;
use crate::store::state::Write;

/// So many rows are kept between transactions, some 300 bytes each; with more, none is. Each who sends needs about nine.
const KEPT_MAX: usize = 16 * 1024;

/// See the module. What is not written yet belongs to the transaction under way, and is worth nothing if that fails.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) accounts: Rows<AccountId, Account>,
    /// By a hash that stands up to names chosen for it: whoever writes to a name that is nobody's has it looked up.
    pub(super) names: Rows<NameKey, AccountId, RandomState>,
    pub(super) sessions: Rows<SessionId, Session>,
    pub(super) conversations: Rows<ConversationId, Conversation>,
    pub(super) members: Rows<(ConversationId, AccountId), Member>,
    pub(super) pairs: Rows<(AccountId, AccountId), ConversationId>,
    /// The greatest id of a message that each sender has, if it has any. New ones are nearly always greater, and need not be looked for.
    newest_ids: HashMap<AccountId, Option<MessageId>, Fast>,
    /// The first command of each session whose reply is remembered, if there is any. Mostly there is none, and nothing to be forgotten.
    first_remembered: HashMap<SessionId, Option<Seq>, Fast>,
}

/// The rows of one table that were looked at.
#[derive(Debug)]
pub(super) struct Rows<K, V, S = Fast> {
    /// None: there is no such row, or none any more.
    values: HashMap<K, Option<V>, S>,
    /// Which of them are not in the table yet.
    changed: Vec<K>,
}

impl<K, V, S: Default> Default for Rows<K, V, S> {
    fn default() -> Self {
        Self { values: HashMap::default(), changed: Vec::new() }
    }
}

impl<K: Eq + Hash + Clone, V: Clone, S: BuildHasher> Rows<K, V, S> {
    /// The row as it is now; looked up in the table where it was not before.
    pub(super) fn get(
        &mut self,
        key: &K,
        look_up: impl FnOnce() -> Result<Option<V>, StoreError>,
    ) -> Result<Option<V>, StoreError> {
        if let Some(value) = self.values.get(key) {
            return Ok(value.clone());
        }
        let value = look_up()?;
        self.values.insert(key.clone(), value.clone());
        Ok(value)
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        self.change(key, Some(value));
    }

    pub(super) fn remove(&mut self, key: K) {
        self.change(key, None);
    }

    fn change(&mut self, key: K, value: Option<V>) {
        self.changed.push(key.clone());
        self.values.insert(key, value);
    }

    /// Writes what was changed, each row once.
    fn write(&mut self, to: &mut dyn Write, key_of: impl for<'k> Fn(&'k K) -> Key<'k>) -> Result<(), StoreError>
    where
        K: Ord,
        V: Serialize,
    {
        self.changed.sort_unstable();
        self.changed.dedup();
        for key in self.changed.drain(..) {
            match self.values.get(&key).and_then(Option::as_ref) {
                Some(value) => put(to, key_of(&key), value)?,
                None => remove(to, key_of(&key))?,
            }
        }
        Ok(())
    }
}

impl Held {
    /// The greatest id of a message of this sender; looked up where it was not before.
    pub(super) fn newest_id(
        &mut self,
        sender: AccountId,
        look_up: impl FnOnce() -> Result<Option<MessageId>, StoreError>,
    ) -> Result<Option<MessageId>, StoreError> {
        if let Some(newest) = self.newest_ids.get(&sender) {
            return Ok(*newest);
        }
        let newest = look_up()?;
        self.newest_ids.insert(sender, newest);
        Ok(newest)
    }

    /// The sender has a message with this id.
    pub(super) fn note_id(&mut self, sender: AccountId, id: MessageId) {
        if let Some(newest) = self.newest_ids.get_mut(&sender) {
            *newest = (*newest).max(Some(id));
        }
    }

    /// Whether the session may remember a reply to a command that is not after this one; looked up where it was not before.
    pub(super) fn may_remember(
        &mut self,
        session: SessionId,
        seq: Seq,
        look_up: impl FnOnce() -> Result<Option<Seq>, StoreError>,
    ) -> Result<bool, StoreError> {
        let first = match self.first_remembered.get(&session) {
            Some(first) => *first,
            None => look_up()?,
        };
        self.first_remembered.insert(session, first);
        Ok(first.is_some_and(|first| first <= seq))
    }

    /// The session remembers the reply to this command.
    pub(super) fn note_remembered(&mut self, session: SessionId, seq: Seq) {
        if let Some(first) = self.first_remembered.get_mut(&session) {
            *first = Some(first.map_or(seq, |first| first.min(seq)));
        }
    }

    /// The session remembers less than it did.
    pub(super) fn note_forgotten(&mut self, session: SessionId) {
        self.first_remembered.remove(&session);
    }

    /// Writes what was changed, within the transaction that it was changed in.
    pub(super) fn write(&mut self, to: &mut dyn Write) -> Result<(), StoreError> {
        self.accounts.write(to, |id| Key::Account(*id))?;
        self.names.write(to, |name| Key::Name(name))?;
        self.sessions.write(to, |id| Key::Session(*id))?;
        self.conversations.write(to, |id| Key::Conversation(*id))?;
        self.members.write(to, |(conversation, account)| Key::Member(*conversation, *account))?;
        self.pairs.write(to, |(one, other)| Key::Pair(*one, *other))
    }

    fn len(&self) -> usize {
        let Self { accounts, names, sessions, conversations, members, pairs, newest_ids, first_remembered } = self;
        let of_people = accounts.values.len() + names.values.len() + newest_ids.len();
        let of_sessions = sessions.values.len() + first_remembered.len();
        of_people + of_sessions + conversations.values.len() + members.values.len() + pairs.values.len()
    }
}

/// What the next transaction begins with. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<Mutex<Held>>);

impl Kept {
    /// Leaves nothing: unless the transaction is committed, nobody knows what is in the tables.
    pub(super) fn take(&self) -> Held {
        std::mem::take(&mut *self.lock())
    }

    /// What was held is in the tables by now.
    pub(super) fn keep(&self, held: Held) {
        *self.lock() = if held.len() > KEPT_MAX { Held::default() } else { held };
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::TABLES;
    use super::super::tables::Tables;
    use super::*;
    use crate::store::memory::MemoryState;
    use crate::store::state::StateStore;

    const ONE: AccountId = AccountId(1);

    fn pair(held: &mut Held) -> Option<ConversationId> {
        held.pairs.get(&(ONE, ONE), || panic!("it was looked up before")).unwrap()
    }

    #[test]
    fn a_row_is_looked_up_once_and_written_if_it_was_changed() {
        let store = MemoryState::new(TABLES);
        let mut held = Held::default();
        let look_up = || Ok(Some(ConversationId(7)));
        assert_eq!(held.pairs.get(&(ONE, ONE), look_up).unwrap(), Some(ConversationId(7)));
        let in_table = || Tables(&*store.read().unwrap()).conversation_between(ONE, ONE).unwrap();
        store.write(&mut |to| held.write(to)).unwrap();
        assert_eq!(in_table(), None, "nothing was changed");
        held.pairs.put((ONE, ONE), ConversationId(8));
        held.pairs.put((ONE, ONE), ConversationId(9));
        assert_eq!(pair(&mut held), Some(ConversationId(9)));
        store.write(&mut |to| held.write(to)).unwrap();
        assert_eq!(in_table(), Some(ConversationId(9)));
        held.pairs.remove((ONE, ONE));
        store.write(&mut |to| held.write(to)).unwrap();
        assert_eq!((in_table(), pair(&mut held)), (None, None));
    }

    #[test]
    fn not_more_is_kept_than_may_be() {
        let mut held = Held::default();
        for number in 0..KEPT_MAX as u64 {
            held.pairs.get(&(AccountId(number), ONE), || Ok(None)).unwrap();
        }
        let kept = Kept::default();
        kept.keep(held);
        held = kept.take();
        assert_eq!((held.len(), kept.take().len()), (KEPT_MAX, 0));
        held.newest_id(ONE, || Ok(None)).unwrap();
        kept.keep(held);
        assert_eq!(kept.take().len(), 0);
    }

    #[test]
    fn the_newest_id_grows_with_what_is_stored() {
        let mut held = Held::default();
        let unseen = || panic!("it was looked up before");
        held.note_id(ONE, MessageId(9));
        assert_eq!(held.newest_id(ONE, || Ok(Some(MessageId(10)))).unwrap(), Some(MessageId(10)));
        held.note_id(ONE, MessageId(9));
        assert_eq!(held.newest_id(ONE, unseen).unwrap(), Some(MessageId(10)));
        held.note_id(ONE, MessageId(11));
        assert_eq!(held.newest_id(ONE, unseen).unwrap(), Some(MessageId(11)));
    }

    #[test]
    fn what_is_remembered_first_is_looked_up_once_and_again_when_something_was_forgotten() {
        let session = SessionId(7);
        let mut held = Held::default();
        held.note_remembered(session, Seq(9));
        assert!(!held.may_remember(session, Seq(3), || Ok(None)).unwrap());
        let unseen = || panic!("it was looked up before");
        assert!(!held.may_remember(session, Seq(9), unseen).unwrap());
        held.note_remembered(session, Seq(10));
        held.note_remembered(session, Seq(12));
        assert!(!held.may_remember(session, Seq(9), unseen).unwrap());
        assert!(held.may_remember(session, Seq(10), unseen).unwrap());
        held.note_forgotten(session);
        assert!(!held.may_remember(session, Seq(11), || Ok(Some(Seq(12)))).unwrap());
        assert!(held.may_remember(session, Seq(12), unseen).unwrap());
    }
}
