//! Whom a client finds, whom it trusts, and that it never hangs.

use std::time::Duration;

use tokio::time::Instant;
use wire::Code;
use wire::peer::Incarnation;
use wire::transport::memory::Network;

use super::person;
use crate::testing::{Cluster, Fault, until};
use crate::{Access, Client, Config, LinkState};

#[tokio::test(start_paused = true)]
async fn with_no_node_a_call_ends_in_time_and_says_so() {
    let cluster = Cluster::new();
    let folder = tempfile::tempdir().expect("a folder");
    let client = cluster.client(&folder).with_deadline(Duration::from_secs(3));
    let began = Instant::now();
    let error = client.accounts(None, None, 10).await.expect_err("nobody is there");
    assert_eq!(error.code(), Code::NoNode);
    assert!(began.elapsed() <= Duration::from_millis(3_100), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_starts_before_the_nodes_finds_them() {
    let mut cluster = Cluster::new();
    let folder = tempfile::tempdir().expect("a folder");
    let client = cluster.client(&folder);
    let link = client.link();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(matches!(&*link.borrow(), LinkState::Searching { .. }));
    cluster.start(1);
    until(|| matches!(&*link.borrow(), LinkState::Live { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn one_link_is_live_and_another_node_is_warm() {
    let cluster = Cluster::of(&[1, 2, 3]);
    let folder = tempfile::tempdir().expect("a folder");
    let client = cluster.client(&folder);
    until(|| match &*client.link().borrow() {
        LinkState::Live { node, warm: Some(warm), writable, .. } => *writable && node != warm,
        _ => false,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_only_waits_hears_where_nodes_have_moved() {
    let mut cluster = Cluster::on(Network::without_discovery());
    for number in [1, 2, 3] {
        cluster.start(number);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = cluster.config(&folder);
    config.seeds = cluster.addresses();
    let client = Client::open(config).expect("a client");
    let link = client.link();
    let both = || match &*link.borrow() {
        LinkState::Live { node, warm: Some(warm), .. } => Some((number(node), number(warm))),
        _ => None,
    };
    until(|| both().is_some()).await;
    let (live, warm) = both().expect("two links");
    // Nothing is asked in between, and no time to ask by chance: both others move, then the one that it still has is gone.
    for mover in [6 - live - warm, warm] {
        cluster.kill(mover);
        tokio::time::sleep(Duration::from_millis(100)).await;
        cluster.start(mover);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    cluster.kill(live);
    until(|| matches!(&*link.borrow(), LinkState::Live { node, .. } if number(node) != live)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_falls_silent_is_left_though_nobody_waits_for_it() {
    // By itself after some seconds; sooner where another node tells that something has happened.
    for (news, limit) in [(false, Duration::from_millis(4_600)), (true, Duration::from_secs(1))] {
        let cluster = Cluster::of(&[1, 2]);
        let folder = tempfile::tempdir().expect("a folder");
        let client = cluster.client(&folder);
        let link = client.link();
        until(|| matches!(&*link.borrow(), LinkState::Live { warm: Some(_), .. })).await;
        // Nothing more is owed from the beginning, and something was just heard.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let LinkState::Live { node: silent, warm: Some(other), .. } = link.borrow().clone() else {
            panic!("two links")
        };
        cluster.fault(number(&silent), Some(Fault::Hangs));
        if news {
            cluster.say_that_the_leader_is(&other);
        }
        let left = until(|| matches!(&*link.borrow(), LinkState::Live { node, .. } if *node == other));
        assert!(tokio::time::timeout(limit, left).await.is_ok(), "with news: {news}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_told_much_and_asks_nothing_is_not_taken_for_gone() {
    let cluster = Cluster::of(&[1, 2]);
    let folder = tempfile::tempdir().expect("a folder");
    let client = cluster.client(&folder);
    let link = client.link();
    until(|| matches!(&*link.borrow(), LinkState::Live { warm: Some(_), .. })).await;
    let before = link.borrow().clone();
    // Something is heard twice a second, for longer than a node waits for a word.
    for turn in 0..100 {
        cluster.say_that_the_leader_is(if turn % 2 == 0 { "n1" } else { "n2" });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(*link.borrow(), before, "after {turn} times");
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_node_is_not_taken_for_one_that_cannot_store() {
    let cluster = Cluster::of(&[1]);
    let folder = tempfile::tempdir().expect("a folder");
    let client = cluster.client(&folder).with_deadline(Duration::from_secs(3));
    let mut link = client.link();
    until(|| matches!(&*link.borrow(), LinkState::Live { writable: true, .. })).await;
    cluster.fault(1, Some(Fault::IsBusy));
    link.mark_unchanged();
    let error = client.accounts(None, None, 1).await.expect_err("busy");
    assert_eq!(error.code(), Code::Busy);
    assert!(!link.has_changed().expect("the client is there"), "{:?}", link.borrow());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_behind_is_left_for_one_that_is_not() {
    let cluster = Cluster::of(&[1, 2]);
    let folder = tempfile::tempdir().expect("a folder");
    let client = cluster.client(&folder);
    let link = client.link();
    until(|| matches!(&*link.borrow(), LinkState::Live { .. })).await;
    let LinkState::Live { node, .. } = link.borrow().clone() else { panic!("not connected") };
    // Without a warm link yet: it is waited for.
    cluster.fault(number(&node), Some(Fault::IsBehind));
    assert!(!client.accounts(None, None, 1).await.expect("an answer").stale);
    assert!(matches!(&*link.borrow(), LinkState::Live { node: now, writable: true, .. } if *now != node));
}

#[tokio::test(start_paused = true)]
async fn where_every_node_is_behind_what_one_knows_is_told() {
    let cluster = Cluster::of(&[1, 2]);
    let folder = tempfile::tempdir().expect("a folder");
    let client = cluster.client(&folder);
    for number in [1, 2] {
        cluster.fault(number, Some(Fault::IsBehind));
    }
    let began = Instant::now();
    assert!(client.accounts(None, None, 1).await.expect("an answer").stale);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_before_an_election_does_not_undo_what_was_told_after_it() {
    let cluster = Cluster::of(&[1]);
    cluster.fault(1, Some(Fault::TellsStatusLate(Duration::from_millis(500))));
    let folder = tempfile::tempdir().expect("a folder");
    let client = cluster.client(&folder);
    let link = client.link();
    until(|| matches!(&*link.borrow(), LinkState::Live { .. })).await;
    cluster.say_that_it_is_writable(false);
    until(|| cluster.state().status_asked > 0).await;
    cluster.say_that_it_is_writable(true);
    until(|| matches!(&*link.borrow(), LinkState::Live { writable: true, .. })).await;
    let before = link.borrow().clone();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(*link.borrow(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_founded_anew_is_not_mistaken_for_the_old_one() {
    let mut cluster = Cluster::of(&[1]);
    let (alice, folder) = person(&cluster, "alice").await;
    drop(alice);
    cluster.kill(1);
    cluster.state().incarnation = Incarnation([2; 16]);
    cluster.start(1);
    let client = cluster.client(&folder).with_deadline(Duration::from_secs(3));
    let error = client.accounts(None, None, 1).await.expect_err("another founding");
    assert_eq!(error.code(), Code::WrongCluster);
    drop(client);
    Client::forget_founding(folder.path()).expect("forgotten");
    let client = cluster.client(&folder);
    client.accounts(None, None, 1).await.expect("trusted now");
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_belongs_nowhere_says_how_to_join() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config::new(folder.path().to_owned(), folder.path().to_owned());
    let error = Client::open(config).expect_err("no cluster");
    assert_eq!(error.code(), Code::WrongSecret);
    assert!(error.to_string().contains("--join"));
}

#[tokio::test(start_paused = true)]
async fn access_given_once_is_remembered() {
    let cluster = Cluster::of(&[1]);
    let folder = tempfile::tempdir().expect("a folder");
    drop(cluster.client(&folder));
    let mut config = cluster.config(&folder);
    config.access = Access::remembered();
    let client = Client::open(config).expect("remembered");
    client.accounts(None, None, 1).await.expect("the same cluster");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_told_from_the_right_one() {
    let cluster = Cluster::of(&[1]);
    let (_alice, _folder) = person(&cluster, "alice").await;
    let folder = tempfile::tempdir().expect("a folder");
    let elsewhere = cluster.client(&folder);
    let error = elsewhere.log_in("alice", "a guess").await.expect_err("wrong");
    assert_eq!(error.code(), Code::LoginFailed);
    let error = elsewhere.log_in("nobody", "a password").await.expect_err("nobody");
    assert_eq!(error.code(), Code::LoginFailed);
    let login = elsewhere.log_in("alice", "a password").await.expect("right");
    assert!(login.online);
    assert_eq!(login.account.name, "alice");
}

#[tokio::test(start_paused = true)]
async fn a_kept_session_is_good_without_any_node_but_not_without_the_password() {
    let mut cluster = Cluster::of(&[1]);
    let (alice, folder) = person(&cluster, "alice").await;
    drop(alice);
    cluster.kill(1);
    let client = cluster.client(&folder);
    let login = client.log_in("alice", "a password").await.expect("the profile knows enough");
    assert!(!login.online);
    let error = client.log_in("alice", "a guess").await.expect_err("a node would have to be asked");
    assert_eq!(error.code(), Code::NoNode);
}

#[tokio::test(start_paused = true)]
async fn logging_out_forgets_the_session_here_and_there() {
    let cluster = Cluster::of(&[1]);
    let (alice, folder) = person(&cluster, "alice").await;
    alice.log_out().await.expect("out");
    assert_eq!(alice.account(), None);
    drop(alice);
    let again = cluster.client(&folder);
    assert_eq!(again.kept_accounts().await, Ok(vec![]));
    assert_eq!(again.resume("alice").await.expect_err("gone").code(), Code::NotLoggedIn);
}

#[tokio::test(start_paused = true)]
async fn a_code_made_by_one_client_lets_another_in() {
    let cluster = Cluster::of(&[1]);
    let (alice, _folder) = person(&cluster, "alice").await;
    let code = alice.invite().await.expect("a code");
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = cluster.config(&folder);
    config.access = Access::from_code(&code).expect("a code that makes sense");
    let guest = Client::open(config).expect("opened");
    guest.accounts(None, None, 1).await.expect("let in");
}

/// Which of the test's nodes bears this name.
fn number(name: &str) -> u8 {
    name.strip_prefix('n').and_then(|number| number.parse().ok()).expect("a node of the test")
}
