//! Deleting an account: the name is free, nothing is lost, and senders are told.

use chat::{Delivery, FeedRow, Notice, Reply, Timestamp, View};

use crate::town::{Town, name, to};

#[test]
fn the_name_is_free_at_once_and_a_tombstone_stays() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    assert_eq!(town.leaves_for_good(bob), Reply::AccountDeleted { returned: 0 });
    assert_eq!(town.memory.account_named(name("bob").key()), None);
    let tombstone = town.memory.account(bob.account).unwrap();
    assert_eq!(tombstone.deleted_at, Some(Timestamp(9_000)));
    assert!(tombstone.credentials.is_empty());
    assert_eq!(tombstone.name, name("bob"));
}

#[test]
fn all_sessions_end_and_nobody_stays_connected() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    let phone = town.on_device(bob, 2);
    town.connects(bob);
    town.connects(phone);
    town.leaves_for_good(phone);
    assert_eq!(town.memory.sessions_of(bob.account), []);
    assert_eq!(town.memory.session(bob.session), None);
    assert!(!town.is_active(bob));
    assert_eq!(town.notices.last(), Some(&Notice::AccountDeleted(bob.account)));
}

#[test]
fn each_sender_is_told_how_much_never_arrived() {
    let mut town = Town::default();
    let (alice, bob, carol) = (town.joined("alice"), town.joined("bob"), town.joined("carol"));
    let (conversation, received) = town.says(alice, to("bob"), "arrives");
    town.receives(bob, conversation, received);
    let (_, lost) = town.says(alice, to("bob"), "does not");
    town.says(bob, to("alice"), "from bob himself");
    town.says(alice, to("bob"), "does not either");
    town.says(carol, to("bob"), "nor this");
    town.says(bob, to("bob"), "a note");

    let preview = chat::deletion_preview(&town.memory, bob.account);
    assert_eq!((preview.undelivered, preview.senders), (3, 2));
    assert_eq!(town.leaves_for_good(bob), Reply::AccountDeleted { returned: 3 });

    let told = FeedRow::Returned { conversation, by: bob.account, after: received, returned: 2 };
    assert_eq!(town.feed(alice).last(), Some(&(town.position, told)));
    assert!(matches!(town.feed(carol).last(), Some((_, FeedRow::Returned { returned: 1, .. }))));
    assert_eq!(town.delivery(conversation, received), Delivery::Delivered);
    assert_eq!(town.delivery(conversation, lost), Delivery::Returned);
}

#[test]
fn senders_whose_messages_all_arrived_hear_nothing() {
    let mut town = Town::default();
    let (alice, bob) = (town.joined("alice"), town.joined("bob"));
    let (conversation, cursor) = town.says(alice, to("bob"), "hello");
    town.reads(bob, conversation, cursor);
    let before = town.feed(alice);
    assert_eq!(town.leaves_for_good(bob), Reply::AccountDeleted { returned: 0 });
    assert_eq!(town.feed(alice), before);
}

#[test]
fn what_a_deleted_account_sent_still_arrives() {
    let mut town = Town::default();
    let (alice, bob) = (town.joined("alice"), town.joined("bob"));
    let (conversation, cursor) = town.says(alice, to("bob"), "farewell");
    town.leaves_for_good(alice);
    assert_eq!(town.unread(conversation, bob), 1);
    assert_eq!(town.reads(bob, conversation, cursor), Reply::Done);
    assert_eq!(town.delivery(conversation, cursor), Delivery::Read);
}

#[test]
fn a_deleted_sender_is_neither_told_nor_counted() {
    let mut town = Town::default();
    let (alice, bob) = (town.joined("alice"), town.joined("bob"));
    town.says(alice, to("bob"), "never read");
    town.leaves_for_good(alice);
    let before = town.feed(alice);
    assert_eq!(town.leaves_for_good(bob), Reply::AccountDeleted { returned: 0 });
    assert_eq!(town.feed(alice), before);
}
