//! Resuming, leaving, ending.

use chat::{Replica, SessionId};
use wire::Code;
use wire::message::{Answer, Push, Request};

use super::guest::token;
use super::twin::Node;

#[tokio::test]
async fn a_session_is_resumed_with_its_token_and_goes_on_with_its_numbers() {
    let node = Node::new();
    let mut bob = node.connect(1);
    let login = bob.register("bob", "hunter2").await;
    bob.send(1, "bob", "a note").await;
    let resumed = node.connect(1).resume(login.session, token(1)).await.expect("its token");
    assert_eq!((resumed.session, resumed.numbering.high_water.0), (login.session, 1));
}

#[tokio::test]
async fn a_stolen_token_is_worth_nothing_on_another_device() {
    let node = Node::new();
    let login = node.connect(1).register("bob", "hunter2").await;
    let thief = node.connect(2).resume(login.session, token(1)).await.expect_err("refused");
    assert_eq!(thief.code, Code::SessionInvalid);
}

#[tokio::test]
async fn a_wrong_token_and_an_unknown_session_are_refused_alike() {
    let node = Node::new();
    let login = node.connect(1).register("bob", "hunter2").await;
    let wrong = node.connect(1).resume(login.session, token(9)).await.expect_err("refused");
    let unknown = node.connect(1).resume(SessionId(4711), token(1)).await.expect_err("refused");
    assert_eq!(wrong, unknown);
}

#[tokio::test]
async fn a_node_that_may_be_behind_does_not_call_a_session_invalid() {
    let node = Node::new();
    node.lose_majority();
    let refusal = node.connect(1).resume(SessionId(4711), token(1)).await.expect_err("refused");
    assert_eq!(refusal.code, Code::NoQuorum, "the client must keep its token");
}

#[tokio::test]
async fn a_known_session_is_resumed_without_a_majority() {
    let node = Node::new();
    let login = node.connect(1).register("bob", "hunter2").await;
    node.lose_majority();
    node.connect(1).resume(login.session, token(1)).await.expect("reading goes on");
}

#[tokio::test]
async fn nothing_of_an_account_is_given_to_who_has_not_logged_in() {
    let mut guest = Node::new().connect(1);
    let requests = [
        Request::Conversations,
        Request::DeletionPreview,
        Request::DeleteAccount,
        Request::LogOut,
        Request::Leave,
        Request::Subscribe { after: None, announce: true },
        Request::Delivered { marks: Vec::new() },
        Request::MessageById { id: chat::MessageId(1) },
        super::guest::message(1, "bob", "hi"),
    ];
    for request in requests {
        assert_eq!(guest.refused(request).await, Code::NotLoggedIn);
    }
}

#[tokio::test]
async fn logging_out_ends_the_session_everywhere() {
    let node = Node::new();
    let (mut here, mut there) = (node.connect(1), node.connect(1));
    let login = here.register("bob", "hunter2").await;
    there.resume(login.session, token(1)).await.expect("its token");
    there.subscribe(None, true).await;
    there.caught_up().await;
    assert_eq!(here.ask(Request::LogOut).await, Ok(Answer::Done));
    assert_eq!(here.refused(Request::Conversations).await, Code::NotLoggedIn);
    while there.push().await != Push::SessionEnded {}
    assert_eq!(there.refused(Request::Conversations).await, Code::SessionInvalid);
    assert_eq!(node.connect(1).resume(login.session, token(1)).await.expect_err("revoked").code, Code::SessionInvalid);
}

#[tokio::test]
async fn deleting_an_account_says_what_it_does_before_and_after() {
    let node = Node::new();
    let (mut alice, mut bob) = (node.connect(1), node.connect(2));
    alice.register("alice", "hunter2").await;
    bob.register("bob", "hunter3").await;
    alice.send(1, "bob", "one").await;
    alice.send(2, "bob", "two").await;
    let preview = bob.ask(Request::DeletionPreview).await;
    assert_eq!(preview, Ok(Answer::DeletionPreview { undelivered: 2, senders: 1 }));
    assert_eq!(bob.ask(Request::DeleteAccount).await, Ok(Answer::AccountDeleted { returned: 2 }));
    assert_eq!(bob.refused(Request::Conversations).await, Code::NotLoggedIn);
    assert_eq!(bob.log_in("bob", "hunter3").await.expect_err("gone").code, Code::LoginFailed);
}

#[tokio::test]
async fn who_announces_itself_is_active_until_it_leaves() {
    let node = Node::new();
    let mut bob = node.connect(1);
    let login = bob.register("bob", "hunter2").await;
    bob.subscribe(None, true).await;
    bob.caught_up().await;
    assert_eq!(node.context.listening.sessions(), [login.session]);
    assert_eq!(connected(&node, login.session), Some(Replica(1)));
    assert_eq!(bob.ask(Request::Leave).await, Ok(Answer::Done));
    assert_eq!(node.context.listening.sessions(), []);
    assert_eq!(connected(&node, login.session), None);
    assert!(bob.ask(Request::Conversations).await.is_ok(), "the session stays");
}

#[tokio::test]
async fn leaving_with_one_of_two_connections_does_not_leave() {
    let node = Node::new();
    let (mut one, mut other) = (node.connect(1), node.connect(1));
    let login = one.register("bob", "hunter2").await;
    other.resume(login.session, token(1)).await.expect("its token");
    for guest in [&mut one, &mut other] {
        guest.subscribe(None, true).await;
        guest.caught_up().await;
    }
    one.ask(Request::Leave).await.expect("left");
    assert_eq!(connected(&node, login.session), Some(Replica(1)));
}

#[tokio::test]
async fn a_lost_connection_stops_listening_and_proposes_nothing() {
    let node = Node::new();
    let mut bob = node.connect(1);
    let login = bob.register("bob", "hunter2").await;
    bob.subscribe(None, true).await;
    bob.caught_up().await;
    bob.hang_up().await;
    assert_eq!(node.context.listening.sessions(), []);
    assert_eq!(connected(&node, login.session), Some(Replica(1)), "the leader's timer decides");
}

#[tokio::test]
async fn a_silent_subscription_does_not_make_its_account_active() {
    let node = Node::new();
    let mut bob = node.connect(1);
    let login = bob.register("bob", "hunter2").await;
    bob.subscribe(None, false).await;
    bob.caught_up().await;
    assert_eq!(node.context.listening.sessions(), []);
    assert_eq!(connected(&node, login.session), None);
}

fn connected(node: &Node, session: SessionId) -> Option<Replica> {
    node.context.app.session(session).expect("memory does not fail").expect("the session is there").connected
}
