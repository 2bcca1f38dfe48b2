//! Sending, marking and reading messages.

use chat::{Cursor, Delivery, MessageId, Numbering, Rejection, Reply};
use wire::Code;
use wire::message::{Answer, MessageInfo, Request, To};

use super::guest::{Guest, message};
use super::twin::Node;

async fn alice_and_bob(node: &Node) -> (Guest, Guest) {
    let (mut alice, mut bob) = (node.connect(1), node.connect(2));
    alice.register("alice", "hunter2").await;
    bob.register("bob", "hunter3").await;
    (alice, bob)
}

async fn page(guest: &mut Guest, with: &str, after: Option<Cursor>, limit: u32) -> (Vec<MessageInfo>, bool) {
    let request = Request::Messages { with: To::Name(with.into()), before: None, after, limit };
    match guest.ask(request).await {
        Ok(Answer::Messages { messages, more, .. }) => (messages, more),
        other => panic!("{other:?}"),
    }
}

fn texts(messages: &[MessageInfo]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_str()).collect()
}

#[tokio::test]
async fn what_was_stored_is_read_by_both_sides() {
    let node = Node::new();
    let (mut alice, mut bob) = alice_and_bob(&node).await;
    let reply = alice.send(1, "Bob", "hi").await;
    assert!(matches!(reply, Reply::Stored { recipient_active: false, .. }), "{reply:?}");
    let (seen, _) = page(&mut bob, "alice", None, 10).await;
    assert_eq!(texts(&seen), ["hi"]);
    assert_eq!(page(&mut alice, "bob", None, 10).await.0, seen);
    let by_id = alice.ask(Request::MessageById { id: MessageId(1) }).await;
    assert_eq!(by_id, Ok(Answer::Message(Some(seen[0].clone()))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_sent_without_waiting_keep_their_order() {
    let node = Node::new();
    let (mut alice, mut bob) = alice_and_bob(&node).await;
    // More than a task may do before the runtime has it make way for others.
    let sent: Vec<String> = (1..=400).map(|n| format!("message {n}")).collect();
    alice.begin_all((1..).zip(&sent).map(|(seq, text)| message(seq, "bob", text))).await;
    for _ in &sent {
        let answer = alice.answered().await.result;
        assert!(matches!(answer, Ok(Answer::Sent(Reply::Stored { .. }))), "{answer:?}");
    }
    let (seen, more) = page(&mut bob, "alice", None, 400).await;
    assert_eq!((texts(&seen), more), (sent.iter().map(String::as_str).collect(), false));
}

#[tokio::test]
async fn a_resend_is_answered_as_the_first_time() {
    let node = Node::new();
    let (mut alice, mut bob) = alice_and_bob(&node).await;
    let first = alice.send(1, "bob", "hi").await;
    assert_eq!(alice.send(1, "bob", "hi").await, first);
    assert_eq!(page(&mut bob, "alice", None, 10).await.0.len(), 1);
}

#[tokio::test]
async fn a_gap_says_which_number_is_expected() {
    let node = Node::new();
    let (mut alice, _bob) = alice_and_bob(&node).await;
    assert_eq!(alice.send(2, "bob", "too early").await, Reply::SequenceGap { numbering: Numbering::default() });
}

#[tokio::test]
async fn what_cannot_be_a_message_uses_up_no_number() {
    let node = Node::new();
    let (mut alice, _bob) = alice_and_bob(&node).await;
    let long = "x".repeat(chat::TEXT_SIZE_MAX_BYTES + 1);
    assert_eq!(alice.refused(message(1, "bob", " \n")).await, Code::TextEmpty);
    let refusal = alice.ask(message(1, "bob", &long)).await.expect_err("too long");
    assert_eq!(refusal.code, Code::TextTooLong);
    assert!(refusal.message.contains("16384"), "{refusal}");
    assert_eq!(alice.refused(message(1, "b b", "hi")).await, Code::NameInvalid);
    assert!(matches!(alice.send(1, "bob", "hi").await, Reply::Stored { .. }));
}

#[tokio::test]
async fn a_message_to_nobody_uses_its_number_and_says_why() {
    let node = Node::new();
    let (mut alice, _bob) = alice_and_bob(&node).await;
    assert_eq!(alice.send(1, "carol", "hi").await, Reply::Rejected(Rejection::NoSuchAccount));
    assert!(matches!(alice.send(2, "bob", "hi").await, Reply::Stored { .. }));
}

#[tokio::test]
async fn a_long_conversation_is_read_in_pages() {
    let node = Node::new();
    let (mut alice, mut bob) = alice_and_bob(&node).await;
    for seq in 1..=5 {
        alice.send(seq, "bob", &format!("{seq}")).await;
    }
    let (last, more) = page(&mut bob, "alice", None, 2).await;
    assert_eq!((texts(&last), more), (vec!["4", "5"], true));
    let (first, more) = page(&mut bob, "alice", Some(Cursor::START), 3).await;
    assert_eq!((texts(&first), more), (vec!["1", "2", "3"], true));
    let (rest, more) = page(&mut bob, "alice", Some(first[2].cursor), 3).await;
    assert_eq!((texts(&rest), more), (vec!["4", "5"], false));
}

#[tokio::test]
async fn a_page_of_the_longest_messages_fits_a_frame() {
    let node = Node::new();
    let (mut alice, mut bob) = alice_and_bob(&node).await;
    let text = "x".repeat(chat::TEXT_SIZE_MAX_BYTES);
    for seq in 1..=20 {
        alice.send(seq, "bob", &text).await;
    }
    let (mut after, mut seen) = (Cursor::START, 0);
    loop {
        let (messages, more) = page(&mut bob, "alice", Some(after), 500).await;
        seen += messages.len();
        if !more {
            break;
        }
        after = messages.last().expect("more means some").cursor;
    }
    assert_eq!(seen, 20);
}

#[tokio::test]
async fn a_list_of_conversations_with_the_longest_messages_fits_a_frame() {
    let node = Node::new();
    let mut alice = node.connect(1);
    alice.register("alice", "hunter2").await;
    let text = "x".repeat(chat::TEXT_SIZE_MAX_BYTES);
    for n in 1..=20 {
        let name = format!("friend{n}");
        node.connect(n + 1).register(&name, "hunter3").await;
        alice.send(n.into(), &name, &text).await;
    }
    let Ok(Answer::Conversations(conversations)) = alice.ask(Request::Conversations).await else { panic!() };
    assert_eq!(conversations.len(), 20);
    assert!(conversations.iter().any(|conversation| conversation.last.is_some()));
}

#[tokio::test]
async fn a_name_that_nobody_can_have_is_refused_at_once() {
    let mut guest = Node::new().connect(1);
    let endless = "x".repeat(100_000);
    let list = Request::Accounts { pattern: Some(endless.clone()), after: None, limit: 1 };
    assert_eq!(guest.refused(list).await, Code::NameInvalid);
    let page = Request::Messages { with: To::Name(endless), before: None, after: None, limit: 1 };
    assert_eq!(guest.refused(page).await, Code::NameInvalid);
}

#[tokio::test]
async fn nobody_reads_or_marks_a_conversation_of_others() {
    let node = Node::new();
    let (mut alice, _bob) = alice_and_bob(&node).await;
    let Reply::Stored { conversation, cursor, .. } = alice.send(1, "bob", "between us").await else { panic!() };
    let mut eve = node.connect(3);
    eve.register("eve", "hunter4").await;
    for with in ["alice", "bob"] {
        assert_eq!(page(&mut eve, with, None, 10).await.0, []);
    }
    assert_eq!(eve.ask(Request::MessageById { id: MessageId(1) }).await, Ok(Answer::Message(None)));
    assert_eq!(eve.refused(Request::Read { conversation, up_to: cursor }).await, Code::NoSuchConversation);
    assert_eq!(eve.ask(Request::Conversations).await, Ok(Answer::Conversations(Vec::new())));
}

#[tokio::test]
async fn marks_tell_the_sender_how_far_its_message_came() {
    let node = Node::new();
    let (mut alice, mut bob) = alice_and_bob(&node).await;
    let Reply::Stored { conversation, cursor, .. } = alice.send(1, "bob", "hi").await else { panic!() };
    bob.ask(Request::Delivered { marks: vec![(conversation, cursor)] }).await.expect("marked");
    assert_eq!(page(&mut alice, "bob", None, 1).await.0[0].state, Delivery::Delivered);
    bob.ask(Request::Read { conversation, up_to: cursor }).await.expect("marked");
    assert_eq!(page(&mut alice, "bob", None, 1).await.0[0].state, Delivery::Read);
}

#[tokio::test]
async fn without_a_majority_reads_go_on_and_say_that_they_are_stale() {
    let node = Node::new();
    let (mut alice, _bob) = alice_and_bob(&node).await;
    assert!(!alice.ask_whole(Request::Conversations).await.stale);
    node.lose_majority();
    let answered = alice.ask_whole(Request::Conversations).await;
    assert!(answered.stale && answered.result.is_ok());
    assert_eq!(answered.applied, node.applied());
    assert_eq!(alice.refused(message(1, "bob", "hi")).await, Code::NoQuorum);
}

#[tokio::test]
async fn accounts_are_listed_to_anyone_in_pages() {
    let node = Node::new();
    let (_alice, _bob) = alice_and_bob(&node).await;
    let mut guest = node.connect(3);
    let mut list = async |pattern: Option<&str>, after: Option<&str>| {
        let (pattern, after) = (pattern.map(str::to_owned), after.map(str::to_owned));
        match guest.ask(Request::Accounts { pattern, after, limit: 1 }).await {
            Ok(Answer::Accounts { accounts, more }) => (accounts.into_iter().map(|a| a.name).collect::<Vec<_>>(), more),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(list(None, None).await, (vec!["alice".into()], true));
    assert_eq!(list(None, Some("alice")).await, (vec!["bob".into()], false));
    assert_eq!(list(Some("B*"), None).await, (vec!["bob".into()], false));
}
