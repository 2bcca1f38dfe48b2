//! Whatever is tried, every replica holds what the reference holds.

use chat::{Change, Memory, Replica as Place, View};
use proptest::prelude::*;

use super::super::changes;
use super::super::held::Held;
use super::super::keys::Key;
use super::*;
use crate::raft::application::SnapshotRead;

/// Numbers that choose among what there is when the step is taken.
type Step = (u8, u16, u16, u16);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((0..20u8, any::<u16>(), any::<u16>(), any::<u16>()), 1..80)
}

/// How many entries each batch has.
fn batches() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1..12usize, 1..8)
}

const NAMES: [&str; 4] = ["alice", "bob", "Zoë", "李雷"];

/// What there is to choose among.
#[derive(Default)]
struct There {
    accounts: Vec<u64>,
    sessions: Vec<u64>,
    conversations: Vec<u64>,
}

impl There {
    fn in_memory(memory: &Memory) -> Self {
        let mut there = Self::default();
        for change in memory.records() {
            match change {
                Change::PutAccount(account) => there.accounts.push(account.id.0),
                Change::AddSession(session) => there.sessions.push(session.id.0),
                Change::AddConversation(conversation) => there.conversations.push(conversation.id.0),
                _ => {}
            }
        }
        there
    }
}

/// One of the ids, or one that never was.
fn pick(ids: &[u64], choice: u16) -> u64 {
    ids.get(usize::from(choice) % (ids.len() + 1)).copied().unwrap_or(777_777)
}

fn command((kind, a, b, c): Step, memory: &Memory, at: u64) -> Command {
    let there = There::in_memory(memory);
    let session = SessionId(pick(&there.sessions, a));
    let up_to = Cursor(u64::from(c) % (at + 1));
    let name = NAMES[usize::from(b) % NAMES.len()];
    match kind {
        0..3 => create(name, u64::from(c % 3)),
        3 => Command::OpenSession {
            account: AccountId(pick(&there.accounts, a)),
            device: DeviceId([(b % 3) as u8; 32]),
            token_hash: [4; 32],
            at: Timestamp(at),
        },
        4 => Command::CloseSession { session },
        5 => Command::DeleteAccount { session, at: Timestamp(at) },
        6 | 7 => Command::Connect { session, at: Place(u64::from(b % 3)) },
        8 => Command::Disconnect { session, at: Place(u64::from(b % 3)) },
        9 | 10 => {
            let conversation = ConversationId(pick(&there.conversations, b));
            Command::MarkDelivered { session, marks: vec![(conversation, up_to)] }
        }
        11 | 12 => Command::MarkRead { session, conversation: ConversationId(pick(&there.conversations, b)), up_to },
        _ => {
            let mut numbering = memory.session(session).map(|session| session.numbering).unwrap_or_default();
            // Mostly the next number, sometimes one executed before or one too far.
            let Seq(before) = &mut numbering.high_water;
            *before = (*before + u64::from(c % 7 == 0)).saturating_sub(u64::from(c % 5 == 0));
            send(session, numbering, MessageId(u128::from(at) % 20), name, "text")
        }
    }
}

/// The commands, what the reference answered, and the reference.
fn told(steps: &[Step]) -> (Vec<Entry>, Vec<AppReply>, Memory) {
    let mut memory = Memory::default();
    let (mut entries, mut replies) = (Vec::new(), Vec::new());
    for (at, step) in (1..).zip(steps) {
        let command = command(*step, &memory, at);
        replies.push(AppReply::Chat(memory.apply(Cursor(at), &command)));
        entries.push(Entry::Chat(command));
    }
    (entries, replies, memory)
}

/// The rows of a replica that holds what the reference holds.
fn expected(memory: &Memory, at: u64) -> Vec<(Table, Row)> {
    let store = MemoryState::new(TABLES);
    let filled = store.write(&mut |to| {
        let mut held = Held::default();
        for change in memory.records() {
            changes::write(to, &mut held, &change)?;
        }
        held.write(to)?;
        changes::put(to, Key::Cursor, &Cursor(at))
    });
    filled.unwrap();
    rows(&*store)
}

fn apply_in_batches(replica: &mut Replica, entries: &[Entry], sizes: &[usize]) -> Vec<AppReply> {
    let mut sizes = sizes.iter().cycle();
    let (mut rest, mut replies) = (entries, Vec::new());
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
        replies.extend(replica.apply(batch).unwrap());
        rest = later;
    }
    replies
}

/// Another replica, filled from a snapshot of this one.
fn through_a_snapshot(from: &App, store: Arc<dyn StateStore>, size_max_bytes: usize) -> Replica {
    let into = App::open(store.clone()).unwrap();
    let (applied, mut rows) = from.snapshot().unwrap();
    let mut incoming = into.receive().unwrap();
    while let Some(chunk) = next(&mut *rows, size_max_bytes) {
        incoming.fill(chunk.into_iter().map(|(table, row)| (table.0.to_owned(), row)).collect()).unwrap();
    }
    incoming.install(&applied.unwrap()).unwrap();
    drop(into);
    Replica::over(store)
}

fn next(rows: &mut dyn SnapshotRead, size_max_bytes: usize) -> Option<Vec<(Table, Row)>> {
    let chunk = rows.next(size_max_bytes).unwrap();
    (!chunk.is_empty()).then_some(chunk)
}

fn assert_agrees(mut replica: Replica, steps: &[Step], sizes: &[usize]) -> Replica {
    let (entries, replies, memory) = told(steps);
    assert_eq!(apply_in_batches(&mut replica, &entries, sizes), replies);
    assert_eq!(rows(&*replica.app.store), expected(&memory, replica.next - 1));
    replica
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_replica_in_memory_holds_what_the_reference_holds(steps in steps(), sizes in batches()) {
        assert_agrees(Replica::in_memory(), &steps, &sizes);
    }

    #[test]
    fn a_snapshot_makes_an_equal_replica(steps in steps(), size_max_bytes in 1..300usize) {
        let mut from = assert_agrees(Replica::in_memory(), &steps, &[5]);
        let mut into = through_a_snapshot(&from.app, MemoryState::new(TABLES), size_max_bytes);
        prop_assert_eq!(into.next, from.next);
        prop_assert_eq!(Application::applied(&*into.app), Application::applied(&*from.app));
        prop_assert_eq!(into.digest(), from.digest());
    }
}

proptest! {
    // Each case writes to a disk.
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_replica_on_a_disk_holds_what_the_reference_holds(steps in steps(), sizes in batches()) {
        let folder = tempfile::tempdir().unwrap();
        let mut on_disk = assert_agrees(Replica::on_disk(folder.path()), &steps, &sizes);
        let mut in_memory = assert_agrees(Replica::in_memory(), &steps, &[7]);
        prop_assert_eq!(on_disk.digest(), in_memory.digest());
        let end = on_disk.next;
        drop(on_disk);
        prop_assert_eq!(Replica::on_disk(folder.path()).next, end, "what was applied is there after a restart");
    }

    #[test]
    fn a_snapshot_travels_from_disk_to_disk(steps in steps(), size_max_bytes in 1..300usize) {
        let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut from = assert_agrees(Replica::on_disk(folders.0.path()), &steps, &[5]);
        let store = LmdbState::open(folders.1.path(), TABLES).unwrap();
        let mut into = through_a_snapshot(&from.app, store, size_max_bytes);
        prop_assert_eq!(into.digest(), from.digest());
    }
}

#[test]
fn a_digest_differs_where_one_row_does() {
    let (mut one, mut other) = (Replica::in_memory(), Replica::in_memory());
    for replica in [&mut one, &mut other] {
        replica.joined("alice");
    }
    assert_eq!(one.digest(), other.digest());
    one.then(Command::Connect { session: SessionId(1), at: Place(1) });
    other.then(Command::Connect { session: SessionId(1), at: Place(2) });
    assert_ne!(one.digest(), other.digest());
}
