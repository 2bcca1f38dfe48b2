use crate::checker::Invariant::{I4, I8, I9, Malformed};
use crate::checker::town::{ALICE, BOB, Town, message, row};
use crate::history::{Mark, Message};

fn rows() -> [Message; 3] {
    [("m5", 5), ("m7", 7), ("m8", 8)].map(|(id, cursor)| message(id, ALICE, BOB, cursor))
}

fn three() -> Town {
    let mut town = Town::new();
    for row in &rows() {
        town.send(&row.id, ALICE, BOB).stored(row.cursor);
    }
    town
}

#[test]
fn a_wrong_count_is_caught() {
    let mut town = three();
    town.list(BOB).lists(&[row((ALICE, BOB), 3, 3, 0, 8)]);
    town.list(ALICE).lists(&[row((ALICE, BOB), 3, 0, 0, 8)]);
    town.clone().held(&rows()).is_clean();
    let mut wrong = town.clone();
    wrong.list(BOB).lists(&[row((ALICE, BOB), 3, 2, 0, 8)]);
    wrong.held(&rows()).breaks(&[I9]);
    town.list(BOB).lists(&[row((ALICE, BOB), 4, 3, 0, 8)]);
    town.held(&rows()).breaks(&[I4]);
}

#[test]
fn a_list_that_is_behind_is_caught_unless_it_is_stale() {
    let mut town = three();
    town.list(BOB).stale().lists(&[row((ALICE, BOB), 2, 2, 0, 7)]);
    town.list(BOB).stale().lists(&[]);
    town.clone().held(&rows()).is_clean();
    let mut empty = town.clone();
    empty.list(BOB).lists(&[]);
    empty.held(&rows()).breaks(&[I8]);
    town.list(BOB).lists(&[row((ALICE, BOB), 2, 2, 0, 7)]);
    town.held(&rows()).breaks(&[I8]);
}

#[test]
fn a_read_mark_that_falls_is_caught() {
    let mut town = three();
    town.mark_read(BOB, (ALICE, BOB), 7).done();
    town.list(BOB).lists(&[row((ALICE, BOB), 3, 1, 7, 8)]);
    town.clone().held(&rows()).is_clean();
    let mut fallen = town.clone();
    fallen.list(BOB).lists(&[row((ALICE, BOB), 3, 2, 5, 8)]);
    fallen.held(&rows()).breaks(&[I9]);
    let mut forgotten = three();
    forgotten.mark_read(BOB, (ALICE, BOB), 100).done();
    forgotten.list(BOB).lists(&[row((ALICE, BOB), 3, 1, 7, 8)]);
    forgotten.held(&rows()).breaks(&[I9]);
}

#[test]
fn what_is_counted_wrongly_at_rest_is_caught() {
    let mut town = three();
    town.held(&rows());
    town.counted("n1", BOB, row((ALICE, BOB), 3, 3, 0, 8));
    let mut good = town.clone();
    good.counted("n2", BOB, row((ALICE, BOB), 3, 3, 0, 8)).is_clean();
    let mut twice = town.clone();
    twice.counted("n1", BOB, row((ALICE, BOB), 3, 3, 0, 8)).breaks(&[Malformed]);
    let mut unlike = town.clone();
    unlike.counted("n2", BOB, row((ALICE, BOB), 3, 2, 5, 8)).breaks(&[I9]);
    town.counted("n2", BOB, row((ALICE, BOB), 3, 2, 0, 8)).breaks(&[I9]);
}

#[test]
fn a_count_at_rest_reaches_the_end() {
    let mut town = Town::new();
    town.send("m1", ALICE, BOB).unknown();
    town.held(&[message("m1", ALICE, BOB, 5)]);
    let mut behind = town.clone();
    behind.counted("n1", BOB, row((ALICE, BOB), 0, 0, 0, 0)).breaks(&[I9]);
    town.counted("n1", BOB, row((ALICE, BOB), 1, 1, 0, 5)).is_clean();
}

#[test]
fn a_list_names_what_is_held_and_once() {
    let mut town = three();
    let mut twice = town.clone();
    twice.list(BOB).lists(&[row((ALICE, BOB), 3, 3, 0, 8), row((ALICE, BOB), 3, 3, 0, 8)]);
    twice.held(&rows()).breaks(&[I4]);
    town.list(BOB).lists(&[row((ALICE, BOB), 3, 3, 0, 9)]);
    town.held(&rows()).breaks(&[I4]);
}

#[test]
fn a_read_mark_that_anyone_was_told_of_does_not_fall() {
    let mut town = three();
    town.mark_read(BOB, (ALICE, BOB), 7).unknown();
    let mut told = town.clone();
    let stream = told.follow("alice", ALICE);
    told.saw_mark(stream, Mark::Read, (ALICE, BOB), BOB, 7);
    town.list(BOB).stale().lists(&[row((ALICE, BOB), 3, 1, 7, 8)]);
    for mut town in [told, town] {
        let mut good = town.clone();
        good.list(BOB).lists(&[row((ALICE, BOB), 3, 1, 7, 8)]);
        good.held(&rows()).is_clean();
        town.list(BOB).lists(&[row((ALICE, BOB), 3, 3, 0, 8)]);
        town.held(&rows()).breaks(&[I9]);
    }
}
