//! A node that the app runs, for one person with one computer.
//!
//! It ends with the app, however the app ends: it is started with `--until-eof`, and the pipe that is its stdin closes with this process,
//! kill -9 included. It hands over and finishes what it has by itself. While the app does not run, nothing of it runs; what was
//! said is on its disk, and the next start of the app starts it again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Weak;
use std::time::{Duration, Instant};

use client::Code;

use crate::api::{Inner, lock};
use crate::{Refusal, Setup};

/// The node's program beside this one: as it is installed, and as it is built.
const PROGRAMS: [&str; 2] = ["five9s-node", "node"];

/// How long a node may take until it listens.
const START_MAX: Duration = Duration::from_secs(20);

/// How often to look whether it does.
const LOOK: Duration = Duration::from_millis(100);

/// What it logs, in the profile's folder.
const LOG: &str = "node.log";

/// A node that runs as a child of this process. Dropped, it is told to stop.
#[derive(Debug)]
pub(crate) struct OwnNode {
    /// Taken only when this is dropped.
    child: Option<Child>,
    log: PathBuf,
}

impl OwnNode {
    /// Starts it.
    pub(crate) fn start(setup: &Setup) -> Result<Self, Refusal> {
        let program = program(setup)?;
        let log = setup.profile_dir.join(LOG);
        let failed = |error: std::io::Error| {
            Refusal::new(Code::Internal, format!("The node {} could not be started: {error}.", program.display()))
        };
        std::fs::create_dir_all(&setup.profile_dir).map_err(failed)?;
        let logging = File::create(&log).map_err(failed)?;
        let mut command = Command::new(&program);
        command.args(["--expect", "1", "--until-eof"]);
        if let Some(home) = &setup.home {
            command.env("FIVE9S_HOME", home);
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(logging).spawn().map_err(failed)?;
        Ok(Self { child: Some(child), log })
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }

    /// Why it ended, in its own last words.
    fn last_words(&self) -> Refusal {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        Refusal::new(
            Code::Internal,
            format!("The node on this computer has ended: {}", last.trim_start_matches("error: ")),
        )
    }
}

/// Runs a node here unless one runs already, and waits until it listens.
pub(crate) async fn run(inner: &Inner) -> Result<(), Refusal> {
    if !inner.places.nodes_here().await.is_empty() {
        return Ok(());
    }
    let running = lock(&inner.own_node).as_mut().is_some_and(|node| node.ended().is_none());
    if !running {
        let node = OwnNode::start(&inner.setup)?;
        *lock(&inner.own_node) = Some(node);
    }
    let until = Instant::now() + START_MAX;
    while inner.places.nodes_here().await.is_empty() {
        if let Some(node) = lock(&inner.own_node).as_mut()
            && node.ended().is_some()
        {
            return Err(node.last_words());
        }
        if Instant::now() >= until {
            return Err(Refusal::new(Code::Timeout, "The node on this computer was started and does not answer yet."));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Runs the node of an earlier run of the app.
pub(crate) async fn run_again(inner: Weak<Inner>) {
    let Some(inner) = inner.upgrade() else { return };
    if let Err(refusal) = run(&inner).await {
        tracing::warn!(message = refusal.message, "the node of this app does not run");
    }
}

fn program(setup: &Setup) -> Result<PathBuf, Refusal> {
    if let Some(program) = &setup.node_program {
        return Ok(program.clone());
    }
    let this = std::env::current_exe().ok();
    let folder = this.as_deref().and_then(Path::parent);
    let beside = folder.into_iter().flat_map(|folder| PROGRAMS.map(|name| folder.join(name)));
    let mut named = beside.map(|program| program.with_extension(std::env::consts::EXE_EXTENSION));
    named.find(|program| is_ours(program)).ok_or_else(|| {
        Refusal::new(Code::Internal, "The program of the node is missing: it belongs beside the app, as five9s-node.")
    })
}

/// On many machines a program called `node` is another one.
fn is_ours(program: &Path) -> bool {
    if !program.is_file() {
        return false;
    }
    let said = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    said.is_ok_and(|said| said.stdout.starts_with(b"node "))
}

impl Drop for OwnNode {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        drop(child.stdin.take());
        // It may take seconds to hand over, and nobody has to wait for it but the system, which wants to be told that it was noticed.
        std::thread::spawn(move || child.wait());
    }
}
