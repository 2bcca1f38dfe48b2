//! The feed: no gap, no repeat, whatever happens to nodes, links and readers.

use std::time::Duration;

use chat::Delivery;
use wire::message::To;

use super::person;
use crate::testing::{Cluster, Fault, until};
use crate::{Client, FollowFrom, LinkState, Update, Updates, Want};

fn to_bob() -> To {
    To::Name("bob".into())
}

/// The next so many messages of the feed, and nothing else.
async fn next_texts(updates: &mut Updates, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(60), updates.next()).await.expect("an update in time");
        if let Update::Message(message) = next.expect("an update") {
            texts.push(message.text);
        }
    }
    texts
}

async fn send_range(client: &Client, numbers: std::ops::Range<u32>) -> Vec<String> {
    let texts: Vec<String> = numbers.map(|number| format!("message {number}")).collect();
    for text in &texts {
        client.send(to_bob(), text.clone(), None).await.expect("queued");
    }
    texts
}

#[tokio::test(start_paused = true)]
async fn a_feed_goes_on_over_failovers_without_gap_or_repeat() {
    let mut cluster = Cluster::of(&[1, 2, 3]);
    let (bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let mut updates = bob.updates();
    bob.follow(FollowFrom::Kept).await.expect("follows");
    let mut sent = Vec::new();
    let mut received = Vec::new();
    for round in 0..4 {
        sent.extend(send_range(&alice, round * 20..round * 20 + 20).await);
        received.extend(next_texts(&mut updates, 7).await);
        let LinkState::Live { peer, .. } = bob.link().borrow().clone() else { panic!("not connected") };
        cluster.fault(round as u8 % 3 + 1, Some(Fault::Repeats));
        cluster.kill(peer.0[0]);
        received.extend(next_texts(&mut updates, 13).await);
        cluster.start(peer.0[0]);
    }
    assert_eq!(received, sent);
}

#[tokio::test(start_paused = true)]
async fn what_was_received_is_delivered_and_said_so() {
    let cluster = Cluster::of(&[1]);
    let (bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let mut updates = bob.updates();
    bob.follow(FollowFrom::Kept).await.expect("follows");
    let id = alice.send(to_bob(), "hello".into(), None).await.expect("queued");
    assert_eq!(next_texts(&mut updates, 1).await, ["hello"]);
    // Asking for the next one is what confirms the last.
    let asking = tokio::spawn(async move { updates.next().await });
    let info = alice.settled(id, Want::Delivered, Duration::from_secs(20)).await.expect("delivered");
    assert_eq!(info.state, Delivery::Delivered);
    asking.abort();
}

#[tokio::test(start_paused = true)]
async fn what_was_received_while_no_node_could_be_told_is_said_later_though_nothing_more_comes() {
    let cluster = Cluster::of(&[1]);
    let (bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let mut updates = bob.updates();
    bob.follow(FollowFrom::Kept).await.expect("follows");
    let id = alice.send(to_bob(), "hello".into(), None).await.expect("queued");
    assert_eq!(next_texts(&mut updates, 1).await, ["hello"]);
    cluster.fault(1, Some(Fault::NoQuorum));
    // The updates of the trouble are no part of this; asking for one after the other is what confirms.
    let asking = tokio::spawn(async move { while updates.next().await.is_some() {} });
    tokio::time::sleep(Duration::from_secs(60)).await;
    cluster.fault(1, None);
    let info = alice.settled(id, Want::Delivered, Duration::from_secs(20)).await.expect("delivered");
    assert_eq!(info.state, Delivery::Delivered);
    asking.abort();
}

#[tokio::test(start_paused = true)]
async fn the_next_run_is_told_what_the_last_one_did_not_receive_and_no_more() {
    let cluster = Cluster::of(&[1]);
    let (bob, folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let sent = send_range(&alice, 0..10).await;
    let mut updates = bob.updates();
    bob.follow(FollowFrom::Kept).await.expect("follows");
    assert_eq!(next_texts(&mut updates, 4).await, sent[..4]);
    drop((updates, bob));
    let bob = cluster.client(&folder);
    bob.resume("bob").await.expect("kept");
    let mut updates = bob.updates();
    bob.follow(FollowFrom::Kept).await.expect("follows");
    assert_eq!(next_texts(&mut updates, 6).await, sent[4..]);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_killed_is_told_again_what_it_had_not_confirmed() {
    let cluster = Cluster::of(&[1]);
    let (bob, folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let sent = send_range(&alice, 0..3).await;
    let mut updates = bob.updates();
    bob.follow(FollowFrom::Kept).await.expect("follows");
    assert_eq!(next_texts(&mut updates, 2).await, sent[..2]);
    // Long enough for the first, which asking for the second has confirmed, to be written down.
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Killed: nothing is dropped in good order.
    std::mem::forget(updates);
    drop(bob);
    let bob = cluster.client(&folder);
    bob.resume("bob").await.expect("kept");
    let mut updates = bob.updates();
    bob.follow(FollowFrom::Kept).await.expect("follows");
    assert_eq!(next_texts(&mut updates, 2).await, sent[1..]);
}

#[tokio::test(start_paused = true)]
async fn what_was_received_is_written_down_also_while_no_node_can_be_told() {
    let cluster = Cluster::of(&[1]);
    let (bob, folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let mut updates = bob.updates();
    bob.follow(FollowFrom::Kept).await.expect("follows");
    let sent = send_range(&alice, 0..3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    cluster.fault(1, Some(Fault::NoQuorum));
    // Each but the first is asked for a second after the one before was confirmed.
    let mut received = Vec::new();
    for _ in &sent {
        received.extend(next_texts(&mut updates, 1).await);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(received, sent);
    // Killed: nothing is dropped in good order.
    std::mem::forget(updates);
    drop(bob);
    cluster.fault(1, None);
    let bob = cluster.client(&folder);
    bob.resume("bob").await.expect("kept");
    let mut updates = bob.updates();
    bob.follow(FollowFrom::Kept).await.expect("follows");
    assert_eq!(next_texts(&mut updates, 1).await, sent[2..]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_over_misses_nothing() {
    let cluster = Cluster::of(&[1]);
    let (bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let sent = send_range(&alice, 0..20).await;
    let mut first = bob.updates();
    bob.follow(FollowFrom::Kept).await.expect("follows");
    let mut received = next_texts(&mut first, 5).await;
    drop(first);
    let mut second = bob.updates();
    received.extend(next_texts(&mut second, 15).await);
    assert_eq!(received, sent);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_sleeps_misses_nothing() {
    let cluster = Cluster::of(&[1]);
    let (bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let (account, ..) = alice.account().expect("logged in");
    let mut updates = bob.updates();
    bob.follow(FollowFrom::Kept).await.expect("follows");
    let sent = send_range(&alice, 0..2_000).await;
    until(|| cluster.texts(account).len() == sent.len()).await;
    assert_eq!(next_texts(&mut updates, sent.len()).await, sent);
}

#[tokio::test(start_paused = true)]
async fn following_from_now_leaves_out_what_was_before() {
    let cluster = Cluster::of(&[1]);
    let (bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let (account, ..) = alice.account().expect("logged in");
    send_range(&alice, 0..3).await;
    until(|| cluster.texts(account).len() == 3).await;
    let mut updates = bob.updates();
    bob.follow(FollowFrom::Now).await.expect("follows");
    while !matches!(updates.next().await, Some(Update::CaughtUp { .. })) {}
    send_range(&alice, 3..4).await;
    assert_eq!(next_texts(&mut updates, 1).await, ["message 3"]);
}
