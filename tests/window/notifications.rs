//! What is told while one looks elsewhere.

use tests::{Cluster, Window, eventually};

use crate::desktop::{Notifications, Shown};
use crate::people::People;

#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_notified_of_once_and_a_click_leads_to_it() {
    let people = People::talking().await;
    let notifications = Notifications::serve(&people.display);
    carol(&people.cluster, &["account", "create", "carol"]);

    // Alice looks at her conversation with Bob, whose window has the focus.
    carol_writes(&people.cluster, "<b>is it 1 & 2?</b>");
    let first = ("carol", "&lt;b&gt;is it 1 &amp; 2?&lt;/b&gt;");
    assert_eq!(told(&notifications.once_there_is(first.1)), [first]);
    notifications.click(first.1);
    let alice = &people.alice;
    let open = "return [document.querySelector('main h1')?.textContent, document.hasFocus()]";
    alice
        .session()
        .until("Carol's conversation, in front", open, |seen| *seen == serde_json::json!(["carol", true]))
        .await;
    alice.shows(&["<b>is it 1 & 2?</b>"]).await;

    // What is before her eyes needs no notification; what Bob writes does, and comes after it.
    carol_writes(&people.cluster, "in view");
    alice.shows(&["<b>is it 1 & 2?</b>", "in view"]).await;
    people.bob.send("over here").await;
    let second = ("bob", "over here");
    assert_eq!(told(&notifications.once_there_is(second.1)), [first, second]);

    // What was said while she was away is there when she comes back, and is no news.
    people.alice.kill();
    carol_writes(&people.cluster, "while you were away");
    let alice = Window::open(&people.display, people.cluster.home(), people.alices.path()).await;
    alice.says("while you were away").await;
    let mut calls = Vec::new();
    eventually("she is notified again", || {
        calls.push(format!("call {}", calls.len()));
        carol_writes(&people.cluster, calls.last().expect("pushed"));
        let heard = notifications.all().iter().any(|shown| calls.contains(&shown.body));
        if heard { Ok(()) } else { Err("nothing") }
    });
    let shown = notifications.once_there_is(calls.last().expect("some"));
    // Those of Carol's calls that came before she had caught up are no news either.
    let after: Vec<_> = told(&shown).into_iter().skip(2).map(|(_, body)| body).collect();
    let newest = &calls[calls.len().saturating_sub(after.len())..];
    assert_eq!(after, newest, "once each, and nothing of what was missed");
}

fn told(shown: &[Shown]) -> Vec<(&str, &str)> {
    shown.iter().map(|shown| (shown.title.as_str(), shown.body.as_str())).collect()
}

fn carol_writes(cluster: &Cluster, text: &str) {
    carol(cluster, &["message", "send", "alice", text]);
}

fn carol(cluster: &Cluster, command: &[&str]) {
    cluster.cli().as_account("carol").run(command).ok();
}
