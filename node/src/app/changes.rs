//! Writing what follows from a command.

use chat::{AccountId, Change, Conversation, DeviceId, Message, SessionId};
use serde::Serialize;

use super::held::Held;
use super::keys::{self, Key};
use super::tables::Tables;
use super::value;
use crate::store::StoreError;
use crate::store::state::Write;

/// Writes a change: into the tables, or, where it may be changed again, into what is held.
pub(super) fn write(to: &mut dyn Write, held: &mut Held, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::PutAccount(account) => held.accounts.put(account.id, account.clone()),
        Change::PutName(key, account) => held.names.put(key.clone(), *account),
        Change::RemoveName(key) => held.names.remove(key.clone()),
        Change::AddSession(session) => {
            put(to, Key::Device(session.account, session.device), &session.id)?;
            held.sessions.put(session.id, session.clone());
        }
        Change::PutSession(session) => held.sessions.put(session.id, session.clone()),
        Change::RemoveSession { session, account, device } => {
            held.sessions.remove(*session);
            held.note_forgotten(*session);
            remove_session(to, *session, *account, *device)?;
        }
        Change::Remember { session, seq, reply } => {
            held.note_remembered(*session, *seq);
            put(to, Key::Reply(*session, *seq), reply)?;
        }
        Change::Forget { session, seq } => {
            // Said of every message, and mostly of nothing: what stores a message is not remembered. Earlier ones are forgotten already, and
            // may be many that the tables still have to be told of: they are not looked at again.
            if held.may_remember(*session, *seq, || Tables(to).first_remembered(*session, *seq))? {
                held.note_forgotten(*session);
                remove(to, Key::Reply(*session, *seq))?;
            }
        }
        Change::AddConversation(conversation) => {
            add_conversation(to, conversation)?;
            held.pairs.put(conversation.members, conversation.id);
            held.conversations.put(conversation.id, conversation.clone());
        }
        Change::PutConversation(conversation) => held.conversations.put(conversation.id, conversation.clone()),
        Change::PutMember(conversation, account, member) => held.members.put((*conversation, *account), *member),
        Change::PutMessage(message) => {
            held.note_id(message.sender, message.id);
            put_message(to, message)?;
        }
        Change::PutFeed(account, cursor, row) => put(to, Key::Feed(*account, *cursor), row)?,
        Change::RemoveFeed(account, cursor) => remove(to, Key::Feed(*account, *cursor))?,
    }
    Ok(())
}

pub(super) fn put<T: Serialize>(to: &mut dyn Write, key: Key<'_>, value: &T) -> Result<(), StoreError> {
    to.put(key.table(), &key.bytes(), &value::encode(value))
}

pub(super) fn remove(from: &mut dyn Write, key: Key<'_>) -> Result<(), StoreError> {
    from.delete(key.table(), &key.bytes())
}

/// Its index, and what it remembers.
fn remove_session(
    from: &mut dyn Write,
    session: SessionId,
    account: AccountId,
    device: DeviceId,
) -> Result<(), StoreError> {
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

/// Under each of its members.
fn add_conversation(to: &mut dyn Write, conversation: &Conversation) -> Result<(), StoreError> {
    let (one, other) = conversation.members;
    put(to, Key::Membership(one, conversation.id), &conversation.id)?;
    put(to, Key::Membership(other, conversation.id), &conversation.id)
}

fn put_message(to: &mut dyn Write, message: &Message) -> Result<(), StoreError> {
    put(to, Key::Place(message.sender, message.id), &(message.conversation, message.cursor))?;
    put(to, Key::Message(message.conversation, message.cursor), message)
}
