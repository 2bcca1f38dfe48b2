//! The state in memory: the reference that every other implementation of `View` is compared with.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Account, AccountId, Change, Command, Conversation, ConversationId, Cursor, DeviceId, FeedRow, Member, Message,
    MessageId, NameKey, Reply, Seq, Session, SessionId, View, apply,
};

/// The whole state as ordered maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    accounts: BTreeMap<AccountId, Account>,
    names: BTreeMap<NameKey, AccountId>,
    sessions: BTreeMap<SessionId, Session>,
    devices: BTreeMap<(AccountId, DeviceId), SessionId>,
    remembered: BTreeMap<(SessionId, Seq), Reply>,
    conversations: BTreeMap<ConversationId, Conversation>,
    pairs: BTreeMap<(AccountId, AccountId), ConversationId>,
    memberships: BTreeSet<(AccountId, ConversationId)>,
    members: BTreeMap<(ConversationId, AccountId), Member>,
    messages: BTreeMap<(ConversationId, Cursor), Message>,
    places: BTreeMap<(AccountId, MessageId), (ConversationId, Cursor)>,
    feeds: BTreeMap<(AccountId, Cursor), FeedRow>,
}

impl Memory {
    /// Applies the command and writes what follows.
    pub fn apply(&mut self, position: Cursor, command: &Command) -> Reply {
        let outcome = apply(self, position, command);
        for change in &outcome.changes {
            self.write(change);
        }
        outcome.reply
    }

    /// Writes one change.
    pub fn write(&mut self, change: &Change) {
        match change {
            Change::PutAccount(account) => drop(self.accounts.insert(account.id, account.clone())),
            Change::PutName(key, account) => drop(self.names.insert(key.clone(), *account)),
            Change::RemoveName(key) => drop(self.names.remove(key)),
            Change::AddSession(session) => self.add_session(session),
            Change::PutSession(session) => drop(self.sessions.insert(session.id, session.clone())),
            Change::RemoveSession { session, account, device } => self.remove_session(*session, *account, *device),
            Change::Remember { session, seq, reply } => drop(self.remembered.insert((*session, *seq), reply.clone())),
            Change::Forget { session, seq } => drop(self.remembered.remove(&(*session, *seq))),
            Change::AddConversation(conversation) => self.add_conversation(conversation),
            Change::PutConversation(talk) => drop(self.conversations.insert(talk.id, talk.clone())),
            Change::PutMember(conversation, account, member) => {
                self.members.insert((*conversation, *account), *member);
            }
            Change::PutMessage(message) => self.put_message(message),
            Change::PutFeed(account, cursor, row) => drop(self.feeds.insert((*account, *cursor), row.clone())),
            Change::RemoveFeed(account, cursor) => drop(self.feeds.remove(&(*account, *cursor))),
        }
    }

    /// The state as the changes that make it out of nothing, in one order for equal states: what
    /// another implementation is filled or compared with.
    pub fn records(&self) -> impl Iterator<Item = Change> + '_ {
        let accounts = self.accounts.values().cloned().map(Change::PutAccount);
        let names = self.names.iter().map(|(key, account)| Change::PutName(key.clone(), *account));
        let sessions = self.sessions.values().cloned().map(Change::AddSession);
        let remembered = self.remembered.iter().map(|((session, seq), reply)| Change::Remember {
            session: *session,
            seq: *seq,
            reply: reply.clone(),
        });
        let conversations = self.conversations.values().cloned().map(Change::AddConversation);
        let members = self.members.iter().map(|((talk, account), member)| Change::PutMember(*talk, *account, *member));
        let messages = self.messages.values().cloned().map(Change::PutMessage);
        let feeds = self.feeds.iter().map(|((account, cursor), row)| Change::PutFeed(*account, *cursor, row.clone()));
        accounts
            .chain(names)
            .chain(sessions)
            .chain(remembered)
            .chain(conversations)
            .chain(members)
            .chain(messages)
            .chain(feeds)
    }

    fn add_session(&mut self, session: &Session) {
        self.devices.insert((session.account, session.device), session.id);
        self.sessions.insert(session.id, session.clone());
    }

    fn remove_session(&mut self, session: SessionId, account: AccountId, device: DeviceId) {
        self.sessions.remove(&session);
        self.devices.remove(&(account, device));
        self.remembered.retain(|(owner, _), _| *owner != session);
    }

    fn add_conversation(&mut self, conversation: &Conversation) {
        let (one, other) = conversation.members;
        self.pairs.insert((one, other), conversation.id);
        self.memberships.extend([(one, conversation.id), (other, conversation.id)]);
        self.conversations.insert(conversation.id, conversation.clone());
    }

    fn put_message(&mut self, message: &Message) {
        self.places.insert((message.sender, message.id), (message.conversation, message.cursor));
        self.messages.insert((message.conversation, message.cursor), message.clone());
    }
}

impl View for Memory {
    fn account(&self, id: AccountId) -> Option<Account> {
        self.accounts.get(&id).cloned()
    }

    fn account_named(&self, key: &NameKey) -> Option<AccountId> {
        self.names.get(key).copied()
    }

    fn session(&self, id: SessionId) -> Option<Session> {
        self.sessions.get(&id).cloned()
    }

    fn session_on(&self, account: AccountId, device: DeviceId) -> Option<SessionId> {
        self.devices.get(&(account, device)).copied()
    }

    fn sessions_of(&self, account: AccountId) -> Vec<SessionId> {
        let all = (account, DeviceId([0; 32]))..=(account, DeviceId([255; 32]));
        let mut sessions: Vec<SessionId> = self.devices.range(all).map(|(_, session)| *session).collect();
        sessions.sort_unstable();
        sessions
    }

    fn remembered(&self, session: SessionId, seq: Seq) -> Option<Reply> {
        self.remembered.get(&(session, seq)).cloned()
    }

    fn conversation(&self, id: ConversationId) -> Option<Conversation> {
        self.conversations.get(&id).cloned()
    }

    fn conversation_between(&self, one: AccountId, other: AccountId) -> Option<ConversationId> {
        self.pairs.get(&(one.min(other), one.max(other))).copied()
    }

    fn conversations_of(&self, account: AccountId) -> Vec<ConversationId> {
        let all = (account, ConversationId(0))..=(account, ConversationId(u64::MAX));
        self.memberships.range(all).map(|(_, conversation)| *conversation).collect()
    }

    fn member(&self, conversation: ConversationId, account: AccountId) -> Member {
        self.members.get(&(conversation, account)).copied().unwrap_or_default()
    }

    fn message_place(&self, sender: AccountId, id: MessageId) -> Option<(ConversationId, Cursor)> {
        self.places.get(&(sender, id)).copied()
    }

    fn message(&self, conversation: ConversationId, cursor: Cursor) -> Option<Message> {
        self.messages.get(&(conversation, cursor)).cloned()
    }

    fn message_at_or_before(&self, conversation: ConversationId, cursor: Cursor) -> Option<Message> {
        let before = (conversation, Cursor::START)..=(conversation, cursor);
        self.messages.range(before).next_back().map(|(_, message)| message.clone())
    }
}
