//! Looking for messages, and what else was added to reading.

use std::sync::Arc;

use chat::{Cursor, Reply};
use wire::Code;
use wire::message::{Answer, Request, To};

use super::guest::Guest;
use super::twin::Node;
use crate::api::SEARCHES_MAX;

fn search(query: &str, with: Option<&str>) -> Request {
    let with = with.map(|name| To::Name(name.to_owned()));
    Request::Search { query: query.to_owned(), with, before: None, limit: 10 }
}

async fn found(guest: &mut Guest, query: &str, with: Option<&str>) -> Vec<String> {
    match guest.ask(search(query, with)).await {
        Ok(Answer::Found { messages, .. }) => messages.into_iter().map(|message| message.text).collect(),
        other => panic!("{other:?}"),
    }
}

/// alice, who wrote to bob and to carol; bob; carol.
async fn three(node: &Node) -> [Guest; 3] {
    let mut guests = [node.connect(1), node.connect(2), node.connect(3)];
    for (guest, name) in guests.iter_mut().zip(["alice", "bob", "carol"]) {
        guest.register(name, "a password").await;
    }
    guests[0].send(1, "bob", "lunch at noon").await;
    guests[0].send(2, "carol", "lunch at one").await;
    guests
}

#[tokio::test]
async fn everyone_finds_what_they_may_read_and_nothing_else() {
    let node = Node::new();
    let [mut alice, mut bob, mut carol] = three(&node).await;
    assert_eq!(found(&mut alice, "LUNCH", None).await, ["lunch at one", "lunch at noon"]);
    assert_eq!(found(&mut alice, "lunch", Some("Bob")).await, ["lunch at noon"]);
    assert_eq!(found(&mut bob, "lunch", None).await, ["lunch at noon"]);
    assert_eq!(found(&mut bob, "lunch", Some("carol")).await, Vec::<String>::new());
    assert_eq!(found(&mut carol, "lunch noon", None).await, Vec::<String>::new());
    assert_eq!(node.connect(4).refused(search("lunch", None)).await, Code::NotLoggedIn);
}

#[tokio::test]
async fn what_is_no_query_is_refused() {
    let node = Node::new();
    let [mut alice, ..] = three(&node).await;
    for query in ["", " ?!", &"a ".repeat(40), &"a".repeat(1_025)] {
        assert_eq!(alice.refused(search(query, None)).await, Code::QueryInvalid, "{query}");
    }
    assert_eq!(alice.refused(search("lunch", Some("nobody"))).await, Code::NoSuchAccount);
    assert_eq!(alice.refused(search("lunch", Some(&"x".repeat(2_000)))).await, Code::NameInvalid);
}

#[tokio::test]
async fn only_so_many_search_at_once() {
    let node = Node::new();
    let [mut alice, ..] = three(&node).await;
    let searching = Arc::clone(&node.context.searching);
    let others = searching.acquire_many_owned(SEARCHES_MAX as u32).await.expect("nobody searches yet");
    assert_eq!(alice.refused(search("lunch", None)).await, Code::Busy);
    drop(others);
    assert_eq!(found(&mut alice, "noon", None).await, ["lunch at noon"]);
    let free = node.context.searching.available_permits();
    assert_eq!(free, SEARCHES_MAX, "whoever has found something makes room");
}

#[tokio::test]
async fn without_a_majority_what_is_found_may_be_stale() {
    let node = Node::new();
    let [mut alice, ..] = three(&node).await;
    node.lose_majority();
    let answered = alice.ask_whole(search("noon", None)).await;
    assert!(answered.stale && matches!(answered.result, Ok(Answer::Found { messages, .. }) if messages.len() == 1));
}

#[tokio::test]
async fn all_conversations_come_page_by_page() {
    let node = Node::new();
    let [mut alice, ..] = three(&node).await;
    let Ok(Answer::Conversations(all)) = alice.ask(Request::ConversationsAfter { after: None }).await else {
        panic!("conversations were expected");
    };
    let names: Vec<_> = all.iter().map(|conversation| conversation.with.name.as_str()).collect();
    assert_eq!(names, ["bob", "carol"]);
    let after = Some(all[0].id);
    let rest = alice.ask(Request::ConversationsAfter { after }).await;
    assert_eq!(rest, Ok(Answer::Conversations(vec![all[1].clone()])));
    let end = alice.ask(Request::ConversationsAfter { after: Some(all[1].id) }).await;
    assert_eq!(end, Ok(Answer::Conversations(Vec::new())));
}

#[tokio::test]
async fn the_term_of_a_message_is_told_to_whoever_is_logged_in() {
    let node = Node::new();
    let [mut alice, ..] = three(&node).await;
    let Reply::Stored { cursor, .. } = alice.send(3, "bob", "proved").await else { panic!("not stored") };
    assert_eq!(alice.ask(Request::Term { at: cursor }).await, Ok(Answer::Term(Some(1))));
    assert_eq!(alice.ask(Request::Term { at: Cursor(cursor.0 + 1) }).await, Ok(Answer::Term(None)));
    assert_eq!(node.connect(4).refused(Request::Term { at: cursor }).await, Code::NotLoggedIn);
}
