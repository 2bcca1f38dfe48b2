//! The command line client, one command at a time.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::Interactive;
use crate::cluster::bare_command;

/// How to call the client.
#[derive(Clone, Debug)]
pub struct Cli {
    home: PathBuf,
    options: Vec<String>,
    password: Option<String>,
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Cli {
    /// A client whose files are under this folder.
    pub fn new(home: PathBuf) -> Self {
        Self { home, options: Vec::new(), password: None }
    }

    /// Answers as JSON.
    pub fn json(self) -> Self {
        self.option(&["--format", "json"])
    }

    /// As this account, with the password that every account of these tests has.
    pub fn as_account(mut self, name: &str) -> Self {
        self.password = Some(format!("password of {name}"));
        self.option(&["--as", name])
    }

    /// With another password.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Gives up after this long, such as `5s`.
    pub fn timeout(self, limit: &str) -> Self {
        self.option(&["--timeout", limit])
    }

    /// Adds options before the command.
    pub fn option(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(|&option| option.to_owned()));
        self
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    /// The same, with this on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the client starts");
        let mut stdin = child.stdin.take().expect("its input is a pipe");
        let input = input.to_owned();
        // From a thread of its own: a client that answers before it has read everything must not
        // block the test.
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("the client ends");
        // A client that was not interested in its input has closed it, which is its right.
        let _ = writer.join();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts the interactive client on pipes.
    pub fn interactive(&self) -> Interactive {
        Interactive::start(self.command())
    }

    /// The command line so far.
    pub fn command(&self) -> std::process::Command {
        let mut command = bare_command(&self.home);
        command.arg("--cli").args(&self.options).env("RUST_LOG", "off");
        if let Some(password) = &self.password {
            command.env("FIVE9S_PASSWORD", password);
        }
        command
    }
}

impl Ran {
    /// Fails the test unless the command succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "the command should succeed: {self:?}");
        self
    }

    /// Fails the test unless the command was refused with this exit code and this error code, and one
    /// sentence for people.
    #[track_caller]
    pub fn refused(self, exit: i32, code: &str) -> Self {
        assert_eq!(self.code, Some(exit), "the command should be refused with {code}: {self:?}");
        let told = self.stderr.lines().any(|line| match serde_json::from_str::<Value>(line) {
            Ok(error) => error["code"] == code && error["message"].as_str().is_some_and(|text| !text.is_empty()),
            Err(_) => line.contains(code),
        });
        assert!(told, "stderr should say {code}: {self:?}");
        self
    }

    /// The rows of JSON output.
    #[track_caller]
    pub fn rows(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The texts of messages in JSON output.
    #[track_caller]
    pub fn texts(&self) -> Vec<String> {
        self.rows().iter().map(|row| row["text"].as_str().unwrap_or_default().to_owned()).collect()
    }
}
