//! Sessions: one on each device, with a numbering that goes on.

use chat::{AccountId, DeviceId, Rejection, Reply, SESSIONS_PER_ACCOUNT_MAX, Seq, View};

use crate::town::{Person, Town, device, rejected, to};

#[test]
fn logging_in_again_on_a_device_goes_on_with_its_numbers() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    town.says(bob, to("bob"), "one");
    town.says(bob, to("bob"), "two");
    let reply = town.log_in(bob.account, device(1));
    assert_eq!(reply, Reply::SessionOpened { session: bob.session, numbering: town.numbering(bob) });
    assert_eq!(town.numbering(bob).high_water, Seq(2));
    assert_eq!(town.memory.session(bob.session).unwrap().token_hash, [2; 32]);
}

#[test]
fn another_device_has_a_session_of_its_own() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    town.says(bob, to("bob"), "one");
    let phone = town.on_device(bob, 2);
    assert_ne!(phone.session, bob.session);
    assert_eq!(town.numbering(phone).high_water, Seq(0));
    assert_eq!(town.memory.sessions_of(bob.account), [bob.session, phone.session]);
}

#[test]
fn nobody_logs_in_to_what_is_not_there() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    town.leaves_for_good(bob);
    assert_eq!(town.log_in(bob.account, device(1)), rejected(Rejection::AccountDeleted));
    assert_eq!(town.log_in(AccountId(777), device(1)), rejected(Rejection::NoSuchAccount));
}

#[test]
fn an_ended_session_can_do_nothing() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    let (conversation, cursor) = town.says(bob, to("bob"), "note");
    town.logs_out(bob);
    let before = town.memory.clone();
    let ended = rejected(Rejection::SessionEnded);
    assert_eq!(town.send(bob, to("bob"), "late"), ended);
    assert_eq!(town.send_as(bob, Seq(1), chat::MessageId(1), to("bob"), "resent"), ended);
    assert_eq!(town.receives(bob, conversation, cursor), ended);
    assert_eq!(town.reads(bob, conversation, cursor), ended);
    assert_eq!(town.connects(bob), ended);
    assert_eq!(town.disconnects(bob), ended);
    assert_eq!(town.leaves_for_good(bob), ended);
    assert_eq!(town.logs_out(bob), ended);
    assert_eq!(town.memory, before);
}

#[test]
fn logging_in_after_logging_out_begins_a_new_numbering() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    town.says(bob, to("bob"), "one");
    town.logs_out(bob);
    let again = town.on_device(bob, 1);
    assert_ne!(again.session, bob.session);
    assert_eq!(town.numbering(again).high_water, Seq(0));
}

fn crowded(town: &mut Town) -> (Person, Vec<Person>) {
    let bob = town.joined("bob");
    let mut sessions = vec![bob];
    while sessions.len() < SESSIONS_PER_ACCOUNT_MAX {
        sessions.push(town.on_device(bob, u8::try_from(sessions.len() + 1).unwrap()));
    }
    (bob, sessions)
}

#[test]
fn beyond_the_limit_the_oldest_session_that_is_not_connected_ends() {
    let mut town = Town::default();
    let (bob, sessions) = crowded(&mut town);
    town.connects(sessions[0]);
    let newest = town.on_device(bob, 200);
    let open = town.memory.sessions_of(bob.account);
    assert_eq!(open.len(), SESSIONS_PER_ACCOUNT_MAX);
    assert!(open.contains(&sessions[0].session) && open.contains(&newest.session));
    assert!(!open.contains(&sessions[1].session));
}

#[test]
fn where_all_are_connected_the_oldest_gives_way_and_no_longer_counts() {
    let mut town = Town::default();
    let (bob, sessions) = crowded(&mut town);
    for session in &sessions {
        town.connects(*session);
    }
    let reply = town.log_in(bob.account, DeviceId([250; 32]));
    assert!(matches!(reply, Reply::SessionOpened { .. }));
    assert_eq!(town.memory.session(sessions[0].session), None);
    assert_eq!(town.memory.sessions_of(bob.account).len(), SESSIONS_PER_ACCOUNT_MAX);
    assert_eq!(town.memory.account(bob.account).unwrap().connected, 99);
}
