//! The WebDriver protocol, as far as a person needs it: one request after the other to a driver on this machine.
//!
//! By hand, because the library for it brings eighteen crates, other versions of some that are here already, and features that
//! have everything built a second time.

use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::PATIENCE;

/// One session of a driver.
#[derive(Debug)]
pub(super) struct Driver {
    port: u16,
    session: String,
}

/// What the driver refuses, such as a click on what is not there: `error` and `message`.
#[derive(Debug)]
pub(super) struct Refused {
    error: String,
    message: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.error, self.message)
    }
}

impl Driver {
    /// Has the driver start the program. An error: it is not the driver that answers there, or it ended.
    pub(super) async fn open(port: u16, program: &Path, arguments: &[&str]) -> std::io::Result<Self> {
        // No name of a browser: the driver knows only its own, and refuses all others.
        let options = json!({"webkitgtk:browserOptions": {"binary": program, "args": arguments}});
        let session = json!({"capabilities": {"alwaysMatch": options}});
        let answer = exchange(port, "/session", &session.to_string()).await?;
        if !answer.starts_with("HTTP/") {
            return Err(std::io::Error::other("it speaks no HTTP"));
        }
        let opened = understood(&answer).unwrap_or_else(|refused| panic!("no session: {refused}"));
        let session = opened["sessionId"].as_str().expect("a session has an id").to_owned();
        Ok(Self { port, session })
    }

    /// The answer to one command of the session.
    pub(super) async fn post(&self, command: &str, body: &Value) -> Result<Value, Refused> {
        post(self.port, &format!("/session/{}/{command}", self.session), body).await
    }
}

async fn post(port: u16, path: &str, body: &Value) -> Result<Value, Refused> {
    let answered = timeout(PATIENCE, exchange(port, path, &body.to_string())).await;
    let answer = answered.unwrap_or_else(|_| panic!("the driver does not answer to {path} {body}"));
    let answer = answer.unwrap_or_else(|error| panic!("the driver is gone: {error}; asked for {path}"));
    understood(&answer)
}

/// What an answer says.
fn understood(answer: &str) -> Result<Value, Refused> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {answer}"));
    let mut body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in: {body}"));
    let value = body["value"].take();
    if head.starts_with("HTTP/1.1 200") {
        return Ok(value);
    }
    let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
    Err(Refused { error: text("error"), message: text("message") })
}

async fn exchange(port: u16, path: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let size = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
