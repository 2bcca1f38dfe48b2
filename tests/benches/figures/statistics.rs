//! Latencies and rounds, summed up.

use std::time::Duration;

/// What came out of a measurement.
#[derive(Debug)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Takes them in any order.
    pub(crate) fn new(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The latency that this share of all stays under; zero if there are none.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        let place = (last as f64 * share).round() as usize;
        self.0.get(place).copied().unwrap_or_default()
    }

    pub(crate) fn max(&self) -> Duration {
        self.percentile(1.0)
    }
}

/// The middle of some figures, and from where to where they go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rounds {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Rounds {
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut all: Vec<_> = figures.collect();
        all.sort_by(f64::total_cmp);
        let at = |place: usize| all.get(place).copied().unwrap_or_default();
        Self { median: at(all.len() / 2), least: at(0), most: at(all.len().saturating_sub(1)) }
    }
}

/// A duration in milliseconds, for a table.
pub(crate) fn ms(duration: Duration) -> String {
    format!("{:.1}", milliseconds(duration))
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
