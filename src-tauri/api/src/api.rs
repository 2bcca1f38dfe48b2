//! What all calls share: the client, once a chat is joined, and the one stream of updates.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use client::{Access, Client, Code, Config, FollowFrom};
use serde_json::Value;
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::flow::{Effect, Flow};
use crate::own_node::OwnNode;
use crate::places::Places;
use crate::settings::Kept;
use crate::types::{Link, Login};
use crate::{Desktop, Refusal, Setup, Update, calls, own_node};

/// How many updates wait for a front end that is busy. Beyond it the front end is told to load everything anew.
const UPDATES_WAITING_MAX: usize = 1_024;

/// How long to wait before unread messages are counted anew: what happens together is counted once.
const COUNT_AFTER: Duration = Duration::from_millis(300);

/// The back end of the app; clones are the same one.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) setup: Setup,
    pub(crate) desktop: Arc<dyn Desktop>,
    pub(crate) places: Places,
    pub(crate) kept: Mutex<Kept>,
    pub(crate) own_node: Mutex<Option<OwnNode>>,
    /// Held by whoever joins a chat: one at a time.
    pub(crate) joining: tokio::sync::Mutex<()>,
    pub(crate) flow: Mutex<Flow>,
    membership: Mutex<Membership>,
    signed: Mutex<Option<Login>>,
    updates: broadcast::Sender<Update>,
    count: Arc<Notify>,
    began: Instant,
}

/// Which chat this is the back end of.
enum Membership {
    Outside,
    Joined(Joined),
    /// The profile cannot be used, and why.
    Broken(Refusal),
}

/// A client, and what passes on its updates.
struct Joined {
    client: Client,
    _telling: AbortOnDropHandle<()>,
    _counting: AbortOnDropHandle<()>,
}

impl Api {
    /// Opens the chat that the profile belongs to, if it belongs to one. Within a Tokio runtime; waits for nobody.
    pub fn open(setup: Setup, desktop: Arc<dyn Desktop>) -> Self {
        let kept = Kept::read(&setup.profile_dir);
        let runs_a_node = kept.own_node;
        let inner = Inner {
            places: Places::new(&setup),
            setup,
            desktop,
            kept: Mutex::new(kept),
            own_node: Mutex::default(),
            joining: tokio::sync::Mutex::default(),
            flow: Mutex::default(),
            membership: Mutex::new(Membership::Outside),
            signed: Mutex::default(),
            updates: broadcast::Sender::new(UPDATES_WAITING_MAX),
            count: Arc::default(),
            began: Instant::now(),
        };
        let api = Self { inner: Arc::new(inner) };
        match api.enter(Access::remembered()) {
            Ok(()) => {}
            Err(refusal) if refusal.code == Code::WrongSecret.as_str() => {}
            Err(refusal) => *lock(&api.inner.membership) = Membership::Broken(refusal),
        }
        if runs_a_node {
            tokio::spawn(own_node::run_again(Arc::downgrade(&api.inner)));
        }
        api
    }

    /// Answers one call: `{"call": …, "args": {…}}`. Ends within the client's deadline, and never panics.
    pub async fn dispatch(&self, request: Value) -> Result<Value, Refusal> {
        calls::dispatch(self, request).await
    }

    /// Every update from now on, in order.
    pub fn subscribe(&self) -> Updates {
        Updates { receiver: self.inner.updates.subscribe() }
    }

    /// The person wants to see this conversation: a notification of it was clicked.
    pub fn open_conversation(&self, conversation: u64) {
        self.inner.tell(Update::Open { conversation });
    }

    /// Leaves politely: what was received is acknowledged, the account is no longer active, a node of the app's own is told to stop.
    pub async fn leave(&self) {
        if let Ok(client) = self.client()
            && client.account().is_some()
            && let Err(error) = client.leave().await
        {
            tracing::debug!(%error, "left without a goodbye");
        }
        let node = lock(&self.inner.own_node).take();
        drop(node);
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// The client, or why there is none.
    pub(crate) fn client(&self) -> Result<Client, Refusal> {
        match &*lock(&self.inner.membership) {
            Membership::Joined(joined) => Ok(joined.client.clone()),
            Membership::Outside => Err(Refusal::new(Code::NotAMember, "This app has joined no chat yet.")),
            Membership::Broken(refusal) => Err(refusal.clone()),
        }
    }

    /// Whether a chat is joined. A profile that cannot be used is neither.
    pub(crate) fn is_joined(&self) -> Result<bool, Refusal> {
        match &*lock(&self.inner.membership) {
            Membership::Joined(_) => Ok(true),
            Membership::Outside => Ok(false),
            Membership::Broken(refusal) => Err(refusal.clone()),
        }
    }

    /// Opens the client of a chat, in the place of the one before.
    pub(crate) fn enter(&self, access: Access) -> Result<(), Refusal> {
        let setup = &self.inner.setup;
        let mut config = Config::new(setup.profile_dir.clone(), setup.paths.runtime_dir().to_owned());
        config.access = access;
        config.seeds.clone_from(&setup.seeds);
        config.mdns = setup.mdns;
        let client = Client::open(config)?;
        *lock(&self.inner.signed) = None;
        lock(&self.inner.flow).end();
        let joined = Joined {
            _telling: AbortOnDropHandle::new(tokio::spawn(tell_all(Arc::downgrade(&self.inner), client.updates()))),
            _counting: AbortOnDropHandle::new(tokio::spawn(count_unread(
                self.inner.desktop.clone(),
                self.inner.count.clone(),
                client.clone(),
            ))),
            client,
        };
        let link = self.link_of(&joined.client);
        *lock(&self.inner.membership) = Membership::Joined(joined);
        self.inner.tell(Update::Link { link });
        Ok(())
    }

    /// How the client is connected.
    pub(crate) fn link(&self) -> Link {
        match &*lock(&self.inner.membership) {
            Membership::Joined(joined) => self.link_of(&joined.client),
            Membership::Outside | Membership::Broken(_) => Link::Searching { trouble: None },
        }
    }

    fn link_of(&self, client: &Client) -> Link {
        client.link().borrow().clone().into()
    }

    /// Somebody has just logged in: from here on their updates come.
    pub(crate) async fn signed_in(&self, client: &Client, login: client::Login) -> Result<Login, Refusal> {
        let login = Login::from(login);
        lock(&self.inner.flow).begin(login.account.id);
        client.follow(FollowFrom::Kept).await?;
        *lock(&self.inner.signed) = Some(login.clone());
        self.inner.count.notify_one();
        Ok(login)
    }

    /// Nobody is logged in any more.
    pub(crate) fn signed_out(&self) {
        *lock(&self.inner.signed) = None;
        lock(&self.inner.flow).end();
        self.inner.desktop.unread(0);
    }

    /// Who is logged in.
    pub(crate) fn login(&self) -> Option<Login> {
        lock(&self.inner.signed).clone()
    }

    /// What is unread may be another number now.
    pub(crate) fn count_anew(&self) {
        self.inner.count.notify_one();
    }
}

impl Inner {
    /// Tells the front end. Nobody need be listening.
    pub(crate) fn tell(&self, update: Update) {
        let _ = self.updates.send(update);
    }

    fn take(&self, update: Update) {
        if matches!(update, Update::SessionEnded { .. }) {
            *lock(&self.signed) = None;
        }
        let (notifications, text) = {
            let settings = &lock(&self.kept).settings;
            (settings.notifications, settings.notification_text)
        };
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let effects = lock(&self.flow).step(update, notifications, now_ms);
        for effect in effects {
            match effect {
                Effect::Tell(update) => self.tell(update),
                Effect::Notify(notice) => self.desktop.notify(if text { notice } else { notice.without_text() }),
                Effect::Count => self.count.notify_one(),
            }
        }
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

/// The updates of one front end.
#[derive(Debug)]
pub struct Updates {
    receiver: broadcast::Receiver<Update>,
}

impl Updates {
    /// The next update. None: there will be no more. Safe to cancel.
    pub async fn next(&mut self) -> Option<Update> {
        match self.receiver.recv().await {
            Ok(update) => Some(update),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Update::Lagged),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

async fn tell_all(inner: Weak<Inner>, mut updates: client::Updates) {
    while let Some(update) = updates.next().await {
        let Some(inner) = inner.upgrade() else { return };
        inner.take(update.into());
    }
}

/// What is unread is never counted here: the nodes know, for all of a person's devices.
async fn count_unread(desktop: Arc<dyn Desktop>, count: Arc<Notify>, client: Client) {
    loop {
        count.notified().await;
        tokio::time::sleep(COUNT_AFTER).await;
        if client.account().is_none() {
            continue;
        }
        if let Ok(conversations) = client.conversations().await {
            desktop.unread(conversations.items.iter().map(|conversation| conversation.unread).sum());
        }
    }
}

/// A panic elsewhere has left what is behind the lock as it was before or after one assignment; either is fine.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
