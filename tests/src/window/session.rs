//! One program with a web view in it, driven through WebDriver.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::window::Display;
use crate::window::driver::{Driver, Refused};
use crate::window::processes::{descendants, runs};
use crate::{PATIENCE, eventually};

/// How many drivers are tried, one after the other. A port that was free is now and then another's by the time that the driver
/// wants it, and a driver ends now and then before it has shown anything.
const DRIVERS_MAX: usize = 3;

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(30);

/// See the module. Dropped, the program is killed.
#[derive(Debug)]
pub struct Session {
    process: Child,
    program: u32,
    driver: Driver,
    /// What the program and the driver write to standard error.
    log: NamedTempFile,
}

impl Session {
    /// Starts the program by a driver of its own, which has the environment that `set` gives it.
    pub async fn open(display: &Display, program: &Path, arguments: &[&str], set: impl Fn(&mut Command)) -> Self {
        for _ in 1..DRIVERS_MAX {
            if let Ok(session) = Self::try_to_open(display, program, arguments, &set).await {
                return session;
            }
        }
        let last = Self::try_to_open(display, program, arguments, &set).await;
        last.unwrap_or_else(|error| panic!("{DRIVERS_MAX} drivers are gone: {error}"))
    }

    /// An error: the driver is gone.
    async fn try_to_open(
        display: &Display,
        program: &Path,
        arguments: &[&str],
        set: impl Fn(&mut Command),
    ) -> std::io::Result<Self> {
        let port = free_port();
        let mut command = Command::new("WebKitWebDriver");
        command.args([format!("--port={port}"), "--host=127.0.0.1".to_owned()]);
        // Tauri asks for this before it lets itself be driven.
        command.env("TAURI_WEBVIEW_AUTOMATION", "true");
        display.show(&mut command);
        set(&mut command);
        let log = NamedTempFile::new().expect("a file for the log");
        let writing = log.reopen().expect("the log can be written");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(writing);
        let process = command.spawn().expect("WebKitWebDriver starts (on Debian: webkit2gtk-driver)");
        let mut starting = Starting(Some(process));
        // A program that ends at its start leaves the driver waiting for ever.
        let opening = tokio::time::timeout(PATIENCE, open(port, program, arguments));
        let driver = opening.await.unwrap_or_else(|_| panic!("{} shows no window", program.display()))?;
        let process = starting.0.take().expect("taken only here");
        let program = *descendants(process.id()).first().expect("the driver started the program");
        Ok(Self { process, program, driver, log })
    }

    /// The program and what it started.
    pub fn processes(&self) -> Vec<u32> {
        let mut all = descendants(self.program);
        all.push(self.program);
        all
    }

    /// From now on what goes wrong in the page is written down, for the report of a test that fails.
    pub(super) async fn watch_for_errors(&self) {
        let script = "
            window.errors = [];
            addEventListener('error', (event) => window.errors.push(`${event.message}\n${event.error?.stack}`));
            addEventListener('unhandledrejection', (event) => window.errors.push(String(event.reason)));";
        self.eval(script, Vec::new()).await;
    }

    /// Loads a page.
    pub async fn go_to(&self, url: &str) {
        let gone = self.driver.post("url", &json!({ "url": url })).await;
        gone.unwrap_or_else(|refused| panic!("{refused} for {url}"));
    }

    /// What the script returns in the page. Its arguments are `arguments[0]` and on.
    pub async fn eval(&self, script: &str, arguments: Vec<Value>) -> Value {
        match self.driver.post("execute/sync", &json!({"script": script, "args": arguments})).await {
            Ok(value) => value,
            Err(refused) => panic!("{refused} in: {script}"),
        }
    }

    /// The element at this XPath, to be clicked or typed into.
    pub(super) async fn find(&self, path: &str) -> Result<String, Refused> {
        let found = self.driver.post("element", &json!({"using": "xpath", "value": path})).await?;
        let id = found.as_object().and_then(|found| found.values().next()?.as_str());
        Ok(id.expect("an element has an id").to_owned())
    }

    pub(super) async fn click(&self, element: &str) -> Result<(), Refused> {
        self.driver.post(&format!("element/{element}/click"), &json!({})).await.map(drop)
    }

    pub(super) async fn keys(&self, element: &str, keys: &str) -> Result<(), Refused> {
        self.driver.post(&format!("element/{element}/value"), &json!({ "text": keys })).await.map(drop)
    }

    /// What the script returns once that is as wanted; what the page says is part of the failure.
    pub async fn until(&self, what: &str, script: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let found = self.eval(script, Vec::new()).await;
            if wanted(&found) {
                return found;
            }
            if started.elapsed() > PATIENCE {
                let script = "return [document.body.innerText, ...(window.errors ?? [])].join('\\n')";
                let page = self.eval(script, Vec::new()).await;
                panic!(
                    "not within {PATIENCE:?}: {what}; last seen: {found}; the page:\n{}\nit logged:\n{}",
                    page.as_str().unwrap_or_default(),
                    std::fs::read_to_string(self.log.path()).unwrap_or_default()
                );
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// kill -9 of the program; returns once it has ended.
    pub fn kill(&mut self) {
        kill(self.program);
        self.ended();
    }

    /// Returns once the program has ended.
    pub(super) fn ended(&self) {
        eventually("the program ends", || if runs(self.program) { Err("it runs") } else { Ok(()) });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if runs(self.program) {
            kill(self.program);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A driver that has no session yet. Dropped, it is killed, and so is what it started.
struct Starting(Option<Child>);

impl Drop for Starting {
    fn drop(&mut self) {
        let Some(driver) = &mut self.0 else { return };
        descendants(driver.id()).into_iter().for_each(kill);
        let _ = driver.kill();
        let _ = driver.wait();
    }
}

/// Tries until the driver listens.
async fn open(port: u16, program: &Path, arguments: &[&str]) -> std::io::Result<Driver> {
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(GLANCE).await;
    }
    Driver::open(port, program, arguments).await
}

/// Nobody has it yet, and the driver takes it at once.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there are free ports");
    listener.local_addr().expect("bound").port()
}

fn kill(process: u32) {
    // One that has just ended by itself cannot be killed any more.
    let _ = Command::new("kill").args(["-9", &process.to_string()]).stderr(Stdio::null()).status();
}
