//! Sending: stored once, in the order of the numbers, whatever is resent.

use chat::{AccountId, FeedRow, MessageId, Numbering, REMEMBERED_REPLIES, Recipient, Rejection, Reply, Seq, View};

use crate::town::{Town, rejected, to};

#[test]
fn a_message_is_in_the_feeds_of_both() {
    let mut town = Town::default();
    let (alice, bob) = (town.joined("alice"), town.joined("bob"));
    let (conversation, cursor) = town.says(alice, to("bob"), "hello");
    assert_eq!(town.feed(alice), [(cursor, FeedRow::Message { conversation })]);
    assert_eq!(town.feed(bob), town.feed(alice));
    assert_eq!((town.unread(conversation, alice), town.unread(conversation, bob)), (0, 1));
}

#[test]
fn the_two_share_one_conversation_whoever_begins() {
    let mut town = Town::default();
    let (alice, bob) = (town.joined("alice"), town.joined("bob"));
    let (one, _) = town.says(alice, to("bob"), "hello");
    let (other, _) = town.says(bob, to("alice"), "hello yourself");
    assert_eq!(one, other);
    assert_eq!(town.memory.conversation(one).unwrap().length, 2);
    assert_eq!(town.texts(one), ["hello", "hello yourself"]);
}

#[test]
fn a_message_to_oneself_is_one_row_and_never_unread() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    let (conversation, cursor) = town.says(bob, to("bob"), "milk");
    assert_eq!(town.feed(bob), [(cursor, FeedRow::Message { conversation })]);
    assert_eq!(town.unread(conversation, bob), 0);
    let member = town.memory.member(conversation, bob.account);
    assert_eq!((member.incoming, member.outgoing), (0, 1));
}

#[test]
fn a_resend_is_answered_with_the_place_of_the_first_time() {
    let mut town = Town::default();
    let (alice, bob) = (town.joined("alice"), town.joined("bob"));
    let first = town.send_as(alice, Seq(1), MessageId(1), to("bob"), "hello");
    let before = town.memory.clone();
    assert_eq!(town.send_as(alice, Seq(1), MessageId(1), to("bob"), "hello"), first);
    assert_eq!(town.memory, before);
    town.connects(bob);
    let Reply::Stored { id, conversation, cursor, to: bob, sent_at, recipient_active: false } = first else { panic!() };
    let later = Reply::Stored { id, conversation, cursor, to: bob, sent_at, recipient_active: true };
    assert_eq!(town.send_as(alice, Seq(1), MessageId(1), to("bob"), "hello"), later, "who is there is as of now");
}

#[test]
fn a_number_out_of_turn_has_no_effect() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    let before = town.memory.clone();
    let gap = Reply::SequenceGap { numbering: Numbering::default() };
    for seq in [Seq(2), Seq(u64::MAX), Seq(0)] {
        assert_eq!(town.send_as(bob, seq, MessageId(1), to("bob"), "early"), gap);
    }
    assert_eq!(town.memory, before);
}

#[test]
fn a_message_is_stored_right_behind_the_one_it_follows_or_not_at_all() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    let one = Some(MessageId(1));
    // The number fits, but the message is not the session's first.
    let gap = Reply::SequenceGap { numbering: Numbering::default() };
    assert_eq!(town.send_after(one, bob, Seq(1), MessageId(2), to("bob"), "two"), gap);
    town.send_as(bob, Seq(1), MessageId(1), to("bob"), "one");
    // The number fits, but another message is meant to be before this one.
    let gap = Reply::SequenceGap { numbering: Numbering { high_water: Seq(1), last: one } };
    for follows in [None, Some(MessageId(2))] {
        assert_eq!(town.send_after(follows, bob, Seq(2), MessageId(3), to("bob"), "three"), gap);
    }
    assert!(matches!(town.send_after(one, bob, Seq(2), MessageId(2), to("bob"), "two"), Reply::Stored { .. }));
}

#[test]
fn a_message_may_follow_a_rejected_one() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    town.send_as(bob, Seq(1), MessageId(1), to("nobody"), "hello?");
    let next = town.send_after(Some(MessageId(1)), bob, Seq(2), MessageId(2), to("bob"), "to myself, then");
    assert!(matches!(next, Reply::Stored { .. }));
}

#[test]
fn a_rejected_send_uses_its_number_up() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    let none = rejected(Rejection::NoSuchAccount);
    assert_eq!(town.send_as(bob, Seq(1), MessageId(1), to("nobody"), "hello?"), none);
    town.joined("nobody");
    assert_eq!(town.send_as(bob, Seq(1), MessageId(1), to("nobody"), "hello?"), none, "a resend is no new try");
    assert!(matches!(town.send_as(bob, Seq(2), MessageId(2), to("nobody"), "now"), Reply::Stored { .. }));
}

#[test]
fn an_id_names_one_message_across_sessions() {
    let mut town = Town::default();
    let (alice, _) = (town.joined("alice"), town.joined("bob"));
    let first = town.send_as(alice, Seq(1), MessageId(1), to("bob"), "hello");
    let phone = town.on_device(alice, 2);
    assert_eq!(town.send_as(phone, Seq(1), MessageId(1), to("BOB"), "hello"), first);
    let Reply::Stored { conversation, to: bob, .. } = first else { panic!() };
    assert_eq!(town.send_as(phone, Seq(2), MessageId(1), Recipient::Account(bob), "hello"), first);
    assert_eq!(town.texts(conversation), ["hello"]);
}

#[test]
fn an_id_used_for_another_message_is_refused() {
    let mut town = Town::default();
    let (alice, _) = (town.joined("alice"), town.joined("bob"));
    town.joined("carol");
    town.send_as(alice, Seq(1), MessageId(1), to("bob"), "hello");
    let conflict = rejected(Rejection::IdConflict(MessageId(1)));
    assert_eq!(town.send_as(alice, Seq(2), MessageId(1), to("bob"), "goodbye"), conflict);
    assert_eq!(town.send_as(alice, Seq(3), MessageId(1), to("carol"), "hello"), conflict);
}

#[test]
fn two_accounts_may_use_the_same_id() {
    let mut town = Town::default();
    let (alice, bob) = (town.joined("alice"), town.joined("bob"));
    assert!(matches!(town.send_as(alice, Seq(1), MessageId(1), to("bob"), "a"), Reply::Stored { .. }));
    assert!(matches!(town.send_as(bob, Seq(1), MessageId(1), to("alice"), "b"), Reply::Stored { .. }));
}

#[test]
fn a_resend_beyond_the_window_is_still_found_by_its_id() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    let first = town.send_as(bob, Seq(1), MessageId(1_000_001), to("bob"), "note");
    town.send_as(bob, Seq(2), MessageId(1_000_002), to("nobody"), "refused");
    for _ in 1..REMEMBERED_REPLIES {
        town.says(bob, to("bob"), "more");
    }
    assert_eq!(town.memory.remembered(bob.session, Seq(1)), None, "where it is says the message itself");
    assert!(town.memory.remembered(bob.session, Seq(2)).is_some());
    town.says(bob, to("bob"), "more");
    assert_eq!(town.memory.remembered(bob.session, Seq(2)), None);
    assert_eq!(town.send_as(bob, Seq(1), MessageId(1_000_001), to("bob"), "note"), first);
    assert_eq!(town.send_as(bob, Seq(2), MessageId(1_000_002), to("nobody"), "refused"), Reply::Forgotten);
}

#[test]
fn a_message_for_an_account_never_reaches_its_namesake() {
    let mut town = Town::default();
    let (alice, bob) = (town.joined("alice"), town.joined("bob"));
    town.leaves_for_good(bob);
    town.joined("bob");
    assert_eq!(town.send(alice, Recipient::Account(bob.account), "old friend"), rejected(Rejection::AccountDeleted));
    assert_eq!(town.send(alice, Recipient::Account(AccountId(777)), "who"), rejected(Rejection::NoSuchAccount));
}

#[test]
fn resending_what_a_deleted_account_got_finds_it_stored() {
    let mut town = Town::default();
    let (alice, bob) = (town.joined("alice"), town.joined("bob"));
    let phone = town.on_device(alice, 2);
    let first = town.send_as(alice, Seq(1), MessageId(1), to("bob"), "hello");
    town.leaves_for_good(bob);
    assert_eq!(town.send_as(phone, Seq(1), MessageId(1), to("bob"), "hello"), first);
}

#[test]
fn the_answer_says_whether_the_recipient_listens() {
    let mut town = Town::default();
    let (alice, bob) = (town.joined("alice"), town.joined("bob"));
    let active = |reply| matches!(reply, Reply::Stored { recipient_active: true, .. });
    assert!(!active(town.send(alice, to("bob"), "there?")));
    town.connects(bob);
    assert!(active(town.send(alice, to("bob"), "there!")));
}
