//! What a client asks of a node, carried out: any requests, in any order and beside each other, by the real API over the real
//! application, in a cluster of one that applies at once.
//!
//! Whatever is asked is answered, once, while the connection lasts; never with the codes that a node has for trouble of its own; what it
//! has applied never goes back; and a message that was answered as stored is found by its sender's id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat::{
    AccountId, Command, ConversationId, CreationId, Cursor, DeviceId, MessageId, Name, Seq, SessionId, Timestamp,
};
use futures::future::{BoxFuture, FutureExt, ready};
use node::api::{ApiContext, Quorum, serve_client};
use node::app::{AppReply, ClusterCommand, Entry, TABLES};
use node::clock::Clock;
use node::store::memory::MemoryState;
use opaque_ke::ServerSetup;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::AsyncWriteExt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::hello::{Claim, ClaimedRole};
use wire::message::{
    Answer, Answered, Ask, CLIENT_FRAME_SIZE_MAX_BYTES, ClusterHealth, ClusterStatus, FromNode, NodeDigest, Request,
    To, Token,
};
use wire::opaque::Suite;
use wire::peer::{FoundingRecord, Incarnation};
use wire::{Code, PeerId, Refusal, codec};

use super::Target;
use super::draw::Draw;
use super::rows::Replica;
use super::samples::{behind, golden_bodies};

pub(super) const TARGET: Target =
    Target { name: "requests", run, seeds, words: &[b"ada\0", b"bob\0", b"\x08\0\0", b"\x09\0\0"] };

/// Requests of one run.
const ASKED_MAX: usize = 60;

/// Of each stream, on its way.
const PIPE_BYTES: usize = 16 * 1024;

/// The device that asks.
const DEVICE: [u8; 32] = [7; 32];

const NOON: Timestamp = Timestamp(1_700_000_000_000);

thread_local! {
    /// Its clock goes on by itself when all wait.
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    static SETUP: Vec<u8> = ServerSetup::<Suite>::new(&mut StdRng::seed_from_u64(1)).serialize().to_vec();
}

/// One byte says who asks, the rest is what is asked.
fn run(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let (alone, session) = Alone::with_people();
    let mut draw = Draw(bytes);
    let mut asks = Vec::new();
    if kind % 4 != 0 {
        asks.push(ask(1, Cursor::START, Request::Resume { session, token: token(0) }));
    }
    while !draw.is_empty() && asks.len() < ASKED_MAX {
        let Some(request) = next(&mut draw, session) else { continue };
        let at_least = if draw.byte() == 0xff { cursor(&mut draw) } else { Cursor::START };
        asks.push(ask(asks.len() as u64 + 1, at_least, request));
    }
    let asked = asks.clone();
    let answers = RUNTIME.with(|runtime| runtime.block_on(alone.serve(asks, kind & 0x10 != 0)));
    look_at(&asked, &answers);
    let stored = answers.iter().filter_map(|answered| match &answered.result {
        Ok(Answer::Sent(chat::Reply::Stored { id, cursor, .. })) => Some((*id, *cursor)),
        _ => None,
    });
    let stored: BTreeMap<MessageId, Cursor> = stored.collect();
    if !asked.iter().any(|ask| matches!(ask.request, Request::DeleteAccount | Request::LogOut)) {
        assert_found(&alone, session, &stored);
    }
}

fn ask(id: u64, at_least: Cursor, request: Request) -> Ask {
    Ask { id, at_least, request }
}

fn token(of: u8) -> Token {
    Token([of; 32])
}

/// Each is answered once, and nothing else is; with what a client may be told.
fn look_at(asked: &[Ask], answers: &[Answered]) {
    let ids: BTreeSet<u64> = answers.iter().map(|answered| answered.id).collect();
    assert_eq!(ids.len(), answers.len(), "something was answered twice");
    assert_eq!(ids, asked.iter().map(|ask| ask.id).collect(), "not everything was answered");
    for answered in answers {
        let Err(refusal) = &answered.result else { continue };
        let request = asked.iter().find(|ask| ask.id == answered.id).map(|ask| &ask.request);
        assert!(!matches!(refusal.code, Code::Internal | Code::Damaged), "{refusal:?} to {request:?}");
        assert!(!refusal.message.trim().is_empty() && !refusal.message.contains('\n'), "{refusal:?} to {request:?}");
    }
}

fn assert_found(alone: &Arc<Alone>, session: SessionId, stored: &BTreeMap<MessageId, Cursor>) {
    if stored.is_empty() {
        return;
    }
    let resume = ask(1, Cursor::START, Request::Resume { session, token: token(0) });
    let looked_up =
        stored.keys().zip(2..).map(|(id, number)| ask(number, Cursor::START, Request::MessageById { id: *id }));
    let asks = std::iter::once(resume).chain(looked_up).collect();
    let answers = RUNTIME.with(|runtime| runtime.block_on(alone.serve(asks, false)));
    let found = answers.into_iter().filter_map(|answered| match answered.result {
        Ok(Answer::Message(message)) => message.map(|message| (message.id, message.cursor)),
        _ => None,
    });
    assert_eq!(&found.collect::<BTreeMap<_, _>>(), stored, "what was stored is not found");
}

/// What is asked next. None: the bytes mean nothing.
fn next(draw: &mut Draw<'_>, session: SessionId) -> Option<Request> {
    let limit = u32::from(draw.byte());
    Some(match draw.byte() % 32 {
        0 => Request::Accounts { pattern: maybe(draw, Draw::text), after: maybe(draw, Draw::text), limit },
        1 => Request::RegisterStart { name: name(draw), registration: draw.field().to_vec() },
        2 => Request::RegisterFinish {
            creation: CreationId(u128::from(draw.byte())),
            name: name(draw),
            upload: draw.field().to_vec(),
            token: token(draw.byte()),
        },
        3 => Request::LoginStart { name: name(draw), credential: draw.field().to_vec() },
        4 => Request::LoginFinish { finalization: draw.field().to_vec(), token: token(draw.byte()) },
        5 => Request::Resume {
            session: if draw.yes() { session } else { SessionId(draw.long()) },
            token: token(draw.byte()),
        },
        6 => Request::ClusterStatus,
        7 => Request::ClusterCheck,
        8..16 => {
            // Mostly the number after the one before, and the id that goes with it.
            let seq = u64::from(draw.byte());
            let (id, follows) = if draw.yes() { (seq, seq - seq.min(1)) } else { (draw.long(), draw.long()) };
            Request::Send {
                seq: Seq(seq),
                follows: (follows > 0).then(|| MessageId(u128::from(follows))),
                id: MessageId(u128::from(id)),
                to: to(draw),
                text: draw.text(),
            }
        }
        16 => Request::Conversations,
        17 => {
            let (before, after) = (maybe(draw, cursor), maybe(draw, cursor));
            Request::Messages { with: to(draw), before, after, limit }
        }
        18 => Request::MessageById { id: MessageId(u128::from(draw.byte())) },
        19 => Request::Subscribe { after: maybe(draw, cursor), announce: draw.yes() },
        20 => {
            let count = draw.below(4);
            Request::Delivered { marks: (0..count).map(|_| (conversation(draw), cursor(draw))).collect() }
        }
        21 => Request::Read { conversation: conversation(draw), up_to: cursor(draw) },
        22 => Request::DeletionPreview,
        23 => match draw.byte() {
            0 => Request::DeleteAccount,
            1 => Request::LogOut,
            _ => Request::Ping,
        },
        24 => Request::Leave,
        25 => Request::RemoveNode { name: draw.text() },
        26 => Request::TransferLeader { to: maybe(draw, Draw::text) },
        27 => Request::Ping,
        28 => {
            let (with, before) = (maybe(draw, to), maybe(draw, cursor));
            Request::Search { query: draw.text(), with, before, limit }
        }
        29 => Request::ConversationsAfter { after: maybe(draw, conversation) },
        30 => Request::Term { at: cursor(draw) },
        // As it comes.
        _ => {
            let length = usize::from(draw.short());
            let body = &draw.0[..length.min(draw.0.len())];
            draw.0 = &draw.0[body.len()..];
            codec::decode(body).ok()?
        }
    })
}

fn maybe<'a, T>(draw: &mut Draw<'a>, one: impl FnOnce(&mut Draw<'a>) -> T) -> Option<T> {
    draw.yes().then(|| one(draw))
}

fn name(draw: &mut Draw<'_>) -> String {
    match draw.below(4) {
        0 => "ada".to_owned(),
        1 => "Bob".to_owned(),
        2 => "eve".to_owned(),
        _ => draw.text(),
    }
}

fn to(draw: &mut Draw<'_>) -> To {
    if draw.yes() { To::Name(name(draw)) } else { To::Account(AccountId(small_or_any(draw))) }
}

fn cursor(draw: &mut Draw<'_>) -> Cursor {
    Cursor(small_or_any(draw))
}

fn conversation(draw: &mut Draw<'_>) -> ConversationId {
    ConversationId(small_or_any(draw))
}

fn small_or_any(draw: &mut Draw<'_>) -> u64 {
    if draw.yes() { u64::from(draw.byte()) } else { draw.long() }
}

/// A cluster of one, without Raft.
#[derive(Debug)]
struct Alone {
    replica: Mutex<Replica>,
    health: watch::Sender<ClusterHealth>,
    drawn: AtomicU64,
}

impl Alone {
    /// Where ada, on the device that asks, and bob have accounts; and ada's session.
    fn with_people() -> (Arc<Self>, SessionId) {
        let replica = Mutex::new(Replica::over(MemoryState::new(TABLES)));
        let alone = Self { replica, health: watch::Sender::new(ClusterHealth::default()), drawn: AtomicU64::new(0) };
        let founding = FoundingRecord {
            incarnation: Incarnation([1; 16]),
            founders: Vec::new(),
            opaque_setup: SETUP.with(Vec::clone),
            operator_key: [0; 32],
        };
        alone.apply(Entry::Cluster(ClusterCommand::Found(founding)));
        let mut sessions =
            [("ada", DEVICE), ("bob", [8; 32])].into_iter().zip(0_u8..).map(|((name, device), number)| {
                let (_, reply) = alone.apply(Entry::Chat(Command::CreateAccount {
                    creation: CreationId(u128::MAX - u128::from(number)),
                    name: Name::parse(name).expect("a name"),
                    credentials: vec![number],
                    device: DeviceId(device),
                    token_hash: token(number).hash(),
                    at: NOON,
                }));
                match reply {
                    AppReply::Chat(chat::Reply::AccountCreated { session, .. }) => session,
                    other => panic!("an account, not {other:?}"),
                }
            });
        let session = sessions.next().expect("ada's");
        sessions.for_each(drop);
        (Arc::new(alone), session)
    }

    fn apply(&self, entry: Entry) -> (Cursor, AppReply) {
        let mut replica = self.replica.lock().expect("a panic ends the run");
        let reply = replica.apply(vec![entry], b"").pop().expect("every entry is answered");
        (*replica.app.applied().borrow(), reply)
    }

    /// Has these requests answered on a connection of their own, all sent before the first answer is waited for.
    async fn serve(self: &Arc<Self>, asks: Vec<Ask>, operator: bool) -> Vec<Answered> {
        let app = Arc::clone(&self.replica.lock().expect("a panic ends the run").app);
        let context = ApiContext::new(app, Arc::clone(self) as _, Arc::clone(self) as _, CancellationToken::new());
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let claim = Claim {
            role: ClaimedRole::Client,
            operator,
            incarnation: None,
            store: None,
            node_id: None,
            name: String::new(),
        };
        let served = tokio::spawn(serve_client(Arc::new(context), claim, PeerId(DEVICE), Box::pin(ours)));
        let (mut reader, mut writer) = tokio::io::split(theirs);
        let asking = async {
            for ask in &asks {
                // A node that has closed the stream has answered what it took.
                if writer.write_all(&codec::encode(ask)).await.is_err() {
                    return;
                }
            }
            let _ = writer.shutdown().await;
        };
        let answering = async {
            let (mut answers, mut applied) = (Vec::new(), Cursor::START);
            while let Some(frame) = codec::read(&mut reader, CLIENT_FRAME_SIZE_MAX_BYTES).await.expect("sound frames") {
                let FromNode::Answered(answered) = frame else { continue };
                assert!(answered.applied >= applied, "what is applied goes back: {answered:?}");
                applied = answered.applied;
                answers.push(answered);
            }
            answers
        };
        let ((), answers) = tokio::join!(asking, answering);
        served.await.expect("serving does not panic");
        answers
    }
}

impl Quorum for Alone {
    fn here(&self) -> chat::Replica {
        chat::Replica(1)
    }

    fn propose(&self, entry: Entry) -> BoxFuture<'_, Result<(Cursor, AppReply), Refusal>> {
        async move {
            let applied = self.apply(entry);
            // As in a cluster, the place is taken at the first poll and the answer comes later.
            tokio::task::yield_now().await;
            Ok(applied)
        }
        .boxed()
    }

    fn read_barrier(&self, _within: Duration) -> BoxFuture<'_, Result<Cursor, Refusal>> {
        ready(Ok(*self.replica.lock().expect("a panic ends the run").app.applied().borrow())).boxed()
    }

    fn status(&self) -> BoxFuture<'_, ClusterStatus> {
        let status = ClusterStatus {
            nodes: Vec::new(),
            leader: None,
            voters: 1,
            reachable_voters: 1,
            can_lose: 0,
            writable: true,
            epoch: 1,
            answered_by: "n1".into(),
        };
        ready(status).boxed()
    }

    fn health(&self) -> watch::Receiver<ClusterHealth> {
        self.health.subscribe()
    }

    fn check(&self) -> BoxFuture<'_, Result<(Cursor, Vec<NodeDigest>), Refusal>> {
        ready(Ok((Cursor(1), Vec::new()))).boxed()
    }

    fn remove_node<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Refusal>> {
        ready(Err(Refusal::new(Code::NoSuchNode, format!("There is no node {name:?}.")))).boxed()
    }

    fn transfer_leader<'a>(&'a self, _to: Option<&'a str>) -> BoxFuture<'a, Result<(), Refusal>> {
        ready(Ok(())).boxed()
    }
}

/// Everything that is drawn is the same in every run.
impl Clock for Alone {
    fn now(&self) -> Timestamp {
        NOON
    }

    fn fill(&self, bytes: &mut [u8]) {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes.iter_mut().zip(drawn.iter().cycle()).for_each(|(byte, drawn)| *byte = *drawn);
    }
}

fn seeds() -> Vec<Vec<u8>> {
    // One of each kind, a conversation, and what the encoders write.
    let each: Vec<u8> = (0..32_u8).flat_map(|kind| [10, kind, 1, 0, 1, b'h', b'i', 0, 0, 0]).collect();
    let sends: Vec<u8> =
        (1..9_u8).flat_map(|seq| [10, 8, seq, 0, 0, 1, b'h', b'i', 0, 0, 5, 19, 0, 0, 0, 0, 0]).collect();
    let bodies = golden_bodies("wire/golden/v1/request.hex");
    let written = bodies.iter().flat_map(|body| {
        let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
        [&[0, 31][..], &length.to_be_bytes(), body, &[0]].concat()
    });
    vec![
        behind(1, &each),
        behind(0x11, &each),
        behind(0, &each),
        behind(1, sends),
        behind(0x11, written.collect::<Vec<_>>()),
    ]
}
