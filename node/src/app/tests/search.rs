//! The index against a look at every text; where it comes from; and in which term an entry was proposed.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::app::search::{Query, SearchError, WORDS};

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
    ) {
        let (mut replica, people) = three();
        let names = ["alice", "bob", "carol"];
        let query = Query::parse(&query).unwrap();
        let mut expected = Vec::new();
        for (from, step, text) in said {
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
    let broad = Query::parse("w").unwrap();
    assert_eq!(replica.app.search(alice, &broad, None, None, 1), Err(SearchError::TooBroad));
    assert_eq!(found(&replica.app, alice, "w01234").len(), 1);
}

#[test]
fn a_state_without_an_index_gets_one_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (alice, store) = {
        let store = LmdbState::open(folder.path(), TABLES).unwrap();
        let mut replica = Replica::over(store.clone());
        let (alice, session) = replica.joined("alice");
        replica.joined("bob");
        for number in 0..2_500 {
            replica.says(session, "bob", &format!("number {number}"));
        }
        (alice, store)
    };
    clear(&*store, WORDS);
    let app = App::open(store).unwrap();
    assert_eq!(found(&app, alice, "\"2499\""), ["number 2499"]);
    assert_eq!(found(&app, alice, "\"0\""), ["number 0"]);
}

#[test]
fn a_snapshot_brings_the_index_and_the_terms_or_makes_them_up_for_itself() {
    for with_index in [true, false] {
        let (mut replica, [(alice, session), ..]) = three();
        let (_, cursor) = replica.says(session, "bob", "lunch at noon");
        let (applied, mut rows) = replica.app.snapshot().unwrap();
        let mut fresh = Replica::in_memory();
        let mut arriving = fresh.app.receive().unwrap();
        loop {
            let chunk = rows.next(100).unwrap();
            if chunk.is_empty() {
                break;
            }
            let carried = chunk.into_iter().filter(|(table, _)| with_index || *table != WORDS);
            arriving.fill(carried.map(|(table, row)| (table.0.to_owned(), row)).collect()).unwrap();
        }
        arriving.install(&applied.unwrap()).unwrap();
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

fn clear(store: &dyn StateStore, table: Table) {
    let mut keys = Vec::new();
    let each = &mut |key: &[u8], _: &[u8]| {
        keys.push(key.to_vec());
        true
    };
    store.read().unwrap().scan(table, &[], None, each).unwrap();
    store.write(&mut |rows| keys.iter().try_for_each(|key| rows.delete(table, key).map(drop))).unwrap();
}
