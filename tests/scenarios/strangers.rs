//! Whoever does not belong, or does not keep to the protocol, is refused with a code; the node goes on
//! serving everyone else, and nothing is lost.

use chat::{Cursor, MessageId, Reply, Seq};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use wire::codec::{self, VERSION};
use wire::hello::{HELLO_SIZE_MAX_BYTES, Keys};
use wire::message::{Answer, Ask, CLIENT_FRAME_SIZE_MAX_BYTES, Request, To, Token};
use wire::peer::{Incarnation, PEER_FRAME_SIZE_MAX_BYTES, StoreId};
use wire::secret::{ClusterSecret, NodeSecret};
use wire::{Code, Protocol};

use self::visitor::{Door, assert_closed, client, identity, node, refusal_of_hello, write};

mod visitor;

const RAFT: [Protocol; 3] = [Protocol::RaftAppend, Protocol::RaftControl, Protocol::RaftSnapshot];

/// A frame with any body, whole and of this version.
fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = codec::encode(&());
    frame.extend(body);
    relabel(frame, 1 + body.len())
}

/// The same frame with another length in front.
fn relabel(mut frame: Vec<u8>, size: usize) -> Vec<u8> {
    let size = u32::try_from(size).expect("a length of four bytes");
    frame[..4].copy_from_slice(&size.to_be_bytes());
    frame
}

/// The same frame in the words of a later version.
fn of_the_next_version(mut frame: Vec<u8>) -> Vec<u8> {
    frame[4] = VERSION + 1;
    frame
}

fn ping(id: u64) -> Vec<u8> {
    codec::encode(&Ask { id, at_least: Cursor::START, request: Request::Ping })
}

/// The same noise in each run, up to 512 bytes of it.
fn noise(chance: &mut StdRng) -> Vec<u8> {
    let mut noise = vec![0; chance.gen_range(1..512)];
    chance.fill_bytes(&mut noise);
    noise
}

fn breaks_the_frame(code: Code) -> bool {
    matches!(code, Code::FrameMalformed | Code::FrameTooLarge | Code::VersionUnknown)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_past_the_first_frame_without_the_secret_for_it() {
    let door = Door::new();
    let visitor = door.visitor(1).await;
    let other = ClusterSecret::generate(&mut |bytes| bytes.fill(7));
    let ours = door.secret.node_secret().client_secret();
    let as_client = |secret, operator| identity(Keys::Client { cluster: door.secret.cluster_id(), secret, operator });
    let guessed = as_client(other.node_secret().client_secret(), None);
    let posing_as_node = node(NodeSecret::from_bytes(*ours.bytes()));
    for protocol in Protocol::ALL {
        for wrong in [&client(&other), &node(other.node_secret()), &guessed, &posing_as_node] {
            assert_eq!(visitor.refused(protocol, wrong).await, Code::WrongSecret, "{protocol:?} {wrong:?}");
        }
    }
    let posing_as_operator = as_client(ours, Some(other.operator_key()));
    assert_eq!(visitor.refused(Protocol::Client, &posing_as_operator).await, Code::WrongSecret);
    for protocol in RAFT.into_iter().chain([Protocol::Peer]) {
        assert_eq!(visitor.refused(protocol, &client(&door.secret)).await, Code::WrongSecret, "{protocol:?}");
    }
    door.has_lost_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_nodes_alone_makes_nobody_a_member() {
    let door = Door::new();
    let visitor = door.visitor(1).await;
    let nobody = node(door.secret.node_secret());
    let (_, welcome) = visitor.hello(Protocol::Peer, &nobody).await.expect("it may ask to be admitted");
    assert_eq!(welcome.node_id, Some(1));
    for protocol in RAFT {
        // As nobody; as the one member, with and without its folder's name; as one that there is not.
        let other_store = Some(StoreId([9; 16]));
        for (node_id, store) in [(None, None), (Some(1), welcome.store), (Some(1), other_store), (Some(2), other_store)]
        {
            let mut stranger = nobody.clone();
            (stranger.node_id, stranger.store) = (node_id, store);
            assert_eq!(visitor.refused(protocol, &stranger).await, Code::NotAMember, "{protocol:?} {stranger:?}");
        }
    }
    door.has_lost_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_knows_another_incarnation_is_told_that_this_is_another_cluster() {
    let door = Door::new();
    let visitor = door.visitor(1).await;
    let (_, welcome) = visitor.hello(Protocol::Client, &client(&door.secret)).await.expect("it pins nothing yet");
    for (protocol, mut me) in
        [(Protocol::Client, client(&door.secret)), (Protocol::Peer, node(door.secret.node_secret()))]
    {
        me.incarnation = Some(Incarnation([9; 16]));
        assert_eq!(visitor.refused(protocol, &me).await, Code::WrongCluster, "{protocol:?}");
        me.incarnation = welcome.incarnation;
        visitor.hello(protocol, &me).await.expect("it knows this one");
    }
    door.has_lost_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_frame_that_is_no_hello_is_refused_by_what_is_wrong_with_it() {
    let door = Door::new();
    let visitor = door.visitor(1).await;
    let hello = frame(&[0; 64]);
    assert_eq!(visitor.say_first(&of_the_next_version(hello.clone())).await, Some(Code::VersionUnknown));
    let too_large = relabel(hello.clone(), HELLO_SIZE_MAX_BYTES + 1);
    assert_eq!(visitor.say_first(&too_large).await, Some(Code::FrameTooLarge));
    assert_eq!(visitor.say_first(&relabel(hello.clone(), usize::from(u16::MAX))).await, Some(Code::FrameTooLarge));
    assert_eq!(visitor.say_first(&[0; 4]).await, Some(Code::FrameMalformed), "an empty frame");
    assert_eq!(visitor.say_first(&frame(&[0xff; 64])).await, Some(Code::FrameMalformed));
    assert_eq!(visitor.say_first(&ping(1)).await, Some(Code::FrameMalformed), "a request before the hello");
    assert_eq!(visitor.say_first(&[]).await, None);
    assert_eq!(visitor.say_first(&hello[..hello.len() / 2]).await, None);
    let mut chance = StdRng::seed_from_u64(1);
    for round in 0..32 {
        let said = visitor.say_first(&noise(&mut chance)).await;
        assert!(said.is_none_or(breaks_the_frame), "round {round}: {said:?}");
        let said = visitor.say_first(&frame(&noise(&mut chance))).await;
        assert_eq!(said, Some(Code::FrameMalformed), "round {round}, in a sound frame");
    }
    door.has_lost_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_frame_that_makes_no_sense_ends_its_stream_and_takes_back_no_answer() {
    let door = Door::new();
    let visitor = door.visitor(1).await;
    let me = client(&door.secret);
    let mut bystander = visitor.enter(&me).await;
    let mut chance = StdRng::seed_from_u64(2);
    let mut cases = vec![
        (of_the_next_version(ping(2)), Code::VersionUnknown),
        (relabel(ping(2), CLIENT_FRAME_SIZE_MAX_BYTES + 1), Code::FrameTooLarge),
        (vec![0xff; 64], Code::FrameTooLarge),
        (vec![0; 4], Code::FrameMalformed),
        (frame(&[0xff; 64]), Code::FrameMalformed),
        (frame(&[&ping(2)[5..], &[0]].concat()), Code::FrameMalformed),
    ];
    cases.extend((0..16).map(|_| (frame(&noise(&mut chance)), Code::FrameMalformed)));
    for (broken, code) in cases {
        let mut guest = visitor.enter(&me).await;
        guest.say(&[ping(1), broken.clone()].concat()).await;
        assert_eq!(guest.answered(1).await, Ok(Answer::Done), "what was asked before is answered");
        assert_eq!(guest.last_words().await, code, "{broken:?}");
        // On the same connection as the one that was refused.
        assert_eq!(bystander.ask(Request::Ping).await, Ok(Answer::Done));
    }
    door.has_lost_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_makes_no_sense_is_left() {
    let door = Door::new();
    let visitor = door.visitor(1).await;
    let me = node(door.secret.node_secret());
    let mut chance = StdRng::seed_from_u64(3);
    let too_large = relabel(frame(&[]), PEER_FRAME_SIZE_MAX_BYTES + 1);
    for broken in [of_the_next_version(ping(1)), too_large, vec![0; 4], frame(&noise(&mut chance))] {
        let (mut stream, _) = visitor.hello(Protocol::Peer, &me).await.expect("the secret is right");
        write(&mut stream, &broken).await;
        assert_closed(&mut stream).await;
    }
    door.has_lost_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_frame_keeps_nobody_waiting_but_its_sender() {
    let door = Door::new();
    let visitor = door.visitor(1).await;
    let me = client(&door.secret);
    let half = &ping(1)[..6];

    let mut silent_stranger = visitor.open(Protocol::Client).await;
    write(&mut silent_stranger, half).await;
    let mut silent_guest = visitor.enter(&me).await;
    silent_guest.say(half).await;
    let mut leaving_guest = visitor.enter(&me).await;
    leaving_guest.say(half).await;
    leaving_guest.stop_asking().await;
    leaving_guest.expect_end().await;

    let mut bystander = visitor.enter(&me).await;
    assert_eq!(bystander.ask(Request::Ping).await, Ok(Answer::Done));
    let (said, ()) = tokio::join!(refusal_of_hello(&mut silent_stranger), silent_guest.expect_end());
    assert_eq!(said, None, "who has not proved the secret is told nothing");
    door.has_lost_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_on_its_own_device_until_it_is_logged_out() {
    let door = Door::new();
    let token = Token([5; 32]);
    let session = door.guest(1).await.register("bob", token.clone()).await;
    let resume = || Request::Resume { session, token: token.clone() };

    assert_eq!(door.guest(2).await.refused(resume()).await, Code::SessionInvalid, "stolen");
    let wrong = Request::Resume { session, token: Token([6; 32]) };
    assert_eq!(door.guest(1).await.refused(wrong).await, Code::SessionInvalid, "guessed");
    let mut own = door.guest(1).await;
    assert!(matches!(own.ask(resume()).await, Ok(Answer::Session { .. })));
    // The node begins with the second the moment it has answered the first.
    let (log_out, again) = (own.begin(Request::LogOut).await, own.begin(resume()).await);
    assert_eq!(own.answered(log_out).await, Ok(Answer::Done));
    assert_eq!(own.answered(again).await, Err(Code::SessionInvalid), "logged out");
    assert_eq!(own.refused(Request::Conversations).await, Code::NotLoggedIn);
    assert_eq!(door.guest(1).await.refused(resume()).await, Code::SessionInvalid, "logged out, from anew");

    // The same for an account that is deleted with its session.
    let mut carol = door.guest(3).await;
    let session = carol.register("carol", token.clone()).await;
    let (delete, again) =
        (carol.begin(Request::DeleteAccount).await, carol.begin(Request::Resume { session, token }).await);
    assert_eq!(carol.answered(delete).await, Ok(Answer::AccountDeleted { returned: 0 }));
    assert_eq!(carol.answered(again).await, Err(Code::SessionInvalid), "deleted");
    door.has_lost_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_and_changes_only_what_is_its_own() {
    let door = Door::new();
    let mut bob = door.guest(1).await;
    bob.register("bob", Token([1; 32])).await;
    let id = MessageId(4711);
    let text = "between the two".to_owned();
    let send = Request::Send { seq: Seq(1), follows: None, id, to: To::Name("alice".to_owned()), text };
    let sent = bob.ask(send.clone()).await;
    let Ok(Answer::Sent(Reply::Stored { conversation, cursor, .. })) = sent else { panic!("not stored: {sent:?}") };
    let with_alice = || Request::Messages { with: To::Name("alice".to_owned()), before: None, after: None, limit: 9 };

    let mut eve = door.guest(2).await;
    for request in [send, with_alice(), Request::Conversations, Request::MessageById { id }, Request::DeleteAccount] {
        assert_eq!(eve.refused(request.clone()).await, Code::NotLoggedIn, "{request:?}");
    }
    eve.register("eve", Token([2; 32])).await;
    let read = Request::Read { conversation, up_to: cursor };
    assert_eq!(eve.refused(read).await, Code::NoSuchConversation);
    let delivered = Request::Delivered { marks: vec![(conversation, cursor)] };
    assert_eq!(eve.refused(delivered).await, Code::NoSuchConversation);
    assert_eq!(eve.ask(Request::MessageById { id }).await, Ok(Answer::Message(None)));
    let own = eve.ask(with_alice()).await;
    assert_eq!(own, Ok(Answer::Messages { conversation: None, messages: Vec::new(), more: false }));
    for request in [Request::RemoveNode { name: "n1".to_owned() }, Request::TransferLeader { to: None }] {
        assert_eq!(eve.refused(request.clone()).await, Code::Forbidden, "{request:?}");
    }

    let kept = bob.ask(with_alice()).await;
    let Ok(Answer::Messages { messages, .. }) = kept else { panic!("not the answer: {kept:?}") };
    let texts: Vec<&str> = messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["between the two"]);
    door.has_lost_nothing();
}
