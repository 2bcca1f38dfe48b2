//! The interactive client on pipes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::{PATIENCE, eventually};

/// Lines of output kept while nobody reads them; beyond it the client waits for the test.
const OUTPUT_LINES_MAX: usize = 65_536;

/// A person at the client: types lines, reads lines.
#[derive(Debug)]
pub struct Interactive {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    seen: Vec<String>,
}

impl Interactive {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the client starts");
        let (to, output) = sync_channel(OUTPUT_LINES_MAX);
        let errors = to.clone();
        forward(child.stdout.take().expect("its output is a pipe"), to);
        forward(child.stderr.take().expect("its errors are a pipe"), errors);
        let input = child.stdin.take();
        Self { child, input, output, seen: Vec::new() }
    }

    /// Types a line.
    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is open");
        writeln!(input, "{line}").expect("the client reads its input");
        input.flush().expect("the client reads its input");
    }

    /// Reads on until a line is exactly this one.
    #[track_caller]
    pub fn expect(&mut self, line: &str) {
        self.expect_line(line, |seen| seen == line);
    }

    /// Reads on until a line is accepted, and returns it.
    #[track_caller]
    pub fn expect_line(&mut self, what: &str, accept: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if accept(&line) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no line {what:?} within {PATIENCE:?}; lines: {:#?}", self.seen)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the client ended without {what:?}; lines: {:#?}", self.seen)
                }
            }
        }
    }

    /// Every line read so far.
    pub fn seen(&self) -> &[String] {
        &self.seen
    }

    /// Creates an account and waits until it is logged in.
    pub fn create(&mut self, name: &str) {
        self.say("C");
        self.say(name);
        self.say(&format!("password of {name}"));
        self.expect("Successful-Account-Creation.");
    }

    /// Logs in.
    pub fn log_in(&mut self, name: &str) {
        self.say("L");
        self.say(name);
        self.say(&format!("password of {name}"));
        self.expect("Login-Successful.");
    }

    /// Ends the input, waits for the end of the client, and returns all its lines and its exit code.
    pub fn finish(mut self) -> (Vec<String>, Option<i32>) {
        drop(self.input.take());
        let status = eventually("the client ends", || self.child.try_wait().ok().flatten().ok_or("still running"));
        while let Ok(line) = self.output.recv_timeout(Duration::from_secs(5)) {
            self.seen.push(line);
        }
        (std::mem::take(&mut self.seen), status.code())
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Interactive {
    fn drop(&mut self) {
        self.kill();
    }
}

fn forward(from: impl std::io::Read + Send + 'static, to: std::sync::mpsc::SyncSender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            if to.send(line).is_err() {
                return;
            }
        }
    });
}
