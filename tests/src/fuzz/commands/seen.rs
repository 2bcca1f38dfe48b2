//! Everything that can be read from the application, compared with the model.

use std::collections::BTreeSet;

use chat::{AccountId, ConversationId, Cursor, Delivery};
use node::app::App;
use wire::message::{FeedEvent, MessageInfo};

use super::model::{Message, Model};

/// More than any run has.
const ALL: usize = 1_000;

pub(super) fn assert_as_in(model: &Model, app: &App) {
    for session in &model.sessions {
        let found = app.session(session.id).expect("whole rows").expect("an open session");
        assert_eq!((found.account, found.numbering), (session.account, session.numbering));
        assert_eq!(found.connected, session.connected);
    }
    let connected = app.connected_sessions().expect("whole rows");
    assert_eq!(connected.len(), model.sessions.iter().filter(|session| session.connected.is_some()).count());
    assert_accounts(model, app);
    for account in model.accounts.iter().filter(|account| !account.is_deleted) {
        assert_conversations(model, app, account.id);
        assert_feed(model, app, account.id);
        let stranded = model.stranded(account.id);
        let lost = stranded.iter().map(|(_, _, count)| count).sum();
        assert_eq!(app.deletion_preview(account.id).expect("whole rows"), (lost, stranded.len() as u64));
    }
}

fn assert_accounts(model: &Model, app: &App) {
    let living = model.accounts.iter().filter(|account| !account.is_deleted);
    let expected: BTreeSet<_> = living.map(|one| (one.id, one.name.clone(), model.is_active(one.id))).collect();
    let (page, more) = app.accounts_page(None, None, ALL).expect("whole rows");
    let found: BTreeSet<_> = page.into_iter().map(|one| (one.id, one.name, one.active)).collect();
    assert_eq!((found, more), (expected, false), "the list of accounts");
}

fn assert_conversations(model: &Model, app: &App, account: AccountId) {
    let mine = |one: &&Message| one.from == account || one.to == account;
    let expected: BTreeSet<_> = model.messages.iter().filter(mine).map(|one| one.conversation).collect();
    let found = app.conversations(account).expect("whole rows");
    assert_eq!(found.iter().map(|one| one.id).collect::<BTreeSet<_>>(), expected, "conversations of {account:?}");
    for info in found {
        let said: Vec<_> = model.in_conversation(info.id).collect();
        let read = model.read(info.id, account);
        let unread = said.iter().filter(|one| one.from != account && one.cursor > read).count();
        assert_eq!((info.length, info.unread), (said.len() as u64, unread as u64), "counts of {:?}", info.id);
        assert_eq!(info.read_up_to, read);
        let (messages, more) = app.messages(info.id, account, None, None, ALL).expect("whole rows");
        assert!(!more);
        assert_eq!(messages.len(), said.len(), "messages of {:?}", info.id);
        for (found, expected) in messages.iter().zip(said) {
            assert_message(model, found, expected);
            assert_eq!(app.message_by_id(expected.from, expected.id).expect("whole rows").as_ref(), Some(found));
        }
    }
}

fn assert_message(model: &Model, found: &MessageInfo, expected: &Message) {
    assert_eq!((found.id, found.cursor, found.conversation), (expected.id, expected.cursor, expected.conversation));
    assert_eq!((found.from.id, found.to.id, found.sent_at), (expected.from, expected.to, expected.at));
    assert_eq!(found.text, expected.text.as_str());
    assert_eq!(found.state, state(model, expected), "what became of {:?}", expected.id);
}

fn state(model: &Model, message: &Message) -> Delivery {
    if message.cursor <= model.read(message.conversation, message.to) {
        Delivery::Read
    } else if message.cursor <= model.delivered(message.conversation, message.to) {
        Delivery::Delivered
    } else if model.accounts.iter().any(|account| account.id == message.to && account.is_deleted) {
        Delivery::Returned
    } else {
        Delivery::Stored
    }
}

/// Each message of the account's once, in order, and of each mark the latest only.
fn assert_feed(model: &Model, app: &App, account: AccountId) {
    let rows = app.feed(account, Cursor::START, ALL).expect("whole rows");
    assert!(rows.is_sorted_by_key(|(cursor, _)| *cursor), "a feed is in order");
    let mine = |one: &&Message| one.from == account || one.to == account;
    let expected: Vec<_> = model.messages.iter().filter(mine).map(|one| one.cursor).collect();
    let (mut messages, mut marks) = (Vec::new(), BTreeSet::new());
    for (cursor, event) in rows {
        match event {
            FeedEvent::Message(message) => {
                assert_eq!(message.cursor, cursor);
                messages.push(cursor);
            }
            FeedEvent::Delivered { conversation, by, up_to } => {
                assert!(marks.insert((conversation, by, false)), "two rows of one mark");
                assert_mark(model.delivered(conversation, by), up_to, (conversation, by));
            }
            FeedEvent::Read { conversation, by, up_to } => {
                assert!(marks.insert((conversation, by, true)), "two rows of one mark");
                assert_mark(model.read(conversation, by), up_to, (conversation, by));
            }
            FeedEvent::Returned { by, .. } => {
                assert!(model.accounts.iter().any(|one| one.id == by.id && one.is_deleted), "nobody was deleted");
            }
        }
    }
    assert_eq!(messages, expected, "the messages in the feed of {account:?}");
}

fn assert_mark(model: Cursor, told: Cursor, of: (ConversationId, AccountId)) {
    assert_eq!(told, model, "the mark of {of:?}");
}
