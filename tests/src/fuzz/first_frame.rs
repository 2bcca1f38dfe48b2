//! The first frame on a stream, from somebody who may hold no secret: nobody gets in without the proof, and nobody learns a thing.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire::hello::{Claim, ClaimedRole, Expected, HelloError, Identity, Keys, Welcome, initiate, respond};
use wire::peer::{Incarnation, StoreId};
use wire::secret::ClusterSecret;
use wire::{BoxStream, PeerId, Protocol};

use super::Target;
use super::memory::modest;
use super::samples::behind;

pub(super) const TARGET: Target = Target { name: "first_frame", run, seeds, words: &[b"\0\0\0\x47\x01", b"\x40"] };

const INITIATOR: PeerId = PeerId([1; 32]);
const RESPONDER: PeerId = PeerId([2; 32]);
const OURS: Incarnation = Incarnation([0xa3; 16]);
const STORE: StoreId = StoreId([0xb4; 16]);
const NAME: &str = "name-of-the-node";

/// Of a frame: length, version, and the role's one byte.
const BEFORE_PROOF: usize = 6;
const PROOF_SIZE_BYTES: usize = 32;

/// One byte says on which protocol and from which side, the rest arrives.
fn run(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let protocol = Protocol::ALL[usize::from(kind >> 1) % Protocol::ALL.len()];
    if kind % 2 == 0 { hear_initiator(protocol, bytes) } else { hear_responder(protocol, bytes) }
}

fn hear_initiator(protocol: Protocol, bytes: &[u8]) {
    let secret = secret();
    let expected = Expected { incarnation: Some(OURS), operator_key: Some(secret.operator_key().public()) };
    let (mut stream, other_end) = OtherEnd::saying(bytes);
    let claim = modest(bytes.len(), || {
        wait(respond(&mut stream, RESPONDER, INITIATOR, protocol, &node(), &expected, |_| Ok(())))
    });
    match claim {
        Ok(claim) => assert_proved(protocol, &claim, bytes, other_end.left()),
        Err(error) => {
            assert!(!matches!(error, HelloError::Impostor), "a responder cannot know an impostor");
            assert_nothing_learned(&other_end.heard());
        }
    }
}

/// What was claimed stands in the frame, and nothing but the frame was read.
fn assert_proved(protocol: Protocol, claim: &Claim, bytes: &[u8], left: usize) {
    let valid = VALID.iter().filter(|valid| valid.protocol == protocol && valid.role == claim.role);
    let proofs: Vec<_> = valid.map(|valid| valid.proof()).collect();
    assert!(proofs.iter().any(|proof| holds(bytes, proof)), "let in as {:?} without the proof", claim.role);
    assert!(protocol == Protocol::Client || claim.role == ClaimedRole::Node, "a client is let into {protocol:?}");
    assert!(claim.incarnation.is_none_or(|incarnation| incarnation == OURS), "let in from another founding");
    if claim.operator {
        let signed = VALID.iter().filter(|valid| valid.protocol == protocol).filter_map(|valid| valid.signature());
        assert!(signed.into_iter().any(|signature| holds(bytes, &signature)), "an operator without a signature");
    }
    let length = bytes.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize);
    assert_eq!(left, bytes.len() - 4 - length, "what follows the hello is left for later");
}

/// A stranger hears a refusal, which says nothing about who refuses.
fn assert_nothing_learned(heard: &[u8]) {
    let key = secret().node_secret().node_key().public();
    for what in [NAME.as_bytes(), &OURS.0, &STORE.0, &key, secret().cluster_id().0.as_slice()] {
        assert!(!holds(heard, what), "a refusal gives something away");
    }
}

fn hear_responder(protocol: Protocol, bytes: &[u8]) {
    let (mut stream, _) = OtherEnd::saying(bytes);
    let welcome: Result<Welcome, HelloError> =
        modest(bytes.len(), || wait(initiate(&mut stream, INITIATOR, RESPONDER, protocol, &client(None))));
    if welcome.is_ok() {
        let valid = VALID.iter().filter(|valid| valid.protocol == protocol);
        let key = secret().node_secret().node_key().public();
        assert!(holds(bytes, &key), "somebody is taken for a node without its key");
        let signatures: Vec<_> = valid.map(|valid| valid.answered(&key)).collect();
        assert!(signatures.iter().any(|signature| holds(bytes, signature)), "a node without a signature");
    }
}

/// A hello as it should be, and the answer to it.
struct Valid {
    protocol: Protocol,
    role: ClaimedRole,
    is_operator: bool,
    hello: Vec<u8>,
    answer: Vec<u8>,
}

static VALID: LazyLock<Vec<Valid>> = LazyLock::new(|| {
    let valid = |protocol, identity: Identity, role, is_operator| {
        let (mut silent, hello) = OtherEnd::saying(&[]);
        let unanswered = wait(initiate(&mut silent, INITIATOR, RESPONDER, protocol, &identity));
        assert!(unanswered.is_err(), "nobody answered");
        let hello = hello.heard();
        let expected = Expected { incarnation: Some(OURS), operator_key: Some(secret().operator_key().public()) };
        let (mut stream, answer) = OtherEnd::saying(&hello);
        // A client is refused where only nodes are let in; that is worth knowing too.
        let claim = wait(respond(&mut stream, RESPONDER, INITIATOR, protocol, &node(), &expected, |_| Ok(())));
        assert_eq!(claim.is_ok(), protocol == Protocol::Client || role == ClaimedRole::Node);
        Valid { protocol, role, is_operator, hello, answer: answer.heard() }
    };
    let all = Protocol::ALL.into_iter().flat_map(|protocol| {
        let operator = client(Some(secret()));
        [
            valid(protocol, node(), ClaimedRole::Node, false),
            valid(protocol, client(None), ClaimedRole::Client, false),
            valid(protocol, operator, ClaimedRole::Client, true),
        ]
    });
    all.collect()
});

impl Valid {
    fn proof(&self) -> Vec<u8> {
        self.hello[BEFORE_PROOF..BEFORE_PROOF + PROOF_SIZE_BYTES].to_vec()
    }

    /// The operator's: behind the proof, a one and the signature's length.
    fn signature(&self) -> Option<Vec<u8>> {
        let from = BEFORE_PROOF + PROOF_SIZE_BYTES + 2;
        self.is_operator.then(|| self.hello[from..from + 64].to_vec())
    }

    /// The node's: behind its key and the signature's length.
    fn answered(&self, key: &[u8]) -> Vec<u8> {
        let at = self.answer.windows(key.len()).position(|window| window == key);
        // A client that was refused has no answer with a key in it.
        at.map_or_else(|| vec![0xff; 64], |at| self.answer[at + key.len() + 1..].to_vec())
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for valid in VALID.iter() {
        let place = Protocol::ALL.iter().position(|protocol| *protocol == valid.protocol);
        let kind = 2 * u8::try_from(place.expect("one of all")).expect("few protocols");
        seeds.push(behind(kind, &valid.hello));
        seeds.push(behind(kind + 1, &valid.answer));
    }
    seeds
}

fn secret() -> ClusterSecret {
    ClusterSecret::generate(&mut |bytes| bytes.fill(7))
}

fn node() -> Identity {
    let keys = Keys::Node { secret: secret().node_secret(), operator: None };
    Identity { keys, incarnation: Some(OURS), store: Some(STORE), node_id: Some(1), name: NAME.to_owned() }
}

fn client(operator: Option<ClusterSecret>) -> Identity {
    let operator = operator.map(|secret| secret.operator_key());
    let keys =
        Keys::Client { cluster: secret().cluster_id(), secret: secret().node_secret().client_secret(), operator };
    Identity { keys, incarnation: None, store: None, node_id: None, name: "laptop".to_owned() }
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}

/// Whoever is at the other end: says what it says, and hears what it hears.
#[derive(Clone, Default)]
struct OtherEnd(Arc<Mutex<(Vec<u8>, Vec<u8>)>>);

impl OtherEnd {
    /// A stream on which this arrives, and then its end.
    fn saying(bytes: &[u8]) -> (BoxStream, Self) {
        let end = Self(Arc::new(Mutex::new((bytes.to_vec(), Vec::new()))));
        (Box::pin(end.clone()), end)
    }

    fn both<T>(&self, of: impl FnOnce(&mut (Vec<u8>, Vec<u8>)) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn heard(&self) -> Vec<u8> {
        self.both(|(_, heard)| heard.clone())
    }

    /// How many bytes were not read.
    fn left(&self) -> usize {
        self.both(|(said, _)| said.len())
    }
}

impl AsyncRead for OtherEnd {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.both(|(said, _)| {
            let count = said.len().min(into.remaining());
            into.put_slice(&said.drain(..count).collect::<Vec<_>>());
        });
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for OtherEnd {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.both(|(_, heard)| heard.extend(bytes));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
