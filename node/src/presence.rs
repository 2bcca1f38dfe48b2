//! Who listens, as the leader keeps track of it: timers in memory, and only what changes is proposed.
//!
//! Every node reports all the sessions that listen at it once a second. A session that the state holds
//! as connected, and that nobody has reported for a while, is disconnected. A new leader gives everyone
//! the full time again, so nobody flickers when the lead changes. Delivery never depends on any of this.

use std::collections::{BTreeMap, BTreeSet};

use chat::{Command, Replica, SessionId};

/// How long a session stays connected without being reported.
pub const TTL_MS: u64 = 10_000;

/// The leader's timers.
#[derive(Clone, Debug)]
pub struct Presence {
    ttl_ms: u64,
    /// When each connected session is given up, in the leader's own milliseconds.
    deadlines: BTreeMap<(SessionId, Replica), u64>,
}

/// Something happened, on the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// This node leads from now on.
    Lead,
    /// These sessions listen at that node, and no others do.
    Reported { at: Replica, sessions: Vec<SessionId> },
    /// What the state holds as connected, and the nodes that belong to the cluster.
    Tick { connected: Vec<(SessionId, Replica)>, nodes: BTreeSet<Replica> },
}

impl Presence {
    pub fn new(ttl_ms: u64) -> Self {
        Self { ttl_ms, deadlines: BTreeMap::new() }
    }

    /// What has to be proposed.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Vec<Command> {
        match event {
            Event::Lead => {
                self.deadlines.clear();
                Vec::new()
            }
            Event::Reported { at, sessions } => {
                for session in sessions {
                    self.deadlines.insert((session, at), now_ms + self.ttl_ms);
                }
                Vec::new()
            }
            Event::Tick { connected, nodes } => self.expire(now_ms, connected, &nodes),
        }
    }

    fn expire(&mut self, now_ms: u64, connected: Vec<(SessionId, Replica)>, nodes: &BTreeSet<Replica>) -> Vec<Command> {
        let known: BTreeSet<_> = connected.into_iter().collect();
        self.deadlines.retain(|key, _| known.contains(key));
        let mut gone = Vec::new();
        for (session, at) in known {
            let deadline = self.deadlines.entry((session, at)).or_insert(now_ms + self.ttl_ms);
            // A node that was removed never reports again.
            if *deadline > now_ms && nodes.contains(&at) {
                continue;
            }
            // Should the proposal come to nothing, it is made again after the full time.
            *deadline = now_ms + self.ttl_ms;
            gone.push(Command::Disconnect { session, at });
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Replica = Replica(1);
    const THERE: Replica = Replica(2);

    fn tick(connected: &[(u64, Replica)]) -> Event {
        Event::Tick {
            connected: connected.iter().map(|(session, at)| (SessionId(*session), *at)).collect(),
            nodes: BTreeSet::from([HERE, THERE]),
        }
    }

    fn reported(at: Replica, sessions: &[u64]) -> Event {
        Event::Reported { at, sessions: sessions.iter().copied().map(SessionId).collect() }
    }

    fn gone(session: u64, at: Replica) -> Command {
        Command::Disconnect { session: SessionId(session), at }
    }

    #[test]
    fn a_session_that_is_reported_stays() {
        let mut presence = Presence::new(TTL_MS);
        for second in 0..60 {
            presence.step(second * 1000, reported(THERE, &[7]));
            assert_eq!(presence.step(second * 1000, tick(&[(7, THERE)])), []);
        }
    }

    #[test]
    fn a_session_that_is_reported_no_more_goes_after_the_full_time() {
        let mut presence = Presence::new(TTL_MS);
        presence.step(5_000, reported(THERE, &[7]));
        assert_eq!(presence.step(14_999, tick(&[(7, THERE)])), []);
        assert_eq!(presence.step(15_000, tick(&[(7, THERE)])), [gone(7, THERE)]);
        assert_eq!(presence.step(15_001, tick(&[(7, THERE)])), [], "it is proposed once");
        assert_eq!(presence.step(25_000, tick(&[(7, THERE)])), [gone(7, THERE)], "unless that came to nothing");
    }

    #[test]
    fn nobody_flickers_when_the_lead_changes() {
        let mut presence = Presence::new(TTL_MS);
        presence.step(0, tick(&[(7, THERE)]));
        presence.step(9_999, Event::Lead);
        assert_eq!(presence.step(10_000, tick(&[(7, THERE)])), []);
        assert_eq!(presence.step(19_999, tick(&[(7, THERE)])), []);
        assert_eq!(presence.step(20_000, tick(&[(7, THERE)])), [gone(7, THERE)]);
    }

    #[test]
    fn a_report_of_another_node_does_not_hold_a_session() {
        let mut presence = Presence::new(TTL_MS);
        presence.step(0, tick(&[(7, THERE)]));
        presence.step(9_000, reported(HERE, &[7]));
        assert_eq!(presence.step(10_000, tick(&[(7, THERE)])), [gone(7, THERE)]);
    }

    #[test]
    fn sessions_at_a_removed_node_go_at_once() {
        let mut presence = Presence::new(TTL_MS);
        presence.step(0, reported(Replica(9), &[7]));
        assert_eq!(presence.step(1, tick(&[(7, Replica(9))])), [gone(7, Replica(9))]);
    }

    #[test]
    fn timers_of_sessions_that_have_left_are_forgotten() {
        let mut presence = Presence::new(TTL_MS);
        presence.step(0, reported(THERE, &[7, 8, 9]));
        presence.step(1, tick(&[]));
        assert!(presence.deadlines.is_empty());
    }
}
