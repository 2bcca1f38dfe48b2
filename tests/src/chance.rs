//! What the seed decides.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A source of decisions. Clones share it, so what one draws changes what the others will.
#[derive(Clone, Debug)]
pub struct Chance(Arc<Mutex<StdRng>>);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    fn rng(&self) -> MutexGuard<'_, StdRng> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Any of the range, which is not empty.
    pub fn number(&self, range: Range<u64>) -> u64 {
        self.rng().gen_range(range)
    }

    /// As many milliseconds, to the microsecond.
    pub fn ms(&self, range: Range<u64>) -> Duration {
        Duration::from_micros(self.number(range.start * 1_000..range.end * 1_000))
    }

    /// Whether something happens that happens once in so many times.
    pub fn one_in(&self, times: u64) -> bool {
        self.number(0..times) == 0
    }

    /// One of them; None: there is none.
    pub fn pick<T: Clone>(&self, of: &[T]) -> Option<T> {
        let last = u64::try_from(of.len()).ok().filter(|count| *count > 0)?;
        of.get(usize::try_from(self.number(0..last)).ok()?).cloned()
    }

    /// One of them, each as often as its weight says. None: there is none.
    pub fn weighted<T: Copy>(&self, of: &[(T, u64)]) -> Option<T> {
        let sum = of.iter().map(|(_, weight)| weight).sum();
        let mut at = if sum > 0 { self.number(0..sum) } else { return None };
        for (one, weight) in of {
            match at.checked_sub(*weight) {
                Some(rest) => at = rest,
                None => return Some(*one),
            }
        }
        None
    }

    /// In an order of its own.
    pub fn shuffled<T: Clone>(&self, of: &[T]) -> Vec<T> {
        let mut left = of.to_vec();
        let mut order = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let at = self.number(0..left.len() as u64);
            order.push(left.swap_remove(usize::try_from(at).unwrap_or_default()));
        }
        order
    }
}
