//! Numbers and ids, without any node.

use chat::Timestamp;
use tempfile::TempDir;
use wire::message::Token;
use wire::secret::{ClientSecret, ClusterId};

use super::*;
use crate::profile::KeptSession;

const ALICE: AccountId = AccountId(5);

fn open(folder: &TempDir) -> Profile {
    let access = Some((ClusterId([1; 16]), ClientSecret::from_bytes([2; 32])));
    Profile::open(folder.path(), access, [3; 32], 1).expect("a profile")
}

fn session(account: AccountId, name: &str, session: u64) -> KeptSession {
    KeptSession {
        account,
        name: name.into(),
        created_at: Timestamp(1),
        session: SessionId(session),
        token: Token([4; 32]),
        verifier: String::new(),
        export_key: vec![],
        ended: false,
    }
}

/// A profile in which alice is logged in.
fn with_alice() -> (Profile, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let profile = open(&folder);
    profile.keep_session(&session(ALICE, "alice", 10), Numbering::default(), 1).expect("kept");
    (profile, folder)
}

fn queue(profile: &Profile, id: u128) {
    let to = To::Name("bob".into());
    profile.queue(ALICE, MessageId(id), &to, &format!("text {id}"), 1).expect("queued");
}

/// (number, id) of what waits in the session.
fn waiting(profile: &Profile, session: u64) -> Vec<(u64, u128)> {
    let waiting = profile.waiting(SessionId(session), Seq(0), 100).expect("read");
    waiting.into_iter().map(|waiting| (waiting.seq.0, waiting.id.0)).collect()
}

/// Whom each message that waits in the session follows.
fn followed(profile: &Profile, session: u64) -> Vec<Option<u128>> {
    let waiting = profile.waiting(SessionId(session), Seq(0), 100).expect("read");
    waiting.into_iter().map(|waiting| waiting.follows.map(|id| id.0)).collect()
}

fn after(high_water: u64, last: u128) -> Numbering {
    Numbering { high_water: Seq(high_water), last: Some(MessageId(last)) }
}

fn refusal() -> Refusal {
    Refusal::new(Code::NoSuchAccount, "There is no account of that name.")
}

#[test]
fn two_processes_number_their_messages_in_one_row() {
    let (one, folder) = with_alice();
    let other = open(&folder);
    for id in 1..=6 {
        queue(if id % 2 == 0 { &one } else { &other }, id);
    }
    let all = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)];
    assert_eq!(waiting(&one, 10), all);
    assert_eq!(waiting(&other, 10), all);
}

#[test]
fn threads_of_two_processes_neither_skip_nor_share_a_number() {
    let (_alice, folder) = with_alice();
    std::thread::scope(|scope| {
        for process in 0..4u128 {
            let profile = open(&folder);
            scope.spawn(move || (1..=25).for_each(|id| queue(&profile, process * 100 + id)));
        }
    });
    let numbers: Vec<u64> = waiting(&open(&folder), 10).into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(numbers, (1..=100).collect::<Vec<u64>>());
}

#[test]
fn what_waits_survives_a_kill_at_any_step() {
    let (profile, folder) = with_alice();
    queue(&profile, 1);
    queue(&profile, 2);
    drop(profile);
    let profile = open(&folder);
    assert_eq!(waiting(&profile, 10), [(1, 1), (2, 2)]);
    assert_eq!(profile.settle_stored(ALICE, &[MessageId(1)]), Ok(vec![true]));
    drop(profile);
    let profile = open(&folder);
    assert_eq!(waiting(&profile, 10), [(2, 2)]);
    queue(&profile, 3);
    assert_eq!(waiting(&profile, 10), [(2, 2), (3, 3)]);
    assert_eq!(profile.progress(ALICE, MessageId(1)), Ok(Some(Progress::Stored)));
}

#[test]
fn only_the_first_to_hear_of_it_tells_of_it() {
    let (one, folder) = with_alice();
    let other = open(&folder);
    queue(&one, 1);
    assert_eq!(one.settle_stored(ALICE, &[MessageId(1)]), Ok(vec![true]));
    assert_eq!(other.settle_stored(ALICE, &[MessageId(1)]), Ok(vec![false]));
    assert_eq!(other.settle_failed(ALICE, MessageId(1), &refusal()), Ok(false));
}

#[test]
fn those_that_are_stored_together_are_settled_together() {
    let (profile, _folder) = with_alice();
    (1..=3).for_each(|id| queue(&profile, id));
    profile.settle_stored(ALICE, &[MessageId(2)]).expect("settled");
    let all = [1, 2, 9, 3].map(MessageId);
    assert_eq!(profile.settle_stored(ALICE, &all), Ok(vec![true, false, false, true]));
    assert_eq!(profile.waiting_count(ALICE), Ok(0));
}

/// A thousand that are remembered, or ten thousand that wait, must not be looked at for each that is queued.
#[test]
fn what_each_message_asks_for_is_found_by_an_index() {
    let (profile, _folder) = with_alice();
    for statement in [COUNT_WAITING, FORGET_OLD] {
        let plan = profile.read(|connection, _| {
            let mut query = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}"))?;
            let nothing = vec![0; query.parameter_count()];
            let steps = query.query_map(rusqlite::params_from_iter(nothing), |row| row.get::<_, String>("detail"))?;
            Ok(steps.collect::<Result<Vec<_>, _>>()?)
        });
        let plan = plan.expect("explained");
        let searches: Vec<_> = plan.iter().filter(|step| step.contains("outbox")).collect();
        assert!(!searches.is_empty() && searches.iter().all(|step| step.contains("INDEX outbox_state")), "{plan:?}");
    }
}

#[test]
fn a_new_session_takes_over_what_waits_with_its_ids_and_in_its_order() {
    let (profile, _folder) = with_alice();
    (1..=4).for_each(|id| queue(&profile, id));
    profile.settle_stored(ALICE, &[MessageId(1)]).expect("settled");
    profile.end_session(ALICE, SessionId(10)).expect("ended");
    queue(&profile, 5);
    profile.keep_session(&session(ALICE, "alice", 20), Numbering::default(), 2).expect("kept");
    assert_eq!(waiting(&profile, 10), []);
    assert_eq!(waiting(&profile, 20), [(1, 2), (2, 3), (3, 4), (4, 5)]);
    assert_eq!(followed(&profile, 20), [None, Some(2), Some(3), Some(4)]);
    queue(&profile, 6);
    assert_eq!(waiting(&profile, 20).last(), Some(&(5, 6)));
}

#[test]
fn a_renewed_session_goes_on_with_its_numbers() {
    let (profile, _folder) = with_alice();
    queue(&profile, 1);
    queue(&profile, 2);
    // The first has been applied, and the answer was lost.
    profile.keep_session(&session(ALICE, "alice", 10), after(1, 1), 2).expect("kept");
    queue(&profile, 3);
    assert_eq!(waiting(&profile, 10), [(1, 1), (2, 2), (3, 3)]);
}

#[test]
fn what_waits_for_a_deleted_account_is_not_sent_by_its_namesake() {
    let (profile, _folder) = with_alice();
    queue(&profile, 1);
    profile.keep_session(&session(AccountId(99), "Alice", 100), Numbering::default(), 2).expect("kept");
    assert_eq!(waiting(&profile, 100), []);
    let progress = profile.progress(ALICE, MessageId(1)).expect("read");
    assert!(matches!(progress, Some(Progress::Failed(_))), "{progress:?}");
}

#[test]
fn those_behind_a_message_that_used_no_number_move_up() {
    let (profile, _folder) = with_alice();
    (1..=4).for_each(|id| queue(&profile, id));
    let second = profile.waiting(SessionId(10), Seq(1), 1).expect("read").remove(0);
    let settled = profile.settle_failed_unnumbered(ALICE, &second, SessionId(10), &refusal());
    assert_eq!(settled, Ok(true));
    assert_eq!(waiting(&profile, 10), [(1, 1), (2, 3), (3, 4)]);
    assert_eq!(followed(&profile, 10), [None, Some(1), Some(3)]);
    assert_eq!(profile.progress(ALICE, MessageId(2)), Ok(Some(Progress::Failed(refusal()))));
    let again = profile.settle_failed_unnumbered(ALICE, &second, SessionId(10), &refusal());
    assert_eq!(again, Ok(false), "another process was first, and has moved them");
    assert_eq!(waiting(&profile, 10), [(1, 1), (2, 3), (3, 4)]);
    queue(&profile, 5);
    assert_eq!(waiting(&profile, 10).last(), Some(&(4, 5)));
}

#[test]
fn a_number_that_was_lost_is_given_to_the_first_that_waits() {
    let (profile, _folder) = with_alice();
    (1..=3).for_each(|id| queue(&profile, id));
    let (session, lost) = (SessionId(10), 4_000);
    profile.go_on_after(ALICE, session, after(1, 1)).expect("looked");
    assert_eq!(waiting(&profile, 10), [(1, 1), (2, 2), (3, 3)], "the outbox has the message");
    profile.go_on_after(ALICE, session, after(6, lost)).expect("numbered");
    assert_eq!(waiting(&profile, 10), [(7, 1), (8, 2), (9, 3)]);
    assert_eq!(followed(&profile, 10), [Some(lost), Some(1), Some(2)]);
    profile.go_on_after(ALICE, session, after(7, lost)).expect("numbered");
    assert_eq!(waiting(&profile, 10), [(8, 1), (9, 2), (10, 3)], "also where old and new numbers overlap");
    queue(&profile, 4);
    assert_eq!(waiting(&profile, 10).last(), Some(&(11, 4)));
    assert_eq!(followed(&profile, 10).last(), Some(&Some(3)));
}

#[test]
fn a_gap_that_was_closed_since_changes_nothing() {
    let (profile, _folder) = with_alice();
    (1..=4).for_each(|id| queue(&profile, id));
    // The second came too early, the first after it; the answers arrive the other way round.
    profile.settle_stored(ALICE, &[MessageId(1)]).expect("settled");
    profile.go_on_after(ALICE, SessionId(10), Numbering::default()).expect("looked");
    profile.settle_stored(ALICE, &[MessageId(2)]).expect("settled");
    profile.go_on_after(ALICE, SessionId(10), after(1, 1)).expect("looked");
    assert_eq!(waiting(&profile, 10), [(3, 3), (4, 4)]);
    assert_eq!(followed(&profile, 10), [Some(2), Some(3)]);
}

#[test]
fn a_message_that_was_settled_under_an_earlier_number_does_not_hide_what_the_node_says() {
    let (profile, _folder) = with_alice();
    (1..=3).for_each(|id| queue(&profile, id));
    profile.go_on_after(ALICE, SessionId(10), after(6, 4_000)).expect("numbered");
    // Another process heard that the copy with the old number was stored.
    profile.settle_stored(ALICE, &[MessageId(1)]).expect("settled");
    profile.go_on_after(ALICE, SessionId(10), after(1, 1)).expect("numbered");
    assert_eq!(waiting(&profile, 10), [(2, 2), (3, 3)], "or they would wait for ever for numbers that never come");
    assert_eq!(followed(&profile, 10), [Some(1), Some(2)]);
}

#[test]
fn what_a_copy_of_the_profile_used_is_not_used_again() {
    let (profile, _folder) = with_alice();
    (1..=4).for_each(|id| queue(&profile, id));
    profile.settle_stored(ALICE, &[MessageId(1)]).expect("settled");
    profile.start_over_after(ALICE, SessionId(10), after(2, 4_000)).expect("numbered");
    assert_eq!(waiting(&profile, 10), [(3, 2), (4, 3), (5, 4)]);
    assert_eq!(followed(&profile, 10), [Some(4_000), Some(2), Some(3)]);
}

#[test]
fn a_message_that_arrived_under_an_earlier_number_of_its_own_keeps_those_behind_it_apart() {
    let (profile, _folder) = with_alice();
    (1..=3).for_each(|id| queue(&profile, id));
    profile.go_on_after(ALICE, SessionId(10), after(6, 4_000)).expect("numbered");
    // The copy with the old number was there first after all.
    profile.go_on_after(ALICE, SessionId(10), after(1, 1)).expect("numbered");
    assert_eq!(waiting(&profile, 10), [(2, 1), (3, 2), (4, 3)]);
    assert_eq!(followed(&profile, 10), [Some(1), Some(1), Some(2)], "sent again, the first is known by its id");
}

#[test]
fn an_id_names_one_message_until_it_has_failed() {
    let (profile, _folder) = with_alice();
    queue(&profile, 1);
    queue(&profile, 1);
    assert_eq!(waiting(&profile, 10), [(1, 1)]);
    let other = profile.queue(ALICE, MessageId(1), &To::Name("bob".into()), "another", 1);
    assert_eq!(other.expect_err("used").code(), Code::IdConflict);
    profile.settle_failed(ALICE, MessageId(1), &refusal()).expect("settled");
    queue(&profile, 1);
    assert_eq!(waiting(&profile, 10), [(2, 1)]);
}

#[test]
fn a_full_outbox_refuses_and_keeps_what_it_has() {
    let (profile, _folder) = with_alice();
    let count = WAITING_MAX as i64;
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?3)
                INSERT INTO outbox (cluster, account, id, session, seq, to_name, text, queued_at)
                SELECT ?1, ?2, randomblob(16), 10, i, 'bob', 'x', 1 FROM n";
    let filled = profile.change(|transaction, cluster| {
        transaction.execute(fill, params![cluster, int(ALICE.0), count])?;
        Ok(())
    });
    filled.expect("filled");
    let more = profile.queue(ALICE, MessageId(1), &To::Name("bob".into()), "one more", 1);
    assert_eq!(more.expect_err("full").code(), Code::Busy);
    assert_eq!(profile.waiting_count(ALICE), Ok(WAITING_MAX));
}

#[test]
fn what_is_sent_is_no_draft_any_more_and_what_is_refused_still_is() {
    const BOB: AccountId = AccountId(6);
    let (profile, folder) = with_alice();
    let draft = |text: &str| Draft { with: BOB, text: text.into() };
    for (kept, left) in
        [("hello", None), ("hel", None), ("help", None), ("hello, and more", Some(", and more")), ("", None)]
    {
        profile.keep_draft(ALICE, &draft(kept)).expect("kept");
        let elsewhere = Draft { with: ALICE, text: "hello".into() };
        profile.keep_draft(ALICE, &elsewhere).expect("kept");
        let id = MessageId(profile.waiting_count(ALICE).expect("counted").into());
        profile.queue_draft(ALICE, id, &draft("hello"), 1).expect("queued");
        // As after a crash: what the next process finds.
        let drafts = open(&folder).drafts(ALICE).expect("read");
        let expected: Vec<_> = std::iter::once(elsewhere).chain(left.map(draft)).collect();
        assert_eq!(drafts, expected, "{kept:?}");
    }
    assert_eq!(waiting(&profile, 10).len(), 5);
    profile.keep_draft(ALICE, &draft("another")).expect("kept");
    let used = profile.queue_draft(ALICE, MessageId(1), &draft("another"), 1).expect_err("the id is used");
    assert_eq!(used.code(), Code::IdConflict);
    assert!(profile.drafts(ALICE).expect("read").contains(&draft("another")));
}

#[test]
fn what_failed_is_listed_before_what_waits_until_it_is_discarded() {
    let (profile, _folder) = with_alice();
    for id in 1..=4 {
        queue(&profile, id);
    }
    profile.settle_stored(ALICE, &[MessageId(1)]).expect("settled");
    profile.settle_failed(ALICE, MessageId(3), &refusal()).expect("settled");
    let pending = profile.pending(ALICE).expect("listed");
    let listed: Vec<_> = pending.iter().map(|pending| (pending.id.0, pending.failed.is_some())).collect();
    assert_eq!(listed, [(3, true), (2, false), (4, false)]);
    assert_eq!((pending[0].text.as_str(), pending[0].failed.as_ref()), ("text 3", Some(&refusal())));
    assert_eq!(profile.discard(ALICE, MessageId(2)), Ok(false), "it may be on its way");
    assert_eq!(profile.discard(ALICE, MessageId(3)), Ok(true));
    let left: Vec<_> = profile.pending(ALICE).expect("listed").iter().map(|pending| pending.id.0).collect();
    assert_eq!(left, [2, 4]);
}

#[test]
fn a_failed_message_outlives_any_number_of_stored_ones() {
    let (profile, _folder) = with_alice();
    queue(&profile, 1);
    profile.settle_failed(ALICE, MessageId(1), &refusal()).expect("settled");
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
                INSERT INTO outbox (cluster, account, id, session, seq, to_name, text, queued_at, state)
                SELECT ?1, ?2, randomblob(16), 10, 100 + i, 'bob', 'x', 1 + i, 1 FROM n";
    let filled = profile.change(|transaction, cluster| {
        transaction.execute(fill, params![cluster, int(ALICE.0)])?;
        Ok(())
    });
    filled.expect("filled");
    profile.queue(ALICE, MessageId(2), &To::Name("bob".into()), "next", 5_000).expect("queued");
    let stored = "SELECT count(*) FROM outbox WHERE state = 1";
    let stored: i64 =
        profile.read(|connection, _| Ok(connection.query_row(stored, [], |row| row.get(0))?)).expect("one");
    assert_eq!(stored, SETTLED_MAX as i64 + 1, "the oldest stored ones are forgotten");
    let ids: Vec<_> = profile.pending(ALICE).expect("listed").iter().map(|pending| pending.id.0).collect();
    assert_eq!(ids, [1, 2]);
}
