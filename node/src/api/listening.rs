//! Which sessions listen at this node. Presence reports them to the leader; nothing is decided here.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat::SessionId;
use tokio::sync::watch;

/// The sessions that have announced themselves here, each with how many connections it has.
#[derive(Debug)]
pub struct Listening {
    sessions: watch::Sender<BTreeMap<SessionId, usize>>,
}

impl Default for Listening {
    fn default() -> Self {
        Self { sessions: watch::Sender::new(BTreeMap::new()) }
    }
}

impl Listening {
    /// Adds one connection of the session, until the seat is dropped.
    pub fn enter(self: &Arc<Self>, session: SessionId) -> Seat {
        self.sessions.send_modify(|sessions| *sessions.entry(session).or_default() += 1);
        Seat { listening: Arc::clone(self), session }
    }

    /// Every session that listens now, ascending.
    pub fn sessions(&self) -> Vec<SessionId> {
        self.sessions.borrow().keys().copied().collect()
    }

    /// Whether any connection of the session listens.
    pub fn has(&self, session: SessionId) -> bool {
        self.sessions.borrow().contains_key(&session)
    }

    /// Moves at each change.
    pub fn watch(&self) -> watch::Receiver<BTreeMap<SessionId, usize>> {
        self.sessions.subscribe()
    }

    fn leave(&self, session: SessionId) {
        self.sessions.send_modify(|sessions| {
            let Some(connections) = sessions.get_mut(&session) else { return };
            *connections -= 1;
            if *connections == 0 {
                sessions.remove(&session);
            }
        });
    }
}

/// One connection's place among the listeners; dropping it leaves.
#[derive(Debug)]
pub struct Seat {
    listening: Arc<Listening>,
    session: SessionId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.listening.leave(self.session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_listens_until_its_last_connection_is_gone() {
        let listening = Arc::new(Listening::default());
        let one = listening.enter(SessionId(7));
        let other = listening.enter(SessionId(7));
        drop(one);
        assert!(listening.has(SessionId(7)));
        drop(other);
        assert!(listening.sessions().is_empty());
    }
}
