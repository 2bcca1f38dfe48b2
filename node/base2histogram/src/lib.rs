//! openraft's counts of how much it does at once, in a few kilobytes.
//!
//! openraft keeps such counts always, and shows them with a feature of its own only, which is off here. The crate that it takes them from
//! (0.2.3) makes tables for all its resolutions when the first count is made: 26 MB, of 31 MB that an idle node had for itself. This one
//! takes its place, with as much of its interface as openraft uses and one resolution: values that agree in their highest three bits
//! are counted together, so that a percentile is at most a quarter below what it stands for.

use std::fmt;
use std::marker::PhantomData;

/// How many values that differ in their highest three bits only are told apart: eight of up to three bits, and four for each bit more.
const BUCKETS: usize = 8 + 4 * 61;

/// Counts values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    counts: Vec<u64>,
    /// The crate in whose place this is can keep something beside each count.
    _beside: PhantomData<T>,
}

/// The values that so many percent are at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PercentileStats {
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

/// Histograms beside each other, to be printed.
#[derive(Debug, Default)]
pub struct AsciiChart(Vec<(String, PercentileStats)>);

impl<T> Histogram<T> {
    #[expect(clippy::new_without_default, reason = "openraft asks for no more")]
    pub fn new() -> Self {
        Self { counts: Vec::new(), _beside: PhantomData }
    }

    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    pub fn record_n(&mut self, value: u64, times: u64) {
        // Most are never counted in.
        if self.counts.is_empty() {
            self.counts.resize(BUCKETS, 0);
        }
        self.counts[bucket(value)] += times;
    }

    pub fn percentile_stats(&self) -> PercentileStats {
        let samples = self.counts.iter().sum();
        let [p0_1, p1, p5, p10, p50, p90, p99, p99_9] =
            [1, 10, 50, 100, 500, 900, 990, 999].map(|permille| self.percentile(samples, permille));
        PercentileStats { samples, p0_1, p1, p5, p10, p50, p90, p99, p99_9 }
    }

    fn percentile(&self, samples: u64, permille: u64) -> u64 {
        let wanted = (u128::from(samples) * u128::from(permille)).div_ceil(1000);
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += u128::from(*count);
            seen >= wanted
        });
        reached.map_or(0, least)
    }
}

/// Where a value is counted.
fn bucket(value: u64) -> usize {
    if value < 8 {
        return value as usize;
    }
    // Of the highest three bits, the first is set.
    let shift = 61 - value.leading_zeros() as usize;
    8 + 4 * (shift - 1) + ((value >> shift) as usize - 4)
}

/// The least value that is counted there.
fn least(bucket: usize) -> u64 {
    if bucket < 8 {
        return bucket as u64;
    }
    let (shift, rest) = ((bucket - 8) / 4 + 1, (bucket - 8) % 4);
    (4 + rest as u64) << shift
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { samples, p50, p99, .. } = self;
        write!(f, "{samples} samples, p50 {p50}, p99 {p99}")
    }
}

impl AsciiChart {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn add<T>(mut self, name: impl Into<String>, histogram: Histogram<T>) -> Self {
        self.0.push((name.into(), histogram.percentile_stats()));
        self
    }
}

impl fmt::Display for AsciiChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, stats)| writeln!(f, "{name}: {stats}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_with_those_that_it_differs_little_from() {
        for value in (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) + 1, (1 << bit) - 1, u64::MAX >> bit]) {
            let (bucket, least) = (bucket(value), least(bucket(value)));
            assert!(bucket < BUCKETS);
            assert!(least <= value && value - least <= value / 4, "{value} is counted as {least}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_those_of_what_was_counted() {
        let mut histogram = Histogram::<()>::new();
        assert_eq!((histogram.percentile_stats().samples, histogram.percentile_stats().p50), (0, 0));
        (1..=1_000).for_each(|value| histogram.record(value));
        let PercentileStats { samples, p1, p50, p99_9, .. } = histogram.percentile_stats();
        assert_eq!((samples, p1, p50, p99_9), (1_000, 10, 448, 896));
    }
}
