//! Nodes die; the chat goes on, or says plainly that it cannot.

use tests::{Cluster, eventually};

/// Creates accounts, each on its own session of this machine's profile.
fn accounts(cluster: &Cluster, names: &[&str]) {
    for name in names {
        cluster.cli().as_account(name).run(&["account", "create", name]).ok();
    }
}

/// The texts of a conversation.
fn texts(cluster: &Cluster, account: &str, with: &str) -> Vec<String> {
    let list = ["message", "list", with, "--limit", "1000"];
    cluster.cli().json().as_account(account).run(&list).ok().texts()
}

fn lines(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix} {number:04}")).collect()
}

#[test]
fn five_nodes_survive_any_two_under_load() {
    let mut cluster = Cluster::start(5);
    accounts(&cluster, &["alice", "bob"]);
    let sent = lines("under load", 300);
    let sender = cluster.cli().as_account("alice").timeout("50s");
    let input = sent.join("\n");
    let load = std::thread::spawn(move || sender.run_with_input(&["message", "send", "bob", "--lines"], &input));

    let leader = cluster.leader();
    cluster.kill(&leader);
    let second = cluster.running().into_iter().next().expect("four are left");
    cluster.kill(&second);
    assert_eq!(cluster.running().len(), 3);

    load.join().expect("the sender ends").ok();
    assert_eq!(texts(&cluster, "bob", "alice"), sent);
    let status = cluster.wait_until_writable();
    assert_eq!(status.cluster["can_lose"], 0, "{status:?}");
}

#[test]
fn a_lone_survivor_of_three_reads_and_keeps_what_is_sent_until_one_returns() {
    let mut cluster = Cluster::start(3);
    accounts(&cluster, &["alice", "bob"]);
    cluster.cli().as_account("alice").run(&["message", "send", "bob", "before"]).ok();
    cluster.kill("n1");
    cluster.kill("n2");

    // Reads answer, and say that they may be behind.
    let read = cluster.cli().as_account("bob").run(&["message", "list", "alice"]).ok();
    assert!(read.stdout.contains("before"), "{read:?}");
    assert!(read.stderr.contains("stale"), "a stale answer says so: {read:?}");

    // A send is queued, and the exit code says that its outcome is unknown.
    let send = ["message", "send", "bob", "--id", "01J00000000000000000000001", "meanwhile"];
    cluster.cli().as_account("alice").timeout("4s").json().run(&send).refused(5, "no_quorum");

    // One returns: what was queued is stored, once, even though the same id is sent again.
    cluster.launch("n1");
    cluster.wait_until_writable();
    cluster.cli().as_account("alice").timeout("20s").run(&send).ok();
    assert_eq!(texts(&cluster, "bob", "alice"), ["before", "meanwhile"]);
}

#[test]
fn what_was_queued_without_a_quorum_is_sent_once_by_the_next_client() {
    let mut cluster = Cluster::start(3);
    accounts(&cluster, &["alice", "bob"]);
    cluster.kill("n2");
    cluster.kill("n3");
    let queued = cluster.cli().as_account("alice").run(&["message", "send", "bob", "first", "--wait", "queued"]).ok();
    assert!(queued.stdout.contains("first"), "{queued:?}");
    cluster.launch("n3");
    cluster.wait_until_writable();
    cluster.cli().as_account("alice").run(&["message", "send", "bob", "second"]).ok();
    assert_eq!(texts(&cluster, "bob", "alice"), ["first", "second"]);
}

#[test]
fn killing_all_nodes_at_once_loses_nothing_acknowledged() {
    let mut cluster = Cluster::start(3);
    accounts(&cluster, &["alice", "bob"]);
    let sent = lines("kept", 100);
    cluster.cli().as_account("alice").run_with_input(&["message", "send", "bob", "--lines"], &sent.join("\n")).ok();
    for name in ["n1", "n2", "n3"] {
        cluster.kill(name);
    }
    for name in ["n1", "n2", "n3"] {
        cluster.launch(name);
    }
    cluster.wait_until_writable();
    assert_eq!(texts(&cluster, "bob", "alice"), sent);
    cluster.cli().run(&["cluster", "check"]).ok();
}

#[test]
fn a_stopped_node_hands_over_and_stays_a_member() {
    let mut cluster = Cluster::start(3);
    let leader = cluster.leader();
    assert!(cluster.stop(&leader).success(), "a polite stop ends with 0");
    let status = cluster.wait_until_writable();
    assert_ne!(status.cluster["leader"], leader.as_str());
    assert_eq!(status.cluster["voters"], 3, "it stays a member: {status:?}");
    cluster.launch(&leader);
    cluster.wait_for_status("it is back", |status| status.cluster["reachable_voters"] == 3);
}

#[test]
fn a_follower_that_missed_more_than_the_log_keeps_catches_up_by_snapshot() {
    let short = "snapshot_after_entries = 100\nkeep_log_entries = 50";
    let mut cluster = Cluster::start_configured(3, short);
    accounts(&cluster, &["alice", "bob"]);
    let leader = cluster.leader();
    let follower = cluster.running().into_iter().find(|name| *name != leader).expect("there are followers");
    cluster.kill(&follower);
    let sent = lines("missed", 600);
    cluster.cli().as_account("alice").run_with_input(&["message", "send", "bob", "--lines"], &sent.join("\n")).ok();

    cluster.launch(&follower);
    cluster.wait_for_status("the follower has caught up", |status| {
        let row = status.nodes.iter().find(|row| row["name"] == follower.as_str());
        row.is_some_and(|row| row["reachable"] == true && row["lag"] == 0)
    });
    assert!(cluster.log(&follower).contains("snapshot"), "it came by snapshot, not by log");
    same_digest_everywhere(&cluster, 3);

    // A new node has no other way than the snapshot either.
    cluster.launch("n4");
    cluster.wait_for_status("the new node has caught up", |status| {
        let row = status.nodes.iter().find(|row| row["name"] == "n4");
        row.is_some_and(|row| row["reachable"] == true && row["lag"] == 0)
    });
    same_digest_everywhere(&cluster, 4);
}

/// `cluster check` finds this many nodes with one digest.
fn same_digest_everywhere(cluster: &Cluster, nodes: usize) {
    eventually("every node holds the same state", || {
        let check = cluster.cli().run(&["cluster", "check"]);
        let complete = (1..=nodes).all(|number| check.stdout.contains(&format!("n{number}")));
        if check.code == Some(0) && complete { Ok(()) } else { Err(format!("{check:?}")) }
    });
}
