//! What a connection may do, and how it ends when it does something else.

use std::time::Duration;

use chat::SessionId;
use wire::Code;
use wire::codec;
use wire::message::{Answer, Answered, CLIENT_FRAME_SIZE_MAX_BYTES, Request};

use super::guest::{Guest, message, token};
use super::twin::Node;

/// The stream ends with a refusal that answers no request in particular.
async fn dismissed(mut guest: Guest) -> Code {
    let Answered { id, result, .. } = guest.answered().await;
    assert_eq!(id, 0);
    assert_eq!(guest.frame().await, None, "nothing follows");
    result.expect_err("a refusal").code
}

#[tokio::test]
async fn garbage_ends_the_stream_with_a_reason() {
    let mut guest = Node::new().connect(1);
    guest.send_bytes(&[0, 0, 0, 3, codec::VERSION, 0xff, 0xff]).await;
    assert_eq!(dismissed(guest).await, Code::FrameMalformed);
}

#[tokio::test]
async fn a_frame_too_large_ends_the_stream_before_it_is_read() {
    let mut guest = Node::new().connect(1);
    let size = u32::try_from(CLIENT_FRAME_SIZE_MAX_BYTES + 1).expect("it fits");
    guest.send_bytes(&size.to_be_bytes()).await;
    assert_eq!(dismissed(guest).await, Code::FrameTooLarge);
}

#[tokio::test]
async fn an_unknown_version_ends_the_stream_with_a_reason() {
    let mut guest = Node::new().connect(1);
    guest.send_bytes(&[0, 0, 0, 2, codec::VERSION + 1, 0]).await;
    assert_eq!(dismissed(guest).await, Code::VersionUnknown);
}

#[tokio::test]
async fn what_was_asked_before_the_garbage_is_answered_first() {
    let node = Node::new();
    let mut guest = node.connect(1);
    guest.begin(Request::ClusterStatus).await;
    guest.send_bytes(&[0, 0, 0, 1, codec::VERSION]).await;
    assert_eq!(guest.answered().await.id, 1);
    assert_eq!(dismissed(guest).await, Code::FrameMalformed);
}

#[tokio::test]
async fn a_stream_cut_inside_a_frame_just_ends() {
    let mut guest = Node::new().connect(1);
    guest.send_bytes(&[0, 0]).await;
    guest.hang_up().await;
}

#[tokio::test]
async fn what_was_asked_before_hanging_up_is_still_answered() {
    let node = Node::new();
    let mut alice = node.connect(1);
    alice.register("alice", "hunter2").await;
    let id = alice.begin(message(1, "alice", "a note")).await;
    alice.stop_asking().await;
    assert_eq!(alice.answered().await.id, id);
    assert_eq!(alice.frame().await, None);
}

#[tokio::test]
async fn a_ping_is_answered_while_a_session_waits_for_the_other_nodes() {
    let node = Node::new();
    let mut guest = node.connect(1);
    node.stall(true);
    let resume = guest.begin(Request::Resume { session: SessionId(4711), token: token(1) }).await;
    let list = guest.begin(Request::Conversations).await;
    let ping = guest.begin(Request::Ping).await;
    assert_eq!(guest.answered().await.id, ping);
    node.stall(false);
    assert_eq!(guest.answered().await.id, resume);
    assert_eq!(guest.answered().await.id, list, "whose list depends on the session");
}

#[tokio::test]
async fn any_number_of_requests_in_turn_are_answered_in_turn() {
    let node = Node::new();
    let mut guest = node.connect(1);
    node.stall(true);
    let mut asked = Vec::new();
    for _ in 0..100 {
        asked.push(guest.begin(Request::Resume { session: SessionId(4711), token: token(1) }).await);
    }
    node.stall(false);
    for id in asked {
        assert_eq!(guest.answered().await.id, id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_falls_silent_is_let_go() {
    let node = Node::new();
    let mut guest = node.connect(1);
    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(guest.ask(Request::Ping).await, Ok(Answer::Done), "a ping is enough");
    }
    assert_eq!(guest.frame().await, None);
}

#[tokio::test]
async fn a_client_that_asks_much_and_reads_late_gets_every_answer() {
    let node = Node::new();
    let mut guest = node.connect(1);
    for _ in 0..300 {
        guest.begin(Request::Ping).await;
    }
    for _ in 0..300 {
        guest.answered().await;
    }
}

#[tokio::test]
async fn only_an_operator_changes_the_cluster() {
    let node = Node::new();
    let requests = [Request::RemoveNode { name: "n2".into() }, Request::TransferLeader { to: None }];
    for request in requests {
        assert_eq!(node.connect(1).refused(request.clone()).await, Code::Forbidden);
        assert_eq!(node.connect_operator(1).ask(request).await, Ok(Answer::Done));
    }
}

#[tokio::test]
async fn anyone_may_ask_how_the_cluster_is() {
    let node = Node::new();
    node.lose_majority();
    let answer = node.connect(1).ask(Request::ClusterStatus).await;
    assert!(matches!(answer, Ok(Answer::ClusterStatus(status)) if !status.writable));
    assert_eq!(node.connect(1).refused(Request::ClusterCheck).await, Code::NoQuorum);
}
