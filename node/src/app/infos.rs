//! Records as clients see them.

use chat::{Account, AccountId, Conversation, Cursor, FeedRow, Message};
use wire::message::{AccountInfo, ConversationInfo, FeedEvent, MessageInfo};

use super::tables::Tables;
use super::value;
use crate::store::StoreError;

pub(super) fn account_info(account: &Account) -> AccountInfo {
    AccountInfo {
        id: account.id,
        name: account.name.to_string(),
        active: account.is_active(),
        deleted: account.is_deleted(),
        created_at: account.created_at,
    }
}

/// The message with what has become of it.
pub(super) fn message_info(tables: Tables<'_>, message: Message) -> Result<MessageInfo, StoreError> {
    let conversation = there(tables.conversation(message.conversation)?, "the conversation of a message")?;
    let from = account(tables, message.sender)?;
    let to = account(tables, conversation.other(message.sender))?;
    let state = chat::delivery(&message, &to, &tables.member(message.conversation, to.id)?);
    Ok(MessageInfo {
        id: message.id,
        cursor: message.cursor,
        conversation: message.conversation,
        from: account_info(&from),
        to: account_info(&to),
        text: message.text.into(),
        sent_at: message.sent_at,
        state,
    })
}

/// The conversation as the viewer, one of its members, sees it; with its last message if asked for.
pub(super) fn conversation_info(
    tables: Tables<'_>,
    conversation: &Conversation,
    viewer: AccountId,
    with_last: bool,
) -> Result<ConversationInfo, StoreError> {
    let member = tables.member(conversation.id, viewer)?;
    let last = if with_last { tables.message(conversation.id, conversation.last)? } else { None };
    Ok(ConversationInfo {
        id: conversation.id,
        with: account_info(&account(tables, conversation.other(viewer))?),
        length: conversation.length,
        unread: member.unread(),
        read_up_to: member.read.up_to,
        last: last.map(|message| message_info(tables, message)).transpose()?,
    })
}

/// What a subscriber is told about a row of its feed.
pub(super) fn feed_event(tables: Tables<'_>, at: Cursor, row: FeedRow) -> Result<FeedEvent, StoreError> {
    Ok(match row {
        FeedRow::Message { conversation } => {
            let message = there(tables.message(conversation, at)?, "a message that a feed names")?;
            FeedEvent::Message(message_info(tables, message)?)
        }
        FeedRow::Delivered { conversation, by, up_to } => FeedEvent::Delivered { conversation, by, up_to },
        FeedRow::Read { conversation, by, up_to } => FeedEvent::Read { conversation, by, up_to },
        FeedRow::Returned { conversation, by, after, returned } => {
            FeedEvent::Returned { conversation, by: account_info(&account(tables, by)?), after, returned }
        }
    })
}

/// An account that another record names. Accounts are never removed.
fn account(tables: Tables<'_>, id: AccountId) -> Result<Account, StoreError> {
    there(tables.account(id)?, "an account that another record names")
}

fn there<T>(found: Option<T>, what: &str) -> Result<T, StoreError> {
    found.ok_or_else(|| value::damaged("the state", what))
}
