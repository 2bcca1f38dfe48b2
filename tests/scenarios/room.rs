//! Nodes that run out of room: senders are told before anything breaks, what is there can be read, what was typed is kept, and all of it
//! goes on by itself once there is room.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::{Cluster, eventually};

const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// Room for a node on a file system of its own, well above what it wants to have free.
const DISK_MIB: u64 = 112;

#[test]
fn on_small_disks_that_fill_up_nothing_is_lost() {
    let mut cluster = Cluster::unstarted(3, "");
    if !may_mount() {
        eprintln!("skipped, hence not passed: this user may not mount a tmpfs, not even in a namespace of its own");
        return;
    }
    for name in NODES {
        let dir = cluster.data_dir(name);
        fs::create_dir_all(&dir).expect("the folder can be made");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).expect("the folder can be made private");
        cluster.launch_command(name, on_a_small_disk(&cluster.command(name), &dir));
    }
    cluster.wait_until_writable();
    sign_up(&cluster);
    // One of three that has no room is no reason to stop.
    fill(&cluster, "n1", 20);
    cluster.cli().as_account("alice").run(&["message", "send", "bob", "one is full"]).ok();
    let mut before = vec!["one is full".to_owned()];
    before.extend(written_until_all_is_full(&cluster));
    nothing_is_taken_and_all_is_kept(&mut cluster, &before, |cluster| {
        for name in NODES {
            enlarge_disk(cluster, name);
        }
    });
}

#[test]
fn at_the_end_of_what_the_state_may_take_nothing_is_lost() {
    let mut cluster = Cluster::start_configured(3, "max_state_mib = 80");
    sign_up(&cluster);
    let before = written_until_all_is_full(&cluster);
    nothing_is_taken_and_all_is_kept(&mut cluster, &before, |cluster| {
        fs::write(cluster.home().join("config").join("config.toml"), "mdns = false\nmax_state_mib = 512\n")
            .expect("the configuration can be written");
        for name in NODES {
            assert!(cluster.stop(name).success(), "{name} is well");
            cluster.launch(name);
        }
    });
}

/// What was typed until a node said that it is enough.
fn written_until_all_is_full(cluster: &Cluster) -> Vec<String> {
    let mut sent = Vec::new();
    let refused = (0..80).find_map(|batch| {
        let lines: Vec<_> = (0..100).map(|line| long_text(batch * 100 + line)).collect();
        let alice = cluster.cli().as_account("alice").timeout("20s");
        let ran = alice.run_with_input(&["message", "send", "bob", "--lines"], &lines.join("\n"));
        sent.extend(lines);
        (ran.code != Some(0)).then_some(ran)
    });
    refused.expect("some time it is full").refused(5, "storage_full");
    sent
}

/// Where most nodes have no room left, and after there is room again.
fn nothing_is_taken_and_all_is_kept(cluster: &mut Cluster, before: &[String], make_room: impl FnOnce(&mut Cluster)) {
    cluster.wait_for_status("it is full", |status| status.cluster["writable"] == false);
    cluster.cli().as_account("carol").timeout("6s").run(&["account", "create", "carol"]).refused(5, "storage_full");
    let send = ["message", "send", "bob", "typed while it is full"];
    cluster.cli().as_account("alice").timeout("6s").run(&send).refused(5, "storage_full");
    let read = texts(cluster);
    assert!(!read.is_empty() && before.starts_with(&read), "{} of {} messages can be read", read.len(), before.len());
    assert_eq!(cluster.running().len(), NODES.len(), "nobody ends for it");

    make_room(cluster);
    cluster.wait_until_writable();
    cluster.cli().as_account("alice").timeout("50s").run(&["message", "send", "bob", "after"]).ok();
    let read = texts(cluster);
    let wanted: Vec<_> = before.iter().map(String::as_str).chain(["typed while it is full", "after"]).collect();
    let differs = read.iter().zip(&wanted).position(|(read, wanted)| read != wanted);
    assert!(
        read == wanted,
        "all is there, in its order: {} of {} messages, the first difference at {differs:?}; the last: {:.60}",
        read.len(),
        wanted.len(),
        read.last().map_or("", String::as_str),
    );
    eventually("every node has the same", || {
        let check = cluster.cli().run(&["cluster", "check"]);
        if check.code == Some(0) { Ok(()) } else { Err(check) }
    });
}

fn sign_up(cluster: &Cluster) {
    for name in ["alice", "bob"] {
        cluster.cli().as_account(name).run(&["account", "create", name]).ok();
    }
}

fn texts(cluster: &Cluster) -> Vec<String> {
    let list = ["message", "list", "alice", "--limit", "10000"];
    cluster.cli().json().as_account("bob").timeout("50s").run(&list).ok().texts()
}

/// Nearly as long as a text may be, of words that no other has.
fn long_text(number: usize) -> String {
    (0..1_600)
        .map(|word| format!("{:09x} ", (number * 1_600 + word).wrapping_mul(0x9e37_79b9) % 0xf_ffff_ffff))
        .collect()
}

fn may_mount() -> bool {
    let mut tried = in_mounts_of_its_own();
    tried.args(["mount", "-t", "tmpfs", "tmpfs", "/tmp"]).stdout(Stdio::null()).stderr(Stdio::null());
    tried.status().is_ok_and(|status| status.success())
}

fn in_mounts_of_its_own() -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "--"]);
    command
}

/// The same command, with a small file system in memory at this folder that only it sees.
fn on_a_small_disk(command: &Command, folder: &Path) -> Command {
    let mount = format!("mount -t tmpfs -o size={DISK_MIB}m,mode=700 tmpfs \"$0\" && exec \"$@\"");
    let mut mounted = in_mounts_of_its_own();
    mounted.args(["sh", "-c", &mount]).arg(folder).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => mounted.env(name, value),
            None => mounted.env_remove(name),
        };
    }
    mounted
}

/// Takes all the room there is on the small disk of that node, but for so many MiB.
fn fill(cluster: &Cluster, name: &str, but_mib: u64) {
    let root = PathBuf::from(format!("/proc/{}/root", cluster.process(name)));
    let folder = cluster.data_dir(name);
    let folder = root.join(folder.strip_prefix("/").expect("folders of tests are absolute"));
    let file = File::create(folder.join("filler")).expect("the disk of a node can be reached");
    let disk = rustix::fs::fstatvfs(&file).expect("the disk can be looked at");
    let room = disk.f_bavail * disk.f_frsize;
    assert!(room <= DISK_MIB << 20, "a disk of its own has {room} bytes of room");
    let flags = rustix::fs::FallocateFlags::empty();
    rustix::fs::fallocate(&file, flags, 0, room - (but_mib << 20)).expect("the disk can be filled");
}

fn enlarge_disk(cluster: &Cluster, name: &str) {
    let mut command = Command::new("nsenter");
    command.args(["--target", &cluster.process(name).to_string(), "--mount"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    let size = format!("remount,size={}m", 4 * DISK_MIB);
    command.args(["mount", "-o", &size]).arg(cluster.data_dir(name));
    assert!(command.status().is_ok_and(|status| status.success()), "the disk of {name} can be enlarged");
}
