//! Deletion: the name is free at once, the sessions end, and whoever wrote what never arrived is
//! told how much that was.
//!
//! Takes as long as the account has conversations, however many messages they hold: what becomes of
//! each message is derived when it is read ([`crate::delivery`]).

use crate::{
    Account, AccountId, Change, Conversation, Cursor, FeedRow, Mark, Notice, Outcome, Rejection, Reply, SessionId,
    Timestamp, View, session,
};

/// What deleting an account would do, or did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletionPreview {
    /// Messages that no device of the account has received.
    pub undelivered: u64,
    /// How many other accounts sent them and would be told.
    pub senders: u64,
}

/// Messages of one sender that never reached the account.
struct Stranded {
    conversation: Conversation,
    sender: AccountId,
    delivered: Mark,
    count: u64,
}

/// What deleting the account would do.
pub fn deletion_preview(view: &impl View, account: AccountId) -> DeletionPreview {
    let stranded = stranded(view, account);
    let undelivered = stranded.iter().fold(0u64, |sum, one| sum.saturating_add(one.count));
    DeletionPreview { undelivered, senders: u64::try_from(stranded.len()).unwrap_or(u64::MAX) }
}

pub(crate) fn delete(
    view: &impl View,
    position: Cursor,
    session: SessionId,
    at: Timestamp,
) -> Result<Outcome, Rejection> {
    let id = session::living(view, session)?.account;
    let account = view.account(id).ok_or(Rejection::SessionEnded)?;
    let mut outcome = Outcome::reply(Reply::AccountDeleted { returned: deletion_preview(view, id).undelivered });
    outcome.changes.extend(stranded(view, id).into_iter().map(|one| returned(one, position, id)));
    let sessions = view.sessions_of(id).into_iter().filter_map(|id| view.session(id));
    outcome.changes.extend(sessions.map(|session| session::remove(&session)));
    outcome.changes.push(Change::RemoveName(account.name.key().clone()));
    outcome.changes.push(Change::PutAccount(tombstone(account, at)));
    // Nothing beside this about the connection: whoever is deleted is not connected.
    outcome.notices.push(Notice::AccountDeleted(id));
    Ok(outcome)
}

/// By sender, without those who were deleted themselves: nobody is left to be told.
fn stranded(view: &impl View, account: AccountId) -> Vec<Stranded> {
    let conversations = view.conversations_of(account).into_iter().filter_map(|id| view.conversation(id));
    conversations.filter_map(|conversation| stranded_in(view, account, conversation)).collect()
}

fn stranded_in(view: &impl View, account: AccountId, conversation: Conversation) -> Option<Stranded> {
    let sender = conversation.other(account);
    let member = view.member(conversation.id, account);
    let told = member.undelivered() > 0 && view.account(sender).is_some_and(|sender| !sender.is_deleted());
    told.then(|| Stranded { conversation, sender, delivered: member.delivered, count: member.undelivered() })
}

fn returned(stranded: Stranded, position: Cursor, by: AccountId) -> Change {
    let row = FeedRow::Returned {
        conversation: stranded.conversation.id,
        by,
        after: stranded.delivered.up_to,
        returned: stranded.count,
    };
    Change::PutFeed(stranded.sender, position, row)
}

fn tombstone(account: Account, at: Timestamp) -> Account {
    Account { credentials: Vec::new(), deleted_at: Some(at), connected: 0, ..account }
}
