//! Daemons as processes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::build::{build, profile};
use crate::{Cli, PATIENCE, eventually, eventually_within};

/// A cluster in a folder of its own; dropped, its daemons are killed.
#[derive(Debug)]
pub struct Cluster {
    home: TempDir,
    daemons: BTreeMap<String, Daemon>,
    expect: usize,
}

/// One daemon.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
}

/// Names a `node` that is run as it is: one that was built for a profile, or to compare with.
const PROGRAM: &str = "FIVE9S_NODE_PROGRAM";

/// The `node` program, brought up to date once for the whole test run.
pub fn program() -> &'static Path {
    static PROGRAM_BUILT: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM_BUILT.get_or_init(|| {
        if let Some(program) = std::env::var_os(PROGRAM) {
            return program.into();
        }
        // The same selection as the test run itself: fewer crates at once would mean other features of the
        // libraries, and building them all a second time. The window needs WebKit, which a machine may not have. The daemon
        // is as optimised as the run.
        let workspace = ["--workspace", "--exclude", "five9schat", "--profile", &profile()];
        // Not all benches: each library would be linked as one, in `dist` for minutes.
        let targets: &[&str] = if cfg!(debug_assertions) { &["--tests"] } else { &["--bench", "figures"] };
        build("node", &[&workspace, targets].concat())
    })
}

impl Cluster {
    /// `count` daemons n1, n2, … that found a cluster together; returns once it can be written to.
    pub fn start(count: usize) -> Self {
        Self::start_configured(count, "")
    }

    /// The same, with lines of the configuration file.
    pub fn start_configured(count: usize, configuration: &str) -> Self {
        let mut cluster = Self::unstarted(count, configuration);
        for number in 1..=count {
            cluster.launch(&format!("n{number}"));
        }
        cluster.wait_until_writable();
        cluster
    }

    /// A folder, and nothing running in it.
    pub fn unstarted(expect: usize, configuration: &str) -> Self {
        let home = TempDir::new().expect("a temporary folder can be made");
        let folder = home.path().join("config");
        fs::create_dir_all(&folder).expect("the folder can be made");
        let lines = format!("mdns = false\n{configuration}\n");
        fs::write(folder.join("config.toml"), lines).expect("the configuration can be written");
        Self { home, daemons: BTreeMap::new(), expect }
    }

    /// The folder that holds everything of this cluster.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The data folder of a daemon.
    pub fn data_dir(&self, name: &str) -> PathBuf {
        self.home().join("data").join(name)
    }

    /// What a daemon logged, all its lives together.
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.home().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// A daemon's command line, without starting it.
    pub fn command(&self, name: &str) -> Command {
        let mut command = bare_command(self.home());
        command.args(["--name", name, "--expect", &self.expect.to_string()]);
        command.args(["--listen", "/ip4/127.0.0.1/tcp/0"]);
        command
    }

    /// Starts a daemon, new or known.
    pub fn launch(&mut self, name: &str) {
        self.launch_command(name, self.command(name));
    }

    /// Starts a daemon with a command line made from [`Cluster::command`].
    pub fn launch_command(&mut self, name: &str, mut command: Command) {
        let log = File::options().append(true).create(true).open(self.home().join(format!("{name}.log")));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("the log can be written"));
        let child = command.spawn().expect("the daemon starts");
        let before = self.daemons.insert(name.to_owned(), Daemon { child });
        assert!(before.is_none_or(|mut daemon| daemon.ended().is_some()), "{name} runs already");
    }

    /// kill -9.
    pub fn kill(&mut self, name: &str) {
        let daemon = self.daemon(name);
        daemon.child.kill().expect("the daemon can be killed");
        daemon.child.wait().expect("the daemon ends");
    }

    /// SIGTERM; returns once the daemon has ended.
    pub fn stop(&mut self, name: &str) -> ExitStatus {
        self.signal(name, "TERM");
        let daemon = self.daemon(name);
        eventually("the daemon stops", || daemon.ended().ok_or("still running"))
    }

    /// Sends a signal by its name.
    pub fn signal(&mut self, name: &str, signal: &str) {
        let id = self.daemon(name).child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal can be sent");
    }

    /// The id of a daemon's process.
    pub fn process(&self, name: &str) -> u32 {
        self.daemons.get(name).unwrap_or_else(|| panic!("{name} was started")).child.id()
    }

    /// How a daemon ended by itself, if it has.
    pub fn ended(&mut self, name: &str) -> Option<ExitStatus> {
        self.daemon(name).ended()
    }

    /// Waits for a daemon to end by itself.
    pub fn wait_for_end(&mut self, name: &str) -> ExitStatus {
        let daemon = self.daemon(name);
        eventually("the daemon ends", || daemon.ended().ok_or("still running"))
    }

    /// The names of the daemons that run.
    pub fn running(&mut self) -> Vec<String> {
        self.daemons.iter_mut().filter_map(|(name, daemon)| daemon.ended().is_none().then(|| name.clone())).collect()
    }

    fn daemon(&mut self, name: &str) -> &mut Daemon {
        self.daemons.get_mut(name).unwrap_or_else(|| panic!("{name} was started"))
    }

    /// The command line client, as a device of this machine's own.
    pub fn cli(&self) -> Cli {
        Cli::new(self.home().to_owned())
    }

    /// `cluster status`, once it says what `wanted` looks for.
    pub fn wait_for_status(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        self.wait_for_status_within(PATIENCE, what, wanted)
    }

    /// The same, for what takes as long as there is much of it.
    pub fn wait_for_status_within(&self, limit: Duration, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        eventually_within(limit, what, || {
            let ran = self.cli().json().timeout("3s").run(&["cluster", "status"]);
            let status = Status::parse(&ran.stdout).ok_or_else(|| format!("{ran:?}"))?;
            if wanted(&status) { Ok(status) } else { Err(ran.stdout) }
        })
    }

    /// Waits until every founder is in and the cluster can be written to.
    pub fn wait_until_writable(&self) -> Status {
        self.wait_for_status("the cluster is writable", |status| status.cluster["writable"] == true)
    }

    /// The name of the leader, once there is one that can be reached.
    pub fn leader(&self) -> String {
        let status = self.wait_for_status("there is a leader", |status| {
            status.cluster["leader"].is_string() && status.cluster["writable"] == true
        });
        status.cluster["leader"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Cluster {
    #[allow(clippy::print_stderr, reason = "what daemons logged belongs to the report of a failed test")]
    fn drop(&mut self) {
        for daemon in self.daemons.values_mut() {
            let _ = daemon.child.kill();
            let _ = daemon.child.wait();
        }
        if std::thread::panicking() {
            for name in self.daemons.keys() {
                eprintln!("---- {name} logged:\n{}", self.log(name));
            }
        }
    }
}

impl Daemon {
    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the daemon can be looked at")
    }
}

/// The program with nothing of this machine's own profile in reach.
pub(crate) fn bare_command(home: &Path) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FIVE9S_")) {
        command.env_remove(name);
    }
    command.env("FIVE9S_HOME", home).env("RUST_LOG", "info").env("NO_COLOR", "1");
    command
}

/// What `cluster status --format json` said.
#[derive(Clone, Debug)]
pub struct Status {
    pub nodes: Vec<Value>,
    pub cluster: Value,
}

impl Status {
    fn parse(lines: &str) -> Option<Self> {
        let rows: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>().ok()?;
        let (cluster, nodes): (Vec<Value>, Vec<Value>) = rows.into_iter().partition(|row| row["type"] == "cluster");
        Some(Self { nodes, cluster: cluster.into_iter().next()? })
    }
}
