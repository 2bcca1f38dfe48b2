//! The devices of a run, as the processes that they are.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tests::history::{Recorder, What};

use crate::device::{Role, Start};
use crate::lan;
use crate::switch::Port;

/// How long a device may take to answer. Moving in may need a new attempt; settling waits for each message.
const ANSWERS_WITHIN: Duration = Duration::from_secs(150);

/// An installation of one account.
pub(crate) struct Device {
    start: Start,
    port: Port,
    recorder: Recorder,
    account: u64,
    running: Option<Running>,
    others: String,
}

struct Running {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
}

impl Device {
    /// Starts a new device at a place; returns once its person has an account.
    pub(crate) fn move_in(start: Start, port: Port, recorder: Recorder) -> Result<Self, String> {
        let mut device = Self { start, port, recorder, account: 0, running: None, others: String::new() };
        device.spawn()?;
        Ok(device)
    }

    pub(crate) fn name(&self) -> String {
        self.start.name()
    }

    pub(crate) fn account(&self) -> u64 {
        self.account
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    fn spawn(&mut self) -> Result<(), String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let log = self.start.home.join(format!("{}.log", self.name()));
        let log = std::fs::File::options().append(true).create(true).open(log);
        let log = log.map_err(|error| format!("{}: its log cannot be written: {error}", self.name()))?;
        let mut command = lan::at(self.port, &this);
        command.args(self.start.to_arguments()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().map_err(|error| format!("{} cannot be run: {error}", self.name()))?;
        let (Some(orders), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{} has no pipes", self.name()));
        };
        let (answered, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if answered.send(line).is_err() {
                    return;
                }
            }
        });
        self.running = Some(Running { child, orders, answers });
        let said = self.hear()?;
        let account = said.strip_prefix("account ").and_then(|account| account.parse().ok());
        self.account = account.ok_or_else(|| format!("{} says {said:?}", self.name()))?;
        Ok(())
    }

    /// Its person talks to these from now on.
    pub(crate) fn talk_to(&mut self, accounts: &[u64]) -> Result<(), String> {
        let all: Vec<_> = accounts.iter().map(u64::to_string).collect();
        self.others = all.join(" ");
        self.order(&format!("talk-to {}", self.others)).map(drop)
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            // One that has just ended is as good.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }

    pub(crate) fn pause(&self, paused: bool) {
        if let Some(running) = &self.running {
            let id = running.child.id().to_string();
            let signal = if paused { "-STOP" } else { "-CONT" };
            let _ = Command::new("kill").args([signal, &id]).stderr(Stdio::null()).status();
        }
    }

    /// Starts the program again, if it does not run.
    pub(crate) fn launch(&mut self) {
        if self.is_running() {
            return;
        }
        self.start.life += 1;
        self.start.role = Role::Resume(self.account);
        let talks = format!("talk-to {}", self.others);
        if let Err(line) = self.spawn().and_then(|()| self.order(&talks).map(drop)) {
            self.complain(&line);
        }
    }

    /// Says one thing to it, and returns what it answers.
    pub(crate) fn order(&mut self, order: &str) -> Result<String, String> {
        let name = self.name();
        let Some(running) = &mut self.running else { return Err(format!("{name} does not run")) };
        writeln!(running.orders, "{order}").map_err(|error| format!("{name} does not listen: {error}"))?;
        self.hear()
    }

    pub(crate) fn complain(&self, line: &str) {
        self.recorder.note(What::Complained { process: self.name(), line: line.to_owned() });
    }

    fn hear(&self) -> Result<String, String> {
        let Some(running) = &self.running else { return Err(format!("{} does not run", self.name())) };
        running.answers.recv_timeout(ANSWERS_WITHIN).map_err(|error| match error {
            RecvTimeoutError::Timeout => format!("{} does not answer", self.name()),
            RecvTimeoutError::Disconnected => format!("{} has ended by itself", self.name()),
        })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.kill();
    }
}
