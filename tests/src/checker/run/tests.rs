use crate::checker::Invariant::Malformed;
use crate::checker::town::{ALICE, BOB, Town, between, message};
use crate::history::{Answer, Call, From, Outcome, What};

fn done() -> Outcome {
    Outcome::Done(Answer::Done)
}

#[test]
fn a_clock_that_goes_back_is_malformed() {
    let mut town = Town::new();
    town.healed().fault("one").fault("two");
    town.clone().is_clean();
    town.events[2].at_ns = 0;
    town.breaks(&[Malformed]);
}

#[test]
fn a_call_is_invoked_once_and_returns_once_after_that() {
    let mut town = Town::new();
    let call = Call::LogIn { account: ALICE };
    let op = town.invoke("a device", call.clone());
    town.return_(op, done()).is_clean();
    town.clone().return_(op, done()).breaks(&[Malformed]);
    town.clone().return_(99, done()).breaks(&[Malformed]);
    town.note(What::Invoked { op, device: "a device".to_owned(), call }).breaks(&[Malformed]);
}

#[test]
fn an_answer_is_of_the_kind_that_was_asked_for() {
    let mut town = Town::new();
    let op = town.send("m1", ALICE, BOB).pending();
    town.return_(op, done()).breaks(&[Malformed]);
}

#[test]
fn a_stream_is_followed_once() {
    let mut town = Town::new();
    let stream = town.follow("a device", ALICE);
    town.clone().is_clean();
    let device = "a device".to_owned();
    town.note(What::Following { stream, device, account: ALICE, from: From::Kept }).breaks(&[Malformed]);
}

#[test]
fn a_node_says_once_what_it_holds() {
    let mut town = Town::new();
    town.send("m1", ALICE, BOB).stored(5);
    let held = [message("m1", ALICE, BOB, 5)];
    assert_eq!(held[0].conversation, between((BOB, ALICE)));
    town.hold("n1", (ALICE, BOB), &held).is_clean();
    town.hold("n1", (ALICE, BOB), &held).breaks(&[Malformed]);
}

#[test]
fn what_was_stored_is_judged_only_by_what_is_held() {
    let mut town = Town::new();
    town.send("m1", ALICE, BOB).stored(5);
    let report = crate::checker::check(&town.events, &crate::checker::Limits::default());
    assert!(report.violations.iter().any(|violation| violation.invariant == Malformed), "{report}");
}
