//! Time and chance, behind a trait: everything fresh in a command comes from here, so that a
//! simulated cluster can be run twice with the same outcome.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use chat::Timestamp;
use rand::RngCore;

/// Where a node reads the time of day and draws what must be unforeseeable.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The time of day, for people; may jump.
    fn now(&self) -> Timestamp;

    /// Fills the bytes with randomness fit for secrets.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's own clock and randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn fill(&self, bytes: &mut [u8]) {
        rand::rngs::OsRng.fill_bytes(bytes);
    }
}
