use futures::FutureExt;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::*;
use crate::secret::ClusterSecret;

const INITIATOR: PeerId = PeerId([1; 32]);
const RESPONDER: PeerId = PeerId([2; 32]);
const OURS: Incarnation = Incarnation([3; 16]);

fn secret(byte: u8) -> ClusterSecret {
    ClusterSecret::generate(&mut |bytes| bytes.fill(byte))
}

fn node(secret: &ClusterSecret) -> Identity {
    let keys = Keys::Node { secret: secret.node_secret(), operator: None };
    let store = Some(StoreId([4; 16]));
    Identity { keys, incarnation: Some(OURS), store, node_id: Some(1), name: "n1".into() }
}

fn client(secret: &ClusterSecret, operator: Option<OperatorKey>) -> Identity {
    let cluster = secret.cluster_id();
    let keys = Keys::Client { cluster, secret: secret.node_secret().client_secret(), operator };
    Identity { keys, incarnation: None, store: None, node_id: None, name: "laptop".into() }
}

fn expected(secret: &ClusterSecret) -> Expected {
    Expected { incarnation: Some(OURS), operator_key: Some(secret.operator_key().public()) }
}

fn pair() -> (BoxStream, BoxStream) {
    let (near, far) = tokio::io::duplex(4096);
    (Box::pin(near), Box::pin(far))
}

/// Both ends of a hello between `initiator` and a node of the cluster with secret 7.
async fn meet(initiator: &Identity, protocol: Protocol) -> (Result<Welcome, HelloError>, Result<Claim, HelloError>) {
    let (mut near, mut far) = pair();
    let (responder, expected) = (node(&secret(7)), expected(&secret(7)));
    tokio::join!(
        initiate(&mut near, INITIATOR, RESPONDER, protocol, initiator),
        respond(&mut far, RESPONDER, INITIATOR, protocol, &responder, &expected, |_| Ok(())),
    )
}

/// Both ends say the same, and it is this.
fn assert_refused<A: std::fmt::Debug, B: std::fmt::Debug>(
    (one, other): (Result<A, HelloError>, Result<B, HelloError>),
    code: Code,
) {
    assert_eq!(one.expect_err("refused").refusal().code, code);
    assert_eq!(other.expect_err("refused").refusal().code, code);
}

#[tokio::test]
async fn a_node_is_let_into_every_protocol() {
    for protocol in Protocol::ALL {
        let (welcome, claim) = meet(&node(&secret(7)), protocol).await;
        assert_eq!(welcome.expect("welcome").node, "n1");
        assert_eq!(claim.expect("a claim").role, ClaimedRole::Node);
    }
}

#[tokio::test]
async fn a_client_is_let_into_the_client_protocol_only() {
    for protocol in Protocol::ALL {
        let met = meet(&client(&secret(7), None), protocol).await;
        if protocol == Protocol::Client {
            assert_eq!(met.0.expect("welcome").incarnation, Some(OURS));
            assert_eq!(met.1.expect("a claim").role, ClaimedRole::Client);
        } else {
            assert_refused(met, Code::WrongSecret);
        }
    }
}

#[tokio::test]
async fn the_secret_of_another_cluster_is_refused() {
    assert_refused(meet(&node(&secret(8)), Protocol::RaftAppend).await, Code::WrongSecret);
    assert_refused(meet(&client(&secret(8), None), Protocol::Client).await, Code::WrongSecret);
}

#[tokio::test]
async fn a_client_that_calls_itself_a_node_is_refused() {
    let client_secret = secret(7).node_secret().client_secret();
    let mut pretender = node(&secret(7));
    pretender.keys = Keys::Node { secret: NodeSecret::from_bytes(*client_secret.bytes()), operator: None };
    assert_refused(meet(&pretender, Protocol::Peer).await, Code::WrongSecret);
}

#[tokio::test]
async fn another_incarnation_is_refused() {
    let mut of_old = client(&secret(7), None);
    of_old.incarnation = Some(Incarnation([9; 16]));
    assert_refused(meet(&of_old, Protocol::Client).await, Code::WrongCluster);
}

#[tokio::test]
async fn an_initiator_notices_by_itself_that_the_incarnation_is_another() {
    let (mut near, mut far) = pair();
    let mut of_old = client(&secret(7), None);
    of_old.incarnation = Some(Incarnation([9; 16]));
    let (responder, indifferent) = (node(&secret(7)), Expected::default());
    let (welcome, _) = tokio::join!(
        initiate(&mut near, INITIATOR, RESPONDER, Protocol::Client, &of_old),
        respond(&mut far, RESPONDER, INITIATOR, Protocol::Client, &responder, &indifferent, |_| Ok(())),
    );
    assert_eq!(welcome.expect_err("refused").refusal().code, Code::WrongCluster);
}

#[tokio::test]
async fn a_client_cannot_stand_in_for_a_node() {
    // All it knows besides its secret is the public node key; the signature is beyond it.
    let binding = Binding {
        protocol: Protocol::Client,
        initiator: INITIATOR,
        responder: RESPONDER,
        cluster: secret(7).cluster_id(),
    };
    let right_key = secret(7).node_secret().node_key().public();
    let own = NodeSecret::from_bytes(*secret(7).node_secret().client_secret().bytes()).node_key();
    let signature = binding.node_signature(&own, Some(OURS));
    for node_key in [right_key, own.public()] {
        let (mut near, mut far) = pair();
        let welcome = Welcome { node: "n1".into(), incarnation: Some(OURS), store: None, node_id: None };
        let reply = Reply::Welcome { welcome, node_key, signature: signature.clone() };
        codec::write(&mut far, &reply).await.expect("there is room");
        let outcome = initiate(&mut near, INITIATOR, RESPONDER, Protocol::Client, &client(&secret(7), None)).await;
        assert!(matches!(outcome, Err(HelloError::Impostor)), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_proof_is_worth_nothing_to_another_peer_or_protocol() {
    let (honest, other_node) = (node(&secret(7)), PeerId([5; 32]));
    let (protocol, cluster) = (Protocol::Peer, honest.keys.cluster());
    let stolen = [
        Binding { protocol, initiator: PeerId([6; 32]), responder: RESPONDER, cluster },
        Binding { protocol, initiator: INITIATOR, responder: other_node, cluster },
        Binding { protocol: Protocol::Client, initiator: INITIATOR, responder: RESPONDER, cluster },
    ];
    for binding in stolen {
        let (mut near, mut far) = pair();
        codec::write(&mut near, &hello(&honest, &binding)).await.expect("there is room");
        let outcome =
            respond(&mut far, RESPONDER, INITIATOR, protocol, &honest, &expected(&secret(7)), |_| Ok(())).await;
        assert_eq!(outcome.expect_err("stolen").refusal().code, Code::WrongSecret);
    }
}

#[tokio::test]
async fn only_the_cluster_secret_makes_an_operator() {
    let (_, claim) = meet(&client(&secret(7), Some(secret(7).operator_key())), Protocol::Client).await;
    assert!(claim.expect("a claim").operator);
    let (_, claim) = meet(&client(&secret(7), None), Protocol::Client).await;
    assert!(!claim.expect("a claim").operator);
    let pretender = client(&secret(7), Some(secret(8).operator_key()));
    assert_refused(meet(&pretender, Protocol::Client).await, Code::WrongSecret);
}

#[tokio::test]
async fn before_the_founding_nobody_is_an_operator() {
    let (mut near, mut far) = pair();
    let operator = client(&secret(7), Some(secret(7).operator_key()));
    let (responder, expected) = (node(&secret(7)), Expected::default());
    let (_, claim) = tokio::join!(
        initiate(&mut near, INITIATOR, RESPONDER, Protocol::Client, &operator),
        respond(&mut far, RESPONDER, INITIATOR, Protocol::Client, &responder, &expected, |_| Ok(())),
    );
    assert!(!claim.expect("a claim").operator);
}

#[tokio::test]
async fn the_gate_has_the_last_word_and_never_sees_a_stranger() {
    let (mut near, mut far) = pair();
    let (insider, responder, expected) = (node(&secret(7)), node(&secret(7)), expected(&secret(7)));
    let closed = |claim: &Claim| {
        assert_eq!(claim.node_id, Some(1));
        Err(Refusal::new(Code::NotAMember, "Not a member."))
    };
    let met = tokio::join!(
        initiate(&mut near, INITIATOR, RESPONDER, Protocol::Peer, &insider),
        respond(&mut far, RESPONDER, INITIATOR, Protocol::Peer, &responder, &expected, closed),
    );
    assert_refused(met, Code::NotAMember);

    let (mut near, mut far) = pair();
    let stranger = node(&secret(8));
    let met = tokio::join!(
        initiate(&mut near, INITIATOR, RESPONDER, Protocol::Peer, &stranger),
        respond(&mut far, RESPONDER, INITIATOR, Protocol::Peer, &responder, &expected, |_| panic!("a stranger")),
    );
    assert_refused(met, Code::WrongSecret);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_after_five_seconds_at_either_end() {
    let (mut near, mut far) = pair();
    let begin = Instant::now();
    let responder = node(&secret(7));
    let answered =
        respond(&mut far, RESPONDER, INITIATOR, Protocol::Peer, &responder, &Expected::default(), |_| Ok(())).await;
    assert!(matches!(answered, Err(HelloError::Silent)));
    assert_eq!(begin.elapsed(), HELLO_TIMEOUT);
    let asked = initiate(&mut near, INITIATOR, RESPONDER, Protocol::Peer, &responder).await;
    assert!(matches!(asked, Err(HelloError::Silent)));
    assert_eq!(begin.elapsed(), 2 * HELLO_TIMEOUT);
}

/// What a responder says to these bytes, if anything.
async fn heard_by_a_stranger(bytes: &[u8]) -> Vec<u8> {
    let (near, mut far) = pair();
    let (mut read, mut write) = tokio::io::split(near);
    let responder = node(&secret(7));
    let expected = expected(&secret(7));
    let exchange = respond(&mut far, RESPONDER, INITIATOR, Protocol::Peer, &responder, &expected, |_| Ok(()));
    let speak = async {
        write.write_all(bytes).await.expect("there is room");
        write.shutdown().await.expect("the other end is there");
    };
    let (outcome, ()) = tokio::join!(exchange, speak);
    assert!(outcome.is_err());
    drop(far);
    let mut heard = Vec::new();
    read.read_to_end(&mut heard).await.expect("a clean end");
    heard
}

#[tokio::test]
async fn an_oversized_hello_is_refused_unread() {
    let heard = heard_by_a_stranger(&[0, 0, 255, 255]).await;
    let reply: Reply = codec::decode(&heard[4..]).expect("a frame");
    assert!(matches!(reply, Reply::Refused(Refusal { code: Code::FrameTooLarge, .. })));
}

proptest! {
    #[test]
    fn random_bytes_hear_nothing_but_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let framed: Vec<u8> = [&(bytes.len() as u32).to_be_bytes(), bytes.as_slice()].concat();
        for said in [bytes, framed] {
            let heard = runtime.block_on(heard_by_a_stranger(&said));
            prop_assert!(heard.is_empty() || matches!(codec::decode(&heard[4..]), Ok(Reply::Refused(_))));
        }
    }
}

#[test]
fn a_client_never_answers_a_hello() {
    let (_near, mut far) = pair();
    let (us, expected) = (client(&secret(7), None), Expected::default());
    let answer = respond(&mut far, RESPONDER, INITIATOR, Protocol::Client, &us, &expected, |_| Ok(()));
    assert!(matches!(answer.now_or_never(), Some(Err(HelloError::Refused(_)))));
}

#[test]
fn the_bytes_of_a_hello_stay_as_they_are() {
    let (operator, identity) = (Some(secret(7).operator_key()), node(&secret(7)));
    let binding = Binding {
        protocol: Protocol::Peer,
        initiator: INITIATOR,
        responder: RESPONDER,
        cluster: identity.keys.cluster(),
    };
    crate::golden::check("hello.hex", &[hello(&identity, &binding), hello(&client(&secret(7), operator), &binding)]);
    let refused = Reply::Refused(Refusal::new(Code::NotAMember, "Not a member."));
    let replies = [welcome(&binding, &secret(7).node_secret(), &identity), refused];
    crate::golden::check("hello_reply.hex", &replies);
    crate::golden::check_every_variant(&replies);
}
