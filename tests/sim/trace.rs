//! Everything that all parts of a run say, with the simulated time: hashed, so that two runs can be compared, and printed if wanted.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tests::complaints::is_expected;
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// The trace so far. Clones are the same.
#[derive(Clone)]
pub(crate) struct Trace(Arc<Mutex<State>>);

struct State {
    hasher: blake3::Hasher,
    began: Option<Instant>,
    print: bool,
    /// The run is over: what is still said is said by nobody knows whom, and when.
    over: bool,
    /// What was said that should never be.
    errors: Vec<String>,
}

impl Trace {
    /// Takes down what is said in this process from now on.
    pub(crate) fn begin(print: bool) -> Self {
        let trace = Self(Arc::new(Mutex::new(State {
            hasher: blake3::Hasher::new(),
            began: None,
            print,
            over: false,
            errors: Vec::new(),
        })));
        // More is said than anybody reads, at a price: only where somebody wants to.
        let level = if print { LevelFilter::DEBUG } else { LevelFilter::INFO };
        let subscriber = tracing_subscriber::registry().with(trace.clone().with_filter(level));
        tracing::subscriber::set_global_default(subscriber).expect("it is the first of this process");
        trace
    }

    /// The time counts from now.
    pub(crate) fn start_clock(&self) {
        self.lock().began = Some(Instant::now());
    }

    /// What is said from now on does not count.
    pub(crate) fn stop(&self) {
        self.lock().over = true;
    }

    /// All errors that were logged.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.lock().errors.clone()
    }

    /// What tells this trace from any other.
    pub(crate) fn digest(&self) -> String {
        self.lock().hasher.finalize().to_hex()[..16].to_owned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, line: &str) {
        if self.over {
            return;
        }
        let at = self.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        let line = format!("{at:10.6} {line}\n");
        self.hasher.update(line.as_bytes());
        if self.print {
            // Whoever reads may have closed the pipe.
            let _ = std::io::stdout().write_all(line.as_bytes());
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Trace {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Line(format!("{:5} {}:", metadata.level(), metadata.target()));
        event.record(&mut line);
        let mut state = self.lock();
        if *metadata.level() == Level::ERROR && !state.over && !is_expected(&line.0) {
            state.errors.push(line.0.clone());
        }
        state.take(&line.0);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.expect("a string takes everything");
    }
}
