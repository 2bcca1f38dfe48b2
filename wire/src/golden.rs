//! The bytes of every message, as they were when it was first released (`golden/v1/*.hex`): whoever
//! changes what goes over the wire sees it here, before nodes and clients of two builds do.
//!
//! A line that differs means that old builds will misunderstand. New variants get new lines:
//! `FIVE9S_GOLDEN=write cargo test -p wire --lib golden` writes them; then read the difference.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chat::{AccountId, ConversationId, CreationId, Cursor, Delivery, MessageId, Numbering, Seq, SessionId, Timestamp};
use data_encoding::HEXLOWER;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec;
use crate::message::*;
use crate::peer::*;
use crate::{Address, Code, PeerId, Refusal};

/// In front of the postcard value: the length and the version.
const FRONT_SIZE_BYTES: usize = 5;

/// Compares the samples with the lines of the file, both ways round.
pub(crate) fn check<T>(file: &str, samples: &[T])
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let lines = samples.iter().fold(String::new(), |mut lines, sample| {
        writeln!(lines, "{} {}", name(sample), HEXLOWER.encode(&codec::encode(sample))).expect("a String takes it");
        lines
    });
    let path = path(file);
    if std::env::var("FIVE9S_GOLDEN").is_ok_and(|what| what == "write") {
        std::fs::write(&path, &lines).expect("the folder is there");
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    for (line, sample) in known.lines().zip(samples) {
        let (_, bytes) = line.split_once(' ').expect("a name and bytes");
        let bytes = HEXLOWER.decode(bytes.as_bytes()).expect("hex digits");
        let read: T = codec::decode(&bytes[FRONT_SIZE_BYTES - 1..]).expect("old bytes are still understood");
        assert_eq!(&read, sample, "in {file}");
    }
    assert_eq!(known, lines, "{file} has other bytes than this build writes");
}

/// Checks that each variant has a sample. Indices start at 0 and have no gaps, so it is enough that
/// the index after the last sample's means nothing.
pub(crate) fn check_every_variant<T: Serialize + DeserializeOwned + Debug>(samples: &[T]) {
    let indices: BTreeSet<u8> = samples.iter().map(|sample| codec::encode(sample)[FRONT_SIZE_BYTES]).collect();
    let next = u8::try_from(indices.len()).expect("few variants");
    assert!(indices.iter().copied().eq(0..next), "variants without a sample: {indices:?}");
    let mut unknown = vec![next];
    unknown.extend([0; 4096]);
    let known = postcard::take_from_bytes::<T>(&unknown);
    assert!(known.is_err(), "a variant without a sample: {known:?}");
}

/// The variant, or the struct.
fn name(sample: &impl Debug) -> String {
    let debug = format!("{sample:?}");
    debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1").join(file)
}

const PEER: PeerId = PeerId([0x11; 32]);
const TOKEN: Token = Token([0x22; 32]);
const STORE: StoreId = StoreId([0x33; 16]);
const INCARNATION: Incarnation = Incarnation([0x44; 16]);
const NUMBERING: Numbering = Numbering { high_water: Seq(3), last: Some(MessageId(2)) };
const ID: MessageId = MessageId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

fn addresses() -> Vec<Address> {
    vec!["192.0.2.7:12340".parse().expect("an address")]
}

fn refusal() -> Refusal {
    Refusal::retry_after(Code::Busy, "Later.", 250)
}

fn account(id: u64, name: &str) -> AccountInfo {
    AccountInfo {
        id: AccountId(id),
        name: name.into(),
        active: true,
        deleted: false,
        created_at: Timestamp(1_700_000_000_000),
    }
}

fn message(state: Delivery) -> MessageInfo {
    MessageInfo {
        id: ID,
        cursor: Cursor(300),
        conversation: ConversationId(40),
        from: account(7, "alice"),
        to: account(8, "bob"),
        text: "grüß dich".into(),
        sent_at: Timestamp(1_700_000_000_001),
        state,
    }
}

fn conversation() -> ConversationInfo {
    ConversationInfo {
        id: ConversationId(40),
        with: account(8, "bob"),
        length: 3,
        unread: 1,
        read_up_to: Cursor(299),
        last: Some(message(Delivery::Stored)),
    }
}

fn progress() -> NodeProgress {
    NodeProgress {
        term: 3,
        last_index: 301,
        applied: 300,
        disk_used_bytes: 1 << 20,
        disk_free_bytes: 1 << 40,
        version: "0.1.0".into(),
    }
}

fn node_status(role: Role) -> NodeStatus {
    NodeStatus {
        name: "n1".into(),
        node_id: 1,
        peer: PEER,
        role,
        voter: true,
        reachable: true,
        addresses: addresses(),
        progress: Some(progress()),
    }
}

fn health() -> ClusterHealth {
    let node = NodeHint { name: "n1".into(), peer: PEER, addresses: addresses(), reachable: true };
    ClusterHealth { leader: Some("n1".into()), writable: true, nodes: vec![node] }
}

fn status() -> ClusterStatus {
    let roles = [Role::Leader, Role::Follower, Role::Candidate, Role::Learner, Role::Unknown];
    ClusterStatus {
        nodes: roles.map(node_status).to_vec(),
        leader: Some("n1".into()),
        voters: 3,
        reachable_voters: 3,
        can_lose: 1,
        writable: true,
        epoch: 1,
        answered_by: "n2".into(),
    }
}

fn founding() -> FoundingRecord {
    FoundingRecord {
        incarnation: INCARNATION,
        founders: vec![Founder { node_id: 1, peer: PEER, store: STORE, name: "n1".into() }],
        opaque_setup: vec![5, 6],
        operator_key: [0x55; 32],
    }
}

fn candidate(standing: Standing) -> Candidate {
    Candidate {
        peer: PEER,
        store: STORE,
        name: "n1".into(),
        name_chosen: true,
        expect: 3,
        addresses: addresses(),
        standing,
        operator_key: Some([0x55; 32]),
        knows: vec![(PEER, addresses())],
    }
}

fn requests() -> Vec<Request> {
    vec![
        Request::Accounts { pattern: Some("a*".into()), after: None, limit: 50 },
        Request::RegisterStart { name: "alice".into(), registration: vec![1, 2] },
        Request::RegisterFinish { creation: CreationId(9), name: "alice".into(), upload: vec![3], token: TOKEN },
        Request::LoginStart { name: "alice".into(), credential: vec![4] },
        Request::LoginFinish { finalization: vec![5], token: TOKEN },
        Request::Resume { session: SessionId(12), token: TOKEN },
        Request::ClusterStatus,
        Request::ClusterCheck,
        Request::Send {
            seq: Seq(3),
            follows: Some(MessageId(2)),
            id: ID,
            to: To::Name("bob".into()),
            text: "hi".into(),
        },
        Request::Conversations,
        Request::Messages { with: To::Account(AccountId(8)), before: Some(Cursor(300)), after: None, limit: 20 },
        Request::MessageById { id: ID },
        Request::Subscribe { after: Some(Cursor(300)), announce: true },
        Request::Delivered { marks: vec![(ConversationId(40), Cursor(300))] },
        Request::Read { conversation: ConversationId(40), up_to: Cursor(300) },
        Request::DeletionPreview,
        Request::DeleteAccount,
        Request::LogOut,
        Request::Leave,
        Request::RemoveNode { name: "n3".into() },
        Request::TransferLeader { to: Some("n2".into()) },
        Request::Ping,
        Request::Search {
            query: "lunch".into(),
            with: Some(To::Name("bob".into())),
            before: Some(Cursor(300)),
            limit: 20,
        },
        Request::ConversationsAfter { after: Some(ConversationId(4)) },
        Request::Term { at: Cursor(300) },
    ]
}

fn answers() -> Vec<Answer> {
    vec![
        Answer::Done,
        Answer::Accounts { accounts: vec![account(7, "alice")], more: true },
        Answer::RegisterStart { registration: vec![1] },
        Answer::LoginStart { credential: vec![2] },
        Answer::Session { session: SessionId(12), account: account(7, "alice"), numbering: NUMBERING },
        Answer::Sent(replies().remove(0)),
        Answer::Conversations(vec![conversation()]),
        Answer::Messages {
            conversation: Some(conversation()),
            messages: vec![message(Delivery::Delivered), message(Delivery::Read), message(Delivery::Returned)],
            more: false,
        },
        Answer::Message(Some(message(Delivery::Stored))),
        Answer::Subscribed { from: Cursor(300) },
        Answer::DeletionPreview { undelivered: 2, senders: 1 },
        Answer::AccountDeleted { returned: 2 },
        Answer::ClusterStatus(status()),
        Answer::ClusterCheck {
            index: Cursor(300),
            digests: vec![NodeDigest { name: "n1".into(), digest: Some([0x66; 32]) }],
        },
        Answer::Found { messages: vec![message(Delivery::Read)], more: true },
        Answer::Term(Some(7)),
    ]
}

fn replies() -> Vec<chat::Reply> {
    use chat::{Rejection, Reply};
    let stored = Reply::Stored {
        id: ID,
        conversation: ConversationId(40),
        cursor: Cursor(300),
        to: AccountId(8),
        sent_at: Timestamp(1_700_000_000_001),
        recipient_active: true,
    };
    vec![
        stored,
        Reply::Done,
        Reply::AccountCreated { account: AccountId(7), session: SessionId(12) },
        Reply::SessionOpened { session: SessionId(12), numbering: NUMBERING },
        Reply::AccountDeleted { returned: 2 },
        Reply::Forgotten,
        Reply::Rejected(Rejection::NoSuchAccount),
        Reply::SequenceGap { numbering: NUMBERING },
    ]
}

fn rejections() -> Vec<chat::Rejection> {
    use chat::Rejection;
    vec![
        Rejection::NameTaken("alice".into()),
        Rejection::NoSuchAccount,
        Rejection::NoSuchConversation,
        Rejection::AccountDeleted,
        Rejection::SessionEnded,
        Rejection::IdConflict(ID),
    ]
}

fn feed_events() -> Vec<FeedEvent> {
    let (conversation, by, up_to) = (ConversationId(40), AccountId(8), Cursor(300));
    vec![
        FeedEvent::Message(message(Delivery::Stored)),
        FeedEvent::Delivered { conversation, by, up_to },
        FeedEvent::Read { conversation, by, up_to },
        FeedEvent::Returned { conversation, by: account(8, "bob"), after: up_to, returned: 2 },
    ]
}

fn pushes() -> Vec<Push> {
    vec![
        Push::Feed { cursor: Cursor(300), event: feed_events().remove(0) },
        Push::CaughtUp { cursor: Cursor(300) },
        Push::Account { account: account(7, "alice"), change: AccountChange::Connected },
        Push::Cluster(health()),
        Push::Leaving,
        Push::SessionEnded,
    ]
}

fn peer_requests() -> Vec<PeerRequest> {
    vec![
        PeerRequest::Gather(candidate(Standing::Fresh)),
        PeerRequest::Promise(founding()),
        PeerRequest::Found(founding()),
        PeerRequest::Admit { peer: PEER, store: STORE, name: "n4".into(), name_chosen: false },
        PeerRequest::Propose(Bytes::from_static(&[7, 8, 9])),
        PeerRequest::ReadBarrier,
        PeerRequest::Presence { node_id: 1, sessions: vec![SessionId(12)] },
        PeerRequest::Status,
        PeerRequest::Digest { index: Cursor(300) },
        PeerRequest::TransferLeader { to: Some(2) },
        PeerRequest::Remove { node_id: 3 },
    ]
}

fn peer_answers() -> Vec<PeerAnswer> {
    let (role, progress) = (Role::Follower, progress());
    vec![
        PeerAnswer::Done,
        PeerAnswer::Candidate(candidate(Standing::Member { node_id: 1, incarnation: INCARNATION })),
        PeerAnswer::Admitted { node_id: 317, founding: founding() },
        PeerAnswer::Proposed { index: Cursor(300), reply: Bytes::from_static(&[7, 8, 9]) },
        PeerAnswer::ReadBarrier { index: Cursor(300) },
        PeerAnswer::Status { node_id: 1, name: "n1".into(), role, progress, addresses: addresses() },
        PeerAnswer::Digest { digest: Some([0x66; 32]) },
        PeerAnswer::NotLeader { leader: Some(2) },
        PeerAnswer::Unknown,
        PeerAnswer::Refused(refusal()),
    ]
}

fn standings() -> Vec<Standing> {
    vec![Standing::Fresh, Standing::Promised(founding()), Standing::Member { node_id: 1, incarnation: INCARNATION }]
}

macro_rules! golden {
    ($($test:ident: $samples:expr;)*) => {$(
        #[test]
        fn $test() {
            let samples = $samples;
            check(concat!(stringify!($test), ".hex"), &samples);
            check_every_variant(&samples);
        }
    )*};
}

golden! {
    request: requests();
    answer: answers();
    push: pushes();
    feed_event: feed_events();
    peer_request: peer_requests();
    peer_answer: peer_answers();
    standing: standings();
    reply: replies();
    rejection: rejections();
    to: vec![To::Name("bob".into()), To::Account(AccountId(8))];
    delivery: vec![Delivery::Stored, Delivery::Delivered, Delivery::Read, Delivery::Returned];
    role: vec![Role::Leader, Role::Follower, Role::Candidate, Role::Learner, Role::Unknown];
    code: Code::ALL.to_vec();
    account_change: vec![
        AccountChange::Created, AccountChange::Deleted, AccountChange::Connected, AccountChange::Disconnected,
    ];
}

#[test]
fn envelopes() {
    check("ask.hex", &[Ask { id: 5, at_least: Cursor(299), request: Request::Ping }]);
    let answered = |result| Answered { id: 5, result, applied: Cursor(300), stale: true };
    let from_node = [
        FromNode::Answered(answered(Ok(Answer::Done))),
        FromNode::Answered(answered(Err(refusal()))),
        FromNode::Push(Push::Leaving),
    ];
    check("from_node.hex", &from_node);
    check_every_variant(&from_node);
}
