use crate::checker::Invariant::{I4, I8};
use crate::checker::town::{ALICE, BOB, CAROL, Town, message};
use crate::history::Message;

fn rows() -> [Message; 4] {
    [5, 7, 8, 9].map(|cursor| message(&format!("m{cursor}"), ALICE, BOB, cursor))
}

fn four() -> Town {
    let mut town = Town::new();
    for row in &rows() {
        town.send(&row.id, ALICE, BOB).stored(row.cursor);
    }
    town
}

#[test]
fn a_page_with_a_hole_is_caught() {
    let [m5, m7, m8, m9] = rows();
    let mut town = four();
    town.read(BOB, ALICE).shows(&rows());
    town.clone().held(&rows()).is_clean();
    town.read(BOB, ALICE).shows(&[m5, m7, m9.clone()]);
    town.clone().held(&rows()).breaks(&[I4]);
    let mut swapped = four();
    swapped.read(BOB, ALICE).more().shows(&[m9, m8]);
    swapped.held(&rows()).breaks(&[I4]);
}

#[test]
fn a_page_begins_where_more_says() {
    let [.., m8, m9] = rows();
    let mut town = four();
    town.read(BOB, ALICE).limit(2).more().shows(&[m8.clone(), m9.clone()]);
    town.clone().held(&rows()).is_clean();
    town.read(BOB, ALICE).limit(2).shows(&[m8.clone(), m9.clone()]);
    town.clone().held(&rows()).breaks(&[I4]);
    let mut promising = four();
    promising.read(BOB, ALICE).more().shows(&rows());
    promising.held(&rows()).breaks(&[I4]);
    let mut long = four();
    long.read(BOB, ALICE).limit(1).more().shows(&[m8, m9]);
    long.held(&rows()).breaks(&[I4]);
}

#[test]
fn a_page_before_or_after_a_place_touches_it() {
    let [m5, m7, m8, m9] = rows();
    let mut town = four();
    town.read(BOB, ALICE).before(8).shows(&[m5.clone(), m7.clone()]);
    town.read(BOB, ALICE).after(5).limit(2).more().shows(&[m7.clone(), m8.clone()]);
    town.read(BOB, ALICE).after(5).before(9).shows(&[m7.clone(), m8.clone()]);
    town.read(BOB, ALICE).after(9).shows(&[]);
    town.clone().held(&rows()).is_clean();
    let mut late = town.clone();
    late.read(BOB, ALICE).after(5).shows(&[m8.clone(), m9.clone()]);
    late.held(&rows()).breaks(&[I4]);
    let mut early = town.clone();
    early.read(BOB, ALICE).before(8).shows(&[m5]);
    early.held(&rows()).breaks(&[I8]);
    let mut short = town.clone();
    short.read(BOB, ALICE).after(5).more().shows(&[m7.clone(), m8.clone(), m9]);
    short.held(&rows()).breaks(&[I4]);
    town.read(BOB, ALICE).before(8).more().shows(&[m7, m8]);
    town.held(&rows()).breaks(&[I4]);
}

#[test]
fn nodes_that_differ_are_caught() {
    let mut town = four();
    town.hold("n1", (ALICE, BOB), &rows());
    town.hold("n2", (ALICE, BOB), &rows());
    let mut same = town.clone();
    town.hold("n3", (ALICE, BOB), &rows()[..3]);
    town.breaks(&[I4]);
    same.hold("n3", (ALICE, BOB), &rows());
    same.is_clean();
}

#[test]
fn a_cursor_is_used_once_and_only_rises() {
    let [m5, m7, m8, m9] = rows();
    four().held(&[m7, m5, m8, m9]).breaks(&[I4]);
    let mut strange = Town::new();
    strange.send("m1", ALICE, BOB).unknown();
    strange.hold("n1", (ALICE, CAROL), &[message("m1", ALICE, BOB, 5)]).breaks(&[I4]);
    let mut town = Town::new();
    town.send("m1", ALICE, BOB).unknown();
    town.send("m2", CAROL, BOB).unknown();
    town.clone().held(&[message("m1", ALICE, BOB, 5), message("m2", CAROL, BOB, 6)]).is_clean();
    town.held(&[message("m1", ALICE, BOB, 5), message("m2", CAROL, BOB, 5)]).breaks(&[I4]);
}

#[test]
fn a_stale_page_sold_as_fresh_is_caught() {
    let mut town = four();
    town.read(BOB, ALICE).stale().shows(&rows()[..3]);
    town.read(BOB, ALICE).stale().shows(&[]);
    town.clone().held(&rows()).is_clean();
    let mut empty = town.clone();
    empty.read(BOB, ALICE).shows(&[]);
    empty.held(&rows()).breaks(&[I8]);
    town.read(BOB, ALICE).shows(&rows()[..3]);
    town.held(&rows()).breaks(&[I8]);
}

#[test]
fn a_page_of_another_conversation_is_caught() {
    let mut town = four();
    let read = town.read(BOB, ALICE).pending();
    town.shown(read, (BOB, CAROL), &rows());
    town.held(&rows()).breaks(&[I4]);
}

#[test]
fn what_is_acknowledged_while_a_page_is_read_may_be_missing() {
    let mut town = Town::new();
    let [m5, m7, ..] = rows();
    town.send("m5", ALICE, BOB).stored(5);
    let read = town.read(BOB, ALICE).pending();
    town.send("m7", ALICE, BOB).stored(7);
    town.shown(read, (ALICE, BOB), std::slice::from_ref(&m5));
    town.held(&[m5, m7]).is_clean();
}
