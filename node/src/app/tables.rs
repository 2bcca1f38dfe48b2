//! Typed lookups in the tables. Each may fail as a disk may, and then says so.

use chat::{
    Account, AccountId, Conversation, ConversationId, Cursor, DeviceId, FeedRow, Member, Message, MessageId, NameKey,
    Reply, Seq, Session, SessionId,
};
use serde::de::DeserializeOwned;
use wire::peer::FoundingRecord;

use super::keys::{self, Key};
use super::value;
use crate::store::StoreError;
use crate::store::state::{Read, Table};

/// The tables at one moment, or within a transaction.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a>(pub(super) &'a dyn Read);

impl Tables<'_> {
    pub(super) fn get<T: DeserializeOwned>(&self, key: Key<'_>) -> Result<Option<T>, StoreError> {
        let bytes = self.0.get(key.table(), &key.bytes())?;
        bytes.map(|bytes| decode(key.table(), &bytes)).transpose()
    }

    /// Calls `each` with the keys and values in `from..to`, ascending, until it returns false.
    pub(super) fn scan<T: DeserializeOwned>(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        mut each: impl FnMut(&[u8], T) -> bool,
    ) -> Result<(), StoreError> {
        let mut failure = None;
        self.0.scan(table, from, to, &mut |key, bytes| match decode(table, bytes) {
            Ok(value) => each(key, value),
            Err(error) => {
                failure = Some(error);
                false
            }
        })?;
        failure.map_or(Ok(()), Err)
    }

    /// All values whose keys begin with the id, ascending by key.
    fn all_of<T: DeserializeOwned>(&self, table: Table, id: u64) -> Result<Vec<T>, StoreError> {
        let (from, to) = keys::beginning_with(id);
        let mut values = Vec::new();
        self.scan(table, &from, Some(&to), |_, value| {
            values.push(value);
            true
        })?;
        Ok(values)
    }

    pub(super) fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.get(Key::Account(id))
    }

    pub(super) fn account_named(&self, key: &NameKey) -> Result<Option<AccountId>, StoreError> {
        if key.as_str().is_empty() || key.as_str().len() > keys::NAME_SIZE_MAX_BYTES {
            return Ok(None);
        }
        self.get(Key::Name(key))
    }

    pub(super) fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.get(Key::Session(id))
    }

    pub(super) fn session_on(&self, account: AccountId, device: DeviceId) -> Result<Option<SessionId>, StoreError> {
        self.get(Key::Device(account, device))
    }

    pub(super) fn sessions_of(&self, account: AccountId) -> Result<Vec<SessionId>, StoreError> {
        let mut sessions = self.all_of(keys::DEVICES, account.0)?;
        sessions.sort_unstable();
        Ok(sessions)
    }

    pub(super) fn remembered(&self, session: SessionId, seq: Seq) -> Result<Option<Reply>, StoreError> {
        self.get(Key::Reply(session, seq))
    }

    /// The first command of the session, of this one and those after it, whose reply is remembered.
    pub(super) fn first_remembered(&self, session: SessionId, from: Seq) -> Result<Option<Seq>, StoreError> {
        let (_, to) = keys::beginning_with(session.0);
        let from = Key::Reply(session, from).bytes();
        let mut first = None;
        self.scan(keys::REPLIES, &from, Some(&to), |key, _: Reply| {
            first = keys::last_number(key).map(Seq);
            false
        })?;
        Ok(first)
    }

    pub(super) fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        self.get(Key::Conversation(id))
    }

    pub(super) fn conversation_between(
        &self,
        one: AccountId,
        other: AccountId,
    ) -> Result<Option<ConversationId>, StoreError> {
        self.get(Key::Pair(one.min(other), one.max(other)))
    }

    pub(super) fn conversations_of(&self, account: AccountId) -> Result<Vec<ConversationId>, StoreError> {
        self.all_of(keys::MEMBERSHIPS, account.0)
    }

    pub(super) fn member(&self, conversation: ConversationId, account: AccountId) -> Result<Member, StoreError> {
        Ok(self.get(Key::Member(conversation, account))?.unwrap_or_default())
    }

    pub(super) fn message_place(
        &self,
        sender: AccountId,
        id: MessageId,
    ) -> Result<Option<(ConversationId, Cursor)>, StoreError> {
        self.get(Key::Place(sender, id))
    }

    /// The greatest id of a message of this sender.
    pub(super) fn newest_id(&self, sender: AccountId) -> Result<Option<MessageId>, StoreError> {
        let (from, to) = keys::beginning_with(sender.0);
        let Some((key, _)) = self.0.last(keys::PLACES, &from, &to)? else { return Ok(None) };
        let id = key.last_chunk().map(|id| MessageId(u128::from_be_bytes(*id)));
        id.map(Some).ok_or_else(|| value::damaged("the state", "a key of the places of messages"))
    }

    pub(super) fn message(&self, conversation: ConversationId, cursor: Cursor) -> Result<Option<Message>, StoreError> {
        self.get(Key::Message(conversation, cursor))
    }

    pub(super) fn message_at_or_before(
        &self,
        conversation: ConversationId,
        cursor: Cursor,
    ) -> Result<Option<Message>, StoreError> {
        let from = Key::Message(conversation, Cursor::START).bytes();
        let above = keys::above(&Key::Message(conversation, cursor).bytes());
        let row = self.0.last(keys::MESSAGES, &from, &above)?;
        row.map(|(_, bytes)| decode(keys::MESSAGES, &bytes)).transpose()
    }

    /// The first rows of the account's feed after the cursor.
    pub(super) fn feed(
        &self,
        account: AccountId,
        after: Cursor,
        limit: usize,
    ) -> Result<Vec<(Cursor, FeedRow)>, StoreError> {
        let from = keys::above(&Key::Feed(account, after).bytes());
        let (_, to) = keys::beginning_with(account.0);
        let mut rows = Vec::new();
        if limit > 0 {
            self.scan(keys::FEEDS, &from, Some(&to), |key, row| {
                rows.push((Cursor(keys::last_number(key).unwrap_or_default()), row));
                rows.len() < limit
            })?;
        }
        Ok(rows)
    }

    /// How far the state is.
    pub(super) fn cursor(&self) -> Result<Cursor, StoreError> {
        Ok(self.get(Key::Cursor)?.unwrap_or_default())
    }

    pub(super) fn founding(&self) -> Result<Option<FoundingRecord>, StoreError> {
        self.get(Key::Founding)
    }

    /// The term of the entry at this place; None: from before terms were kept.
    pub(super) fn term(&self, at: Cursor) -> Result<Option<u64>, StoreError> {
        let above = keys::above(&Key::Term(at).bytes());
        let row = self.0.last(keys::TERMS, &Key::Term(Cursor::START).bytes(), &above)?;
        row.map(|(_, bytes)| decode(keys::TERMS, &bytes)).transpose()
    }

    /// Raft's own record of what was applied: its bytes, not ours.
    pub(super) fn applied(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(Key::Applied.table(), &Key::Applied.bytes())
    }
}

fn decode<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, StoreError> {
    value::decode(bytes, "the state", format_args!("a row of the table {}", table.0))
}
