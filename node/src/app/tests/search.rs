//! The index against a look at every text; where it comes from; and in which term an entry was proposed.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::app::search::{Extent, Progress, Query, SearchError, WORDS};
use crate::app::tables::Tables;

const VOCABULARY: [&str; 6] = ["lunch", "Lunchbox", "meeting", "at", "noon", "München"];

const ASKED: [&str; 8] = ["lun", "lunch", "\"at noon\"", "MEETING", "m", "munchen", "\"lunch\"", "noon.at"];

/// alice, bob and carol.
fn three() -> (Replica, [(AccountId, SessionId); 3]) {
    let mut replica = Replica::in_memory();
    let people = ["alice", "bob", "carol"].map(|name| replica.joined(name));
    (replica, people)
}

fn found(app: &App, viewer: AccountId, query: &str) -> Vec<String> {
    let (messages, more) = app.search(viewer, &Query::parse(query).unwrap(), None, None, 100).unwrap();
    assert!(!more);
    messages.into_iter().map(|message| message.text).collect()
}

fn text() -> impl Strategy<Value = String> {
    vec(prop::sample::select(&VOCABULARY[..]), 1..6).prop_map(|words| words.join(" "))
}

fn query() -> impl Strategy<Value = String> {
    vec(prop::sample::select(&ASKED[..]), 1..4).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Page by page, of all conversations and of one, exactly what matches and may be read, the newest first.
    #[test]
    fn what_is_found_is_what_a_look_at_every_text_finds(
        said in vec((0..3usize, 1..3usize, text()), 0..40),
        query in query(),
        limit in 1..5usize,
        with_bob in any::<bool>(),
        indexed in vec(0..40usize, 0..4),
    ) {
        let (mut replica, people) = three();
        let names = ["alice", "bob", "carol"];
        let query = Query::parse(&query).unwrap();
        let mut expected = Vec::new();
        for (number, (from, step, text)) in said.into_iter().enumerate() {
            if indexed.contains(&number) {
                replica.app.indexer.catch_up();
            }
            let to = (from + step) % 3;
            let (_, cursor) = replica.says(people[from].1, names[to], &text);
            let other = [from, to].iter().sum::<usize>();
            let in_scope = (from == 0 || to == 0) && (!with_bob || other == 1);
            if in_scope && query.matches(&text) {
                expected.push((cursor, text));
            }
        }
        expected.reverse();
        let other = with_bob.then_some(people[1].0);
        let mut all = Vec::new();
        let mut before = None;
        loop {
            let (page, more) = replica.app.search(people[0].0, &query, other, before, limit).unwrap();
            prop_assert!(page.len() <= limit);
            all.extend(page.into_iter().map(|message| (message.cursor, message.text)));
            before = all.last().map(|(cursor, _)| *cursor);
            if !more {
                break;
            }
        }
        prop_assert_eq!(all, expected);
    }
}

#[test]
fn long_words_are_told_apart_by_their_ends() {
    let (mut replica, [(alice, session), ..]) = three();
    let long = |end: &str| format!("{}{end}", "ä".repeat(60));
    replica.says(session, "bob", &long("x"));
    replica.says(session, "bob", &long("y"));
    assert_eq!(found(&replica.app, alice, &long("y")), [long("y")]);
    assert_eq!(found(&replica.app, alice, &long("")), [long("y"), long("x")]);
}

#[test]
fn what_would_take_too_long_is_refused_and_one_word_more_helps() {
    let (mut replica, [(alice, session), ..]) = three();
    let mut words = (0..).map(|number| format!("w{number:05}"));
    for _ in 0..51 {
        let text: Vec<String> = words.by_ref().take(2_000).collect();
        replica.says(session, "bob", &text.join(" "));
    }
    replica.app.indexer.catch_up();
    let broad = Query::parse("w").unwrap();
    assert_eq!(replica.app.search(alice, &broad, None, None, 1), Err(SearchError::TooBroad));
    assert_eq!(found(&replica.app, alice, "w01234").len(), 1);
}

/// How far the index goes, once there is nothing under way.
fn indexed(app: &App) -> Cursor {
    let started = std::time::Instant::now();
    loop {
        let extent = Extent::of(Tables(&*app.store.read().unwrap())).unwrap();
        if extent.progress.is_none() && extent.up_to > Cursor::START {
            return extent.up_to;
        }
        assert!(started.elapsed().as_secs() < 60, "the index is made: {extent:?}");
        std::thread::yield_now();
    }
}

fn numbered(replica: &mut Replica, session: SessionId, count: usize) -> Cursor {
    (0..count).map(|number| replica.says(session, "bob", &format!("number {number}")).1).last().unwrap()
}

#[track_caller]
fn finds_numbers(app: &App, viewer: AccountId, count: usize) {
    for number in [0, 1, count / 2, count - 1] {
        assert_eq!(found(app, viewer, &format!("\"{number}\"")), [format!("number {number}")]);
    }
    let (all, more) = app.search(viewer, &Query::parse("number").unwrap(), None, None, count - 1).unwrap();
    assert_eq!((all.len(), more), (count - 1, true));
}

#[test]
fn messages_go_into_the_index_behind_their_storing() {
    let (mut replica, [(alice, session), ..]) = three();
    numbered(&mut replica, session, 1_500);
    finds_numbers(&replica.app, alice, 1_500);
    let long = "long ".repeat(3_200);
    let last = (0..300).map(|_| replica.says(session, "bob", &long).1).last().unwrap();
    // Enough for the index to be made, by itself.
    indexed(&replica.app);
    finds_numbers(&replica.app, alice, 1_500);
    replica.app.indexer.catch_up();
    assert_eq!(indexed(&replica.app), last);
    finds_numbers(&replica.app, alice, 1_500);
}

#[test]
fn where_there_is_no_room_nothing_goes_into_the_index_and_all_is_found() {
    let (mut replica, [(alice, session), ..]) = three();
    replica.app.index_may_grow(false);
    numbered(&mut replica, session, 1_500);
    let long = "long ".repeat(3_200);
    let last = (0..300).map(|_| replica.says(session, "bob", &long).1).last().unwrap();
    replica.app.indexer.catch_up();
    assert!(Extent::of(Tables(&*replica.app.store.read().unwrap())).unwrap().up_to < last);
    finds_numbers(&replica.app, alice, 1_500);
    replica.app.index_may_grow(true);
    assert_eq!(indexed(&replica.app), last);
    finds_numbers(&replica.app, alice, 1_500);
}

#[test]
fn a_state_without_an_index_gets_one_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (alice, store, last) = {
        let store = LmdbState::open(folder.path(), TABLES).unwrap();
        let mut replica = Replica::over(store.clone());
        let (alice, session) = replica.joined("alice");
        replica.joined("bob");
        let last = numbered(&mut replica, session, 2_500);
        (alice, store, last)
    };
    clear(&*store, WORDS);
    let app = App::open(store).unwrap();
    finds_numbers(&app, alice, 2_500);
    assert_eq!(indexed(&app), last);
    finds_numbers(&app, alice, 2_500);
}

/// As a node does that does not know of the index, between two that do.
#[test]
fn what_was_stored_without_the_index_is_found_and_goes_into_it() {
    let (mut replica, [(alice, session), ..]) = three();
    replica.says(session, "bob", "lunch at noon");
    replica.app.indexer.catch_up();
    let rows = rows_of(&*replica.app.store, WORDS);
    numbered(&mut replica, session, 3_000);
    replica.app.indexer.catch_up();
    let store = replica.app.store.clone();
    drop(replica);
    clear(&*store, WORDS);
    store.write(&mut |to| rows.iter().try_for_each(|(key, value)| to.put(WORDS, key, value))).unwrap();
    let app = App::open(store).unwrap();
    finds_numbers(&app, alice, 3_000);
    assert_eq!(found(&app, alice, "lunch"), ["lunch at noon"]);
    app.indexer.catch_up();
    finds_numbers(&app, alice, 3_000);
    assert_eq!(found(&app, alice, "lunch"), ["lunch at noon"]);
}

#[test]
fn making_the_index_goes_on_where_it_was_cut_and_up_to_now() {
    let (mut replica, [(alice, session), ..]) = three();
    let target = numbered(&mut replica, session, 500);
    replica.says(session, "bob", "lunch at noon");
    let store = replica.app.store.clone();
    drop(replica);
    let progress = Progress { target, conversation: ConversationId(0), done: Cursor::START };
    clear(&*store, WORDS);
    store.write(&mut |to| Extent { up_to: Cursor::START, progress: Some(progress) }.write(to)).unwrap();
    let app = App::open(store).unwrap();
    app.indexer.catch_up();
    assert_eq!(indexed(&app), Cursor(target.0 + 1));
    finds_numbers(&app, alice, 500);
    assert_eq!(found(&app, alice, "lunch"), ["lunch at noon"]);
}

#[test]
fn words_of_the_state_before_do_not_get_into_a_received_one() {
    let (mut replica, [(alice, session), ..]) = three();
    replica.says(session, "bob", "lunch at noon");
    replica.app.indexer.catch_up();
    let app = replica.app.clone();
    let turn = app.indexer.pause();
    numbered(&mut replica, session, 1_100);
    carry(&app, &app, |table| (table != WORDS).then_some(table));
    drop(turn);
    assert_eq!(found(&app, alice, "lunch"), ["lunch at noon"]);
    indexed(&app);
    assert_eq!(found(&app, alice, "lunch"), ["lunch at noon"]);
    finds_numbers(&app, alice, 1_100);
}

#[test]
fn too_much_that_is_not_in_the_index_is_not_looked_at() {
    let (mut replica, [(alice, session), ..]) = three();
    let long = "word ".repeat(3_000);
    let app = replica.app.clone();
    let turn = app.indexer.pause();
    for _ in 0..900 {
        replica.says(session, "bob", &long);
    }
    let query = Query::parse("other").unwrap();
    assert_eq!(replica.app.search(alice, &query, None, None, 1), Err(SearchError::NotIndexed));
    drop(turn);
    replica.app.indexer.catch_up();
    assert_eq!(replica.app.search(alice, &query, None, None, 1), Ok((Vec::new(), false)));
}

#[test]
fn a_snapshot_brings_the_index_and_the_terms_or_makes_them_up_for_itself() {
    for as_table in [Some(WORDS), Some(Table("words.9")), None] {
        let (mut replica, [(alice, session), ..]) = three();
        let (_, cursor) = replica.says(session, "bob", "lunch at noon");
        replica.app.indexer.catch_up();
        let mut fresh = Replica::in_memory();
        carry(&replica.app, &fresh.app, |table| if table == WORDS { as_table } else { Some(table) });
        assert_eq!(indexed(&fresh.app), cursor);
        assert_eq!(found(&fresh.app, alice, "lunch"), ["lunch at noon"]);
        assert_eq!(fresh.app.term(cursor), Ok(Some(1)));
        fresh.next = cursor.0 + 1;
        fresh.says(session, "bob", "lunch again");
        assert_eq!(found(&fresh.app, alice, "lunch"), ["lunch again", "lunch at noon"]);
    }
}

#[test]
fn each_entry_is_of_the_term_in_which_it_was_proposed() {
    let replica = Replica::in_memory();
    let terms = [(1, 1), (2, 1), (3, 4), (4, 4), (5, 6)];
    for batch in terms.chunks(2) {
        let blanks = batch.iter().map(|&(index, term)| Committed { index, term, command: None, respond: None });
        replica.app.apply(&mut Whole::new(blanks.collect(), b"")).unwrap();
    }
    for (index, term) in terms {
        assert_eq!(replica.app.term(Cursor(index)), Ok(Some(term)), "{index}");
    }
    assert_eq!(replica.app.term(Cursor(0)), Ok(None));
    assert_eq!(replica.app.term(Cursor(6)), Ok(None), "not there yet");
}

/// Brings a snapshot of the one to the other, its tables under the names that `name` gives them.
fn carry(from: &App, to: &App, name: impl Fn(Table) -> Option<Table>) {
    let (applied, mut rows) = from.snapshot().unwrap();
    let mut arriving = to.receive().unwrap();
    loop {
        let chunk = rows.next(100).unwrap();
        if chunk.is_empty() {
            break;
        }
        let named = chunk.into_iter().filter_map(|(table, row)| Some((name(table)?.0.to_owned(), row)));
        arriving.fill(named.collect()).unwrap();
    }
    arriving.install(&applied.unwrap()).unwrap();
}

fn rows_of(store: &dyn StateStore, table: Table) -> Vec<Row> {
    let mut rows = Vec::new();
    let each = &mut |key: &[u8], value: &[u8]| {
        rows.push((key.to_vec(), value.to_vec()));
        true
    };
    store.read().unwrap().scan(table, &[], None, each).unwrap();
    rows
}

fn clear(store: &dyn StateStore, table: Table) {
    let rows = rows_of(store, table);
    store.write(&mut |to| rows.iter().try_for_each(|(key, _)| to.delete(table, key))).unwrap();
}
