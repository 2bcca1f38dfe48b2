//! What was typed is sent, once and in order.

use std::time::Duration;

use chat::{Delivery, MessageId};
use wire::Code;
use wire::message::To;

use super::person;
use crate::testing::{Cluster, Fault, until};
use crate::{Client, Update, Want};

const WITHIN: Duration = Duration::from_secs(20);

fn bob() -> To {
    To::Name("bob".into())
}

/// Sends so many numbered messages and answers the texts.
async fn send_many(client: &Client, count: u32) -> Vec<String> {
    let texts: Vec<String> = (1..=count).map(|number| format!("message {number}")).collect();
    for text in &texts {
        client.send(bob(), text.clone(), None).await.expect("queued");
    }
    texts
}

/// What the profile holds now, in a folder of its own.
fn copy_of(folder: &tempfile::TempDir) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    let file = |folder: &tempfile::TempDir| folder.path().join("profile.sqlite").display().to_string();
    let connection = rusqlite::Connection::open(file(folder)).expect("opened");
    connection.execute("VACUUM INTO ?1", [file(&copy)]).expect("copied");
    copy
}

async fn all_sent(client: &Client) {
    for _ in 0..6_000 {
        if client.queued().await.expect("counted") == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("messages still wait");
}

#[tokio::test(start_paused = true)]
async fn a_message_is_stored_and_said_so() {
    let cluster = Cluster::of(&[1, 2, 3]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let mut updates = alice.updates();
    let id = alice.send(bob(), "hello".into(), None).await.expect("queued");
    let info = alice.settled(id, Want::Stored, WITHIN).await.expect("stored");
    assert_eq!((info.text.as_str(), info.state), ("hello", Delivery::Stored));
    assert!(matches!(updates.next().await, Some(Update::Queued { .. })));
    let stored = updates.next().await;
    assert!(matches!(stored, Some(Update::Stored { id: said, .. }) if said == id), "{stored:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_and_one_message_is_stored() {
    let cluster = Cluster::of(&[1, 2]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    cluster.fault(1, Some(Fault::LosesAnswers(2)));
    cluster.fault(2, Some(Fault::LosesAnswers(2)));
    let texts = send_many(&alice, 20).await;
    all_sent(&alice).await;
    let (account, ..) = alice.account().expect("logged in");
    assert_eq!(cluster.texts(account), texts);
    assert!(cluster.state().sends > 20, "some were sent again");
}

#[tokio::test(start_paused = true)]
async fn messages_typed_while_the_node_dies_are_sent_once_and_in_order() {
    let mut cluster = Cluster::of(&[1, 2, 3]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let (account, ..) = alice.account().expect("logged in");
    let texts = send_many(&alice, 300).await;
    cluster.kill(1);
    until(|| !cluster.texts(account).is_empty()).await;
    cluster.kill(2);
    cluster.start(1);
    all_sent(&alice).await;
    assert_eq!(cluster.texts(account), texts);
}

#[tokio::test(start_paused = true)]
async fn messages_that_the_nodes_shuffle_are_stored_in_the_order_they_were_typed() {
    for seed in 0..20 {
        let cluster = Cluster::of(&[1, 2]);
        cluster.seed(seed);
        let (_bob, _folder) = person(&cluster, "bob").await;
        let (alice, _folder) = person(&cluster, "alice").await;
        let (account, ..) = alice.account().expect("logged in");
        cluster.fault(1, Some(Fault::Shuffles));
        cluster.fault(2, Some(Fault::Shuffles));
        let texts = send_many(&alice, 100).await;
        all_sent(&alice).await;
        assert_eq!(cluster.texts(account), texts, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_copies_of_a_profile_keep_each_its_order() {
    for seed in 0..10 {
        let cluster = Cluster::of(&[1, 2]);
        cluster.seed(seed);
        let (_bob, _folder) = person(&cluster, "bob").await;
        let (alice, folder) = person(&cluster, "alice").await;
        let (account, ..) = alice.account().expect("logged in");
        let copy = copy_of(&folder);
        let twin = cluster.client(&copy);
        twin.resume("alice").await.expect("kept");
        cluster.fault(1, Some(Fault::Shuffles));
        cluster.fault(2, Some(Fault::Shuffles));
        for number in 0..60 {
            for (client, name) in [(&alice, "alice"), (&twin, "twin")] {
                client.send(bob(), format!("{name} {number}"), None).await.expect("queued");
            }
        }
        all_sent(&alice).await;
        all_sent(&twin).await;
        let texts = cluster.texts(account);
        for name in ["alice", "twin"] {
            let own: Vec<String> = texts.iter().filter(|text| text.starts_with(name)).cloned().collect();
            let typed: Vec<String> = (0..60).map(|number| format!("{name} {number}")).collect();
            assert_eq!(own, typed, "seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_for_nobody_fails_and_those_behind_it_are_sent() {
    let cluster = Cluster::of(&[1]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let mut updates = alice.updates();
    let lost = alice.send(To::Name("nobody".into()), "hello?".into(), None).await.expect("queued");
    let behind = alice.send(bob(), "hello".into(), None).await.expect("queued");
    let refused = alice.settled(lost, Want::Stored, WITHIN).await.expect_err("there is no nobody");
    assert_eq!(refused.code(), Code::NoSuchAccount);
    alice.settled(behind, Want::Stored, WITHIN).await.expect("stored");
    loop {
        match updates.next().await.expect("an update") {
            Update::Failed { id, refusal } => {
                assert_eq!((id, refusal.code), (lost, Code::NoSuchAccount));
                break;
            }
            _ => continue,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_a_node_will_never_take_does_not_hold_up_those_behind_it() {
    let cluster = Cluster::of(&[1]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let first = alice.send(bob(), "one".into(), None).await.expect("queued");
    let refused = alice.send(bob(), "refused by the node".into(), None).await.expect("queued");
    alice.send(bob(), "two".into(), None).await.expect("queued");
    alice.send(bob(), "three".into(), None).await.expect("queued");
    all_sent(&alice).await;
    alice.settled(first, Want::Stored, WITHIN).await.expect("stored");
    let error = alice.settled(refused, Want::Stored, WITHIN).await.expect_err("refused");
    assert_eq!(error.code(), Code::TextTooLong);
    let (account, ..) = alice.account().expect("logged in");
    assert_eq!(cluster.texts(account), ["one", "two", "three"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_profile_knows_to_be_stored_is_asked_of_nobody() {
    let cluster = Cluster::of(&[1]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let error = alice.stored(MessageId(7), WITHIN).await.expect_err("never sent");
    assert_eq!(error.code(), Code::NoSuchConversation);
    let id = alice.send(bob(), "hello".into(), None).await.expect("queued");
    alice.stored(id, WITHIN).await.expect("stored");
    cluster.fault(1, Some(Fault::Hangs));
    alice.stored(id, WITHIN).await.expect("it is known");
    alice.settled(id, Want::Stored, WITHIN).await.expect_err("nobody says what it looks like");
}

#[tokio::test(start_paused = true)]
async fn without_a_majority_messages_wait_and_it_is_said_why() {
    let cluster = Cluster::of(&[1]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    cluster.fault(1, Some(Fault::NoQuorum));
    let id = alice.send(bob(), "hello".into(), None).await.expect("queued");
    let error = alice.settled(id, Want::Stored, Duration::from_secs(3)).await.expect_err("not yet");
    assert_eq!(error.code(), Code::NoQuorum);
    assert_eq!(alice.queued().await, Ok(1));
    let page = alice.accounts(None, None, 10).await.expect("reads are served");
    assert!(page.stale);
    cluster.fault(1, None);
    alice.settled(id, Want::Stored, WITHIN).await.expect("stored");
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_for_certain_is_not_made_uncertain_by_asking_once_too_often() {
    let cluster = Cluster::of(&[1]);
    let (alice, _folder) = person(&cluster, "alice").await;
    cluster.fault(1, Some(Fault::IsFull(Duration::from_millis(100))));
    for deadline_ms in (1_000..2_000).step_by(23) {
        let asked = alice.with_deadline(Duration::from_millis(deadline_ms)).deletion_preview().await;
        let error = asked.expect_err("nothing is done");
        assert_eq!(error.code(), Code::StorageFull, "within {deadline_ms} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_before_and_then_lost_is_not_said_to_be_certain() {
    let mut cluster = Cluster::of(&[1]);
    let (alice, _folder) = person(&cluster, "alice").await;
    cluster.fault(1, Some(Fault::IsFull(Duration::from_millis(10))));
    let (link, alice) = (alice.link(), alice.with_deadline(Duration::from_secs(5)));
    let asking = tokio::spawn(async move { alice.deletion_preview().await });
    until(|| matches!(&*link.borrow(), crate::LinkState::Live { writable: false, .. })).await;
    cluster.fault(1, Some(Fault::Hangs));
    until(|| cluster.state().unanswered > 0).await;
    cluster.kill(1);
    let error = asking.await.expect("no panic").expect_err("nobody answers");
    assert_eq!(error.code(), Code::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_read_its_disk_is_left_for_one_that_can() {
    let cluster = Cluster::of(&[1, 2, 3]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    for (number, other) in [(1, 2), (2, 3), (3, 1)] {
        cluster.fault(number, Some(Fault::IsDamaged));
        cluster.fault(other, Some(Fault::IsDamaged));
        alice.accounts(None, None, 10).await.expect("another answers");
        let id = alice.send(bob(), "hello".into(), None).await.expect("queued");
        alice.settled(id, Want::Stored, WITHIN).await.expect("another stores it");
        cluster.fault(number, None);
        cluster.fault(other, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_lost_its_leader_is_asked_again_at_once() {
    let cluster = Cluster::of(&[1, 2, 3]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let crate::LinkState::Live { peer, .. } = alice.link().borrow().clone() else { panic!("not live") };
    cluster.fault(peer.0[0], Some(Fault::LosesLeader(2)));
    let began = tokio::time::Instant::now();
    let id = alice.send(bob(), "hello".into(), None).await.expect("queued");
    alice.settled(id, Want::Stored, WITHIN).await.expect("stored");
    cluster.fault(peer.0[0], Some(Fault::LosesLeader(2)));
    alice.accounts(None, None, 10).await.expect("read");
    assert!(began.elapsed() < Duration::from_millis(100), "it waited for {:?}", began.elapsed());
    assert_eq!(cluster.texts(alice.account().expect("logged in").0), ["hello"]);
    let now = alice.link().borrow().clone();
    assert!(matches!(now, crate::LinkState::Live { peer: same, writable: true, .. } if same == peer), "{now:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_cut_off_is_left_for_one_that_can_commit() {
    let cluster = Cluster::of(&[1, 2, 3]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    cluster.fault(1, Some(Fault::NoQuorum));
    cluster.fault(2, Some(Fault::NoQuorum));
    let id = alice.send(bob(), "hello".into(), None).await.expect("queued");
    alice.settled(id, Want::Stored, WITHIN).await.expect("stored by the third");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_hangs_is_left_within_a_second() {
    let cluster = Cluster::of(&[1, 2]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    until(|| matches!(&*alice.link().borrow(), crate::LinkState::Live { warm: Some(_), .. })).await;
    let crate::LinkState::Live { peer, .. } = alice.link().borrow().clone() else { panic!("not live") };
    cluster.fault(peer.0[0], Some(Fault::Hangs));
    let id = alice.send(bob(), "hello".into(), None).await.expect("queued");
    alice.settled(id, Want::Stored, Duration::from_secs(1)).await.expect("stored by the other");
}

#[tokio::test(start_paused = true)]
async fn what_waits_when_the_program_ends_is_sent_by_the_next_one() {
    let mut cluster = Cluster::of(&[1]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, folder) = person(&cluster, "alice").await;
    cluster.kill(1);
    let texts = send_many(&alice, 3).await;
    let (account, ..) = alice.account().expect("logged in");
    drop(alice);
    cluster.start(1);
    let again = cluster.client(&folder);
    again.resume("Alice").await.expect("the session is kept");
    all_sent(&again).await;
    assert_eq!(cluster.texts(account), texts);
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_a_session_that_ended_is_sent_in_the_next_one() {
    let cluster = Cluster::of(&[1]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, folder) = person(&cluster, "alice").await;
    let (account, _, session) = alice.account().expect("logged in");
    send_many(&alice, 2).await;
    all_sent(&alice).await;
    cluster.propose(chat::Command::CloseSession { session });
    let id = alice.send(bob(), "later".into(), None).await.expect("queued all the same");
    let error = alice.settled(id, Want::Stored, Duration::from_secs(3)).await.expect_err("the session is over");
    assert_eq!(error.code(), Code::SessionInvalid);
    drop(alice);
    let again = cluster.client(&folder);
    assert_eq!(again.resume("alice").await.expect_err("over").code(), Code::SessionInvalid);
    again.log_in("alice", "a password").await.expect("a new session");
    let info = again.settled(id, Want::Stored, WITHIN).await.expect("stored");
    assert_eq!(info.text, "later");
    assert_eq!(cluster.texts(account), ["message 1", "message 2", "later"]);
}

#[tokio::test(start_paused = true)]
async fn the_same_id_again_sends_nothing_twice() {
    let cluster = Cluster::of(&[1]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    let id = alice.send(bob(), "once".into(), None).await.expect("queued");
    alice.settled(id, Want::Stored, WITHIN).await.expect("stored");
    assert_eq!(alice.send(bob(), "once".into(), Some(id)).await, Ok(id));
    alice.settled(id, Want::Stored, WITHIN).await.expect("stored");
    let other = alice.send(bob(), "another".into(), Some(id)).await.expect_err("used");
    assert_eq!(other.code(), Code::IdConflict);
    let (account, ..) = alice.account().expect("logged in");
    assert_eq!(cluster.texts(account), ["once"]);
}

#[tokio::test(start_paused = true)]
async fn a_profile_restored_from_an_old_copy_sends_on_without_loss() {
    let cluster = Cluster::of(&[1]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, folder) = person(&cluster, "alice").await;
    let (account, ..) = alice.account().expect("logged in");
    let copy = copy_of(&folder);
    send_many(&alice, 3).await;
    all_sent(&alice).await;
    drop(alice);
    let alice = cluster.client(&copy);
    alice.resume("alice").await.expect("kept");
    let id = alice.send(bob(), "after the restore".into(), None).await.expect("queued");
    alice.settled(id, Want::Stored, WITHIN).await.expect("stored");
    assert_eq!(cluster.texts(account), ["message 1", "message 2", "message 3", "after the restore"]);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_was_lost_does_not_hold_up_those_behind_it() {
    let cluster = Cluster::of(&[1]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, folder) = person(&cluster, "alice").await;
    let connection = rusqlite::Connection::open(folder.path().join("profile.sqlite")).expect("opened");
    connection.execute("UPDATE session SET next_seq = next_seq + 5", []).expect("skipped");
    let texts = send_many(&alice, 3).await;
    all_sent(&alice).await;
    let (account, ..) = alice.account().expect("logged in");
    assert_eq!(cluster.texts(account), texts);
}

#[tokio::test(start_paused = true)]
async fn a_blank_or_endless_text_is_refused_before_it_is_queued() {
    let cluster = Cluster::of(&[1]);
    let (alice, _folder) = person(&cluster, "alice").await;
    for (text, code) in [(" ".to_owned(), Code::TextEmpty), ("x".repeat(16 * 1024 + 1), Code::TextTooLong)] {
        let error = alice.send(bob(), text, None).await.expect_err("refused");
        assert_eq!(error.code(), code);
    }
    assert_eq!(alice.queued().await, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn what_failed_stays_listed_until_it_is_discarded() {
    let cluster = Cluster::of(&[1]);
    let (alice, _folder) = person(&cluster, "alice").await;
    let lost = alice.send(To::Name("nobody".into()), "hello?".into(), None).await.expect("queued");
    alice.settled(lost, Want::Stored, WITHIN).await.expect_err("there is no nobody");
    let pending = alice.pending().await.expect("listed");
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0].failed.as_ref().map(|refusal| refusal.code), Some(Code::NoSuchAccount));
    alice.discard(lost).await.expect("discarded");
    alice.discard(lost).await.expect("which is as well done twice");
    assert_eq!(alice.pending().await, Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_or_stored_is_not_discarded() {
    let cluster = Cluster::of(&[1]);
    let (_bob, _folder) = person(&cluster, "bob").await;
    let (alice, _folder) = person(&cluster, "alice").await;
    cluster.fault(1, Some(Fault::NoQuorum));
    let id = alice.send(bob(), "hello".into(), None).await.expect("queued");
    assert_eq!(alice.discard(id).await.expect_err("it waits").code(), Code::Busy);
    cluster.fault(1, None);
    alice.settled(id, Want::Stored, WITHIN).await.expect("stored");
    assert_eq!(alice.discard(id).await.expect_err("it is stored").code(), Code::IdConflict);
}
