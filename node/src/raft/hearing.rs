//! When this member last heard from a leader.
//!
//! openraft remembers who was voted for, dead or alive; one that is left alone, and with pre-vote never gets
//! as far as another term, would go on naming a leader that is long gone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::NodeId;

/// Whom was heard from last as a leader, and when. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Hearing {
    last: Arc<Mutex<Option<(NodeId, Instant)>>>,
    /// Silence longer than this is no leader.
    silence_max: Duration,
}

impl Hearing {
    pub(super) fn new(silence_max: Duration) -> Self {
        Self { last: Arc::default(), silence_max }
    }

    /// The leader was heard, and accepted as such.
    pub(super) fn heard(&self, leader: NodeId) {
        *self.lock() = Some((leader, Instant::now()));
    }

    /// The leader is gone, and that is known without its silence.
    pub(super) fn forget(&self, leader: NodeId) {
        self.lock().take_if(|(who, _)| *who == leader);
    }

    /// Whether this one was heard as the leader a moment ago.
    pub(super) fn is_alive(&self, leader: NodeId) -> bool {
        let last = *self.lock();
        last.is_some_and(|(who, at)| who == leader && at.elapsed() <= self.silence_max)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(NodeId, Instant)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_leader_is_alive_for_a_while_after_it_was_heard() {
        let hearing = Hearing::new(Duration::from_millis(100));
        assert!(!hearing.is_alive(1), "after a restart nobody was heard yet");
        hearing.heard(1);
        assert!(hearing.is_alive(1));
        assert!(!hearing.is_alive(2));
        tokio::time::advance(Duration::from_millis(101)).await;
        assert!(!hearing.is_alive(1));
        hearing.heard(2);
        hearing.forget(1);
        assert!(hearing.is_alive(2), "another than the one that is gone");
        hearing.forget(2);
        assert!(!hearing.is_alive(2));
    }
}
