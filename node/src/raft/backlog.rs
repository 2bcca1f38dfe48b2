//! Whether what is put into the log is being committed at all.
//!
//! A leader whose followers answer its heartbeats goes on to lead, also while too few of them write: their disks hang, or are full.
//! Whatever it took then would only lie in its log, each new attempt of each client beside the one before, and all of it
//! would have to be committed before anything new once they write again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long nothing may be committed, though something waits for it, before nothing more is taken. No sync of a disk that works takes
/// as long, and whoever proposes waits longer.
const STANDS_STILL_MAX: Duration = Duration::from_secs(2);

/// What the leader's log waits for. Looked at with each proposal.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// The last index that was seen committed while others waited, and when that was seen first.
    seen: Mutex<Option<(u64, Instant)>>,
}

impl Backlog {
    /// Whether nothing is being committed, by a log that is committed up to there and goes on to `last`.
    pub(super) fn stands_still(&self, committed: u64, last: u64) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let since = match *seen {
            Some((at, since)) if at == committed => since,
            _ => now,
        };
        *seen = (last > committed).then_some((committed, since));
        last > committed && now - since > STANDS_STILL_MAX
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_long_while_nothing_is_committed_stands_still() {
        let backlog = Backlog::default();
        assert!(!backlog.stands_still(10, 11));
        advance(STANDS_STILL_MAX).await;
        assert!(!backlog.stands_still(10, 500));
        advance(Duration::from_millis(1)).await;
        assert!(backlog.stands_still(10, 501));
        assert!(!backlog.stands_still(11, 501), "something was committed");
        advance(STANDS_STILL_MAX * 2).await;
        assert!(backlog.stands_still(11, 501), "and then nothing again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_where_nothing_waits_never_stands_still() {
        let backlog = Backlog::default();
        for _ in 0..5 {
            assert!(!backlog.stands_still(10, 10));
            advance(STANDS_STILL_MAX * 2).await;
        }
        assert!(!backlog.stands_still(10, 11), "it has waited for a moment only");
    }
}
