//! Rows that entry after entry of one transaction reads and changes: decoded once, written once.
//!
//! A message changes the session that it came from, its conversation, and what its members have in it; the next one of the same
//! people changes these again. In between they are kept here, as values, and not looked up and written in the tables each time. What
//! messages leave behind for good (themselves, their places, rows of feeds) does not change again and goes to the tables at once.

use std::collections::BTreeMap;

use chat::{Account, AccountId, Conversation, ConversationId, Member, NameKey, Session, SessionId};
use serde::Serialize;

use super::changes::{put, remove};
use super::keys::Key;
use crate::store::StoreError;
use crate::store::state::Write;

/// See the module. Ordered, so that neighbours are written one after the other.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) accounts: Rows<AccountId, Account>,
    pub(super) names: Rows<NameKey, AccountId>,
    pub(super) sessions: Rows<SessionId, Session>,
    pub(super) conversations: Rows<ConversationId, Conversation>,
    pub(super) members: Rows<(ConversationId, AccountId), Member>,
    pub(super) pairs: Rows<(AccountId, AccountId), ConversationId>,
}

/// The rows of one table that were looked at.
#[derive(Debug)]
pub(super) struct Rows<K, V>(BTreeMap<K, Row<V>>);

#[derive(Debug)]
struct Row<V> {
    /// None: there is no such row, or none any more.
    value: Option<V>,
    /// Since it was in the table.
    is_changed: bool,
}

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone, V: Clone> Rows<K, V> {
    /// The row as it is now; looked up in the table where it was not before.
    pub(super) fn get(
        &mut self,
        key: &K,
        look_up: impl FnOnce() -> Result<Option<V>, StoreError>,
    ) -> Result<Option<V>, StoreError> {
        if let Some(row) = self.0.get(key) {
            return Ok(row.value.clone());
        }
        let value = look_up()?;
        self.0.insert(key.clone(), Row { value: value.clone(), is_changed: false });
        Ok(value)
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        self.0.insert(key, Row { value: Some(value), is_changed: true });
    }

    pub(super) fn remove(&mut self, key: K) {
        self.0.insert(key, Row { value: None, is_changed: true });
    }

    fn write<'k>(&'k self, to: &mut dyn Write, key_of: impl Fn(&'k K) -> Key<'k>) -> Result<(), StoreError>
    where
        V: Serialize,
    {
        for (key, row) in self.0.iter().filter(|(_, row)| row.is_changed) {
            match &row.value {
                Some(value) => put(to, key_of(key), value)?,
                None => remove(to, key_of(key))?,
            }
        }
        Ok(())
    }
}

impl Held {
    /// Writes what was changed, within the transaction that it was changed in.
    pub(super) fn write(&self, to: &mut dyn Write) -> Result<(), StoreError> {
        self.accounts.write(to, |id| Key::Account(*id))?;
        self.names.write(to, Key::Name)?;
        self.sessions.write(to, |id| Key::Session(*id))?;
        self.conversations.write(to, |id| Key::Conversation(*id))?;
        self.members.write(to, |(conversation, account)| Key::Member(*conversation, *account))?;
        self.pairs.write(to, |(one, other)| Key::Pair(*one, *other))
    }
}
