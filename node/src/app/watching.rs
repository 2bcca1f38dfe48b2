//! Who listens to which account: woken by what concerns that account, however many others there are.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat::{AccountId, Change, Cursor};
use tokio::sync::watch;

/// The accounts that are listened to, and how far the state was when something of theirs last changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched(Arc<Mutex<HashMap<AccountId, watch::Sender<Cursor>>>>);

impl Watched {
    /// From now on.
    pub(super) fn watch(&self, account: AccountId) -> Watching {
        let changes = self.lock().entry(account).or_default().subscribe();
        Watching { account, changes, watched: self.clone() }
    }

    /// To be called after the commit, so that whoever is woken finds what it was.
    pub(super) fn tell(&self, accounts: &BTreeSet<AccountId>, at: Cursor) {
        let watched = self.lock();
        for changes in accounts.iter().filter_map(|account| watched.get(account)) {
            changes.send_replace(at);
        }
    }

    /// The state is another one.
    pub(super) fn tell_all(&self, at: Cursor) {
        for changes in self.lock().values() {
            changes.send_replace(at);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, watch::Sender<Cursor>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose feed, or session, changes with this; None where nobody who listens would find anything new.
pub(super) fn concerned(change: &Change) -> Option<AccountId> {
    match change {
        Change::PutFeed(account, ..) | Change::RemoveFeed(account, _) | Change::RemoveSession { account, .. } => {
            Some(*account)
        }
        Change::AddSession(session) | Change::PutSession(session) => Some(session.account),
        Change::PutAccount(_)
        | Change::PutName(..)
        | Change::RemoveName(_)
        | Change::Remember { .. }
        | Change::Forget { .. }
        | Change::AddConversation(_)
        | Change::PutConversation(_)
        | Change::PutMember(..)
        | Change::PutMessage(_) => None,
    }
}

/// Listens to an account until it is dropped.
#[derive(Debug)]
pub struct Watching {
    account: AccountId,
    changes: watch::Receiver<Cursor>,
    watched: Watched,
}

impl Watching {
    /// Returns once the account's feed or one of its sessions has changed since this was last called, or since it was made.
    pub async fn changed(&mut self) {
        // The sender stays as long as anybody listens.
        let _ = self.changes.changed().await;
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut watched = self.watched.lock();
        let is_last = watched.get(&self.account).is_some_and(|changes| changes.receiver_count() == 1);
        if is_last {
            watched.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const ALICE: AccountId = AccountId(1);
    const BOB: AccountId = AccountId(2);

    #[test]
    fn whoever_listens_is_woken_by_what_concerns_its_account_alone() {
        let watched = Watched::default();
        let [mut alice, mut other_alice, mut bob] = [ALICE, ALICE, BOB].map(|account| watched.watch(account));
        watched.tell(&BTreeSet::from([ALICE]), Cursor(1));
        for alice in [&mut alice, &mut other_alice] {
            assert_eq!(alice.changed().now_or_never(), Some(()));
            assert_eq!(alice.changed().now_or_never(), None);
        }
        assert_eq!(bob.changed().now_or_never(), None);
        watched.tell_all(Cursor(2));
        assert_eq!(bob.changed().now_or_never(), Some(()));
    }

    #[test]
    fn nothing_is_kept_of_those_who_listen_no_more() {
        let watched = Watched::default();
        let (one, other) = (watched.watch(ALICE), watched.watch(ALICE));
        drop(one);
        assert_eq!(watched.lock().len(), 1);
        drop(other);
        assert_eq!(watched.lock().len(), 0);
    }
}
