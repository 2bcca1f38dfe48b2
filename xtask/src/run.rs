//! `cargo xtask run`: a cluster on this machine, and the chat.
//!
//! The nodes stay in this program's process group, so that Ctrl-C reaches them as well: they hand
//! over, finish, and exit by themselves.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{Outcome, step, workspace};
use crate::desktop::{self, Desktop};

/// How long the cluster may take until it can be written to.
const FORMATION_LIMIT: Duration = Duration::from_secs(60);

/// How long a node may take to stop after being asked to; it promises 5 s.
const STOP_LIMIT: Duration = Duration::from_secs(8);

struct Options {
    nodes: usize,
    headless: bool,
    cli: bool,
    fresh: bool,
}

/// How a person gets into the chat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Front {
    Window,
    Terminal,
}

/// Builds, starts the nodes, waits until they can be written to, and opens the app; stops the
/// nodes once it ends.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = Options::parse(arguments)?;
    let front = if options.headless || options.cli { Front::Terminal } else { front()? };
    let mut build = vec!["build", "--release", "--locked", "--package", "node"];
    if front == Front::Window {
        build.extend(["--package", "five9schat"]);
    }
    step("cargo", &build)?;
    let home = workspace().join("run");
    if options.fresh && home.exists() {
        fs::remove_dir_all(&home).map_err(|error| format!("cannot remove {}: {error}", home.display()))?;
    }
    fs::create_dir_all(&home).map_err(|error| format!("cannot make {}: {error}", home.display()))?;
    let cluster = Cluster::start(&home, options.nodes)?;
    cluster.wait_until_writable()?;
    match front {
        _ if options.headless => cluster.wait_for_its_end(),
        Front::Window => cluster.open_window(),
        Front::Terminal => cluster.open_terminal(),
    }
}

/// The window, where this machine can show one and can build it; else the chat in the terminal.
fn front() -> Result<Front, String> {
    let shows =
        ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|at| !at.is_empty()));
    let missing = if !shows && cfg!(target_os = "linux") {
        Desktop::Skipped("there is no display here".to_owned())
    } else {
        match desktop::prepare_window()? {
            Desktop::Done => desktop::build_page()?,
            skipped => skipped,
        }
    };
    match missing {
        Desktop::Done => Ok(Front::Window),
        Desktop::Skipped(reason) => {
            eprintln!("the chat opens in this terminal instead of a window: {reason}");
            Ok(Front::Terminal)
        }
    }
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self { nodes: 3, headless: false, cli: false, fresh: false };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--headless" => options.headless = true,
                "--cli" => options.cli = true,
                "--fresh" => options.fresh = true,
                "--nodes" => {
                    let number = rest.next().and_then(|number| number.parse().ok());
                    options.nodes =
                        number.filter(|n| (1..=9).contains(n)).ok_or("--nodes takes a number from 1 to 9")?;
                }
                other => {
                    return Err(format!("`run` does not know {other}; it knows --nodes N, --cli, --headless, --fresh"));
                }
            }
        }
        Ok(options)
    }
}

/// The nodes; dropped, it stops them.
struct Cluster {
    home: PathBuf,
    nodes: Vec<Child>,
}

impl Cluster {
    fn start(home: &Path, count: usize) -> Result<Self, String> {
        let mut cluster = Self { home: home.to_owned(), nodes: Vec::new() };
        for number in 1..=count {
            let log = home.join(format!("n{number}.log"));
            eprintln!("$ FIVE9S_HOME={} node --name n{number} --expect {count} 2>{}", home.display(), log.display());
            let file = File::create(&log).map_err(|error| format!("cannot write {}: {error}", log.display()))?;
            let child = cluster
                .node()
                .args(["--name", &format!("n{number}"), "--expect", &count.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(file)
                .spawn()
                .map_err(|error| format!("cannot start a node: {error}"))?;
            cluster.nodes.push(child);
        }
        Ok(cluster)
    }

    fn node(&self) -> Command {
        self.program("node")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(workspace().join("target/release").join(name));
        command.env("FIVE9S_HOME", &self.home);
        command
    }

    fn wait_until_writable(&self) -> Outcome {
        let started = Instant::now();
        while started.elapsed() < FORMATION_LIMIT {
            let status =
                self.node().args(["--cli", "--format", "json", "--timeout", "2s", "cluster", "status"]).output();
            if status.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("\"writable\":true")) {
                eprintln!(
                    "the cluster is ready after {:.1} s; logs: {}/n*.log",
                    started.elapsed().as_secs_f32(),
                    self.home.display()
                );
                return Ok(());
            }
            thread::sleep(Duration::from_millis(200));
        }
        Err(format!("the cluster is not ready after {FORMATION_LIMIT:?}; see {}/n*.log", self.home.display()))
    }

    fn open_terminal(&self) -> Outcome {
        eprintln!("$ FIVE9S_HOME={} node --cli", self.home.display());
        until_left(self.node().arg("--cli"))
    }

    fn open_window(&self) -> Outcome {
        eprintln!("$ FIVE9S_HOME={} five9schat     (closing it stops the nodes)", self.home.display());
        until_left(&mut self.program("five9schat"))
    }

    fn wait_for_its_end(mut self) -> Outcome {
        eprintln!("running; Ctrl-C stops the nodes");
        for node in &mut self.nodes {
            let status = node.wait().map_err(|error| format!("lost a node: {error}"))?;
            eprintln!("node {} ended: {status}", node.id());
        }
        Ok(())
    }
}

fn until_left(chat: &mut Command) -> Outcome {
    let status = chat.status().map_err(|error| format!("cannot start the chat: {error}"))?;
    // 130: ended by Ctrl-C, which is a way of leaving and no failure.
    if status.success() || status.code() == Some(130) { Ok(()) } else { Err(format!("the chat ended with {status}")) }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // std cannot send SIGTERM, `Child::kill` is SIGKILL; /bin/kill is on every Unix.
        for node in &mut self.nodes {
            if matches!(node.try_wait(), Ok(None)) {
                let _ = Command::new("kill").arg(node.id().to_string()).status();
            }
        }
        let asked = Instant::now();
        for node in &mut self.nodes {
            while matches!(node.try_wait(), Ok(None)) && asked.elapsed() < STOP_LIMIT {
                thread::sleep(Duration::from_millis(50));
            }
            if matches!(node.try_wait(), Ok(None)) {
                eprintln!("node {} does not stop; killing it", node.id());
                let _ = node.kill();
            }
        }
    }
}
