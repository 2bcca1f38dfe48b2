//! Processes that send: told what to do on standard input, answering on standard output, a line of JSON each.

use std::future::Future;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncBufReadExt as _;

use crate::statistics::{Latencies, milliseconds};
use crate::this;

/// What it is told.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    Send {
        ms: u64,
    },
    /// To look whether everything is there.
    ReadBack,
}

/// What it answers.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) count: usize,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
}

impl Sent {
    pub(crate) fn of(latencies: Vec<Duration>, took: Duration) -> Self {
        let latencies = Latencies::new(latencies);
        let [p50_ms, p99_ms, p999_ms] = [0.5, 0.99, 0.999].map(|share| milliseconds(latencies.percentile(share)));
        Self { count: latencies.count(), seconds: took.as_secs_f64(), p50_ms, p99_ms, p999_ms }
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.count as f64 / self.seconds
    }
}

/// A process that sends, and ends when this is dropped.
pub(crate) struct Loader {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Loader {
    /// Starts this program with these arguments; returns once all its clients are there.
    pub(crate) fn start(arguments: &[String]) -> Self {
        let mut command = this();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program can be run again");
        let orders = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut loader = Self { child, orders, answers };
        let ready: String = loader.hear();
        assert_eq!(ready, "ready");
        loader
    }

    /// Whose processor time is the load's.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Has all its clients send for so long.
    pub(crate) fn send(&mut self, span: Duration) -> Sent {
        self.order(Order::Send { ms: u64::try_from(span.as_millis()).expect("a short time") })
    }

    /// Gives an order, and waits until it is carried out.
    pub(crate) fn order<T: DeserializeOwned>(&mut self, order: Order) -> T {
        let order = serde_json::to_string(&order).expect("plain data");
        writeln!(self.orders, "{order}").expect("it listens");
        self.hear()
    }

    fn hear<T: DeserializeOwned>(&mut self) -> T {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("it says {line:?}: {error}"))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Within such a process: has all of them send until a time, side by side. Has them back, and what came of it.
pub(crate) async fn all_send<S, F>(senders: Vec<S>, ms: u64, send: impl Fn(S, Instant) -> F) -> (Vec<S>, Sent)
where
    S: Send + 'static,
    F: Future<Output = (S, Vec<Duration>)> + Send + 'static,
{
    let began = Instant::now();
    let until = began + Duration::from_millis(ms);
    let tasks: Vec<_> = senders.into_iter().map(|sender| tokio::spawn(send(sender, until))).collect();
    let (mut senders, mut taken) = (Vec::new(), Vec::new());
    for task in tasks {
        let (sender, latencies) = task.await.expect("a client panicked; see above");
        senders.push(sender);
        taken.extend(latencies);
    }
    (senders, Sent::of(taken, began.elapsed()))
}

/// Says one thing to whoever started this process.
pub(crate) fn tell(what: &impl Serialize) {
    let line = serde_json::to_string(what).expect("plain data");
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody listens");
}

/// What it is told next.
pub(crate) async fn next_order<T: DeserializeOwned>() -> Option<T> {
    // A line at a time, and none before the last was answered: nothing is lost with the buffer.
    let line = tokio::io::BufReader::new(tokio::io::stdin()).lines().next_line().await.ok()??;
    Some(serde_json::from_str(&line).expect("an order"))
}
