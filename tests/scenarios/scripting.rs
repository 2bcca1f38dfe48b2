//! What scripts may rely on.

use std::io::Read;
use std::process::Stdio;

use tests::{Cluster, eventually};

#[test]
fn json_rows_have_the_fields_of_the_contract() {
    let cluster = Cluster::start(1);
    let alice = cluster.cli().as_account("alice");
    alice.clone().json().run(&["account", "create", "alice"]).ok();
    cluster.cli().as_account("bob").run(&["account", "create", "bob"]).ok();
    let account = &cluster.cli().json().run(&["account", "list", "b*"]).ok().rows()[0];
    assert_eq!((account["v"].as_u64(), account["type"].as_str()), (Some(1), Some("account")));
    assert_eq!((account["name"].as_str(), account["active"].as_bool()), (Some("bob"), Some(false)));
    assert!(account["created_at"].as_str().is_some_and(|time| time.ends_with('Z') && time.contains('.')));

    let sent = alice.json().run(&["message", "send", "bob", "hi"]).ok();
    let message = &sent.rows()[0];
    for field in ["id", "conversation", "from", "to", "text", "sent_at", "state"] {
        assert!(message[field].is_string(), "{field} in {message}");
    }
    assert!(message["cursor"].is_u64());
    assert_eq!((message["text"].as_str(), message["state"].as_str()), (Some("hi"), Some("stored")));

    let status = cluster.wait_until_writable();
    for field in ["node_id", "term", "last_index", "applied", "lag"] {
        assert!(status.nodes[0][field].is_u64(), "{field} in {status:?}");
    }
    for field in ["voters", "reachable_voters", "can_lose", "epoch"] {
        assert!(status.cluster[field].is_u64(), "{field} in {status:?}");
    }
}

#[test]
fn messages_are_found_and_exported() {
    let cluster = Cluster::start(3);
    let [alice, bob] = ["alice", "bob"].map(|name| cluster.cli().json().as_account(name));
    for (one, name) in [(&alice, "alice"), (&bob, "bob")] {
        one.run(&["account", "create", name]).ok();
    }
    for text in ["lunch at noon?", "dinner then", "Déjeuner, not LUNCH"] {
        alice.run(&["message", "send", "bob", text]).ok();
    }
    bob.run(&["message", "send", "bob", "lunch alone"]).ok();

    let found = bob.run(&["message", "search", "lunch"]).ok();
    assert_eq!(found.texts(), ["lunch at noon?", "Déjeuner, not LUNCH", "lunch alone"]);
    assert_eq!(found.rows()[0]["conversation"], "alice");
    assert_eq!(bob.run(&["message", "search", "lunch", "--with", "alice"]).ok().texts().len(), 2);
    let latest = bob.run(&["message", "search", "lun", "--limit", "1"]).ok();
    assert_eq!(latest.texts(), ["lunch alone"]);
    assert!(latest.stderr.contains("There may be more"), "{latest:?}");
    assert_eq!(alice.run(&["message", "search", "dejeuner"]).ok().texts(), ["Déjeuner, not LUNCH"]);
    assert!(alice.run(&["message", "search", "alone"]).ok().texts().is_empty());
    alice.run(&["message", "search", "?!"]).refused(1, "query_invalid");

    let all = bob.run(&["export"]).ok();
    assert_eq!(all.texts(), ["lunch at noon?", "dinner then", "Déjeuner, not LUNCH", "lunch alone"]);
    assert_eq!(bob.run(&["export", "--with", "bob"]).ok().texts(), ["lunch alone"]);
    bob.run(&["export", "--with", "nobody"]).refused(1, "no_such_account");
}

#[test]
fn the_same_id_twice_is_one_message_and_another_text_under_it_is_refused() {
    let cluster = Cluster::start(1);
    let alice = cluster.cli().json().as_account("alice");
    alice.run(&["account", "create", "alice"]).ok();
    let id = ["--id", "01J0000000000000000000000A"];
    let first = alice.run(&["message", "send", "alice", id[0], id[1], "once"]).ok().rows()[0].clone();
    let again = alice.run(&["message", "send", "alice", id[0], id[1], "once"]).ok().rows()[0].clone();
    assert_eq!(first["cursor"], again["cursor"]);
    alice.run(&["message", "send", "alice", id[0], id[1], "twice"]).refused(1, "id_conflict");
    assert_eq!(alice.run(&["message", "list", "alice"]).ok().texts(), ["once"]);
}

#[test]
fn text_comes_from_the_argument_or_from_stdin_whole_or_by_lines() {
    let cluster = Cluster::start(1);
    let alice = cluster.cli().json().as_account("alice");
    alice.run(&["account", "create", "alice"]).ok();
    alice.run_with_input(&["message", "send", "alice", "-"], "two\nlines\n").ok();
    alice.run_with_input(&["message", "send", "alice"], "piped").ok();
    alice.run_with_input(&["message", "send", "alice", "--lines"], "one\ntwo\nthree\n").ok();
    assert_eq!(alice.run(&["message", "list", "alice"]).ok().texts(), ["two\nlines", "piped", "one", "two", "three"]);
}

#[test]
fn pages_of_a_conversation_fit_together() {
    let cluster = Cluster::start(1);
    let alice = cluster.cli().json().as_account("alice");
    alice.run(&["account", "create", "alice"]).ok();
    let lines: Vec<String> = (0..25).map(|number| format!("line {number}")).collect();
    alice.run_with_input(&["message", "send", "alice", "--lines"], &lines.join("\n")).ok();
    let last = alice.run(&["message", "list", "alice", "--limit", "10"]).ok();
    assert_eq!(last.texts(), lines[15..]);
    let before = last.rows()[0]["cursor"].to_string();
    let middle = alice.run(&["message", "list", "alice", "--limit", "10", "--before", &before]).ok();
    assert_eq!(middle.texts(), lines[5..15]);
    let after = middle.rows()[9]["cursor"].to_string();
    let rest = alice.run(&["message", "list", "alice", "--limit", "3", "--after", &after]).ok();
    assert_eq!(rest.texts(), lines[15..18]);
}

#[test]
fn following_from_a_cursor_has_no_gap_and_no_repeat_across_a_failover() {
    let mut cluster = Cluster::start(3);
    for name in ["alice", "bob"] {
        cluster.cli().as_account(name).run(&["account", "create", name]).ok();
    }
    let bob = cluster.cli().json().as_account("bob");
    let mut follower = bob.command();
    follower
        .args(["message", "follow", "--since", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut follower = follower.spawn().expect("the client starts");
    let mut output = follower.stdout.take().expect("its output is a pipe");
    let reader = std::thread::spawn(move || {
        let mut all = String::new();
        output.read_to_string(&mut all).map(|_| all)
    });

    let alice = cluster.cli().as_account("alice");
    let lines: Vec<String> = (0..60).map(|number| format!("line {number}")).collect();
    alice.run_with_input(&["message", "send", "bob", "--lines"], &lines[..30].join("\n")).ok();
    let leader = cluster.leader();
    cluster.kill(&leader);
    alice.timeout("30s").run_with_input(&["message", "send", "bob", "--lines"], &lines[30..].join("\n")).ok();
    // Bob's device has received the last line once its sender can see that.
    eventually("the last line is delivered", || {
        let last = cluster.cli().json().as_account("alice").run(&["message", "list", "bob", "--limit", "1"]);
        let delivered = last.code == Some(0) && last.rows()[0]["state"] == "delivered";
        delivered.then_some(()).ok_or(last)
    });
    follower.kill().expect("it still follows");
    follower.wait().expect("it ends");
    let seen = reader.join().expect("the reader ends").expect("the output can be read");
    let texts: Vec<String> = seen
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|row| row["text"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(texts, lines);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let cluster = Cluster::start(1);
    let mut list = cluster.cli().command();
    list.args(["account", "list"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut list = list.spawn().expect("the client starts");
    drop(list.stdout.take());
    let output = list.wait_with_output().expect("it ends");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn incoming_text_cannot_play_with_the_terminal() {
    let cluster = Cluster::start(1);
    let alice = cluster.cli().as_account("alice");
    alice.run(&["account", "create", "alice"]).ok();
    alice.run(&["message", "send", "alice", "\u{1b}[2Jgone \u{202e}desrever\u{7}"]).ok();
    let listed = alice.run(&["message", "list", "alice"]).ok().stdout;
    for harmful in ['\u{1b}', '\u{202e}', '\u{7}'] {
        assert!(!listed.contains(harmful), "{harmful:?} in {listed:?}");
    }
    // JSON is for programs: it keeps every character.
    assert_eq!(alice.json().run(&["message", "list", "alice"]).ok().texts(), ["\u{1b}[2Jgone \u{202e}desrever\u{7}"]);
}
