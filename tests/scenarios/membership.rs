//! Nodes come and go for good.

use tests::{Cluster, Status};

fn node<'a>(status: &'a Status, name: &str) -> Option<&'a serde_json::Value> {
    status.nodes.iter().find(|row| row["name"] == name)
}

#[test]
fn three_grow_to_five_by_pairs_and_a_removed_node_is_told() {
    let mut cluster = Cluster::start_configured(3, "promote_after_ms = 500");
    cluster.launch("n4");
    let status = cluster.wait_for_status("n4 is in", |status| node(status, "n4").is_some());
    assert_eq!(status.cluster["voters"], 3, "an even number of voters helps nobody: {status:?}");
    cluster.launch("n5");
    let status = cluster.wait_for_status("both are voters", |status| status.cluster["voters"] == 5);
    assert_eq!(status.cluster["can_lose"], 2, "{status:?}");

    cluster.cli().as_account("alice").run(&["account", "create", "alice"]).ok();
    cluster.cli().run(&["cluster", "remove", "n5", "--yes"]).ok();
    let status = cluster.wait_for_status("n5 is gone", |status| node(status, "n5").is_none());
    assert_eq!(status.cluster["writable"], true);
    assert!(!cluster.wait_for_end("n5").success(), "a removed node stops by itself");
    assert!(cluster.log("n5").contains("removed"), "and says why: {}", cluster.log("n5"));
    cluster.cli().as_account("alice").run(&["message", "send", "alice", "still here"]).ok();
}

#[test]
fn a_wiped_node_comes_back_as_a_new_one() {
    let mut cluster = Cluster::start(3);
    let before = cluster.wait_until_writable();
    let old_id = node(&before, "n3").expect("n3 is in")["node_id"].clone();
    cluster.kill("n3");
    std::fs::remove_dir_all(cluster.data_dir("n3")).expect("the folder can be removed");
    cluster.launch("n3");
    cluster.wait_for_status("it is in under another id", |status| {
        status
            .nodes
            .iter()
            .any(|row| row["node_id"] != old_id && row["node_id"].as_u64() > Some(3) && row["reachable"] == true)
    });
    cluster.cli().as_account("alice").run(&["account", "create", "alice"]).ok();
}

#[test]
fn leadership_can_be_moved() {
    let cluster = Cluster::start(3);
    let leader = cluster.leader();
    let to = ["n1", "n2", "n3"].into_iter().find(|name| *name != leader).expect("there are others");
    cluster.cli().run(&["cluster", "transfer", to]).ok();
    cluster.wait_for_status("the other leads", |status| status.cluster["leader"] == to);
    cluster.cli().json().run(&["cluster", "transfer", "nobody"]).refused(1, "no_such_node");
}
