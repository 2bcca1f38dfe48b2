//! Leaving for good.

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
