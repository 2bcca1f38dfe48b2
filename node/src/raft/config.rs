//! openraft's settings. What its defaults are too small, or too trusting, for is set here.

use openraft::{Config, SnapshotPolicy};

use super::{RaftError, Timing};

/// Entries in one message to a follower; the log stops at 1 MiB before that.
const PAYLOAD_MAX: u64 = 1024;

/// Entries purged at once, where the log is long.
const PURGE_BATCH: u64 = 5_000;

/// A leader that heard from no majority stays silent for a while, and speaks for a while, in turns. Without it,
/// one that a majority cannot answer could keep that majority from electing another for ever.
const PROBE_MIN_MS: u64 = 1_500;

impl Timing {
    /// How long a member may owe an answer before it is taken for dead.
    pub(super) fn patience_ms(&self) -> u64 {
        2 * self.election_max_ms
    }

    pub(super) fn config(&self) -> Result<Config, RaftError> {
        let config = Config {
            cluster_name: "five9s".to_owned(),
            heartbeat_interval: self.heartbeat_ms,
            election_timeout_min: self.election_min_ms,
            election_timeout_max: self.election_max_ms,
            max_payload_entries: PAYLOAD_MAX,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_after),
            max_in_snapshot_log_to_keep: self.keep_entries,
            // More than lies between two snapshots, or a snapshot would not bring a member close enough.
            replication_lag_threshold: self.snapshot_after + self.keep_entries,
            purge_batch_size: PURGE_BATCH.min(self.keep_entries / 8).max(1),
            install_snapshot_timeout: 60_000,
            quorum_loss_probe_interval: Some(PROBE_MIN_MS.max(2 * self.election_max_ms)),
            enable_pre_vote: Some(true),
            // After a restart a leader asks again: its state may be older than what it acknowledged.
            enable_leader_restore: Some(false),
            // A log that goes back was wiped, and whoever wipes it is to join as a new member.
            allow_log_reversion: None,
            ..Config::default()
        };
        config.validate().map_err(|error| RaftError::Refused(format!("the timing of Raft is no good: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        let config = Timing::default().config().unwrap();
        let SnapshotPolicy::LogsSinceLast(after) = config.snapshot_policy else { panic!("snapshots are made") };
        assert!(config.replication_lag_threshold > after);
        assert!(config.quorum_loss_probe_interval >= Some(2 * config.election_timeout_max));
    }

    #[test]
    fn a_heartbeat_slower_than_an_election_is_refused() {
        let timing = Timing { heartbeat_ms: 1_000, ..Timing::default() };
        assert!(matches!(timing.config(), Err(RaftError::Refused(_))));
    }
}
