//! The one clock of a run, which all its processes read: they are on one machine.

use rustix::time::{ClockId, clock_gettime};

/// Time since a run began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began_ns: u64,
}

impl Clock {
    /// It begins now.
    pub(crate) fn begin() -> Self {
        Self { began_ns: monotonic_ns() }
    }

    /// It began then, as another process says.
    pub(crate) fn began_at(began_ns: u64) -> Self {
        Self { began_ns }
    }

    pub(crate) fn beginning_ns(self) -> u64 {
        self.began_ns
    }

    pub(crate) fn ns(self) -> u64 {
        monotonic_ns().saturating_sub(self.began_ns)
    }
}

/// The same for every process of this machine.
fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}
