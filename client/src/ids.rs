//! Ids for messages.

use std::sync::{Mutex, PoisonError};

use chat::MessageId;

use crate::clock;
use crate::login::fresh;

/// Gives out ULIDs, each greater than the one before, whatever the clock does: a node has to look whether a message is there already
/// only where its id is not greater than all of its sender's.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    /// 0 before the first one.
    newest: Mutex<u128>,
}

impl Ids {
    pub(crate) fn next(&self) -> MessageId {
        self.next_at(clock::now_ms())
    }

    fn next_at(&self, now_ms: u64) -> MessageId {
        let chance = u128::from_be_bytes(fresh());
        let id = ulid::Ulid::from_parts(now_ms, chance).0;
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = id.max(newest.saturating_add(1));
        MessageId(*newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_within_a_millisecond_and_when_the_clock_is_set_back() {
        let ids = Ids::default();
        let given: Vec<_> = [5, 5, 5, 5, 6, 2, 2, 7].map(|now_ms| ids.next_at(now_ms)).into();
        assert!(given.is_sorted_by(|one, next| one < next), "{given:?}");
        let times = [0, 4, 7].map(|place: usize| ulid::Ulid(given[place].0).timestamp_ms());
        assert_eq!(times, [5, 6, 7]);
    }
}
