//! The back end of the app against real daemons: what a person sees in a window goes through here.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app_api::{Api, Desktop, Notice, Setup, TrayWords, Updates};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Cluster, PATIENCE, node_program};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use ui_bridge::Bridge;

/// A desktop that writes down what it was asked for.
#[derive(Default)]
struct Notes {
    notices: Mutex<Vec<Notice>>,
    unread: Mutex<u64>,
}

impl Desktop for Notes {
    fn open_link(&self, _: &str) -> Result<(), String> {
        Err("there is no browser here".into())
    }

    fn notify(&self, notice: Notice) {
        self.notices.lock().expect("whole").push(notice);
    }

    fn unread(&self, count: u64) {
        *self.unread.lock().expect("whole") = count;
    }

    fn tray_words(&self, _: TrayWords) {}
}

impl Notes {
    fn bodies(&self) -> Vec<String> {
        self.notices.lock().expect("whole").iter().map(|notice| notice.body.clone()).collect()
    }
}

/// An app, and what it was told.
struct App {
    api: Api,
    notes: Arc<Notes>,
    updates: Updates,
}

impl App {
    /// Of the user whose nodes are in this home, with a profile of its own.
    fn open(home: &Path, profile: &Path) -> Self {
        let environment = |name: &str| (name == "FIVE9S_HOME").then(|| home.display().to_string());
        let setup = Setup::of_user(&environment, Some(profile.to_owned()), profile.join("downloads")).expect("set");
        let setup = Setup { node_program: Some(node_program().to_owned()), ..setup };
        let notes = Arc::new(Notes::default());
        let api = Api::open(setup, notes.clone());
        let updates = api.subscribe();
        Self { api, notes, updates }
    }

    /// Asks until it is not refused: a cluster that elects a leader, or an account that is just being created.
    async fn call(&self, call: &str, args: Value) -> Value {
        match self.api.dispatch(json!({"call": call, "args": args})).await {
            Ok(answer) => answer,
            Err(refusal) => panic!("{call} was refused: {refusal:?}"),
        }
    }

    /// The next update of this kind.
    async fn update(&mut self, kind: &str) -> Value {
        let found = async {
            loop {
                let update = self.updates.next().await.expect("the stream goes on");
                let update = serde_json::to_value(update).expect("JSON");
                if update["type"] == kind {
                    return update;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no update {kind}"))
    }

    async fn account(&self, name: &str) -> u64 {
        let login = self.call("create_account", json!({"name": name, "password": "a password"})).await;
        login["account"]["id"].as_u64().expect("a number")
    }
}

async fn soon(what: &str, so: impl Fn() -> bool) {
    let looked = tokio::time::timeout(PATIENCE, async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    looked.await.unwrap_or_else(|_| panic!("it never came to be so: {what}"));
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn talk(with: u64) -> Value {
    json!({"with": {"account": with}, "before": null, "after": null, "limit": 50})
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_chat_through_the_death_of_a_leader() {
    let mut cluster = Cluster::start(3);
    let (alices, bobs) = (folder(), folder());
    let mut alice = App::open(cluster.home(), alices.path());
    let mut bob = App::open(cluster.home(), bobs.path());

    assert_eq!(alice.call("start", json!({})).await["joined"], false);
    let places = alice.call("places", json!({})).await;
    assert_eq!(places[0]["kind"], "this_computer", "{places}");
    assert_eq!(places[0]["nodes"].as_array().map(Vec::len), Some(3), "{places}");
    alice.call("join_local", json!({})).await;
    let code = alice.call("invite", json!({})).await["code"].clone();
    bob.call("join", json!({ "code": code })).await;
    let alice_id = alice.account("alice").await;
    let bob_id = bob.account("bob").await;
    assert_eq!(bob.update("caught_up").await["type"], "caught_up");

    let sent = alice.call("send", json!({"to": {"name": "bob"}, "text": "hello", "id": null})).await;
    assert_eq!(alice.update("queued").await["pending"]["text"], "hello");
    let stored = alice.update("stored").await;
    assert_eq!((&stored["id"], &stored["to"]), (&sent["id"], &json!(bob_id)));
    let received = bob.update("message").await;
    assert_eq!(received["message"]["text"], "hello");
    soon("bob is notified", || bob.notes.bodies() == ["hello"]).await;
    soon("one is unread", || *bob.notes.unread.lock().expect("whole") == 1).await;

    let at = json!({"conversation": stored["conversation"], "cursor": stored["cursor"]});
    let cluster_seen = alice.call("cluster", json!({})).await;
    assert_eq!((&cluster_seen["can_lose"], &cluster_seen["writable"]), (&json!(1), &json!(true)), "{cluster_seen}");
    let proof = alice.call("proof", at.clone()).await;
    assert!(proof["term"].as_u64().is_some_and(|term| term > 0), "{proof}");
    assert!(
        proof["nodes"].as_array().is_some_and(|nodes| nodes.iter().filter(|node| node["holds"] == true).count() >= 2)
    );
    bob.call("mark_read", json!({"conversation": stored["conversation"], "up_to": stored["cursor"]})).await;
    soon("none is unread", || *bob.notes.unread.lock().expect("whole") == 0).await;
    assert_eq!(alice.update("read").await["by"], json!(bob_id));

    bob.call("view", json!({"conversation": stored["conversation"], "focused": true})).await;
    let leader = cluster.leader();
    cluster.kill(&leader);
    let texts: Vec<String> = (1..=20).map(|number| format!("message {number}")).collect();
    for text in &texts {
        alice.call("send", json!({"to": {"account": bob_id}, "text": text, "id": null})).await;
    }
    for text in &texts {
        assert_eq!(bob.update("message").await["message"]["text"], json!(text));
    }
    assert_eq!(bob.notes.bodies(), ["hello"], "what is in view is not notified of");
    let page = bob.call("messages", talk(alice_id)).await;
    assert_eq!(page["page"]["items"].as_array().map(Vec::len), Some(21), "{page}");
    for _ in &texts {
        alice.update("stored").await;
    }
    assert_eq!(alice.call("pending", json!({})).await, json!([]));

    let search =
        |with: Value| bob.call("search", json!({"text": "MESSAGE 20", "with": with, "before": null, "limit": 5}));
    for with in [Value::Null, json!({"account": alice_id})] {
        let found = search(with).await;
        assert_eq!(found["items"][0]["text"], "message 20", "{found}");
    }
    assert_eq!(search(json!({"name": "bob"})).await["items"], json!([]), "not in another conversation");

    let written = bob.call("export", json!({"with": {"name": "alice"}})).await;
    let written = std::fs::read_to_string(written["path"].as_str().expect("a path")).expect("a file");
    assert_eq!(written.lines().count(), 21);
    assert!(written.lines().last().is_some_and(|line| line.ends_with("alice: message 20")), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_outlives_the_app_and_history_rings_no_bell() {
    let mut cluster = Cluster::start(1);
    let (alices, bobs) = (folder(), folder());
    let alice = App::open(cluster.home(), alices.path());
    alice.call("join_local", json!({})).await;
    alice.account("alice").await;
    let bob = App::open(cluster.home(), bobs.path());
    bob.call("join_local", json!({})).await;
    let bob_id = bob.account("bob").await;
    drop(bob);

    alice.call("keep_draft", json!({"with": bob_id, "text": "queued half a thou"})).await;
    cluster.kill("n1");
    alice.call("send_draft", json!({"with": bob_id, "text": "queued"})).await;
    drop(alice);

    let mut alice = App::open(cluster.home(), alices.path());
    let start = alice.call("start", json!({})).await;
    assert_eq!((&start["joined"], &start["accounts"]), (&json!(true), &json!(["alice"])));
    assert_eq!(alice.call("resume", json!({"name": "alice"})).await["online"], false, "no node runs");
    assert_eq!(alice.call("drafts", json!({})).await, json!([{"with": bob_id, "text": " half a thou"}]));
    let pending = alice.call("pending", json!({})).await;
    assert_eq!((&pending[0]["text"], &pending[0]["failed"]), (&json!("queued"), &Value::Null));
    cluster.launch("n1");
    alice.update("stored").await;

    let mut bob = App::open(cluster.home(), bobs.path());
    bob.call("resume", json!({"name": "bob"})).await;
    assert_eq!(bob.update("message").await["message"]["text"], "queued");
    bob.update("caught_up").await;
    assert_eq!(bob.notes.bodies(), [] as [&str; 0], "sent before this app ran");
    soon("one is unread", || *bob.notes.unread.lock().expect("whole") == 1).await;
    alice.call("send", json!({"to": {"account": bob_id}, "text": "news", "id": null})).await;
    soon("bob is notified", || bob.notes.bodies() == ["news"]).await;
    let mut settings = bob.call("settings", json!({})).await;
    settings["notification_text"] = json!(false);
    bob.call("keep_settings", settings).await;
    alice.call("send", json!({"to": {"account": bob_id}, "text": "for your eyes only", "id": null})).await;
    soon("bob is notified", || bob.notes.bodies() == ["news", ""]).await;

    let too_early = alice.call("send", json!({"to": {"name": "zoe"}, "text": "welcome", "id": null})).await;
    assert_eq!(alice.update("failed").await["refusal"]["code"], "no_such_account");
    let zoes = folder();
    let zoe = App::open(cluster.home(), zoes.path());
    zoe.call("join_local", json!({})).await;
    zoe.account("zoe").await;
    let again = json!({"to": {"name": "zoe"}, "text": "welcome", "id": too_early["id"]});
    assert_eq!(alice.call("send", again).await, too_early, "the same message, once more");
    assert_eq!(alice.update("stored").await["id"], too_early["id"]);
    assert_eq!(alice.call("pending", json!({})).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_alone_has_a_chat_for_as_long_as_the_app_runs() {
    let cluster = Cluster::unstarted(1, "listen = [\"/ip4/127.0.0.1/tcp/0\"]");
    let profile = folder();
    let app = App::open(cluster.home(), profile.path());
    app.call("start_here", json!({})).await;
    app.account("alice").await;
    let node_file = cluster.home().join("runtime/nodes/n1.json");
    assert!(node_file.exists());
    app.call("send", json!({"to": {"name": "alice"}, "text": "a note", "id": null})).await;
    let mut app = app;
    app.update("stored").await;
    app.api.leave().await;
    drop(app);
    soon("the node ends with the app", || !node_file.exists()).await;

    let mut app = App::open(cluster.home(), profile.path());
    soon("the node runs again", || node_file.exists()).await;
    app.call("resume", json!({"name": "alice"})).await;
    app.update("caught_up").await;
    let page =
        app.call("messages", json!({"with": {"name": "alice"}, "before": null, "after": null, "limit": 5})).await;
    assert_eq!(page["page"]["items"][0]["text"], "a note");
    app.api.leave().await;
    soon("the node ends with the app", || !node_file.exists()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_of_the_tests_has_the_same_calls_and_nobody_else_has() {
    let cluster = Cluster::start(1);
    let profile = folder();
    let app = App::open(cluster.home(), profile.path());
    let ui = folder();
    std::fs::write(ui.path().join("index.html"), "<!doctype html>").expect("written");
    let bridge = Bridge::open(app.api.clone(), Some(ui.path().to_owned()), vec![]).await.expect("open");
    let (socket, page) = (bridge.socket.clone(), bridge.page.clone().expect("a page"));
    assert!(
        page.ends_with(&socket.replace(':', "%3A").replace('/', "%2F").replace('?', "%3F").replace('=', "%3D")),
        "{page}"
    );
    let serving = tokio::spawn(bridge.serve(std::future::pending()));

    let (token_free, _) = socket.split_once("token=").expect("a token");
    assert!(connect_async(format!("{token_free}token=guessed")).await.is_err());
    let (mut browser, _) = connect_async(&socket).await.expect("let in");
    for (id, call) in [(1, "join_local"), (2, "cluster"), (3, "nonsense")] {
        let frame = json!({"id": id, "call": call, "args": {}}).to_string();
        browser.send(Message::text(frame)).await.expect("sent");
        let answer = loop {
            let read = tokio::time::timeout(PATIENCE, browser.next()).await.expect("in time");
            let frame: Value =
                serde_json::from_str(read.expect("open").expect("read").to_text().expect("text")).expect("JSON");
            if frame["id"] == id {
                break frame;
            }
            assert!(frame["update"]["type"].is_string(), "{frame}");
        };
        match id {
            1 => assert_eq!(answer, json!({"id": 1, "ok": null})),
            2 => assert_eq!(answer["ok"]["nodes"][0]["name"], "n1", "{answer}"),
            _ => assert_eq!(answer["err"]["code"], "request_malformed", "{answer}"),
        }
    }
    serving.abort();
}
