//! What dies while people talk: a node, the app, a majority. Nothing typed is lost, doubled or reordered, and nobody is interrupted.

use std::path::Path;

use tests::{Window, eventually};

use crate::people::People;

#[tokio::test(flavor = "multi_thread")]
async fn the_node_in_use_dies_while_one_types() {
    let mut people = People::talking().await;
    let node = people.alice.node_in_use().await;
    let (alice, bob) = (&people.alice, &people.bob);
    alice.send("before").await;
    bob.shows(&["before"]).await;
    alice.watch_for_interruptions().await;
    alice.write("half a ").await;
    people.cluster.kill(&node);
    alice.write("sentence").await;
    alice.has_written("half a sentence").await;
    alice.enter().await;
    alice.send("and another").await;
    bob.shows(&["before", "half a sentence", "and another"]).await;
    alice.shows(&["before", "half a sentence", "and another"]).await;
    alice.shows_states(&["read", "read", "read"]).await;
    alice.was_not_interrupted().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_dies_with_messages_in_its_outbox_and_no_node_to_take_them() {
    let mut people = People::talking().await;
    people.alice.send("before").await;
    people.bob.shows(&["before"]).await;
    for node in ["n1", "n2", "n3"] {
        people.cluster.kill(node);
    }
    people.alice.send("one").await;
    people.alice.send("two").await;
    people.alice.write("half a thou").await;
    let profile = people.alices.path();
    eventually("the draft is on disk", || if holds(profile, "half a thou") { Ok(()) } else { Err("not yet") });
    people.alice.kill();

    let alice = Window::open(&people.display, people.cluster.home(), profile).await;
    alice.says("Pick somebody to talk to").await;
    alice.says("Reconnecting").await;
    for node in ["n1", "n2", "n3"] {
        people.cluster.launch(node);
    }
    alice.talk_to("bob").await;
    alice.has_written("half a thou").await;
    alice.shows(&["before", "one", "two"]).await;
    people.bob.shows(&["before", "one", "two"]).await;
    // The window that was opened last has the focus, which is no longer Bob's.
    alice.shows_states(&["read", "delivered", "delivered"]).await;
    alice.has_written("half a thou").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_it_is_read_only_and_what_is_written_is_sent_once_when_there_is_one() {
    let mut people = People::talking().await;
    let (alice, bob) = (&people.alice, &people.bob);
    alice.send("before").await;
    bob.shows(&["before"]).await;
    let kept = alice.node_in_use().await;
    let lost: Vec<_> = ["n1", "n2", "n3"].into_iter().filter(|name| *name != kept).collect();
    alice.watch_for_interruptions().await;
    for node in &lost {
        people.cluster.kill(node);
    }
    alice.says("Read-only: 1 of 3 machines reachable, 2 needed").await;
    alice.says(&format!("Reachable: {kept} · not reachable: ")).await;
    for node in &lost {
        alice.says(node).await;
    }
    alice.send("one").await;
    alice.send("two").await;
    alice.write("a draft").await;
    alice.shows(&["before", "one", "two"]).await;
    people.cluster.launch(lost[0]);
    bob.shows(&["before", "one", "two"]).await;
    alice.shows_states(&["read", "read", "read"]).await;
    alice.says_no_more("Read-only").await;
    alice.has_written("a draft").await;
    alice.was_not_interrupted().await;
}

/// Whether a file in the folder has the text in it.
fn holds(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).expect("the folder can be read").flatten().map(|entry| entry.path());
    files.filter(|path| path.is_file()).any(|path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    })
}
