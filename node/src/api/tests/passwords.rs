//! Creating accounts and logging in.

use chat::CreationId;
use wire::Code;
use wire::message::{Answer, Request};

use super::guest::token;
use super::twin::{NOON, Node};

#[tokio::test]
async fn an_account_is_created_and_its_password_opens_it_on_another_device() {
    let node = Node::new();
    let created = node.connect(1).register("Bob", "hunter2").await;
    assert_eq!(
        (created.account.name.as_str(), created.account.created_at, created.numbering.high_water.0),
        ("Bob", NOON, 0)
    );
    let login = node.connect(2).log_in("bOB", "hunter2").await.expect("the right password");
    assert_eq!(login.account, created.account);
    assert_ne!(login.session, created.session);
}

#[tokio::test]
async fn logging_in_again_on_one_device_goes_on_with_its_numbers() {
    let node = Node::new();
    let mut bob = node.connect(1);
    let created = bob.register("bob", "hunter2").await;
    bob.send(1, "bob", "a note").await;
    let login = node.connect(1).log_in("bob", "hunter2").await.expect("the right password");
    assert_eq!((login.session, login.numbering.high_water.0), (created.session, 1));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_refused_alike() {
    let node = Node::new();
    node.connect(1).register("bob", "hunter2").await;
    let wrong = node.connect(2).log_in("bob", "hunter3").await.expect_err("refused");
    let unknown = node.connect(3).log_in("nobody", "hunter3").await.expect_err("refused");
    assert_eq!((wrong.code, wrong.message.as_str()), (Code::LoginFailed, "Wrong name or password."));
    assert_eq!(wrong, unknown);
}

#[tokio::test]
async fn a_wrong_password_leaves_the_connection_a_stranger() {
    let node = Node::new();
    node.connect(1).register("bob", "hunter2").await;
    let mut guest = node.connect(2);
    guest.log_in("bob", "hunter3").await.expect_err("refused");
    assert_eq!(guest.refused(Request::Conversations).await, Code::NotLoggedIn);
}

#[tokio::test]
async fn guessing_is_slowed_down_even_by_who_never_finishes_a_login() {
    let node = Node::new();
    node.connect(1).register("bob", "hunter2").await;
    let (mut guesser, guess) = (node.connect(2), super::guest::credential_request("hunter3"));
    for _ in 0..5 {
        guesser.ask(Request::LoginStart { name: "bob".into(), credential: guess.clone() }).await.expect("free");
    }
    let again = Request::LoginStart { name: "bob".into(), credential: guess.clone() };
    let refusal = guesser.ask(again).await.expect_err("one too many");
    assert_eq!(refusal.code, Code::TooManyAttempts);
    assert!(refusal.retry_after_ms.is_some_and(|ms| ms > 0 && ms <= 1_000));
    let elsewhere = Request::LoginStart { name: "bob".into(), credential: guess };
    assert_eq!(node.connect(3).refused(elsewhere).await, Code::TooManyAttempts, "the name is what is guarded");
}

#[tokio::test]
async fn a_right_password_forgives_the_wrong_ones() {
    let node = Node::new();
    node.connect(1).register("bob", "hunter2").await;
    let mut bob = node.connect(2);
    for _ in 0..2 {
        for _ in 0..4 {
            bob.log_in("bob", "hunter3").await.expect_err("wrong");
        }
        bob.log_in("bob", "hunter2").await.expect("right, and not too often");
    }
}

#[tokio::test]
async fn a_taken_name_is_refused_before_anything_can_be_learnt_with_it() {
    let node = Node::new();
    node.connect(1).register("bob", "hunter2").await;
    let start = Request::RegisterStart { name: "BOB".into(), registration: vec![0; 32] };
    assert_eq!(node.connect(2).refused(start).await, Code::NameTaken);
}

#[tokio::test]
async fn names_that_cannot_be_are_refused_with_their_reason() {
    let mut guest = Node::new().connect(1);
    for (name, code) in [("", Code::NameInvalid), ("a b", Code::NameInvalid), ("server", Code::NameReserved)] {
        let start = Request::RegisterStart { name: name.into(), registration: vec![0; 32] };
        assert_eq!(guest.refused(start).await, code, "{name:?}");
    }
}

#[tokio::test]
async fn a_creation_asked_for_again_creates_one_account() {
    let node = Node::new();
    let mut guest = node.connect(1);
    let upload = guest.upload("bob", "hunter2").await;
    let finish = Request::RegisterFinish { creation: CreationId(5), name: "bob".into(), upload, token: token(1) };
    let first = guest.ask(finish.clone()).await.expect("created");
    let again = node.connect(1).ask(finish).await.expect("the same");
    assert_eq!(first, again);
}

#[tokio::test]
async fn a_login_without_its_first_half_is_refused() {
    let mut guest = Node::new().connect(1);
    let finish = Request::LoginFinish { finalization: vec![0; 64], token: token(1) };
    assert_eq!(guest.refused(finish).await, Code::LoginFailed);
}

#[tokio::test]
async fn garbage_in_a_login_is_refused_and_the_connection_goes_on() {
    let node = Node::new();
    let mut guest = node.connect(1);
    for garbage in [vec![], vec![0xff; 32], vec![0; 10_000]] {
        let start = Request::LoginStart { name: "bob".into(), credential: garbage.clone() };
        assert_eq!(guest.refused(start).await, Code::FrameMalformed);
        let finish =
            Request::RegisterFinish { creation: CreationId(1), name: "bob".into(), upload: garbage, token: token(1) };
        assert_eq!(guest.refused(finish).await, Code::FrameMalformed);
    }
    assert_eq!(guest.ask(Request::Ping).await, Ok(Answer::Done));
}

#[tokio::test]
async fn without_a_majority_a_login_says_so_and_costs_no_attempt() {
    let node = Node::new();
    node.connect(1).register("bob", "hunter2").await;
    node.lose_majority();
    let mut bob = node.connect(2);
    for _ in 0..6 {
        assert_eq!(bob.log_in("bob", "hunter2").await.expect_err("refused").code, Code::NoQuorum);
    }
    node.regain_majority();
    bob.log_in("bob", "hunter2").await.expect("the right password");
}
