//! Waiting for a condition.

use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take on a slow, busy machine. Far beyond what is promised: promises about
/// time are measured by the benchmark.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// Returns what `look` finds, or fails the test with `what` and the last thing that was seen instead.
pub fn eventually<T, E: std::fmt::Debug>(what: &str, look: impl FnMut() -> Result<T, E>) -> T {
    eventually_within(PATIENCE, what, look)
}

/// The same, for what takes as long as there is much of it.
pub fn eventually_within<T, E: std::fmt::Debug>(
    limit: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<T, E>,
) -> T {
    let started = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(started.elapsed() < limit, "not within {limit:?}: {what}; last seen: {seen:?}"),
        }
        thread::sleep(GLANCE);
    }
}
