//! What is recorded: a cluster from its first start on, with people in it, a follower that is away for so long that it needs a snapshot,
//! and a leader that goes and comes back.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tests::Cluster;
use tests::disk::{Disk, Recording};

use crate::interpose::{self, Syncing};
use crate::kills::Kill;
use crate::processes::{COUNTER, KILLED_AFTER, NOTES, ROOT, STOP, UNSYNCED, Voice};

/// The nodes, by their folders.
pub(crate) const NODES: [&str; 3] = ["n1", "n2", "n3"];

pub(crate) const PEOPLE: u32 = 3;

/// Cut soon, so that there is much cutting, and a follower needs a snapshot soon.
pub(crate) const CONFIGURATION: &str = "snapshot_after_entries = 60\nkeep_log_entries = 30\n";

/// How often a follower goes away at most, until it needs a snapshot when it comes back.
const ABSENCES_MAX: usize = 4;

/// After how many writes a daemon is killed, one life after the other, and started again: first soon after it has started, then later.
const LIVES: [u64; 10] = [60, 120, 180, 240, 300, 360, 420, 480, 540, 600];

/// What is said before a daemon that was killed is started again.
pub(crate) const STARTED_AGAIN: &str = "started again";

/// How much happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Whole,
    /// Founding and load, and no more.
    Short,
}

/// A cluster that is being recorded.
struct Stage {
    cluster: Cluster,
    folder: PathBuf,
    syncing: Syncing,
    voice: Voice,
    people: Option<Child>,
    /// Each process has notes of its own.
    started: u32,
    /// Who is to be killed when it is started next.
    kill: Option<Kill>,
    was_killed: bool,
    until: Instant,
}

/// Runs it all, and leaves the recording in this folder.
pub(crate) fn record(folder: &Path, length: Length, syncing: Syncing) -> Result<(), String> {
    let cluster = Cluster::unstarted(NODES.len(), CONFIGURATION);
    let failed = |error: std::io::Error| format!("the recording cannot be made: {error}");
    let root = Recording::root(cluster.home());
    fs::create_dir_all(&root).map_err(failed)?;
    // What processes are told of where they are has no links in it.
    let root = root.canonicalize().map_err(failed)?;
    fs::create_dir_all(Recording::notes(folder)).map_err(failed)?;
    // This process says in which chapter they are, and must be noted for that.
    let notes = Recording::notes(folder).join("stage");
    interpose::record(&root, &notes, &folder.join("counter"), 0).map_err(failed)?;
    let voice = Voice::of("stage", &root)?;
    let mut stage = Stage::new(cluster, folder, syncing, voice);
    stage.play(length);
    fs::rename(&root, Recording::root(folder)).map_err(failed)
}

/// What was played, and lies on the disks.
pub(crate) struct Played(Stage);

impl Played {
    pub(crate) fn data_dir(&self, name: &str) -> PathBuf {
        self.0.cluster.data_dir(name)
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.0.was_killed
    }

    /// The messages whose sender was told that they are stored.
    pub(crate) fn stored_by(&self, person: u32) -> Vec<String> {
        let said = self.0.said_by(person);
        said.lines().filter_map(|line| line.strip_prefix("stored ")).map(str::to_owned).collect()
    }
}

/// A cluster in which a daemon is killed in the middle of its writes, started again, and goes on with the others.
pub(crate) fn play_with_kill(folder: &Path, kill: &Kill) -> Result<Played, String> {
    let cluster = Cluster::unstarted(NODES.len(), CONFIGURATION);
    let failed = |error: std::io::Error| format!("nothing can be played: {error}");
    let root = Recording::root(cluster.home());
    fs::create_dir_all(&root).map_err(failed)?;
    fs::create_dir_all(Recording::notes(folder)).map_err(failed)?;
    let voice = Voice::of("stage", &root)?;
    let mut stage = Stage::new(cluster, folder, Syncing::On, voice);
    stage.play_with_kill(kill);
    Ok(Played(stage))
}

impl Stage {
    fn new(cluster: Cluster, folder: &Path, syncing: Syncing, voice: Voice) -> Self {
        // What that takes, where it is not built yet, is no part of what is waited for.
        tests::node_program();
        let until = Instant::now() + Duration::from_secs(120);
        let (people, started, kill, was_killed) = (None, 0, None, false);
        Self { cluster, folder: folder.to_owned(), syncing, voice, people, started, kill, was_killed, until }
    }

    fn play_with_kill(&mut self, kill: &Kill) {
        self.kill = Some(kill.clone()).filter(|kill| !kill.as_it_returns);
        for name in NODES {
            self.launch(name);
        }
        while !self.is_writable() {
            assert!(Instant::now() < self.until, "the cluster is founded");
            self.start_again();
        }
        self.people = Some(self.start(Command::new(this()), &["people", &PEOPLE.to_string()], "people"));
        self.wait_for_stored(150);
        if kill.as_it_returns {
            self.cluster.stop(kill.name);
            self.wait_for_stored(400);
            self.kill = Some(kill.clone());
            self.launch(kill.name);
        }
        self.wait_for_stored(150);
        self.end();
    }

    /// Whoever was killed starts again; whoever was stopped does not.
    fn start_again(&mut self) {
        let running = self.cluster.running();
        for name in NODES.into_iter().filter(|name| !running.iter().any(|running| running == name)) {
            if self.cluster.wait_for_end(name).signal() == Some(libc::SIGKILL) {
                self.was_killed = true;
                self.voice.say(STARTED_AGAIN);
                self.launch(name);
            }
        }
    }

    fn is_writable(&self) -> bool {
        let status = self.cluster.cli().json().timeout("3s").run(&["cluster", "status"]);
        status.stdout.contains("\"writable\":true")
    }

    /// People finish what they began, and daemons stop.
    fn end(&mut self) {
        fs::write(self.cluster.home().join(STOP), "").expect("people can be told to stop");
        let mut people = self.people.take().expect("there are people");
        let ended = loop {
            if let Some(ended) = people.try_wait().expect("people can be looked at") {
                break ended;
            }
            assert!(Instant::now() < self.until, "people come to an end: {}", self.said_by_people());
            self.start_again();
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(ended.success(), "people end well: {}", self.said_by_people());
        for name in NODES {
            self.cluster.stop(name);
        }
    }

    fn play(&mut self, length: Length) {
        self.voice.say("chapter first start and founding");
        for name in NODES {
            self.launch(name);
        }
        self.cluster.wait_until_writable();
        self.voice.say("chapter load");
        self.people = Some(self.start(Command::new(this()), &["people", &PEOPLE.to_string()], "people"));
        self.wait_for_stored(120);
        if length == Length::Whole {
            let leader = self.cluster.leader();
            let follower = NODES.into_iter().find(|name| *name != leader).unwrap_or(NODES[0]);
            let took_snapshot = (1..=ABSENCES_MAX).any(|times| self.stay_away(follower, times * 250));
            assert!(took_snapshot, "the follower takes a snapshot: {}", self.cluster.log(follower));
            self.wait_for_stored(60);
            self.voice.say("chapter change of leader");
            self.cluster.stop(&leader);
            self.wait_for_stored(60);
            self.launch(&leader);
            self.wait_for_stored(60);
            self.be_killed(follower);
        }
        self.voice.say("chapter the end");
        self.end();
    }

    /// The follower is away while so many messages are stored, and comes back. Whether it needed a snapshot then: when the leader cuts
    /// its log is the leader's affair.
    fn stay_away(&mut self, follower: &str, count: usize) -> bool {
        self.voice.say("chapter load without a follower");
        self.cluster.stop(follower);
        self.wait_for_stored(count);
        self.voice.say("chapter return of the follower");
        self.launch(follower);
        self.cluster.wait_for_status("the follower has nearly caught up", |status| {
            let row = status.nodes.iter().find(|row| row["name"] == follower);
            row.is_some_and(|row| row["reachable"] == true && row["lag"].as_u64().is_some_and(|lag| lag < 20))
        });
        self.cluster.log(follower).contains("caught up by a snapshot")
    }

    /// A daemon is killed again and again, and finds in the machine's memory what may not be on the disk yet. Another is away, so that
    /// nothing is acknowledged without the one that is killed.
    fn be_killed(&mut self, away: &str) {
        let name = NODES.into_iter().find(|name| *name != away).unwrap_or(NODES[0]);
        self.voice.say("chapter daemons killed, and started again");
        self.cluster.stop(away);
        self.cluster.stop(name);
        let mut lives = LIVES.into_iter().map(|at| Kill { name, at, as_it_returns: true });
        self.kill = lives.next();
        self.launch(name);
        for kill in lives.map(Some).chain([None]) {
            self.kill = kill;
            self.was_killed = false;
            self.wait_until("the daemon writes until it is killed", |stage| stage.was_killed);
        }
        self.wait_for_stored(60);
        self.launch(away);
        self.wait_for_stored(60);
    }

    fn launch(&mut self, name: &str) {
        let command = self.cluster.command(name);
        let mut again = Command::new(this());
        again.args(["--be", "daemon"]).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => again.env(name, value),
                None => again.env_remove(name),
            };
        }
        self.recorded(&mut again, name);
        match self.kill.take_if(|kill| kill.name == name) {
            Some(kill) => again.env(KILLED_AFTER, kill.at.to_string()),
            None => again.env_remove(KILLED_AFTER),
        };
        self.cluster.launch_command(name, again);
    }

    fn start(&mut self, mut command: Command, role: &[&str], name: &str) -> Child {
        command.arg("--be").args(role).env("FIVE9S_HOME", self.cluster.home());
        self.recorded(&mut command, name);
        let log = fs::File::create(self.cluster.home().join("people.log")).expect("the log can be written");
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.spawn().expect("the process starts")
    }

    fn recorded(&mut self, command: &mut Command, name: &str) {
        self.started += 1;
        command.env(NOTES, Recording::notes(&self.folder).join(format!("{name}-{}", self.started)));
        command.env(COUNTER, self.folder.join("counter")).env(ROOT, Recording::root(self.cluster.home()));
        match self.syncing {
            Syncing::NoDatabases => command.env(UNSYNCED, "databases"),
            Syncing::MetaPagesLate => command.env(UNSYNCED, "meta-late"),
            Syncing::On | Syncing::Off => command.env_remove(UNSYNCED),
        };
    }

    /// Waits until so many more messages are stored.
    fn wait_for_stored(&mut self, count: usize) {
        let wanted = self.stored() + count;
        self.wait_until("people get their messages stored", |stage| stage.stored() >= wanted);
    }

    /// Waits for that. Whoever is killed meanwhile is started again.
    fn wait_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            assert!(Instant::now() < self.until, "{what}: {}", self.said_by_people());
            self.start_again();
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn stored(&self) -> usize {
        let said = (0..PEOPLE).map(|person| self.said_by(person));
        said.map(|said| said.lines().filter(|line| line.starts_with("stored")).count()).sum()
    }

    fn said_by(&self, person: u32) -> String {
        let said = Recording::root(self.cluster.home()).join(format!("said-person{person}"));
        fs::read_to_string(said).unwrap_or_default()
    }

    fn said_by_people(&self) -> String {
        fs::read_to_string(self.cluster.home().join("people.log")).unwrap_or_default()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mut people) = self.people.take() {
            let _ = people.kill();
            let _ = people.wait();
        }
    }
}

fn this() -> PathBuf {
    std::env::current_exe().expect("a program knows where it is")
}

/// Whether the recording has everything: rebuilt with all that was ever written, it is what the processes left. A write that was not
/// recorded would have every state be one that never was.
pub(crate) fn check_whole(recording: &Recording) -> Result<(), String> {
    let mut disk = Disk::new();
    for op in &recording.ops {
        disk.apply(op)?;
    }
    let root = Recording::root(&recording.folder);
    for path in disk.paths() {
        let written = fs::read(root.join(&path)).map_err(|error| format!("{path}: {error}"))?;
        // What processes share by a memory map is theirs while they run, and nobody's afterwards.
        if !path.ends_with("lock.mdb") && !path.ends_with("-shm") && disk.content(&path) != Some(written) {
            return Err(format!("{path} was changed in a way that was not recorded"));
        }
    }
    Ok(())
}
