//! Who waits to see what was applied.
//!
//! What is applied can be seen once its transaction is committed, and committing costs the disk whatever the transaction changed. As
//! long as nobody on this node waits for any of it, it is better to go on with the same transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// Which places in the log somebody waits to see. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Demand(Arc<watch::Sender<Wanted>>);

/// What is waited for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Somebody who listens is to be told of what is there. It is applied already, so this is never far ahead.
    news: u64,
    /// How many wait for each place.
    places: BTreeMap<u64, usize>,
}

/// Somebody waits, until this is dropped.
#[derive(Debug)]
#[must_use = "it is waited for as long as this is held"]
pub struct Waiting {
    demand: Demand,
    index: u64,
}

impl Demand {
    /// Whoever waits to see what is applied up to this place holds on to the answer for as long.
    pub fn wait(&self, index: u64) -> Waiting {
        self.0.send_modify(|wanted| *wanted.places.entry(index).or_default() += 1);
        Waiting { demand: self.clone(), index }
    }

    /// What has just been applied there is for somebody who listens.
    pub fn note_news(&self, index: u64) {
        self.0.send_if_modified(|wanted| {
            let is_further = index > wanted.news;
            wanted.news = index.max(wanted.news);
            is_further
        });
    }

    pub(super) fn watch(&self) -> watch::Receiver<Wanted> {
        self.0.subscribe()
    }
}

impl Wanted {
    /// Whether anybody waits for something behind this place.
    pub(super) fn is_beyond(&self, seen: u64) -> bool {
        self.news > seen || self.places.last_key_value().is_some_and(|(last, _)| *last > seen)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Nobody has to hurry because nobody waits any more.
        self.demand.0.send_if_modified(|wanted| {
            if let Some(count) = wanted.places.get_mut(&self.index) {
                *count -= 1;
                if *count == 0 {
                    wanted.places.remove(&self.index);
                }
            }
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_wanted_for_as_long_as_somebody_waits() {
        let demand = Demand::default();
        let wanted = demand.watch();
        let is_beyond = |seen| wanted.borrow().is_beyond(seen);
        let (one, other) = (demand.wait(7), demand.wait(7));
        assert!(wanted.has_changed().unwrap(), "whoever could commit is told");
        assert!(is_beyond(6) && !is_beyond(7));
        drop(one);
        assert!(is_beyond(6));
        drop(other);
        assert!(!is_beyond(0), "one that asked for what never comes is forgotten");
    }

    #[test]
    fn news_are_wanted_until_they_are_seen() {
        let demand = Demand::default();
        let mut wanted = demand.watch();
        demand.note_news(7);
        demand.note_news(3);
        assert!(wanted.borrow_and_update().is_beyond(6));
        assert!(!wanted.borrow().is_beyond(7));
        demand.note_news(7);
        assert!(!wanted.has_changed().unwrap(), "nothing new");
    }
}
