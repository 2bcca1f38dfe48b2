//! What the window costs: how long until it is there, how it scrolls, and its memory. Beside each figure the same of
//! WebKit's own MiniBrowser with a page that does nothing, on the same display and through the same driver.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tests::{Cluster, Display, Session, Window, memory_bytes};

use crate::statistics::{Latencies, ms};
use crate::{crowd, founded};

const MESSAGES: usize = 100_000;

/// How often each start is measured.
const STARTS: usize = 5;

/// Debian's place for it; it comes with the library.
const MINI_BROWSER: &str = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";

/// As long as the conversation is after its pages were loaded, roughly; plain paragraphs.
const STATIC_PARAGRAPHS: usize = 20_000;

/// The first screen can be used.
const FIRST_RUN: &str =
    "return [...document.querySelectorAll('button')].some((each) => each.textContent.trim() === 'Join')";

/// The list of people is there.
const CHAT: &str = "return document.querySelector('nav li button') !== null";

const LOADED: &str = "return document.readyState === 'complete'";

/// Scrolls upwards, some 60 px in each frame, and writes down how long each frame took. A frame in which no message of
/// the conversation is in the middle of the window is a blank one.
const SCROLL: &str = "
    const scroller = document.querySelector('.scroller') ?? document.scrollingElement;
    const frames_ms = [];
    let blanks = 0;
    let before = null;
    const frame = (now) => {
      if (before !== null) frames_ms.push(now - before);
      before = now;
      const box = scroller.getBoundingClientRect();
      const middle = document.elementFromPoint(box.left + box.width / 2, innerHeight / 2);
      if (scroller.matches('.scroller') && !middle?.closest('[role=listitem]')) blanks += 1;
      scroller.scrollTop -= 60;
      if (frames_ms.length < 900) requestAnimationFrame(frame);
      else window.scrolled = { frames_ms, blanks };
    };
    window.scrolled = null;
    requestAnimationFrame(frame);";

/// Measures and prints.
pub(crate) async fn measure() {
    let display = Display::open();
    let empty = founded(3);
    let [mini, first_run] = [starts_of_mini_browser(&display).await, starts_with_nothing(&display, &empty).await];
    let name = empty.leader();
    let empty_node_bytes = memory_bytes(&[empty.process(&name)]);
    drop(empty);

    let full = founded(3);
    crowd::converse(&full, ["alice", "bob"], MESSAGES).await;
    let profile = folder();
    log_in(&display, &full, profile.path()).await;
    let mut with_messages = Starts::default();
    for _ in 0..STARTS {
        let started = Instant::now();
        let window = Window::open(&display, full.home(), profile.path()).await;
        with_messages.take(started, window.session(), CHAT).await;
    }

    println!(
        "cold start until the page can be used, p50 of {STARTS}; memory (PSS) of the app and its WebKit processes:"
    );
    mini.print("an empty MiniBrowser (baseline)");
    first_run.print("the app, nothing joined yet");
    with_messages.print(&format!("the app, {MESSAGES} messages"));
    let name = full.leader();
    println!(
        "memory of a node: {} MB with {MESSAGES} messages, {} MB with none",
        megabytes(memory_bytes(&[full.process(&name)])),
        megabytes(empty_node_bytes)
    );

    println!("scrolling, 900 frames upwards at 60 px each:");
    scroll_static(&display).await;
    let window = Window::open(&display, full.home(), profile.path()).await;
    window.talk_to("bob").await;
    window
        .session()
        .until("messages", "return document.querySelectorAll('main [role=listitem]').length > 5", is_true)
        .await;
    to_the_end(&window).await;
    scroll(window.session(), &format!("the app, {MESSAGES} messages in the conversation")).await;
    println!("memory of the app after that: {} MB", megabytes(memory_bytes(&window.session().processes())));
}

/// How long starts took, and how much memory the last one had.
#[derive(Default)]
struct Starts {
    taken: Vec<Duration>,
    bytes: u64,
}

impl Starts {
    async fn take(&mut self, started: Instant, session: &Session, ready: &str) {
        session.until("the page can be used", ready, is_true).await;
        self.taken.push(started.elapsed());
        self.bytes = memory_bytes(&session.processes());
    }

    fn print(self, what: &str) {
        println!(
            "{what:<36} {:>7} ms  {:>4} MB",
            ms(Latencies::new(self.taken).percentile(0.5)),
            megabytes(self.bytes)
        );
    }
}

async fn starts_of_mini_browser(display: &Display) -> Starts {
    let mut starts = Starts::default();
    for _ in 0..STARTS {
        let home = folder();
        let started = Instant::now();
        let session = mini_browser(display, home.path(), "about:blank").await;
        starts.take(started, &session, LOADED).await;
    }
    starts
}

async fn starts_with_nothing(display: &Display, cluster: &Cluster) -> Starts {
    let mut starts = Starts::default();
    for _ in 0..STARTS {
        let profile = folder();
        let started = Instant::now();
        let window = Window::open(display, cluster.home(), profile.path()).await;
        starts.take(started, window.session(), FIRST_RUN).await;
    }
    starts
}

async fn mini_browser(display: &Display, home: &Path, page: &str) -> Session {
    let home = home.to_owned();
    let arguments = ["--automation", page];
    Session::open(display, Path::new(MINI_BROWSER), &arguments, move |command| {
        command.env("HOME", &home);
    })
    .await
}

async fn log_in(display: &Display, cluster: &Cluster, profile: &Path) {
    let window = Window::open(display, cluster.home(), profile).await;
    window.click("Join").await;
    window.click("I have an account").await;
    window.fill("Name", "alice").await;
    window.fill("Password", "alice").await;
    window.click("Log in").await;
    window.session().until("the chat", CHAT, is_true).await;
}

/// A conversation that has unread messages begins at the first of them.
async fn to_the_end(window: &Window) {
    let script = "
        document.querySelector('.pill')?.click();
        const scroller = document.querySelector('.scroller');
        return scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop < 40 && document.querySelector('.pill') === null";
    window.session().until("the latest message", script, is_true).await;
}

async fn scroll_static(display: &Display) {
    let home = folder();
    let paragraphs: String = (0..STATIC_PARAGRAPHS).map(|number| format!("<p>Paragraph {number}</p>")).collect();
    let page = home.path().join("long.html");
    std::fs::write(&page, format!("<!doctype html><title>long</title>{paragraphs}")).expect("the page can be written");
    let session = mini_browser(display, home.path(), "about:blank").await;
    session.go_to(&format!("file://{}", page.display())).await;
    session.eval("document.scrollingElement.scrollTop = document.scrollingElement.scrollHeight", Vec::new()).await;
    scroll(&session, "a static page in MiniBrowser (baseline)").await;
}

async fn scroll(session: &Session, what: &str) {
    session.eval(SCROLL, Vec::new()).await;
    let scrolled = session.until("it was scrolled", "return window.scrolled", Value::is_object).await;
    let frames = scrolled["frames_ms"].as_array().expect("frames").iter();
    let frames =
        Latencies::new(frames.map(|frame| Duration::from_secs_f64(frame.as_f64().expect("ms") / 1000.0)).collect());
    let [p50, p95, max] = [0.5, 0.95, 1.0].map(|share| ms(frames.percentile(share)));
    println!("{what:<48} p50 {p50:>5} ms  p95 {p95:>5} ms  max {max:>5} ms  {} blank", scrolled["blanks"]);
}

fn is_true(value: &Value) -> bool {
    *value == true
}

fn megabytes(bytes: u64) -> u64 {
    bytes / 1_000_000
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}
