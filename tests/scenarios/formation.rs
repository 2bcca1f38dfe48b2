//! How a cluster comes to be, and what must not become one.

use std::fs;

use tests::{Cluster, eventually};

#[test]
fn three_daemons_started_together_agree_on_one_cluster() {
    let mut cluster = Cluster::start(3);
    let status = cluster.wait_for_status("all are in", |status| status.cluster["reachable_voters"] == 3);
    let mut names: Vec<&str> = status.nodes.iter().filter_map(|row| row["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["n1", "n2", "n3"]);
    assert_eq!(cluster.running().len(), 3);
}

#[test]
fn two_of_three_wait_for_the_third() {
    let mut cluster = Cluster::unstarted(3, "");
    cluster.launch("n1");
    cluster.launch("n2");
    eventually("both say that they wait", || {
        let waiting = ["n1", "n2"].iter().all(|name| cluster.log(name).contains("2 of 3 founding nodes"));
        waiting.then_some(()).ok_or_else(|| cluster.log("n1"))
    });
    cluster.cli().timeout("2s").json().run(&["account", "list"]).refused(5, "not_founded");
    cluster.launch("n3");
    cluster.wait_until_writable();
}

#[test]
fn one_alone_is_a_cluster_if_asked_to_be() {
    let cluster = Cluster::start(1);
    let status = cluster.wait_until_writable();
    assert_eq!(status.cluster["can_lose"], 0);
    cluster.cli().as_account("alice").run(&["account", "create", "alice"]).ok();
}

#[test]
fn a_second_daemon_on_the_same_folder_says_so_and_leaves() {
    let cluster = Cluster::start(1);
    let second = cluster.command("n1").output().expect("it runs");
    assert_eq!(second.status.code(), Some(6));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("in use"), "{said}");
    cluster.wait_until_writable();
}

#[test]
fn a_folder_of_another_cluster_is_refused_untouched() {
    let mut one = Cluster::start(1);
    let mut other = Cluster::start(1);
    one.stop("n1");
    other.stop("n1");
    let foreign = other.data_dir("n1");
    let run = one.command("n1").args(["--data-dir", &foreign.to_string_lossy()]).output().expect("it runs");
    assert_eq!(run.status.code(), Some(6), "{run:?}");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(said.contains("another cluster"), "{said}");
    // Its owner can still use it.
    other.launch("n1");
    other.wait_until_writable();
}

#[test]
fn a_machine_with_a_code_joins_as_a_node_and_as_a_client() {
    let cluster = Cluster::start(1);
    let node_code = cluster.cli().run(&["cluster", "invite", "--for", "node"]).ok().stdout.trim().to_owned();
    let client_code = cluster.cli().run(&["cluster", "invite", "--for", "client"]).ok().stdout.trim().to_owned();
    assert_ne!(node_code, client_code);

    // A client of another machine: another profile, and nothing but the code.
    let elsewhere = Cluster::unstarted(3, "");
    elsewhere.cli().timeout("3s").json().run(&["account", "list"]).refused(4, "not_a_member");
    let join = ["--join", client_code.as_str()];
    elsewhere.cli().option(&join).as_account("eve").run(&["account", "create", "eve"]).ok();
    elsewhere.cli().as_account("eve").run(&["message", "send", "eve", "the code is remembered"]).ok();
    // A client's code makes no node.
    let node = elsewhere.command("n1").args(join).output().expect("it runs");
    assert_eq!(node.status.code(), Some(4), "{node:?}");

    // A node of another machine.
    let mut third = Cluster::unstarted(3, "");
    let mut command = third.command("far");
    command.args(["--join", node_code.as_str()]);
    third.launch_command("far", command);
    cluster.wait_for_status("the far node is in", |status| {
        status.nodes.iter().any(|row| row["name"] == "far" && row["reachable"] == true)
    });
    // Whoever runs a node may chat there: no second code.
    third.cli().as_account("mallory").run(&["account", "create", "mallory"]).ok();
    third.cli().run(&["cluster", "transfer", "far"]).refused(4, "forbidden");
}

#[test]
fn three_machines_found_a_cluster_by_the_code_of_the_first() {
    let mut first = Cluster::unstarted(3, "");
    first.launch("a");
    // Nothing is founded yet; the code is what founds it.
    let code = eventually("the first machine has a code", || {
        let ran = first.cli().timeout("5s").run(&["cluster", "invite", "--for", "node"]);
        if ran.code == Some(0) { Ok(ran.stdout.trim().to_owned()) } else { Err(ran) }
    });
    let _others = ["b", "c"].map(|name| {
        let mut machine = Cluster::unstarted(3, "");
        let mut command = machine.command(name);
        command.args(["--join", &code]);
        machine.launch_command(name, command);
        machine
    });
    first.wait_for_status("three machines are one cluster", |status| {
        status.cluster["reachable_voters"] == 3 && status.cluster["writable"] == true
    });
}

#[test]
fn a_mangled_code_is_refused_in_words() {
    let cluster = Cluster::start(1);
    let code = cluster.cli().run(&["cluster", "invite"]).ok().stdout.trim().to_owned();
    let mangled = code[..code.len() - 1].to_owned();
    let elsewhere = Cluster::unstarted(3, "");
    let ran = elsewhere.cli().option(&["--join", &mangled]).run(&["account", "list"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("code"), "{ran:?}");
}

#[test]
fn secrets_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let cluster = Cluster::start(1);
    cluster.cli().as_account("alice").run(&["account", "create", "alice"]).ok();
    let mut open = Vec::new();
    let mut folders = vec![cluster.home().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read").flatten() {
            let meta = entry.metadata().expect("the entry can be looked at");
            if meta.is_dir() {
                folders.push(entry.path());
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let secret = name.contains("secret") || name.contains("identity") || name.contains("sqlite");
            if secret && meta.permissions().mode() & 0o077 != 0 {
                open.push(entry.path());
            }
        }
    }
    assert!(open.is_empty(), "readable by others: {open:?}");
}
