use super::second_opinion;
use crate::checker::town::{ALICE, BOB, Town, message};
use crate::history::Message;

fn rows() -> [Message; 3] {
    [("m1", 5), ("m2", 7), ("m3", 8)].map(|(id, cursor)| message(id, ALICE, BOB, cursor))
}

fn contradictions(town: &mut Town, held: &[Message]) -> usize {
    let verdict = second_opinion(&town.held(held).events).expect("it is well formed");
    assert_eq!(verdict.too_large, 0);
    verdict.contradictions.len()
}

#[test]
fn it_agrees_where_all_is_well() {
    let mut town = Town::new();
    town.read(ALICE, BOB).shows(&[]);
    let first = town.send("m1", ALICE, BOB).pending();
    let second = town.send("m2", ALICE, BOB).pending();
    town.stored(second, (ALICE, BOB), 7).stored(first, (ALICE, BOB), 5);
    town.read(BOB, ALICE).shows(&rows()[..2]);
    town.send("m3", ALICE, BOB).unknown();
    town.read(BOB, ALICE).shows(&rows()[..2]);
    town.read(BOB, ALICE).shows(&rows());
    town.read(BOB, ALICE).shows(&rows());
    assert_eq!(contradictions(&mut town.clone(), &rows()), 0);
    let verdict = second_opinion(&town.held(&rows()).events).expect("it is well formed");
    assert_eq!((verdict.windows, verdict.calls), (5, 8));
}

#[test]
fn a_stale_read_is_caught() {
    let mut town = Town::new();
    town.send("m1", ALICE, BOB).stored(5);
    town.send("m2", ALICE, BOB).stored(7);
    let mut stale = town.clone();
    stale.read(BOB, ALICE).stale().shows(&rows()[..1]);
    assert_eq!(contradictions(&mut stale, &rows()[..2]), 0);
    town.read(BOB, ALICE).shows(&rows()[..1]);
    assert_eq!(contradictions(&mut town, &rows()[..2]), 1);
}

#[test]
fn a_reordering_is_caught() {
    let [m1, m2, _] = rows();
    let mut town = Town::new();
    town.send("m2", ALICE, BOB).stored(7);
    town.send("m1", ALICE, BOB).stored(5);
    assert!(contradictions(&mut town.clone(), &[m1.clone(), m2.clone()]) > 0);
    town.read(BOB, ALICE).shows(&[m2, m1]);
    assert!(contradictions(&mut town, &rows()[..2]) > 0);
}

#[test]
fn what_was_read_before_it_was_sent_is_caught() {
    let mut town = Town::new();
    town.read(BOB, ALICE).shows(&rows()[..1]);
    town.send("m1", ALICE, BOB).unknown();
    assert!(contradictions(&mut town, &rows()[..1]) > 0);
}

#[test]
fn a_crowd_is_left_alone() {
    let mut town = Town::new();
    let messages: Vec<_> = (0..20).map(|n| message(&format!("m{n}"), ALICE, BOB, 5 + n)).collect();
    let ops: Vec<_> = messages.iter().map(|message| town.send(&message.id, ALICE, BOB).pending()).collect();
    for (op, message) in ops.into_iter().zip(&messages) {
        town.stored(op, (ALICE, BOB), message.cursor);
    }
    let verdict = second_opinion(&town.held(&messages).events).expect("it is well formed");
    assert_eq!((verdict.windows, verdict.too_large), (0, 1));
}

#[test]
fn a_malformed_history_has_no_verdict() {
    let mut town = Town::new();
    town.send("m1", ALICE, BOB).stored(5);
    assert!(second_opinion(&town.events).is_err());
}
