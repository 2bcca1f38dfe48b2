//! Subscriptions.

use chat::{Cursor, Reply};
use wire::message::{AccountChange, Answer, ClusterHealth, FeedEvent, Push, Request};

use super::guest::{Guest, token};
use super::twin::Node;

async fn alice_and_bob(node: &Node) -> (Guest, Guest) {
    let (mut alice, mut bob) = (node.connect(1), node.connect(2));
    alice.register("alice", "hunter2").await;
    bob.register("bob", "hunter3").await;
    (alice, bob)
}

async fn stored(alice: &mut Guest, seq: u64, text: &str) -> Cursor {
    match alice.send(seq, "bob", text).await {
        Reply::Stored { cursor, .. } => cursor,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_subscriber_gets_what_was_before_then_caught_up_then_what_is_new() {
    let node = Node::new();
    let (mut alice, mut bob) = alice_and_bob(&node).await;
    let one = stored(&mut alice, 1, "one").await;
    bob.subscribe(Some(Cursor::START), false).await;
    assert_eq!(bob.next_text().await, (one, "one".into()));
    assert!(bob.caught_up().await >= one);
    let two = stored(&mut alice, 2, "two").await;
    assert_eq!(bob.next_text().await, (two, "two".into()));
}

#[tokio::test]
async fn who_subscribes_from_now_on_gets_nothing_old() {
    let node = Node::new();
    let (mut alice, mut bob) = alice_and_bob(&node).await;
    let one = stored(&mut alice, 1, "one").await;
    assert!(bob.subscribe(None, false).await >= one);
    stored(&mut alice, 2, "two").await;
    assert_eq!(bob.next_text().await.1, "two");
}

#[tokio::test]
async fn a_feed_resumed_anywhere_has_no_gap_and_no_repeat() {
    let node = Node::new();
    let (mut alice, mut bob) = (node.connect(1), node.connect(2));
    alice.register("alice", "hunter2").await;
    let session = bob.register("bob", "hunter3").await.session;
    let (mut seen, mut last) = (Vec::new(), Cursor::START);
    for round in 0..5 {
        bob.subscribe(Some(last), true).await;
        for n in 1..=10 {
            stored(&mut alice, round * 10 + n, &format!("{}", round * 10 + n)).await;
        }
        // Some of what is under way is lost with each connection, at another place each time.
        for _ in 0..=round + 4 {
            let (cursor, text) = bob.next_text().await;
            seen.push(text);
            last = cursor;
        }
        bob = node.connect(2);
        bob.resume(session, token(1)).await.expect("its token");
    }
    bob.subscribe(Some(last), true).await;
    while seen.len() < 50 {
        seen.push(bob.next_text().await.1);
    }
    let sent: Vec<String> = (1..=50).map(|n| n.to_string()).collect();
    assert_eq!(seen, sent);
}

#[tokio::test]
async fn subscribing_again_starts_over_from_there() {
    let node = Node::new();
    let (mut alice, mut bob) = alice_and_bob(&node).await;
    let one = stored(&mut alice, 1, "one").await;
    stored(&mut alice, 2, "two").await;
    bob.subscribe(Some(Cursor::START), false).await;
    bob.caught_up().await;
    bob.subscribe(Some(one), false).await;
    assert_eq!(bob.next_text().await.1, "two");
    bob.caught_up().await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_nobody_and_misses_nothing() {
    let node = Node::new();
    let (mut alice, mut slow) = alice_and_bob(&node).await;
    let mut quick = node.connect(3);
    quick.log_in("bob", "hunter3").await.expect("the right password");
    slow.subscribe(Some(Cursor::START), false).await;
    quick.subscribe(Some(Cursor::START), false).await;
    let text = "x".repeat(8 * 1024);
    for seq in 1..=200 {
        stored(&mut alice, seq, &text).await;
        quick.next_text().await;
    }
    let mut last = Cursor::START;
    for _ in 1..=200 {
        let (cursor, _) = slow.next_text().await;
        assert!(cursor > last);
        last = cursor;
    }
}

#[tokio::test]
async fn a_sender_hears_of_deliveries_and_of_what_came_back() {
    let node = Node::new();
    let (mut alice, mut bob) = alice_and_bob(&node).await;
    let Reply::Stored { conversation, cursor, .. } = alice.send(1, "bob", "hi").await else { panic!() };
    alice.subscribe(Some(cursor), false).await;
    bob.ask(Request::Delivered { marks: vec![(conversation, cursor)] }).await.expect("marked");
    alice.begin(super::guest::message(2, "bob", "too late")).await;
    alice.answered().await;
    bob.ask(Request::DeleteAccount).await.expect("deleted");
    let (mut delivered, mut returned) = (None, None);
    while returned.is_none() {
        match alice.push().await {
            Push::Feed { event: FeedEvent::Delivered { up_to, .. }, .. } => delivered = Some(up_to),
            Push::Feed { event: FeedEvent::Returned { returned: count, .. }, .. } => returned = Some(count),
            _ => {}
        }
    }
    assert_eq!((delivered, returned), (Some(cursor), Some(1)));
}

#[tokio::test]
async fn everyone_hears_who_comes_and_goes() {
    let node = Node::new();
    let (mut alice, mut bob) = alice_and_bob(&node).await;
    alice.subscribe(None, false).await;
    alice.caught_up().await;
    bob.subscribe(None, true).await;
    bob.caught_up().await;
    bob.ask(Request::Leave).await.expect("left");
    bob.ask(Request::DeleteAccount).await.expect("deleted");
    let mut heard = Vec::new();
    while heard.len() < 3 {
        if let Push::Account { account, change } = alice.push().await {
            assert_eq!(account.name, "bob");
            heard.push(change);
        }
    }
    assert_eq!(heard, [AccountChange::Connected, AccountChange::Disconnected, AccountChange::Deleted]);
}

#[tokio::test]
async fn whoever_is_connected_is_told_how_the_cluster_is_at_once_and_at_each_change() {
    let node = Node::new();
    let mut guest = node.connect(1);
    assert_eq!(guest.push().await, Push::Cluster(ClusterHealth::default()));
    let health = ClusterHealth { leader: Some("n2".into()), writable: true, nodes: Vec::new() };
    node.set_health(health.clone());
    assert_eq!(guest.push().await, Push::Cluster(health));
}

#[tokio::test]
async fn without_a_majority_a_subscriber_still_catches_up_with_this_node() {
    let node = Node::new();
    let (mut alice, mut bob) = alice_and_bob(&node).await;
    stored(&mut alice, 1, "one").await;
    node.lose_majority();
    bob.subscribe(Some(Cursor::START), true).await;
    assert_eq!(bob.next_text().await.1, "one");
    assert_eq!(bob.caught_up().await, node.applied());
}

#[tokio::test]
async fn a_node_that_stops_tells_its_clients_to_move_on() {
    let node = Node::new();
    let (mut alice, _bob) = alice_and_bob(&node).await;
    assert_eq!(alice.ask(Request::Ping).await, Ok(Answer::Done));
    node.stopping.cancel();
    while alice.push().await != Push::Leaving {}
    assert_eq!(alice.frame().await, None);
}
