//! Reads, page by page.

use chat::Delivery;
use wire::message::{CLIENT_FRAME_SIZE_MAX_BYTES, FeedEvent, MessageInfo};

use super::*;

fn names(replica: &Replica, pattern: Option<&str>, after: Option<&str>, limit: usize) -> (Vec<String>, bool) {
    let (accounts, more) = replica.app.accounts_page(pattern, after, limit).unwrap();
    (accounts.into_iter().map(|account| account.name).collect(), more)
}

fn town(names: &[&str]) -> (Replica, Vec<(AccountId, SessionId)>) {
    let mut replica = Replica::in_memory();
    let people = names.iter().map(|name| replica.joined(name)).collect();
    (replica, people)
}

#[test]
fn accounts_come_by_folded_name_page_by_page() {
    let (replica, _) = town(&["Carol", "alice", "Bob", "dave"]);
    assert_eq!(names(&replica, None, None, 2), (vec!["alice".to_owned(), "Bob".to_owned()], true));
    assert_eq!(names(&replica, None, Some("BOB"), 2), (vec!["Carol".to_owned(), "dave".to_owned()], false));
    assert_eq!(names(&replica, None, Some("dave"), 2), (vec![], false));
}

#[test]
fn accounts_are_found_by_wildcards_in_any_case() {
    let (replica, _) = town(&["Carol", "Carla", "alice"]);
    assert_eq!(names(&replica, Some("CAR*"), None, 9), (vec!["Carla".to_owned(), "Carol".to_owned()], false));
    assert_eq!(names(&replica, Some("car?l"), None, 9), (vec!["Carol".to_owned()], false));
    assert_eq!(names(&replica, Some("x*"), None, 9), (vec![], false));
}

#[test]
fn a_name_of_any_length_may_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut replica = Replica::on_disk(folder.path());
    let (_, session) = replica.joined("alice");
    let long = "x".repeat(10_000);
    assert_eq!(replica.app.account_by_name(&long), Ok(None));
    assert_eq!(replica.app.account_by_name(""), Ok(None));
    assert_eq!(names(&replica, Some(&long), Some(&long), 9), (vec![], false));
    assert_eq!(names(&replica, None, Some(""), 9).0, ["alice"]);
    let reply = replica.then(send(session, Numbering::default(), MessageId(1), &long, "hello?"));
    assert_eq!(reply, Reply::Rejected(chat::Rejection::NoSuchAccount));
}

#[test]
fn deleted_accounts_are_not_listed_and_still_known() {
    let (mut replica, people) = town(&["alice", "bob"]);
    replica.then(Command::DeleteAccount { session: people[1].1, at: Timestamp(9) });
    assert_eq!(names(&replica, None, None, 9), (vec!["alice".to_owned()], false));
    assert_eq!(replica.app.credentials("bob"), Ok(None));
    assert!(replica.app.account(people[1].0).unwrap().unwrap().deleted);
}

/// Ten messages between two, and another conversation beside it.
fn conversation() -> (Replica, Vec<(AccountId, SessionId)>, ConversationId) {
    let (mut replica, people) = town(&["alice", "bob", "carol"]);
    let mut conversation = None;
    for number in 1..=10 {
        conversation = Some(replica.says(people[number % 2].1, ["bob", "alice"][number % 2], &number.to_string()).0);
        replica.says(people[2].1, "alice", "beside it");
    }
    (replica, people, conversation.unwrap())
}

fn texts(messages: &[MessageInfo]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_str()).collect()
}

#[test]
fn a_conversation_is_read_backwards_from_its_end() {
    let (replica, people, id) = conversation();
    let viewer = people[0].0;
    let (last, more) = replica.app.messages(id, viewer, None, None, 4).unwrap();
    assert_eq!((texts(&last), more), (vec!["7", "8", "9", "10"], true));
    let (earlier, more) = replica.app.messages(id, viewer, Some(last[0].cursor), None, 4).unwrap();
    assert_eq!((texts(&earlier), more), (vec!["3", "4", "5", "6"], true));
    let (first, more) = replica.app.messages(id, viewer, Some(earlier[0].cursor), None, 4).unwrap();
    assert_eq!((texts(&first), more), (vec!["1", "2"], false));
}

#[test]
fn a_conversation_is_read_forwards_from_a_place() {
    let (replica, people, id) = conversation();
    let viewer = people[0].0;
    let (first, more) = replica.app.messages(id, viewer, None, Some(Cursor::START), 4).unwrap();
    assert_eq!((texts(&first), more), (vec!["1", "2", "3", "4"], true));
    let (rest, more) = replica.app.messages(id, viewer, None, Some(first[3].cursor), 6).unwrap();
    assert_eq!((texts(&rest), more), (vec!["5", "6", "7", "8", "9", "10"], false));
    let between = replica.app.messages(id, viewer, Some(rest[2].cursor), Some(first[3].cursor), 6).unwrap();
    assert_eq!((texts(&between.0), between.1), (vec!["5", "6"], false));
}

#[test]
fn nobody_reads_what_others_say_to_each_other() {
    let (replica, people, id) = conversation();
    assert_eq!(replica.app.messages(id, people[2].0, None, None, 4), Ok((vec![], false)));
}

#[test]
fn a_page_of_long_messages_fits_a_frame_and_says_that_there_is_more() {
    let (mut replica, people) = town(&["alice", "bob"]);
    let long = "x".repeat(chat::TEXT_SIZE_MAX_BYTES);
    let id = (0..20).map(|_| replica.says(people[0].1, "bob", &long).0).last().unwrap();
    for after in [None, Some(Cursor::START)] {
        let (page, more) = replica.app.messages(id, people[1].0, None, after, 100).unwrap();
        assert!(more && page.len() == 8);
        assert!(postcard::to_stdvec(&page).unwrap().len() < CLIENT_FRAME_SIZE_MAX_BYTES);
    }
}

#[test]
fn a_list_of_many_conversations_fits_a_frame() {
    let mut replica = Replica::in_memory();
    let (alice, session) = replica.joined("alice");
    let long = "x".repeat(chat::TEXT_SIZE_MAX_BYTES);
    let everyone: Vec<String> = (0..310).map(|number| format!("{number:李<32}")).collect();
    for name in &everyone {
        replica.joined(name);
        replica.says(session, name, &long);
    }
    let list = replica.app.conversations(alice).unwrap();
    assert_eq!(list[0].with.name, everyone[309]);
    assert!(list[0].last.is_some() && list[299].last.is_none());
    assert!(postcard::to_stdvec(&list).unwrap().len() < CLIENT_FRAME_SIZE_MAX_BYTES);
}

#[test]
fn conversations_come_latest_first_with_what_is_unread() {
    let (mut replica, people, id) = conversation();
    let (alice, session) = people[0];
    let list = replica.app.conversations(alice).unwrap();
    let seen: Vec<_> = list.iter().map(|one| (one.with.name.as_str(), one.length, one.unread)).collect();
    assert_eq!(seen, [("carol", 10, 10), ("bob", 10, 5)]);
    assert_eq!(list[1].last.as_ref().unwrap().text, "10");
    replica.then(Command::MarkRead { session, conversation: id, up_to: Cursor(u64::MAX) });
    let with_bob = replica.app.conversation_with(alice, people[1].0).unwrap().unwrap();
    assert_eq!((with_bob.id, with_bob.unread), (id, 0));
    assert_eq!(replica.app.conversation_with(people[1].0, people[2].0), Ok(None));
}

#[test]
fn a_message_says_what_has_become_of_it() {
    let (mut replica, people) = town(&["alice", "bob"]);
    let (conversation, cursor) = replica.says(people[0].1, "bob", "hello");
    let id = MessageId(3);
    let state = |replica: &Replica| replica.app.message_by_id(people[0].0, id).unwrap().unwrap().state;
    assert_eq!(state(&replica), Delivery::Stored);
    assert_eq!(replica.app.deletion_preview(people[1].0), Ok((1, 1)));
    replica.then(Command::MarkDelivered { session: people[1].1, marks: vec![(conversation, cursor)] });
    assert_eq!(state(&replica), Delivery::Delivered);
    assert_eq!(replica.app.message_by_id(people[1].0, id), Ok(None), "the id is the sender's own");
}

#[test]
fn a_feed_is_resumed_without_gap_and_without_repeat() {
    let (replica, people, _) = conversation();
    let alice = people[0].0;
    let whole = replica.app.feed(alice, Cursor::START, 1_000).unwrap();
    assert_eq!(whole.len(), 20);
    for limit in [1, 3, 7] {
        let (mut after, mut pieces) = (Cursor::START, Vec::new());
        loop {
            let piece = replica.app.feed(alice, after, limit).unwrap();
            let Some((last, _)) = piece.last() else { break };
            after = *last;
            pieces.extend(piece);
        }
        assert_eq!(pieces, whole);
    }
}

#[test]
fn a_feed_tells_who_never_got_what() {
    let (mut replica, people) = town(&["alice", "bob"]);
    replica.says(people[0].1, "bob", "lost");
    replica.then(Command::DeleteAccount { session: people[1].1, at: Timestamp(9) });
    let feed = replica.app.feed(people[0].0, Cursor::START, 9).unwrap();
    let [(_, FeedEvent::Message(message)), (_, FeedEvent::Returned { by, returned: 1, .. })] = &feed[..] else {
        panic!("{feed:?}")
    };
    assert_eq!(message.state, Delivery::Returned);
    assert!(by.deleted && by.name == "bob");
}

#[test]
fn connected_sessions_are_found_wherever_they_listen() {
    let (mut replica, people) = town(&["alice", "bob"]);
    let at = chat::Replica(3);
    replica.then(Command::Connect { session: people[1].1, at });
    assert_eq!(replica.app.connected_sessions(), Ok(vec![(people[1].1, people[1].0, at)]));
}
