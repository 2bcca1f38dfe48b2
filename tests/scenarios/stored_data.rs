//! Damage on a disk stops the node that has it, in one sentence, and never spreads.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use tests::{Cluster, eventually};

/// Turns one bit of the file wherever these bytes lie, in the middle of them. In place, as a disk does that fails: whoever has the file
/// mapped sees it.
fn flip_bit_in(file: &Path, bytes: &[u8]) {
    let content = fs::read(file).expect("the file can be read");
    // Every copy of it: LMDB may have left older pages behind.
    let places = content.windows(bytes.len()).enumerate().filter(|(_, window)| *window == bytes);
    let middles: Vec<_> = places.map(|(at, _)| at + bytes.len() / 2).collect();
    assert!(!middles.is_empty(), "{} holds the bytes", file.display());
    let file = fs::File::options().write(true).open(file).expect("the file can be written");
    for middle in middles {
        file.write_all_at(&[content[middle] ^ 1], middle as u64).expect("the file can be written");
    }
}

fn has(file: &Path, bytes: &[u8]) -> bool {
    let content = fs::read(file).expect("the file can be read");
    content.windows(bytes.len()).any(|window| window == bytes)
}

fn files_below(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read").flatten() {
        if entry.path().is_dir() {
            files_below(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

/// The data file below this folder of a node.
fn data_file(folder: &Path) -> std::path::PathBuf {
    let mut found = Vec::new();
    files_below(folder, &mut found);
    found.into_iter().find(|file| file.ends_with("data.mdb")).expect("there is a data file")
}

/// A cluster of three with one message in it, all stopped.
fn stopped_cluster() -> Cluster {
    let mut cluster = Cluster::start(3);
    cluster.cli().as_account("alice").run(&["account", "create", "alice"]).ok();
    cluster.cli().as_account("alice").run(&["message", "send", "alice", "a message to be damaged"]).ok();
    cluster.cli().run(&["cluster", "check"]).ok();
    for name in ["n1", "n2", "n3"] {
        cluster.stop(name);
    }
    cluster
}

/// The damaged node stops by itself with exit 6 and one sentence, and the others go on.
fn damaged_node_stops_and_the_others_go_on(mut cluster: Cluster, name: &str) {
    for name in ["n1", "n2", "n3"] {
        cluster.launch(name);
    }
    // Where the damage is met only when it is read, this reads everything.
    cluster.wait_until_writable();
    let _ = cluster.cli().timeout("20s").run(&["cluster", "check"]);
    assert_eq!(cluster.wait_for_end(name).code(), Some(6), "{}", cluster.log(name));
    assert!(cluster.log(name).contains("damaged"), "{}", cluster.log(name));
    cluster.wait_until_writable();
    let list = cluster.cli().json().as_account("alice").run(&["message", "list", "alice"]).ok();
    assert_eq!(list.texts(), ["a message to be damaged"]);
}

#[test]
fn a_flipped_bit_in_the_state_stops_the_node() {
    let cluster = stopped_cluster();
    flip_bit_in(&data_file(&cluster.data_dir("n2").join("state")), b"a message to be damaged");
    damaged_node_stops_and_the_others_go_on(cluster, "n2");
}

#[test]
fn a_flipped_bit_in_the_log_stops_the_node() {
    let cluster = stopped_cluster();
    flip_bit_in(&data_file(&cluster.data_dir("n1").join("log")), b"a message to be damaged");
    damaged_node_stops_and_the_others_go_on(cluster, "n1");
}

#[test]
fn a_flipped_bit_in_what_the_node_promised_stops_it() {
    let cluster = stopped_cluster();
    let promise = cluster.data_dir("n3").join("promise");
    let mut content = fs::read(&promise).expect("founders keep their promise on disk");
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&promise, content).expect("the file can be written");
    damaged_node_stops_and_the_others_go_on(cluster, "n3");
}

/// Messages that are told apart wherever they lie.
fn numbered(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("message number {number:03} of those to be damaged")).collect()
}

/// Three nodes, and these messages from alice to herself.
fn with_messages(cluster: &Cluster, messages: &[String]) {
    cluster.cli().as_account("alice").run(&["account", "create", "alice"]).ok();
    let lines = messages.join("\n");
    cluster.cli().as_account("alice").run_with_input(&["message", "send", "alice", "--lines"], &lines).ok();
}

fn texts(cluster: &Cluster) -> Vec<String> {
    cluster.cli().json().as_account("alice").run(&["message", "list", "alice", "--limit", "1000"]).ok().texts()
}

#[test]
fn a_bit_that_flips_under_a_running_node_is_never_shown() {
    let mut cluster = Cluster::start(3);
    let messages = numbered(50);
    with_messages(&cluster, &messages);
    let leader = cluster.leader();
    let damaged = cluster.running().into_iter().find(|name| *name != leader).expect("there are followers");
    let file = data_file(&cluster.data_dir(&damaged).join("state"));
    // What is new is shown from memory for a while.
    eventually("all of it is on the disk", || has(&file, messages[49].as_bytes()).then_some(()).ok_or("not yet"));
    flip_bit_in(&file, messages[20].as_bytes());
    // Whichever node answers, and whoever turns to another because of it, is told what was stored.
    let status = eventually("somebody has read from the damaged node", || {
        assert_eq!(texts(&cluster), messages);
        cluster.ended(&damaged).ok_or("it runs")
    });
    assert_eq!(status.code(), Some(6), "{}", cluster.log(&damaged));
    assert!(cluster.log(&damaged).contains("damaged"), "{}", cluster.log(&damaged));
    cluster.cli().as_account("alice").run(&["message", "send", "alice", "after"]).ok();
    cluster.launch(&damaged);
    assert_eq!(cluster.wait_for_end(&damaged).code(), Some(6), "it does not run on that state again");
}

#[test]
fn a_bit_that_flips_in_the_log_of_the_leader_reaches_no_follower() {
    let mut cluster = Cluster::start(3);
    let messages = numbered(50);
    let absent = cluster.running().pop().expect("there are three");
    cluster.kill(&absent);
    with_messages(&cluster, &messages);
    // What a leader has sent lately it has in memory: here it has to read it from its disk.
    for name in cluster.running() {
        cluster.stop(&name);
        cluster.launch(&name);
    }
    let leader = cluster.leader();
    flip_bit_in(&data_file(&cluster.data_dir(&leader).join("log")), messages[20].as_bytes());
    cluster.launch(&absent);
    assert_eq!(cluster.wait_for_end(&leader).code(), Some(6), "{}", cluster.log(&leader));
    assert!(cluster.log(&leader).contains("damaged"), "{}", cluster.log(&leader));
    cluster.wait_until_writable();
    assert_eq!(texts(&cluster), messages);
    let check = cluster.cli().run(&["cluster", "check"]);
    assert!(!check.stderr.contains("differ"), "{check:?}");
}

#[test]
fn a_newer_format_is_left_alone() {
    let mut cluster = Cluster::start(1);
    cluster.stop("n1");
    let identity = cluster.data_dir("n1").join("identity");
    let mut content = fs::read(&identity).expect("a node has an identity");
    // The frame of a later version, whole: its number, and a checksum over it, the name and the content.
    content[0] = 99;
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&[99]), b"identity");
    let checksum = crc32c::crc32c_append(checksum, &content[5..]);
    content[1..5].copy_from_slice(&checksum.to_be_bytes());
    fs::write(&identity, &content).expect("the file can be written");
    cluster.launch("n1");
    assert_eq!(cluster.wait_for_end("n1").code(), Some(6));
    assert!(cluster.log("n1").contains("newer version"), "{}", cluster.log("n1"));
    assert_eq!(fs::read(&identity).expect("it is still there"), content, "nothing was touched");
}
