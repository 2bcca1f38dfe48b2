//! Writing what follows from a command.

use chat::{AccountId, Change, Conversation, DeviceId, Message, Session, SessionId};
use serde::Serialize;

use super::keys::{self, Key};
use super::value;
use crate::store::StoreError;
use crate::store::state::Write;

pub(super) fn write(to: &mut dyn Write, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::PutAccount(account) => put(to, Key::Account(account.id), account),
        Change::PutName(key, account) => put(to, Key::Name(key), account),
        Change::RemoveName(key) => remove(to, Key::Name(key)),
        Change::AddSession(session) => add_session(to, session),
        Change::PutSession(session) => put(to, Key::Session(session.id), session),
        Change::RemoveSession { session, account, device } => remove_session(to, *session, *account, *device),
        Change::Remember { session, seq, reply, forget } => {
            if let Some(forget) = forget {
                remove(to, Key::Reply(*session, *forget))?;
            }
            put(to, Key::Reply(*session, *seq), reply)
        }
        Change::AddConversation(conversation) => add_conversation(to, conversation),
        Change::PutConversation(conversation) => put(to, Key::Conversation(conversation.id), conversation),
        Change::PutMember(conversation, account, member) => put(to, Key::Member(*conversation, *account), member),
        Change::PutMessage(message) => put_message(to, message),
        Change::PutFeed(account, cursor, row) => put(to, Key::Feed(*account, *cursor), row),
        Change::RemoveFeed(account, cursor) => remove(to, Key::Feed(*account, *cursor)),
    }
}

pub(super) fn put<T: Serialize>(to: &mut dyn Write, key: Key<'_>, value: &T) -> Result<(), StoreError> {
    to.put(key.table(), &key.bytes(), &value::encode(value))
}

fn remove(from: &mut dyn Write, key: Key<'_>) -> Result<(), StoreError> {
    from.delete(key.table(), &key.bytes()).map(drop)
}

fn add_session(to: &mut dyn Write, session: &Session) -> Result<(), StoreError> {
    put(to, Key::Device(session.account, session.device), &session.id)?;
    put(to, Key::Session(session.id), session)
}

fn remove_session(
    from: &mut dyn Write,
    session: SessionId,
    account: AccountId,
    device: DeviceId,
) -> Result<(), StoreError> {
    remove(from, Key::Session(session))?;
    remove(from, Key::Device(account, device))?;
    for reply in replies_of(from, session)? {
        from.delete(keys::REPLIES, &reply)?;
    }
    Ok(())
}

/// The keys of what the session remembers; at most `chat::REMEMBERED_REPLIES`.
fn replies_of(tables: &dyn Write, session: SessionId) -> Result<Vec<Vec<u8>>, StoreError> {
    let (from, to) = keys::beginning_with(session.0);
    let mut replies = Vec::new();
    tables.scan(keys::REPLIES, &from, Some(&to), &mut |key, _| {
        replies.push(key.to_vec());
        true
    })?;
    Ok(replies)
}

fn add_conversation(to: &mut dyn Write, conversation: &Conversation) -> Result<(), StoreError> {
    let (one, other) = conversation.members;
    put(to, Key::Pair(one, other), &conversation.id)?;
    put(to, Key::Membership(one, conversation.id), &conversation.id)?;
    put(to, Key::Membership(other, conversation.id), &conversation.id)?;
    put(to, Key::Conversation(conversation.id), conversation)
}

fn put_message(to: &mut dyn Write, message: &Message) -> Result<(), StoreError> {
    put(to, Key::Place(message.sender, message.id), &(message.conversation, message.cursor))?;
    put(to, Key::Message(message.conversation, message.cursor), message)
}
