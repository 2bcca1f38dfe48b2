//! Waiting for a condition.

use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take on a slow, busy machine. Far beyond what is promised: promises about
/// time are measured by the benchmark.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// Returns what `look` finds, or fails the test with `what` and the last thing that was seen instead.
pub fn eventually<T, E: std::fmt::Debug>(what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
    let started = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}; last seen: {seen:?}"),
        }
        thread::sleep(GLANCE);
    }
}
