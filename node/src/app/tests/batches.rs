//! Batches: one transaction each, cut at a check, harmless when they come again, stopped by a bad disk.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chat::{ConversationId, Notice, REMEMBERED_REPLIES, Seq, Timestamp};
use futures::FutureExt as _;

use super::super::changes;
use super::super::keys::{self, ACCOUNTS, Key};
use super::super::tables::Tables;
use super::super::watching::{ALL_ARE_TOLD_MAX, News};
use super::*;
use crate::raft::application::Entries;
use crate::store::state::{Read, Staged, Write};

const CHECK: Entry = Entry::Cluster(ClusterCommand::Check);

#[test]
fn a_check_in_a_batch_sees_the_state_of_its_own_index() {
    let (mut batched, mut single) = (Replica::in_memory(), Replica::in_memory());
    let [alice, bob] = ["alice", "bob"].map(|name| Entry::Chat(create(name, 1)));
    batched.apply(&[alice.clone(), CHECK, bob, CHECK]).unwrap();
    single.one(alice);
    let checked = single.digest();
    assert_eq!(digest_of(&batched.app, Cursor(2)), checked);
    assert_ne!(digest_of(&batched.app, Cursor(4)), checked);
}

/// Entries by clients that send the next one once the last is answered.
struct OneByOne {
    waiting: VecDeque<Committed>,
    given: usize,
    answers: mpsc::Receiver<Bytes>,
    answered: usize,
}

impl Entries for OneByOne {
    fn next(&mut self) -> Option<Vec<Committed>> {
        self.answered += self.answers.try_iter().count();
        assert_eq!(self.answered, self.given, "whoever was to send the next still waits for an answer");
        let next = self.waiting.pop_front()?;
        self.given += 1;
        Some(vec![next])
    }

    fn applied(&self) -> Vec<u8> {
        Vec::new()
    }
}

#[test]
fn what_has_come_is_answered_before_more_is_waited_for() {
    let replica = Replica::in_memory();
    let (replies, answers) = mpsc::channel();
    let entries = ["alice", "bob", "carol"].map(|name| Entry::Chat(create(name, 1)));
    let waiting = (replica.next..).zip(&entries).map(|(at, entry)| waited_for(at, entry, &replies)).collect();
    let mut entries = OneByOne { waiting, given: 0, answers, answered: 0 };
    replica.app.apply(&mut entries).unwrap();
    assert_eq!(entries.answered, 3);
}

#[test]
fn what_an_earlier_build_remembered_of_stored_messages_makes_no_difference() {
    let (store, mut plain) = (MemoryState::new(TABLES), Replica::in_memory());
    let mut upgraded = Replica::over(store.clone());
    let (alice, session) = [&mut upgraded, &mut plain].map(|replica| replica.joined("alice"))[0];
    let remembered = |seq, reply: &Reply| {
        store.write(&mut |to| changes::put(to, Key::Reply(session, Seq(seq)), reply)).unwrap();
    };
    let (id, conversation, sent_at) = (MessageId(1), ConversationId(9), Timestamp(1));
    remembered(1, &Reply::Stored { id, conversation, cursor: Cursor(9), to: alice, sent_at, recipient_active: true });
    assert_eq!(upgraded.digest(), plain.digest());
    remembered(2, &Reply::Rejected(chat::Rejection::NoSuchAccount));
    assert_ne!(upgraded.digest(), plain.digest(), "refusals count");
}

#[test]
fn refusals_are_remembered_for_as_long_as_was_promised() {
    let mut replica = Replica::in_memory();
    let (_, session) = replica.joined("alice");
    let mut remembered_after = |to: &str| {
        let numbering = replica.app.session(session).unwrap().unwrap().numbering;
        replica.then(send(session, numbering, MessageId(u128::from(replica.next)), to, "text"));
        let mut numbers = Vec::new();
        let mut each = |key: &[u8], _: &[u8]| {
            numbers.extend(keys::last_number(key));
            true
        };
        replica.app.store.read().unwrap().scan(keys::REPLIES, &[], None, &mut each).unwrap();
        (numbering.high_water.next().0, numbers)
    };
    assert_eq!(remembered_after("nobody"), (1, vec![1]));
    assert_eq!(remembered_after("alice"), (2, vec![1]));
    assert_eq!(remembered_after("nobody"), (3, vec![1, 3]));
    for number in 4..=REMEMBERED_REPLIES {
        assert_eq!(remembered_after("alice"), (number, vec![1, 3]));
    }
    assert_eq!(remembered_after("alice"), (REMEMBERED_REPLIES + 1, vec![3]));
    assert_eq!(remembered_after("alice"), (REMEMBERED_REPLIES + 2, vec![3]));
    // There is nothing left, and then something again.
    assert_eq!(remembered_after("alice"), (REMEMBERED_REPLIES + 3, vec![]));
    assert_eq!(remembered_after("alice"), (REMEMBERED_REPLIES + 4, vec![]));
    let refused = REMEMBERED_REPLIES + 5;
    assert_eq!(remembered_after("nobody"), (refused, vec![refused]));
    for number in refused + 1..refused + REMEMBERED_REPLIES {
        assert_eq!(remembered_after("alice"), (number, vec![refused]));
    }
    assert_eq!(remembered_after("alice"), (refused + REMEMBERED_REPLIES, vec![]));
}

#[test]
fn of_many_refusals_the_last_are_remembered_and_no_others() {
    let mut replica = Replica::in_memory();
    let (_, session) = replica.joined("alice");
    for number in 1..=2 * REMEMBERED_REPLIES {
        let numbering = replica.app.session(session).unwrap().unwrap().numbering;
        replica.then(send(session, numbering, MessageId(u128::from(number)), "nobody", "text"));
        let state = replica.app.store.read().unwrap();
        let first = number.saturating_sub(REMEMBERED_REPLIES) + 1;
        // From anywhere on: whoever forgets one has forgotten those before it.
        for (from, found) in [(0, first), (first, first), (number, number)] {
            assert_eq!(Tables(&*state).first_remembered(session, Seq(from)), Ok(Some(Seq(found))));
        }
        assert_eq!(Tables(&*state).first_remembered(session, Seq(number + 1)), Ok(None));
        assert_eq!(Tables(&*state).remembered(session, Seq(first - 1)), Ok(None));
    }
}

#[test]
fn only_the_last_digests_are_kept() {
    let mut replica = Replica::in_memory();
    let first = Cursor(replica.next);
    for _ in 0..9 {
        replica.digest();
    }
    assert_eq!(replica.app.digest_at(first), None);
    assert!(replica.app.digest_at(Cursor(9)).is_some());
}

#[test]
fn whoever_differs_from_the_verdict_stops() {
    let mut replica = Replica::in_memory();
    replica.joined("alice");
    let check = Cursor(replica.next);
    let own = replica.digest();
    let verdict = |index, digest| Entry::Cluster(ClusterCommand::Verdict { index, digest });
    replica.apply(&[verdict(check, own), CHECK]).unwrap();
    replica.apply(&[verdict(check, [7; 32])]).unwrap();
    let differs = Err(StoreError::Differs { index: check.0 });
    assert_eq!(replica.apply(&[CHECK]), differs, "nothing more is applied");
}

#[test]
fn a_verdict_may_come_while_the_replica_is_still_hashing() {
    let mut replica = Replica::in_memory();
    let check = Cursor(replica.next + 1);
    let verdict = Entry::Cluster(ClusterCommand::Verdict { index: check, digest: [7; 32] });
    replica.apply(&[verdict, CHECK]).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let refused = std::iter::from_fn(|| (Instant::now() < until).then(|| replica.apply(&[CHECK])));
    assert_eq!(refused.flat_map(Result::err).next(), Some(StoreError::Differs { index: check.0 }));
}

#[test]
fn what_others_see_follows_the_commit() {
    let mut replica = Replica::in_memory();
    let (applied, mut watching) = (replica.app.applied(), replica.app.watch(AccountId(7)));
    let entries = ["alice", "bob"].map(|name| Entry::Chat(create(name, 1)));
    let replies = replica.apply(&entries).unwrap();
    assert_eq!(replies.len(), 2);
    assert_eq!(*applied.borrow(), Cursor(2));
    let notices = [1, 2].map(|number| Notice::AccountCreated(AccountId(number))).to_vec();
    assert_eq!(watching.news().now_or_never(), Some(News { changed: false, notices }));
}

#[test]
fn entries_of_raft_only_move_the_cursor() {
    let replica = Replica::in_memory();
    let blank = Committed { index: 7, term: 1, command: None, respond: None };
    replica.app.apply(&mut Whole::new(vec![blank], b"seven")).unwrap();
    assert_eq!(*replica.app.applied().borrow(), Cursor(7));
    assert_eq!(Application::applied(&*replica.app), Ok(Some(b"seven".to_vec())));
}

#[test]
fn an_entry_of_a_newer_version_stops_the_node() {
    let mut bytes = CHECK.encode().to_vec();
    bytes[0] += 1;
    let newer = Committed { index: 1, term: 1, command: Some(bytes.into()), respond: None };
    let replica = Replica::in_memory();
    assert!(matches!(
        replica.app.apply(&mut Whole::new(vec![newer], b"1")),
        Err(StoreError::Newer { found: 2, known: 1, .. })
    ));
    assert_eq!(*replica.app.applied().borrow(), Cursor::START);
}

#[test]
fn a_batch_that_was_cut_by_a_crash_is_applied_once() {
    let store = MemoryState::new(TABLES);
    let batch = [Entry::Chat(create("alice", 1)), CHECK, Entry::Chat(create("bob", 2))];
    // One for what comes before the check.
    let mut failing = Replica::over(Arc::new(FailsAfter { store: store.clone(), writes: Mutex::new(1) }));
    assert!(failing.apply(&batch).is_err());
    assert_eq!(Application::applied(&*failing.app), Ok(None), "to Raft, nothing of the batch was applied");

    let mut again = Replica { next: 1, ..Replica::over(store) };
    let mut watching = again.app.watch(AccountId(7));
    let replies = again.apply(&batch).unwrap();
    let bob = AppReply::Chat(Reply::AccountCreated { account: AccountId(3), session: SessionId(3) });
    assert_eq!(replies, [bob], "what the state has already is passed over");
    let created = News { changed: false, notices: vec![Notice::AccountCreated(AccountId(3))] };
    assert_eq!(watching.news().now_or_never(), Some(created));
    let mut whole = Replica::in_memory();
    whole.apply(&batch).unwrap();
    assert_eq!(rows(&*again.app.store), rows(&*whole.app.store));
}

#[test]
fn a_damaged_row_stops_the_apply_before_anything_is_written() {
    let store = MemoryState::new(TABLES);
    let mut replica = Replica::over(store.clone());
    let (alice, session) = replica.joined("alice");
    store.write(&mut |to| to.put(ACCOUNTS, &alice.0.to_be_bytes(), b"\x01rubbish")).unwrap();
    let before = rows(&*store);
    // One that has not looked at the row while it was whole.
    replica.app = App::open(store.clone()).unwrap();
    let send = Entry::Chat(send(session, Numbering::default(), MessageId(1), "alice", "lost?"));
    assert!(matches!(replica.apply(&[send]), Err(StoreError::Damaged { .. })));
    assert_eq!(rows(&*store), before);
    assert_eq!(*replica.app.applied().borrow(), Cursor(1));
}

#[test]
fn what_sync_speaks_of_survives_a_power_cut() {
    let store = MemoryState::new(TABLES);
    let mut replica = Replica::over(store.clone());
    replica.joined("alice");
    let synced = replica.app.sync().unwrap();
    assert_eq!(synced, Some(1u64.to_be_bytes().to_vec()));
    assert_eq!(Application::applied(&*App::open(store.crash()).unwrap()), Ok(synced));
}

#[test]
fn a_snapshot_with_a_table_of_another_kind_is_refused() {
    let replica = Replica::in_memory();
    let mut incoming = replica.app.receive().unwrap();
    let row = ("wallets".to_owned(), (vec![1], vec![2]));
    assert!(matches!(incoming.fill(vec![row]), Err(StoreError::Damaged { .. })));
}

#[test]
fn an_installed_snapshot_is_seen_by_who_waits() {
    let mut from = Replica::in_memory();
    from.joined("alice");
    let into = Replica::in_memory();
    let (applied, mut watching) = (into.app.applied(), into.app.watch(AccountId(1)));
    let (record, mut rows) = from.app.snapshot().unwrap();
    let mut incoming = into.app.receive().unwrap();
    let rows = rows.next(usize::MAX).unwrap().into_iter().map(|(table, row)| (table.0.to_owned(), row)).collect();
    incoming.fill(rows).unwrap();
    assert_eq!(into.app.account_by_name("alice").unwrap(), None, "nothing changes before it is installed");
    incoming.install(&record.unwrap()).unwrap();
    assert_eq!(*applied.borrow(), Cursor(1));
    assert_eq!(watching.changed().now_or_never(), Some(()));
    assert!(into.app.account_by_name("alice").unwrap().is_some());
}

#[test]
fn what_was_held_goes_with_the_state_that_a_snapshot_replaces() {
    let (mut from, mut into) = (Replica::in_memory(), Replica::in_memory());
    let (_, session) = from.joined("alice");
    assert_eq!(into.joined("alice").1, session);
    from.says(session, "alice", "one");
    let (record, mut rows_of) = from.app.snapshot().unwrap();
    let carried = rows_of.next(usize::MAX).unwrap().into_iter().map(|(table, row)| (table.0.to_owned(), row)).collect();
    let mut incoming = into.app.receive().unwrap();
    incoming.fill(carried).unwrap();
    incoming.install(&record.unwrap()).unwrap();
    into.next = from.next;
    assert_eq!(into.says(session, "alice", "two"), from.says(session, "alice", "two"));
    assert_eq!(rows(&*into.app.store), rows(&*from.app.store));
}

#[test]
fn whoever_listens_to_an_account_is_woken_by_its_rows_and_sessions_alone() {
    let mut replica = Replica::in_memory();
    let (alice, session) = replica.joined("alice");
    let (bob, bobs_session) = replica.joined("bob");
    let (carol, _) = replica.joined("carol");
    let mut watching = [alice, bob, carol].map(|account| replica.app.watch(account));
    let mut woken = || watching.each_mut().map(|watching| watching.changed().now_or_never().is_some());
    replica.says(session, "bob", "text");
    assert_eq!(woken(), [true, true, false]);
    replica.then(Command::Connect { session, at: chat::Replica(1) });
    assert_eq!(woken(), [true, false, false]);
    replica.then(Command::CloseSession { session: bobs_session });
    assert_eq!(woken(), [false, true, false]);
}

#[test]
fn in_a_crowd_only_those_who_talk_with_an_account_are_told_that_it_comes() {
    let mut replica = Replica::in_memory();
    let (alice, session) = replica.joined("alice");
    let (bob, _) = replica.joined("bob");
    let (carol, _) = replica.joined("carol");
    let mut watching = [alice, bob, carol].map(|account| replica.app.watch(account));
    let mut told = || {
        let news = watching.each_mut().map(|watching| watching.news().now_or_never());
        news.map(|news| news.map(|news| news.notices).unwrap_or_default())
    };
    let crowd: Vec<_> =
        (0..ALL_ARE_TOLD_MAX as u64).map(|number| replica.app.watch(AccountId(1_000 + number))).collect();
    // The conversation begins with this, in the same transaction.
    let numbering = replica.app.session(session).unwrap().unwrap().numbering;
    let begins = send(session, numbering, MessageId(1), "bob", "text");
    replica.apply(&[Entry::Chat(begins), Entry::Chat(Command::Connect { session, at: chat::Replica(1) })]).unwrap();
    assert_eq!(told(), [vec![Notice::Connected(alice)], vec![Notice::Connected(alice)], vec![]]);
    drop(crowd);
    replica.then(Command::Disconnect { session, at: chat::Replica(1) });
    assert_eq!(told(), [(); 3].map(|()| vec![Notice::Disconnected(alice)]));
}

/// A store whose disk fails after so many writes.
#[derive(Debug)]
struct FailsAfter {
    store: Arc<MemoryState>,
    writes: Mutex<u32>,
}

impl StateStore for FailsAfter {
    fn read(&self) -> Result<Box<dyn Read + Send>, StoreError> {
        self.store.read()
    }

    fn write(&self, work: &mut dyn FnMut(&mut dyn Write) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut left = self.writes.lock().unwrap();
        *left = left.checked_sub(1).ok_or(StoreError::Full { place: "the test".to_owned() })?;
        self.store.write(work)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.store.sync()
    }

    fn stage(&self) -> Result<Box<dyn Staged>, StoreError> {
        self.store.stage()
    }

    fn adopt(&self, staged: Box<dyn Staged>) -> Result<(), StoreError> {
        self.store.adopt(staged)
    }

    fn room_bytes(&self) -> u64 {
        self.store.room_bytes()
    }
}

#[test]
fn what_may_have_ended_a_session_is_counted_and_nothing_else_is() {
    let mut replica = Replica::in_memory();
    let (_, session) = replica.joined("alice");
    replica.says(session, "alice", "text");
    assert_eq!(replica.app.endings(), 0);
    replica.then(Command::CloseSession { session });
    assert_eq!(replica.app.endings(), 1);
    let (_, session) = replica.joined("bob");
    replica.then(Command::DeleteAccount { session, at: Timestamp(1) });
    assert_eq!(replica.app.endings(), 2);
    let (applied, _) = replica.app.snapshot().unwrap();
    replica.app.receive().unwrap().install(&applied.unwrap()).unwrap();
    assert_eq!(replica.app.endings(), 3, "with another state any session may be gone");
}
