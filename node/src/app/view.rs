//! What `chat::apply` looks at, over the tables.

use std::cell::RefCell;

use chat::{
    Account, AccountId, Conversation, ConversationId, Cursor, DeviceId, Member, Message, MessageId, NameKey, Reply,
    Seq, Session, SessionId, View,
};

use super::held::Held;
use super::tables::Tables;
use crate::store::StoreError;

/// The chat's rules cannot fail, but a disk can. A lookup that failed answers "nothing" and is remembered;
/// whoever asked the rules must [`finish`](Guarded::finish) before believing what they said.
pub(super) struct Guarded<'a> {
    tables: Tables<'a>,
    held: RefCell<Held>,
    failure: RefCell<Option<StoreError>>,
}

impl<'a> Guarded<'a> {
    /// Over the tables, and what is held of them.
    pub(super) fn over(tables: Tables<'a>, held: Held) -> Self {
        Self { tables, held: RefCell::new(held), failure: RefCell::new(None) }
    }

    /// What is held, now with what was looked at; or the first failure, if there was any.
    pub(super) fn finish(self) -> Result<Held, StoreError> {
        self.failure.into_inner().map_or(Ok(self.held.into_inner()), Err)
    }

    fn ask<T: Default>(&self, answer: Result<T, StoreError>) -> T {
        answer.unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            T::default()
        })
    }
}

impl View for Guarded<'_> {
    fn account(&self, id: AccountId) -> Option<Account> {
        self.ask(self.held.borrow_mut().accounts.get(&id, || self.tables.account(id)))
    }

    fn account_named(&self, key: &NameKey) -> Option<AccountId> {
        self.ask(self.held.borrow_mut().names.get(key, || self.tables.account_named(key)))
    }

    fn session(&self, id: SessionId) -> Option<Session> {
        self.ask(self.held.borrow_mut().sessions.get(&id, || self.tables.session(id)))
    }

    fn session_on(&self, account: AccountId, device: DeviceId) -> Option<SessionId> {
        self.ask(self.tables.session_on(account, device))
    }

    fn sessions_of(&self, account: AccountId) -> Vec<SessionId> {
        self.ask(self.tables.sessions_of(account))
    }

    fn remembered(&self, session: SessionId, seq: Seq) -> Option<Reply> {
        self.ask(self.tables.remembered(session, seq))
    }

    fn conversation(&self, id: ConversationId) -> Option<Conversation> {
        self.ask(self.held.borrow_mut().conversations.get(&id, || self.tables.conversation(id)))
    }

    fn conversation_between(&self, one: AccountId, other: AccountId) -> Option<ConversationId> {
        let pair = (one.min(other), one.max(other));
        self.ask(self.held.borrow_mut().pairs.get(&pair, || self.tables.conversation_between(one, other)))
    }

    fn conversations_of(&self, account: AccountId) -> Vec<ConversationId> {
        self.ask(self.tables.conversations_of(account))
    }

    fn member(&self, conversation: ConversationId, account: AccountId) -> Member {
        let look_up = || self.tables.member(conversation, account).map(Some);
        self.ask(self.held.borrow_mut().members.get(&(conversation, account), look_up)).unwrap_or_default()
    }

    fn message_place(&self, sender: AccountId, id: MessageId) -> Option<(ConversationId, Cursor)> {
        let newest = self.held.borrow_mut().newest_id(sender, || self.tables.newest_id(sender));
        let may_be_there = self.ask(newest).is_some_and(|newest| id <= newest);
        if may_be_there { self.ask(self.tables.message_place(sender, id)) } else { None }
    }

    fn message(&self, conversation: ConversationId, cursor: Cursor) -> Option<Message> {
        self.ask(self.tables.message(conversation, cursor))
    }

    fn message_at_or_before(&self, conversation: ConversationId, cursor: Cursor) -> Option<Message> {
        self.ask(self.tables.message_at_or_before(conversation, cursor))
    }
}
