//! Who listens to which account: woken by what concerns that account, however many others there are.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat::{AccountId, Change, Notice};
use tokio::sync::watch;

use super::tables::Tables;
use crate::store::StoreError;

/// How many notices a listener may lag behind; beyond it, it misses the oldest.
const NOTICES_MAX: usize = 256;

/// With more accounts than this listening here, only those who have a conversation with an account are told that it came or went: ten
/// thousand that come back after a failure, each told to all, are a hundred million pushes.
pub(super) const ALL_ARE_TOLD_MAX: usize = 256;

/// The accounts that are listened to, and what there is to tell of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched(Arc<Mutex<HashMap<AccountId, Listened>>>);

/// An account that somebody listens to.
#[derive(Debug, Default)]
struct Listened {
    told: watch::Sender<Told>,
    /// How many do. Not how many receivers there are: two that go at once would each still see the other's.
    listeners: usize,
}

/// What whoever listens to an account was told.
#[derive(Debug, Default)]
struct Told {
    /// How often its rows or sessions have changed.
    changes: u64,
    /// How many notices there were; the last of them are below.
    noticed: u64,
    notices: VecDeque<Notice>,
}

/// Who is told of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    Everyone,
    /// The account itself, and those who have a conversation with it.
    Circle(Vec<AccountId>),
}

impl Watched {
    /// From now on.
    pub(super) fn watch(&self, account: AccountId) -> Watching {
        let told = {
            let mut watched = self.lock();
            let listened = watched.entry(account).or_default();
            listened.listeners += 1;
            listened.told.subscribe()
        };
        let (changes, noticed) = {
            let told = told.borrow();
            (told.changes, told.noticed)
        };
        Watching { account, told, changes, noticed, watched: self.clone() }
    }

    /// To be called after the commit, so that whoever is woken finds what it was.
    pub(super) fn tell(&self, accounts: &BTreeSet<AccountId>) {
        let watched = self.lock();
        for listened in accounts.iter().filter_map(|account| watched.get(account)) {
            listened.told.send_modify(|told| told.changes += 1);
        }
    }

    /// The state is another one.
    pub(super) fn tell_all(&self) {
        for listened in self.lock().values() {
            listened.told.send_modify(|told| told.changes += 1);
        }
    }

    /// To be called after the commit.
    pub(super) fn announce(&self, notice: Notice, to: &Audience) {
        let watched = self.lock();
        match to {
            Audience::Everyone => {
                for listened in watched.values() {
                    listened.told.send_modify(|told| told.take(notice));
                }
            }
            Audience::Circle(accounts) => {
                for listened in accounts.iter().filter_map(|account| watched.get(account)) {
                    listened.told.send_modify(|told| told.take(notice));
                }
            }
        }
    }

    /// Who is to be told what happens to the account, in a state that has it.
    pub(super) fn audience(&self, of: AccountId, tables: Tables<'_>) -> Result<Audience, StoreError> {
        if self.lock().len() <= ALL_ARE_TOLD_MAX {
            return Ok(Audience::Everyone);
        }
        let mut circle = vec![of];
        for conversation in tables.conversations_of(of)? {
            circle.extend(tables.conversation(conversation)?.map(|conversation| conversation.other(of)));
        }
        Ok(Audience::Circle(circle))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Listened>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn take(&mut self, notice: Notice) {
        self.noticed += 1;
        self.notices.push_back(notice);
        if self.notices.len() > NOTICES_MAX {
            self.notices.pop_front();
        }
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
    told: watch::Receiver<Told>,
    /// What has been seen of it.
    changes: u64,
    noticed: u64,
    watched: Watched,
}

/// What a listener has not seen yet.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// The account's feed or one of its sessions has changed.
    pub changed: bool,
    /// What happened to accounts, oldest first.
    pub notices: Vec<Notice>,
}

impl Watching {
    /// Returns once the account's feed or one of its sessions has changed since that was last said, or since this was made. Notices stay
    /// where they are.
    pub async fn changed(&mut self) {
        // An error would say that the sender is gone, which stays as long as anybody listens.
        let told = self.told.wait_for(|told| told.changes != self.changes).await.expect("somebody listens");
        self.changes = told.changes;
    }

    /// Returns once there is anything new.
    pub async fn news(&mut self) -> News {
        let (changes, noticed) = (self.changes, self.noticed);
        let is_news = |told: &Told| told.changes != changes || told.noticed != noticed;
        let told = self.told.wait_for(is_news).await.expect("somebody listens");
        (self.changes, self.noticed) = (told.changes, told.noticed);
        let seen = told.notices.len().saturating_sub((told.noticed - noticed) as usize);
        News { changed: told.changes != changes, notices: told.notices.iter().skip(seen).copied().collect() }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut watched = self.watched.lock();
        let Some(listened) = watched.get_mut(&self.account) else { return };
        listened.listeners -= 1;
        if listened.listeners == 0 {
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
        watched.tell(&BTreeSet::from([ALICE]));
        for alice in [&mut alice, &mut other_alice] {
            assert_eq!(alice.changed().now_or_never(), Some(()));
            assert_eq!(alice.changed().now_or_never(), None);
        }
        assert_eq!(bob.changed().now_or_never(), None);
        watched.tell_all();
        assert_eq!(bob.changed().now_or_never(), Some(()));
    }

    #[test]
    fn notices_are_told_once_to_whom_they_are_for_and_wait_for_who_looks_at_changes() {
        let watched = Watched::default();
        let [mut alice, mut bob] = [ALICE, BOB].map(|account| watched.watch(account));
        watched.announce(Notice::Connected(ALICE), &Audience::Everyone);
        watched.announce(Notice::Disconnected(ALICE), &Audience::Circle(vec![ALICE]));
        watched.tell(&BTreeSet::from([ALICE]));
        assert_eq!(bob.changed().now_or_never(), None);
        let connected = News { changed: false, notices: vec![Notice::Connected(ALICE)] };
        assert_eq!(bob.news().now_or_never(), Some(connected));
        assert_eq!(bob.news().now_or_never(), None);
        assert_eq!(alice.changed().now_or_never(), Some(()));
        let both = News { changed: false, notices: vec![Notice::Connected(ALICE), Notice::Disconnected(ALICE)] };
        assert_eq!(alice.news().now_or_never(), Some(both));
        watched.tell(&BTreeSet::from([ALICE]));
        assert_eq!(alice.news().now_or_never(), Some(News { changed: true, notices: Vec::new() }));
        assert_eq!(watched.watch(ALICE).news().now_or_never(), None, "what was before is not told");
    }

    #[test]
    fn whoever_lags_too_far_misses_the_oldest_notices() {
        let watched = Watched::default();
        let mut alice = watched.watch(ALICE);
        let told: Vec<_> = (0..NOTICES_MAX as u64 + 3).map(|number| Notice::Connected(AccountId(number))).collect();
        for notice in &told {
            watched.announce(*notice, &Audience::Everyone);
        }
        let news = alice.news().now_or_never().expect("there is some");
        assert_eq!(news.notices, told[3..]);
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
