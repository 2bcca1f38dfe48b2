//! From nothing to the first message.

use tests::{Cluster, Display, Window};

use crate::people::folder;

#[tokio::test(flavor = "multi_thread")]
async fn one_joins_the_chat_of_the_computer_another_by_a_code_and_they_talk() {
    let cluster = Cluster::start(3);
    let display = Display::open();
    let (alices, bobs, elsewhere) = (folder(), folder(), folder());
    let alice = Window::open(&display, cluster.home(), alices.path()).await;
    alice.says("Find your chat").await;
    alice.click("Join").await;
    alice.create_account("alice").await;
    alice.says("Nobody else is here yet").await;
    alice.choose("Invite people").await;
    let code =
        alice.session().until("a code", "return document.querySelector('code')?.textContent", |code| code.is_string());
    let code = code.await.as_str().expect("text").to_owned();
    alice.click("Close").await;

    let bob = Window::open(&display, elsewhere.path(), bobs.path()).await;
    bob.says("Nothing found so far").await;
    bob.fill("Code from a colleague", &code).await;
    bob.click("Join with the code").await;
    bob.create_account("bob").await;
    bob.talk_to("alice").await;
    bob.says("Say hello to alice").await;
    bob.send("Hello, I am new here").await;
    alice.talk_to("bob").await;
    alice.shows(&["Hello, I am new here"]).await;
    // Not read: on this display the window that was opened last has the focus.
    bob.shows_states(&["delivered"]).await;
}
