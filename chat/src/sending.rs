//! Sending: a message gets its place, once, however often and through whichever session it is sent.

use crate::session::{self, Order, Turn};
use crate::{
    Account, AccountId, Change, Conversation, Cursor, FeedRow, Member, Message, MessageId, Outcome, Recipient,
    Rejection, Reply, Seq, SessionId, Text, Timestamp, View, account, conversation,
};

/// What a message changes at most: for both members how far they are and their feeds, the message, the conversation, and of the session
/// its numbering and what it remembers.
const CHANGES_MAX: usize = 8;

/// A message that has no place yet.
pub(crate) struct Draft<'a> {
    pub(crate) id: MessageId,
    pub(crate) to: &'a Recipient,
    pub(crate) text: &'a Text,
    pub(crate) at: Timestamp,
}

/// Executes the command if its turn has come. A rejected one uses its number up, or the session could
/// never go on after it.
pub(crate) fn send(
    view: &impl View,
    position: Cursor,
    session: SessionId,
    turn: Turn,
    draft: &Draft<'_>,
) -> Result<Outcome, Rejection> {
    let session = session::living(view, session)?;
    match turn.order(session.numbering) {
        Order::Out => Ok(Outcome::reply(Reply::SequenceGap { numbering: session.numbering })),
        Order::Before => Ok(Outcome::reply(answered(view, session.id, session.account, turn.seq, draft))),
        Order::Now => {
            let mut outcome = place(view, position, session.account, draft).unwrap_or_else(Outcome::rejected);
            outcome.changes.extend(session::remember(session, turn.seq, draft.id, &outcome.reply));
            Ok(outcome)
        }
    }
}

/// What the command was answered when it was executed: a refusal, or the place that its message has ever since.
fn answered(view: &impl View, session: SessionId, sender: AccountId, seq: Seq, draft: &Draft<'_>) -> Reply {
    view.remembered(session, seq)
        .or_else(|| earlier(view, sender, draft).map(|reply| reply.unwrap_or_else(Reply::Rejected)))
        .unwrap_or(Reply::Forgotten)
}

fn place(view: &impl View, position: Cursor, sender: AccountId, draft: &Draft<'_>) -> Result<Outcome, Rejection> {
    if let Some(earlier) = earlier(view, sender, draft) {
        return earlier.map(Outcome::reply);
    }
    let recipient = resolve(view, draft.to)?;
    Ok(store(view, position, sender, &recipient, draft))
}

/// The answer for a message that the sender's id already names, through this session or another.
fn earlier(view: &impl View, sender: AccountId, draft: &Draft<'_>) -> Option<Result<Reply, Rejection>> {
    let (conversation, cursor) = view.message_place(sender, draft.id)?;
    let message = view.message(conversation, cursor)?;
    let recipient = view.account(view.conversation(conversation)?.other(sender))?;
    let same = message.text == *draft.text && is_for(draft.to, &recipient);
    Some(if same { Ok(stored(&message, &recipient)) } else { Err(Rejection::IdConflict(draft.id)) })
}

/// Whether the recipient named is this account, even if it was deleted or its name taken since.
fn is_for(to: &Recipient, account: &Account) -> bool {
    match to {
        Recipient::Name(key) => account.name.key() == key,
        Recipient::Account(id) => account.id == *id,
    }
}

fn resolve(view: &impl View, to: &Recipient) -> Result<Account, Rejection> {
    let id = match to {
        Recipient::Name(key) => view.account_named(key).ok_or(Rejection::NoSuchAccount)?,
        Recipient::Account(id) => *id,
    };
    account::living(view, id)
}

fn store(view: &impl View, position: Cursor, sender: AccountId, recipient: &Account, draft: &Draft<'_>) -> Outcome {
    let conversation = conversation::grown(view, position, sender, recipient.id);
    let members = counted(view, &conversation, sender);
    let message = Message {
        conversation: conversation.id,
        cursor: position,
        id: draft.id,
        sender,
        number: conversation.length,
        sender_number: members.iter().find(|(account, _)| *account == sender).map_or(0, |(_, own)| own.outgoing),
        text: draft.text.clone(),
        sent_at: draft.at,
    };
    let mut outcome = Outcome::reply(stored(&message, recipient));
    outcome.changes.reserve(CHANGES_MAX);
    for (account, member) in members {
        outcome.changes.push(Change::PutMember(conversation.id, account, member));
        outcome.changes.push(Change::PutFeed(account, position, FeedRow::Message { conversation: conversation.id }));
    }
    outcome.changes.extend([Change::PutMessage(message), conversation::put(conversation)]);
    outcome
}

/// The members with one more message of the sender's counted: as its own, and as one of others'.
fn counted(view: &impl View, conversation: &Conversation, sender: AccountId) -> Vec<(AccountId, Member)> {
    let count = |account| {
        let mut member = view.member(conversation.id, account);
        let counter = if account == sender { &mut member.outgoing } else { &mut member.incoming };
        *counter = counter.saturating_add(1);
        (account, member)
    };
    conversation::members(conversation).map(count).collect()
}

fn stored(message: &Message, recipient: &Account) -> Reply {
    Reply::Stored {
        id: message.id,
        conversation: message.conversation,
        cursor: message.cursor,
        to: recipient.id,
        sent_at: message.sent_at,
        recipient_active: recipient.is_active(),
    }
}
