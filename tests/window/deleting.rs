//! Leaving for good.

use std::path::Path;

use rusqlite::Connection;

use crate::people::People;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_deleted_once_its_consequences_were_counted_and_its_name_was_typed() {
    let people = People::talking().await;
    let (alice, bob) = (&people.alice, &people.bob);
    bob.send("good bye").await;
    alice.shows(&["good bye"]).await;
    bob.choose("Delete account").await;
    bob.says("No message is waiting for you.").await;
    let disabled = "return document.querySelector('[role=dialog] footer button:last-child').disabled";
    assert_eq!(bob.session().eval(disabled, vec![]).await, true, "the name was not typed yet");
    bob.fill("Type bob to confirm", "bob").await;
    bob.click("Delete account").await;
    bob.says("Create your account").await;
    alice.says("bob deleted this account. Nothing can be sent to it.").await;
    alice.shows(&["good bye"]).await;
    let composer = "return document.querySelector('main textarea')";
    alice.session().until("nothing can be written", composer, |field| field.is_null()).await;

    bob.create_account("bob").await;
    bob.talk_to("alice").await;
    bob.send("under the same name").await;
    bob.shows(&["under the same name"]).await;
    alice.says("under the same name").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_an_account_is_counted_anew_each_time() {
    let people = People::talking().await;
    let bob = &people.bob;
    let say = |name: &str, command: &[&str]| people.cluster.cli().as_account(name).run(command).ok();
    say("carol", &["account", "create", "carol"]);
    say("dave", &["account", "create", "dave"]);
    // What was received is on disk before any node is told of it, and Bob's disk takes nothing for now.
    let stuck = stick(people.bobs.path());
    say("carol", &["message", "send", "bob", "one"]);
    say("carol", &["message", "send", "bob", "two"]);
    say("dave", &["message", "send", "bob", "three"]);
    bob.choose("Delete account").await;
    bob.says("3 messages that you have not received will be returned to 2 senders.").await;
    bob.click("Cancel").await;
    drop(stuck);

    say("carol", &["message", "send", "bob", "four", "--wait", "delivered"]);
    say("dave", &["message", "send", "bob", "five", "--wait", "delivered"]);
    bob.choose("Delete account").await;
    bob.says("No message is waiting for you.").await;
}

/// Keeps the app from writing to its profile until what is returned is dropped.
fn stick(profile: &Path) -> Connection {
    let connection = Connection::open(profile.join("profile.sqlite")).expect("the profile is there");
    connection.execute_batch("BEGIN IMMEDIATE").expect("nobody else is writing");
    connection
}
