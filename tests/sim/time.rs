//! Simulated time: Tokio's paused clock, and what the nodes' clocks on the wall say.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chat::Timestamp;
use node::clock::Clock;
use tokio::time::Instant;

/// When a run begins: 2026-01-01, in milliseconds since the Unix epoch.
pub(crate) const EPOCH_MS: u64 = 1_767_225_600_000;

/// How long the run has taken so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elapsed(Instant);

impl Elapsed {
    /// It begins now.
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// A node's clock on the wall, which may be wrong.
#[derive(Clone, Debug)]
pub(crate) struct WallClock {
    pub(crate) elapsed: Elapsed,
    pub(crate) wrong_by_ms: Arc<AtomicI64>,
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let right = EPOCH_MS + self.elapsed.ns() / 1_000_000;
        Timestamp(right.saturating_add_signed(self.wrong_by_ms.load(Ordering::Relaxed)))
    }

    fn fill(&self, bytes: &mut [u8]) {
        // From the seed, like all randomness of this process.
        node::clock::SystemClock.fill(bytes);
    }
}
