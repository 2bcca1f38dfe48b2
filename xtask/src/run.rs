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

/// How long the cluster may take until it can be written to.
const FORMATION_LIMIT: Duration = Duration::from_secs(60);

/// How long a node may take to stop after being asked to; it promises 5 s.
const STOP_LIMIT: Duration = Duration::from_secs(8);

struct Options {
    nodes: usize,
    headless: bool,
    fresh: bool,
}

/// Builds, starts the nodes, waits until they can be written to, and opens the client; stops the
/// nodes once it ends.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = Options::parse(arguments)?;
    step("cargo", &["build", "--release", "--locked", "--package", "node"])?;
    let home = workspace().join("run");
    if options.fresh && home.exists() {
        fs::remove_dir_all(&home).map_err(|error| format!("cannot remove {}: {error}", home.display()))?;
    }
    fs::create_dir_all(&home).map_err(|error| format!("cannot make {}: {error}", home.display()))?;
    let cluster = Cluster::start(&home, options.nodes)?;
    cluster.wait_until_writable()?;
    if options.headless { cluster.wait_for_its_end() } else { cluster.open_client() }
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self { nodes: 3, headless: false, fresh: false };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--headless" => options.headless = true,
                "--fresh" => options.fresh = true,
                "--nodes" => {
                    let number = rest.next().and_then(|number| number.parse().ok());
                    options.nodes =
                        number.filter(|n| (1..=9).contains(n)).ok_or("--nodes takes a number from 1 to 9")?;
                }
                other => return Err(format!("`run` does not know {other}; it knows --nodes N, --headless, --fresh")),
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
        let mut command = Command::new(workspace().join("target/release/node"));
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

    fn open_client(&self) -> Outcome {
        eprintln!("$ FIVE9S_HOME={} node --cli", self.home.display());
        let status = self.node().arg("--cli").status().map_err(|error| format!("cannot start the client: {error}"))?;
        // 130: ended by Ctrl-C, which is a way of leaving and no failure.
        if status.success() || status.code() == Some(130) {
            Ok(())
        } else {
            Err(format!("the client ended with {status}"))
        }
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
