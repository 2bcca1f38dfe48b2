//! How the network is doing: how long each piece of each stream takes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tests::chance::Chance;
use wire::PeerId;
use wire::transport::memory::Network;

/// A quiet network in one building, in microseconds.
const QUIET_US: Range<u64> = 50..800;

/// What TCP waits for before it says something again, in milliseconds: the least, and what it grows to.
const SAID_AGAIN_MS: Range<u64> = 200..1_600;

/// The conditions, which faults change. Clones are the same.
#[derive(Clone)]
pub(crate) struct Weather {
    chance: Chance,
    conditions: Arc<Mutex<Conditions>>,
}

#[derive(Default)]
struct Conditions {
    /// From one to the other, in milliseconds.
    slow: BTreeMap<(PeerId, PeerId), Range<u64>>,
    /// Of so many pieces one is lost on the way, and said again.
    loses_one_in: Option<u64>,
}

impl Weather {
    /// Over this network, calm.
    pub(crate) fn over(network: &Network, chance: Chance) -> Self {
        let weather = Self { chance, conditions: Arc::default() };
        let of = weather.clone();
        network.delay(move |from, to| of.takes(from, to));
        weather
    }

    fn conditions(&self) -> MutexGuard<'_, Conditions> {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn takes(&self, from: PeerId, to: PeerId) -> Duration {
        let conditions = self.conditions();
        let quiet = Duration::from_micros(self.chance.number(QUIET_US));
        let slow = conditions.slow.get(&(from, to)).map(|range| self.chance.ms(range.clone()));
        let lost = conditions.loses_one_in.filter(|times| self.chance.one_in(*times));
        quiet + slow.unwrap_or_default() + lost.map(|_| self.chance.ms(SAID_AGAIN_MS)).unwrap_or_default()
    }

    /// Everything from the one to the other takes that much longer; None: no more.
    pub(crate) fn slow(&self, from: PeerId, to: PeerId, by_ms: Option<Range<u64>>) {
        let mut conditions = self.conditions();
        match by_ms {
            Some(by_ms) => conditions.slow.insert((from, to), by_ms),
            None => conditions.slow.remove(&(from, to)),
        };
    }

    pub(crate) fn lose_one_in(&self, times: Option<u64>) {
        self.conditions().loses_one_in = times;
    }

    pub(crate) fn calm(&self) {
        *self.conditions() = Conditions::default();
    }
}
