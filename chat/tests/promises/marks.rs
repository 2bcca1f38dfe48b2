//! Marks: what was received and read, and who is told.

use chat::{ConversationId, Cursor, Delivery, FeedRow, Rejection, Reply, View};

use crate::town::{Person, Town, rejected, to};

/// Two people, and three messages from the first to the second.
fn three_messages() -> (Town, Person, Person, ConversationId, Vec<Cursor>) {
    let mut town = Town::default();
    let (alice, bob) = (town.joined("alice"), town.joined("bob"));
    let said: Vec<_> = ["one", "two", "three"].iter().map(|text| town.says(alice, to("bob"), text)).collect();
    (town, alice, bob, said[0].0, said.iter().map(|(_, cursor)| *cursor).collect())
}

fn about_marks(town: &Town, who: Person) -> Vec<FeedRow> {
    let rows = town.feed(who).into_iter().map(|(_, row)| row);
    rows.filter(|row| !matches!(row, FeedRow::Message { .. })).collect()
}

#[test]
fn delivered_up_to_a_place_is_delivered_before_it_too() {
    let (mut town, _, bob, conversation, at) = three_messages();
    town.receives(bob, conversation, at[1]);
    let states: Vec<_> = at.iter().map(|cursor| town.delivery(conversation, *cursor)).collect();
    assert_eq!(states, [Delivery::Delivered, Delivery::Delivered, Delivery::Stored]);
    assert_eq!(town.memory.member(conversation, bob.account).undelivered(), 1);
}

#[test]
fn reading_implies_receiving() {
    let (mut town, _, bob, conversation, at) = three_messages();
    town.reads(bob, conversation, at[1]);
    assert_eq!(town.delivery(conversation, at[1]), Delivery::Read);
    assert_eq!(town.unread(conversation, bob), 1);
    assert_eq!(town.memory.member(conversation, bob.account).undelivered(), 1);
}

#[test]
fn marks_only_go_forward() {
    let (mut town, _, bob, conversation, at) = three_messages();
    town.receives(bob, conversation, at[2]);
    town.reads(bob, conversation, at[1]);
    let before = town.memory.clone();
    assert_eq!(town.receives(bob, conversation, at[0]), Reply::Done);
    assert_eq!(town.reads(bob, conversation, at[0]), Reply::Done);
    assert_eq!(town.reads(bob, conversation, Cursor::START), Reply::Done);
    assert_eq!(town.memory, before);
}

#[test]
fn a_mark_beyond_the_end_is_at_the_end() {
    let (mut town, alice, bob, conversation, at) = three_messages();
    town.reads(bob, conversation, Cursor(u64::MAX));
    assert_eq!(town.memory.member(conversation, bob.account).read.up_to, at[2]);
    let (_, later) = town.says(alice, to("bob"), "four");
    assert_eq!(town.unread(conversation, bob), 1);
    assert_eq!(town.delivery(conversation, later), Delivery::Stored);
}

#[test]
fn own_messages_are_not_counted() {
    let (mut town, _, bob, conversation, _) = three_messages();
    let (_, own) = town.says(bob, to("alice"), "answer");
    assert_eq!(town.unread(conversation, bob), 3);
    town.reads(bob, conversation, own);
    assert_eq!(town.unread(conversation, bob), 0);
}

#[test]
fn the_sender_is_told_once_how_far_it_got() {
    let (mut town, alice, bob, conversation, at) = three_messages();
    town.receives(bob, conversation, at[0]);
    town.receives(bob, conversation, at[1]);
    let by = bob.account;
    assert_eq!(about_marks(&town, alice), [FeedRow::Delivered { conversation, by, up_to: at[1] }]);
    assert_eq!(about_marks(&town, bob), []);
}

#[test]
fn reading_is_told_to_the_sender_and_to_ones_own_devices() {
    let (mut town, alice, bob, conversation, at) = three_messages();
    town.receives(bob, conversation, at[1]);
    town.reads(bob, conversation, at[0]);
    town.reads(bob, conversation, at[1]);
    let read = FeedRow::Read { conversation, by: bob.account, up_to: at[1] };
    assert_eq!(about_marks(&town, alice), std::slice::from_ref(&read), "read says all that delivered said");
    assert_eq!(about_marks(&town, bob), [read]);
}

#[test]
fn delivered_further_than_read_is_told_beside_it() {
    let (mut town, alice, bob, conversation, at) = three_messages();
    town.receives(bob, conversation, at[2]);
    town.reads(bob, conversation, at[0]);
    let by = bob.account;
    assert_eq!(
        about_marks(&town, alice),
        [FeedRow::Delivered { conversation, by, up_to: at[2] }, FeedRow::Read { conversation, by, up_to: at[0] }]
    );
}

#[test]
fn one_command_marks_several_conversations() {
    let mut town = Town::default();
    let (alice, bob, carol) = (town.joined("alice"), town.joined("bob"), town.joined("carol"));
    let (with_alice, first) = town.says(alice, to("bob"), "from alice");
    let (with_carol, second) = town.says(carol, to("bob"), "from carol");
    let (with_self, third) = town.says(bob, to("bob"), "from bob");
    let marks = vec![(with_alice, Cursor(1)), (with_carol, second), (with_alice, first), (with_self, third)];
    let reply = town.then(&chat::Command::MarkDelivered { session: bob.session, marks });
    assert_eq!(reply, Reply::Done);
    for (conversation, cursor) in [(with_alice, first), (with_carol, second), (with_self, third)] {
        assert_eq!(town.delivery(conversation, cursor), Delivery::Delivered);
    }
    let by = bob.account;
    assert_eq!(about_marks(&town, alice), [FeedRow::Delivered { conversation: with_alice, by, up_to: first }]);
    assert_eq!(about_marks(&town, carol), [FeedRow::Delivered { conversation: with_carol, by, up_to: second }]);
}

#[test]
fn nobody_marks_what_others_say_to_each_other() {
    let (mut town, _, _, conversation, at) = three_messages();
    let eve = town.joined("eve");
    let before = town.memory.clone();
    let none = rejected(Rejection::NoSuchConversation);
    assert_eq!(town.receives(eve, conversation, at[0]), none);
    assert_eq!(town.reads(eve, conversation, at[0]), none);
    assert_eq!(town.reads(eve, ConversationId(777), at[0]), none);
    assert_eq!(town.memory, before);
}

#[test]
fn one_foreign_conversation_spoils_the_whole_command() {
    let (mut town, _, bob, conversation, at) = three_messages();
    let before = town.memory.clone();
    let marks = vec![(conversation, at[0]), (ConversationId(777), at[0])];
    let reply = town.then(&chat::Command::MarkDelivered { session: bob.session, marks });
    assert_eq!(reply, rejected(Rejection::NoSuchConversation));
    assert_eq!(town.memory, before);
}
