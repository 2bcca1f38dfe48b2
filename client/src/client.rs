//! The calls. Each ends within the client's deadline, with an answer or a refusal.

mod accounts;
mod inviting;
mod keeping;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chat::{AccountId, ConversationId, Cursor, Delivery, MessageId, SessionId, Text, Timestamp};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use wire::message::{
    AccountInfo, Answer, ClusterHealth, ClusterStatus, ConversationInfo, MessageInfo, NodeDigest, Request, To,
};
use wire::{Code, Refusal};

use crate::access::Granted;
use crate::blocking::off_the_runtime;
use crate::hub::{Hub, Updates};
use crate::ids::Ids;
use crate::link::unexpected;
use crate::login;
use crate::outbox::Progress;
use crate::profile::{self, Profile};
use crate::reach::{Reach, Start};
use crate::shared::{Shared, Signed};
use crate::update::Update;
use crate::{ClientError, Config, Draft, FollowFrom, LinkState, Page, Want, clock, feed, pump};

/// How often a node is asked whether a message has been delivered.
const LOOK: Duration = Duration::from_millis(200);

/// How often the outbox is looked at for what another process of the profile may have settled.
const OTHERS_LOOK: Duration = Duration::from_millis(500);

/// How many settled messages wait to be noticed by whoever waits for one. Beyond it the outbox is asked.
const SETTLED_WAITING_MAX: usize = 1_024;

/// The longest name or pattern that is sent to a node, in bytes; a longer one matches nothing.
const NAME_SIZE_MAX_BYTES: usize = 1_024;

/// A client of a cluster: cheap to clone; the last clone dropped ends it.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
    tasks: Arc<Tasks>,
    deadline: Duration,
}

/// What runs beside the calls, and ends with the last clone.
#[derive(Debug)]
struct Tasks {
    _reach: AbortOnDropHandle<()>,
    _pump: AbortOnDropHandle<()>,
    feed: Mutex<Option<Following>>,
}

#[derive(Debug)]
struct Following {
    receipts: Arc<feed::Receipts>,
    _task: AbortOnDropHandle<()>,
}

impl Client {
    /// Opens the profile and begins to look for nodes. Within a Tokio runtime. Does not wait for anybody.
    pub fn open(config: Config) -> Result<Self, ClientError> {
        let Granted { access, addresses, operator } = config.access.granted();
        let profile = Profile::open(&config.profile_dir, access, login::fresh(), clock::now_ms())?;
        let profile = Arc::new(profile);
        let hub = Hub::new();
        let seeds = config.seeds.into_iter().chain(addresses).collect();
        let (reach, reaching) = Reach::begin(Start {
            profile: profile.clone(),
            operator,
            runtime_dir: config.runtime_dir.clone(),
            seeds,
            mdns: config.mdns,
            transport: config.transport,
            hub: hub.clone(),
        });
        let shared = Arc::new(Shared {
            profile,
            reach,
            hub,
            signed: watch::Sender::new(None),
            ids: Ids::default(),
            queued: Notify::new(),
            settled: broadcast::Sender::new(SETTLED_WAITING_MAX),
            sending_trouble: Mutex::default(),
            deadline: config.deadline,
            runtime_dir: config.runtime_dir,
        });
        let pumping = AbortOnDropHandle::new(tokio::spawn(pump::run(shared.clone())));
        let tasks = Tasks { _reach: reaching, _pump: pumping, feed: Mutex::default() };
        Ok(Self { shared, tasks: Arc::new(tasks), deadline: config.deadline })
    }

    /// Trusts whatever founding of the profile's cluster is met next, in the place of the one it is pinned to: for a person who knows that the
    /// cluster was wiped and founded anew. Sessions and queued messages of the old one are kept aside.
    pub fn forget_founding(profile_dir: &std::path::Path) -> Result<(), ClientError> {
        profile::forget_founding(profile_dir, clock::now_ms())
    }

    /// The same client with another limit on how long a call may take.
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// What happens, from now on. One receiver at a time: a second call takes over from the first.
    pub fn updates(&self) -> Updates {
        self.shared.hub.updates()
    }

    /// How the client is connected.
    pub fn link(&self) -> watch::Receiver<LinkState> {
        self.shared.reach.state.clone()
    }

    /// The cluster as the live node sees it; empty until it said so.
    pub fn cluster(&self) -> watch::Receiver<ClusterHealth> {
        self.shared.reach.cluster.clone()
    }

    /// The account that is logged in.
    pub fn account(&self) -> Option<(AccountId, String, SessionId)> {
        let signed = self.shared.signed.borrow();
        signed.as_ref().map(|signed| (signed.account, signed.name.clone(), signed.session))
    }

    /// The names of the accounts that this profile keeps a session of, the one used last first.
    pub async fn kept_accounts(&self) -> Result<Vec<String>, ClientError> {
        self.profile(|profile| profile.session_names()).await
    }

    /// A page of accounts in the order of their names. `pattern`: `*` any run, `?` any one character.
    pub async fn accounts(
        &self,
        pattern: Option<String>,
        after: Option<String>,
        limit: u32,
    ) -> Result<Page<AccountInfo>, ClientError> {
        for text in [&pattern, &after].into_iter().flatten() {
            check_length(text)?;
        }
        let request = Request::Accounts { pattern, after, limit };
        match self.shared.call(request, self.deadline).await? {
            (Answer::Accounts { accounts, more }, stale) => Ok(Page { items: accounts, more, stale }),
            (other, _) => Err(unexpected(&other).into()),
        }
    }

    /// Queues a message and returns once it is on disk; it is sent in its turn as soon as a node can be reached, by this process
    /// or a later one. `id`: the caller's own, so that calling again after a crash sends nothing twice.
    pub async fn send(&self, to: To, text: String, id: Option<MessageId>) -> Result<MessageId, ClientError> {
        let Signed { account, .. } = self.shared.signed()?;
        Text::parse(text.as_str()).map_err(Refusal::from)?;
        if let To::Name(name) = &to {
            check_length(name)?;
        }
        let id = id.unwrap_or_else(|| self.shared.ids.next());
        let (queued_to, queued_text, now_ms) = (to.clone(), text.clone(), clock::now_ms());
        self.profile(move |profile| profile.queue(account, id, &queued_to, &queued_text, now_ms)).await?;
        self.queued_now(id, to, text, now_ms);
        Ok(id)
    }

    /// Sends what was typed for somebody: as [`Client::send`], and it is no draft any more, in one step that a crash cannot halve. What
    /// was kept of the draft behind the text stays.
    pub async fn send_draft(&self, draft: Draft) -> Result<MessageId, ClientError> {
        let Signed { account, .. } = self.shared.signed()?;
        Text::parse(draft.text.as_str()).map_err(Refusal::from)?;
        let (id, queued, now_ms) = (self.shared.ids.next(), draft.clone(), clock::now_ms());
        self.profile(move |profile| profile.queue_draft(account, id, &queued, now_ms)).await?;
        self.queued_now(id, To::Account(draft.with), draft.text, now_ms);
        Ok(id)
    }

    /// Waits until a message of this account has come so far. `no_node`, `no_quorum`, `timeout`: not yet, and it
    /// stays queued.
    pub async fn settled(&self, id: MessageId, want: Want, within: Duration) -> Result<MessageInfo, ClientError> {
        let until = Instant::now() + within;
        self.answered(id, until).await?;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.with_deadline(left).message(id).await? {
                Some(info) if has_come(info.state, want) => return Ok(info),
                Some(info) if info.state == Delivery::Returned => return Err(returned(&info)),
                None if self.progress(id).await?.is_none() => return Err(unknown_message(id)),
                _ => {}
            }
            if Instant::now() + LOOK >= until {
                let waits = "The message is stored, but no device of the recipient has received it yet.";
                return Err(ClientError::new(Code::Timeout, waits));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// As [`Client::settled`] with [`Want::Stored`], and asks the nodes nothing that this profile knows.
    pub async fn stored(&self, id: MessageId, within: Duration) -> Result<(), ClientError> {
        let until = Instant::now() + within;
        match self.answered(id, until).await? {
            Some(Stored) => Ok(()),
            // Long ago, or never sent from here.
            None => self.settled(id, Want::Stored, until.saturating_duration_since(Instant::now())).await.map(drop),
        }
    }

    /// How many messages of this account wait in the outbox.
    pub async fn queued(&self) -> Result<u64, ClientError> {
        let Signed { account, .. } = self.shared.signed()?;
        self.profile(move |profile| profile.waiting_count(account)).await
    }

    /// All conversations of the account.
    pub async fn conversations(&self) -> Result<Page<ConversationInfo>, ClientError> {
        match self.ask(Request::Conversations).await? {
            (Answer::Conversations(items), stale) => Ok(Page { items, more: false, stale }),
            (other, _) => Err(unexpected(&other).into()),
        }
    }

    /// A page of a conversation, oldest first: the last `limit` before `before`, or the first `limit` after `after`,
    /// or the last `limit`.
    pub async fn messages(
        &self,
        with: To,
        before: Option<Cursor>,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<(Option<ConversationInfo>, Page<MessageInfo>), ClientError> {
        if let To::Name(name) = &with {
            check_length(name)?;
        }
        match self.ask(Request::Messages { with, before, after, limit }).await? {
            (Answer::Messages { conversation, messages, more }, stale) => {
                Ok((conversation, Page { items: messages, more, stale }))
            }
            (other, _) => Err(unexpected(&other).into()),
        }
    }

    /// All conversations of the account, however many, without their last messages.
    pub async fn all_conversations(&self) -> Result<Page<ConversationInfo>, ClientError> {
        let mut all = Page { items: Vec::new(), more: false, stale: false };
        loop {
            let after = all.items.last().map(|conversation: &ConversationInfo| conversation.id);
            match self.ask(Request::ConversationsAfter { after }).await? {
                (Answer::Conversations(page), stale) => {
                    all.stale |= stale;
                    if page.is_empty() {
                        return Ok(all);
                    }
                    all.items.extend(page);
                }
                (other, _) => return Err(unexpected(&other).into()),
            }
        }
    }

    /// Messages that have all the words of the query, the newest first, before this place; of all conversations or of one.
    /// What stands without a space between or in double quotes is a phrase; the last word may go on.
    pub async fn search(
        &self,
        query: &str,
        with: Option<To>,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<MessageInfo>, ClientError> {
        if let Some(To::Name(name)) = &with {
            check_length(name)?;
        }
        match self.ask(Request::Search { query: query.to_owned(), with, before, limit }).await? {
            (Answer::Found { messages, more }, stale) => Ok(Page { items: messages, more, stale }),
            (other, _) => Err(unexpected(&other).into()),
        }
    }

    /// The Raft term of the entry at a place in the log; None: the node does not know it.
    pub async fn term(&self, at: Cursor) -> Result<Option<u64>, ClientError> {
        match self.ask(Request::Term { at }).await?.0 {
            Answer::Term(term) => Ok(term),
            other => Err(unexpected(&other).into()),
        }
    }

    /// One message of the account, by its sender's id.
    pub async fn message(&self, id: MessageId) -> Result<Option<MessageInfo>, ClientError> {
        match self.ask(Request::MessageById { id }).await?.0 {
            Answer::Message(message) => Ok(message),
            other => Err(unexpected(&other).into()),
        }
    }

    /// The account has read the conversation up to there.
    pub async fn mark_read(&self, conversation: ConversationId, up_to: Cursor) -> Result<(), ClientError> {
        self.ask(Request::Read { conversation, up_to }).await.map(|_| ())
    }

    /// Begins to follow the account's feed; [`Client::updates`] carries it, over every failover. The account is active
    /// meanwhile. What is received is acknowledged by itself. Again: starts over from there.
    pub async fn follow(&self, from: FollowFrom) -> Result<(), ClientError> {
        let Signed { account, .. } = self.shared.signed()?;
        let receipts = feed::receipts(&self.shared, account, from).await?;
        self.stop_following();
        let task = tokio::spawn(feed::follow(self.shared.clone(), receipts.clone()));
        let following = Following { receipts, _task: AbortOnDropHandle::new(task) };
        *self.tasks.feed.lock().unwrap_or_else(PoisonError::into_inner) = Some(following);
        Ok(())
    }

    /// Every node, and what each says of itself.
    pub async fn cluster_status(&self) -> Result<ClusterStatus, ClientError> {
        match self.shared.call(Request::ClusterStatus, self.deadline).await?.0 {
            Answer::ClusterStatus(status) => Ok(status),
            other => Err(unexpected(&other).into()),
        }
    }

    /// A hash of the whole state at one index, on every node.
    pub async fn cluster_check(&self) -> Result<(Cursor, Vec<NodeDigest>), ClientError> {
        match self.shared.call(Request::ClusterCheck, self.deadline).await?.0 {
            Answer::ClusterCheck { index, digests } => Ok((index, digests)),
            other => Err(unexpected(&other).into()),
        }
    }

    /// Removes a node from the cluster. Operators only.
    pub async fn remove_node(&self, name: &str) -> Result<(), ClientError> {
        check_length(name)?;
        self.shared.call(Request::RemoveNode { name: name.to_owned() }, self.deadline).await.map(|_| ())
    }

    /// Hands leadership over, to the node of that name or to whichever is most up to date. Operators only.
    pub async fn transfer_leader(&self, to: Option<&str>) -> Result<(), ClientError> {
        check_length(to.unwrap_or_default())?;
        let request = Request::TransferLeader { to: to.map(str::to_owned) };
        self.shared.call(request, self.deadline).await.map(|_| ())
    }

    /// Asks as whoever is logged in.
    async fn ask(&self, request: Request) -> Result<(Answer, bool), ClientError> {
        let Signed { account, .. } = self.shared.signed()?;
        self.shared.call_as(account, request, self.deadline).await
    }

    async fn profile<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Profile) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, ClientError> {
        off_the_runtime(&self.shared.profile, work).await
    }

    /// A message is on disk: whoever sends and whoever shows it hears of it.
    fn queued_now(&self, id: MessageId, to: To, text: String, now_ms: u64) {
        self.shared.hub.note(Update::Queued { id, to, text, queued_at: Timestamp(now_ms) });
        self.shared.queued.notify_one();
    }

    fn stop_following(&self) -> Option<Following> {
        self.tasks.feed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until the outbox no longer waits for a message. None: the outbox does not have it.
    async fn answered(&self, id: MessageId, until: Instant) -> Result<Option<Stored>, ClientError> {
        let mut settled = self.shared.settled.subscribe();
        loop {
            match self.progress(id).await? {
                Some(Progress::Failed(refusal)) => return Err(refusal.into()),
                Some(Progress::Stored) => return Ok(Some(Stored)),
                Some(Progress::Queued) => {}
                None => return Ok(None),
            }
            if Instant::now() >= until {
                return Err(self.shared.overdue(self.shared.sending_trouble()));
            }
            let look_at = until.min(Instant::now() + OTHERS_LOOK);
            // Late or not, the outbox knows.
            let _ = tokio::time::timeout_at(look_at, is_among(&mut settled, id)).await;
        }
    }

    async fn progress(&self, id: MessageId) -> Result<Option<Progress>, ClientError> {
        let Signed { account, .. } = self.shared.signed()?;
        self.profile(move |profile| profile.progress(account, id)).await
    }
}

/// A majority of nodes has it.
struct Stored;

/// Waits until the message is among those settled, or too many were settled to be sure that it is not.
async fn is_among(settled: &mut broadcast::Receiver<MessageId>, id: MessageId) {
    while settled.recv().await.is_ok_and(|other| other != id) {}
}

fn has_come(state: Delivery, want: Want) -> bool {
    match want {
        Want::Stored => true,
        Want::Delivered => matches!(state, Delivery::Delivered | Delivery::Read),
    }
}

fn check_length(name: &str) -> Result<(), ClientError> {
    if name.len() <= NAME_SIZE_MAX_BYTES {
        return Ok(());
    }
    let long = format!("A name has at most {} characters.", chat::NAME_LENGTH_MAX);
    Err(ClientError::new(Code::NameInvalid, long))
}

fn returned(info: &MessageInfo) -> ClientError {
    let gone = format!("The account {} was deleted before the message reached it.", info.to.name);
    Refusal::new(Code::AccountDeleted, gone).into()
}

fn unknown_message(id: MessageId) -> ClientError {
    ClientError::new(Code::NoSuchConversation, format!("This account has sent no message with the id {id}."))
}
