//! Marks: how far an account has received and read each conversation, and who is told.
//!
//! A mark is a place together with the number of others' messages up to it, so that counting what
//! is unread is a subtraction. Both numbers come from the message at the place: nothing here walks
//! a conversation.

use std::collections::BTreeMap;

use crate::{
    Account, AccountId, Change, Conversation, ConversationId, Cursor, Delivery, FeedRow, Mark, Member, Message,
    Outcome, Rejection, SessionId, View, conversation, session,
};

/// What has become of the message, from what is known of its recipient.
pub fn delivery(message: &Message, recipient: &Account, place: &Member) -> Delivery {
    if place.read.up_to >= message.cursor {
        Delivery::Read
    } else if place.delivered.up_to >= message.cursor {
        Delivery::Delivered
    } else if recipient.is_deleted() {
        Delivery::Returned
    } else {
        Delivery::Stored
    }
}

/// Marks as delivered, in all these conversations or in none.
pub(crate) fn mark_delivered(
    view: &impl View,
    position: Cursor,
    session: SessionId,
    marks: &[(ConversationId, Cursor)],
) -> Result<Outcome, Rejection> {
    let reader = session::living(view, session)?.account;
    let mut outcome = Outcome::done();
    for (conversation, up_to) in furthest(marks) {
        let conversation = conversation::of(view, conversation, reader)?;
        outcome.changes.extend(delivered(view, position, reader, &conversation, up_to));
    }
    Ok(outcome)
}

/// Each conversation once, as the changes to one would otherwise overwrite each other.
fn furthest(marks: &[(ConversationId, Cursor)]) -> BTreeMap<ConversationId, Cursor> {
    let mut furthest = BTreeMap::new();
    for (conversation, up_to) in marks {
        let known: &mut Cursor = furthest.entry(*conversation).or_default();
        *known = (*known).max(*up_to);
    }
    furthest
}

fn delivered(
    view: &impl View,
    position: Cursor,
    reader: AccountId,
    conversation: &Conversation,
    up_to: Cursor,
) -> Vec<Change> {
    let mut member = view.member(conversation.id, reader);
    let mark = mark_at(view, conversation.id, reader, up_to);
    if mark.up_to <= member.delivered.up_to {
        return Vec::new();
    }
    member.delivered = mark;
    let older = member.delivered_row.replace(position);
    let row = FeedRow::Delivered { conversation: conversation.id, by: reader, up_to: mark.up_to };
    let mut changes = retell(view, conversation.other(reader), older, position, row);
    changes.push(Change::PutMember(conversation.id, reader, member));
    changes
}

/// Marks as read, and so as delivered.
pub(crate) fn mark_read(
    view: &impl View,
    position: Cursor,
    session: SessionId,
    conversation: ConversationId,
    up_to: Cursor,
) -> Result<Outcome, Rejection> {
    let reader = session::living(view, session)?.account;
    let conversation = conversation::of(view, conversation, reader)?;
    let mut outcome = Outcome::done();
    outcome.changes = read(view, position, reader, &conversation, up_to);
    Ok(outcome)
}

fn read(
    view: &impl View,
    position: Cursor,
    reader: AccountId,
    conversation: &Conversation,
    up_to: Cursor,
) -> Vec<Change> {
    let mut member = view.member(conversation.id, reader);
    let mark = mark_at(view, conversation.id, reader, up_to);
    if mark.up_to <= member.read.up_to {
        return Vec::new();
    }
    member.read = mark;
    let older = member.read_row.replace(position);
    let mut changes = Vec::new();
    if member.delivered.up_to <= mark.up_to {
        member.delivered = mark;
        let told = member.delivered_row.take();
        changes.extend(told.map(|row| Change::RemoveFeed(conversation.other(reader), row)));
    }
    for account in conversation::members(conversation) {
        let row = FeedRow::Read { conversation: conversation.id, by: reader, up_to: mark.up_to };
        changes.extend(retell(view, account, older, position, row));
    }
    changes.push(Change::PutMember(conversation.id, reader, member));
    changes
}

/// The mark at the last message at or before the cursor, so never beyond the conversation's end.
fn mark_at(view: &impl View, conversation: ConversationId, reader: AccountId, up_to: Cursor) -> Mark {
    let Some(message) = view.message_at_or_before(conversation, up_to) else {
        return Mark::default();
    };
    let own = message.sender == reader;
    let incoming = if own { message.number.saturating_sub(message.sender_number) } else { message.sender_number };
    Mark { up_to: message.cursor, incoming }
}

/// Puts a row about a mark into the account's feed, in the place of the older one that says less. An
/// account that was deleted has no reader for it.
///
/// One row at a cursor is enough: a command concerns an account through one conversation only, as
/// two accounts share one.
fn retell(view: &impl View, account: AccountId, older: Option<Cursor>, position: Cursor, row: FeedRow) -> Vec<Change> {
    let told = view.account(account).is_some_and(|account| !account.is_deleted());
    let put = told.then_some(Change::PutFeed(account, position, row));
    older.map(|older| Change::RemoveFeed(account, older)).into_iter().chain(put).collect()
}
