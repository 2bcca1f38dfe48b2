//! Reading. By default a read sees everything that was committed before it was asked; where no
//! majority can be asked within a bound, it is answered from this node alone and says so.

use std::time::Duration;

use chat::{AccountId, ConversationId, Cursor, MessageId};
use wire::blocking::while_others_go_on;
use wire::message::{AccountInfo, Answer, To};
use wire::{Code, Refusal};

use super::answer::Given;
use super::connection::Connection;
use super::session;

/// How long a read may look for a majority: an election, and a little more.
const FRESH_WITHIN: Duration = Duration::from_millis(1_500);

/// How long it may take until what was stored a moment ago can be seen.
const SEEN_WITHIN: Duration = Duration::from_millis(300);
/// The longest page; a longer one is cut to this, and says that there is more.
const PAGE_MAX: u32 = 500;

/// Which messages of a conversation.
pub(super) struct Page {
    pub(super) before: Option<Cursor>,
    pub(super) after: Option<Cursor>,
    pub(super) limit: u32,
}

pub(super) async fn accounts(
    connection: &Connection,
    pattern: Option<&str>,
    after: Option<&str>,
    limit: u32,
) -> Result<Given, Refusal> {
    reading(connection, || {
        let context = &connection.context;
        let page = || context.app.accounts_page(pattern, after, page_limit(limit));
        // Few may match, or none: then it looks at all that there are.
        let page = if pattern.is_some() { while_others_go_on(page) } else { page() };
        let (accounts, more) = context.read(page)?;
        Ok(Answer::Accounts { accounts, more })
    })
    .await
}

pub(super) async fn conversations(connection: &Connection) -> Result<Given, Refusal> {
    reading_as(connection, |account| {
        let context = &connection.context;
        // It looks at all of them, to have the latest.
        let all = while_others_go_on(|| context.app.conversations(account));
        Ok(Answer::Conversations(context.read(all)?))
    })
    .await
}

pub(super) async fn conversations_after(
    connection: &Connection,
    after: Option<ConversationId>,
) -> Result<Given, Refusal> {
    reading_as(connection, |account| {
        let context = &connection.context;
        Ok(Answer::Conversations(context.read(context.app.conversations_after(account, after))?))
    })
    .await
}

/// The term of an entry that was applied does not change, so no other node need be asked.
pub(super) async fn term(connection: &Connection, at: Cursor) -> Result<Given, Refusal> {
    session::current(connection)?;
    // It may have been stored a moment ago. One that this node never gets to is not waited for long.
    connection.caught_up(at, SEEN_WITHIN).await;
    let context = &connection.context;
    Ok(Answer::Term(context.read(context.app.term(at))?).into())
}

/// A page of the conversation between the session's account and another. Conversations are named by
/// their other side, so nobody can even ask for one of others.
pub(super) async fn messages(connection: &Connection, with: &To, page: Page) -> Result<Given, Refusal> {
    reading_as(connection, |account| {
        let context = &connection.context;
        let other = other_side(connection, with)?;
        let Some(conversation) = context.read(context.app.conversation_with(account, other.id))? else {
            return Ok(Answer::Messages { conversation: None, messages: Vec::new(), more: false });
        };
        let limit = page_limit(page.limit);
        let messages = context.app.messages(conversation.id, account, page.before, page.after, limit);
        let (messages, more) = context.read(messages)?;
        Ok(Answer::Messages { conversation: Some(conversation), messages, more })
    })
    .await
}

pub(super) async fn message_by_id(connection: &Connection, id: MessageId) -> Result<Given, Refusal> {
    reading_as(connection, |account| {
        let context = &connection.context;
        Ok(Answer::Message(context.read(context.app.message_by_id(account, id))?))
    })
    .await
}

pub(super) async fn deletion_preview(connection: &Connection) -> Result<Given, Refusal> {
    reading_as(connection, |account| {
        let context = &connection.context;
        // It looks at all conversations.
        let (undelivered, senders) = context.read(while_others_go_on(|| context.app.deletion_preview(account)))?;
        Ok(Answer::DeletionPreview { undelivered, senders })
    })
    .await
}

/// As `reading`, of what is the account's own.
async fn reading_as(
    connection: &Connection,
    read: impl FnOnce(AccountId) -> Result<Answer, Refusal>,
) -> Result<Given, Refusal> {
    // Before, so that a stranger does not wait for a majority only to hear that it must log in; and
    // after, because the session may have ended meanwhile.
    session::current(connection)?;
    reading(connection, || read(session::current(connection)?.account)).await
}

/// Reads once this node knows what the others do; or, after a bound, from what it has. That may be
/// less than the client has seen elsewhere: the answer says that it is stale, and how far it goes.
async fn reading(connection: &Connection, read: impl FnOnce() -> Result<Answer, Refusal>) -> Result<Given, Refusal> {
    let stale = is_stale(connection).await;
    Ok(Given { stale, ..read()?.into() })
}

/// Waits, up to the bound, until this node knows what the others do; whether it does not.
pub(super) async fn is_stale(connection: &Connection) -> bool {
    connection.context.quorum.read_barrier(FRESH_WITHIN).await.is_err()
}

pub(super) fn other_side(connection: &Connection, with: &To) -> Result<AccountInfo, Refusal> {
    let context = &connection.context;
    let found = match with {
        To::Name(name) => context.read(context.app.account_by_name(name))?,
        To::Account(id) => context.read(context.app.account(*id))?,
    };
    found.ok_or_else(|| Refusal::new(Code::NoSuchAccount, "There is no account of that name."))
}

pub(super) fn page_limit(limit: u32) -> usize {
    limit.clamp(1, PAGE_MAX) as usize
}
