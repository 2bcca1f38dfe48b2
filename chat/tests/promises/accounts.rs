//! Creating accounts.

use chat::{CreationId, Notice, Rejection, Reply, View};

use crate::town::{Town, creation, name, rejected, to};

#[test]
fn a_new_account_has_a_session_and_is_announced() {
    let mut town = Town::default();
    let bob = town.joined("Bob");
    let account = town.memory.account(bob.account).unwrap();
    assert_eq!(account.name, name("Bob"));
    assert!(!account.is_active());
    assert_eq!(town.memory.session(bob.session).unwrap().account, bob.account);
    assert_eq!(town.notices, [Notice::AccountCreated(bob.account)]);
}

#[test]
fn a_name_is_taken_in_any_case_and_any_composition() {
    let mut town = Town::default();
    town.joined("Zoë");
    for namesake in ["zoë", "ZOË", "Zoe\u{308}"] {
        assert_eq!(town.then(&creation(namesake, 99)), rejected(Rejection::NameTaken("Zoë".to_owned())));
    }
}

#[test]
fn creating_again_after_a_lost_answer_creates_nothing_twice() {
    let mut town = Town::default();
    let first = town.then(&creation("bob", 7));
    let before = town.memory.clone();
    assert_eq!(town.then(&creation("bob", 7)), first);
    assert_eq!(town.memory, before);
    assert_eq!(town.notices.len(), 1);
}

#[test]
fn creating_again_renews_the_token_of_the_session() {
    let mut town = Town::default();
    let Reply::AccountCreated { session, .. } = town.then(&creation("bob", 7)) else { panic!() };
    let mut again = creation("bob", 7);
    if let chat::Command::CreateAccount { token_hash, .. } = &mut again {
        *token_hash = [42; 32];
    }
    town.then(&again);
    assert_eq!(town.memory.session(session).unwrap().token_hash, [42; 32]);
}

#[test]
fn a_namesake_of_a_deleted_account_is_somebody_else() {
    let mut town = Town::default();
    let alice = town.joined("alice");
    let old = town.joined("bob");
    let (past, _) = town.says(alice, to("bob"), "for the old bob");
    town.leaves_for_good(old);
    let new = town.joined("BOB");
    assert_ne!(new.account, old.account);
    let (present, _) = town.says(alice, to("bob"), "for the new bob");
    assert_ne!(past, present);
    assert_eq!(town.unread(present, new), 1);
    assert_eq!(town.memory.conversations_of(new.account), [present]);
}

#[test]
fn the_creation_id_of_a_deleted_account_opens_no_door() {
    let mut town = Town::default();
    let Reply::AccountCreated { account, session } = town.then(&creation("bob", 7)) else { panic!() };
    town.leaves_for_good(crate::town::Person { account, session });
    let again = town.then(&creation("bob", 7));
    assert!(matches!(again, Reply::AccountCreated { account: new, .. } if new != account));
    assert_eq!(town.memory.account(account).unwrap().creation, CreationId(7));
}
