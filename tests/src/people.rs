//! People who use the chat: they write, read, list, mark as read and leave for good, as chance has it, and everything is taken down.
//!
//! Whoever drives a cluster (the simulation, the chaos runs) opens the clients, and decides when they crash.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat::{AccountId, Cursor, MessageId};
use client::{Client, ClientError, FollowFrom, Update, Want};
use tokio::time::sleep;
use wire::Code;
use wire::message::{ConversationInfo, MessageInfo, To};

use crate::chance::Chance;
use crate::history::{self, Answer, Call, From, Op, Outcome, Recorder, Row, What};

/// How long a call may take.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// A feed is followed from some place before this one, now and then.
const PLACES: u64 = 300;

/// Everybody's password.
const PASSWORD: &str = "correct horse";

/// What everybody needs to talk.
#[derive(Clone, Debug)]
pub struct Town {
    pub chance: Chance,
    pub recorder: Recorder,
    /// Whom to write to.
    accounts: Arc<Mutex<Vec<AccountId>>>,
    /// Accounts that somebody has begun to delete.
    leaving: Arc<Mutex<BTreeSet<AccountId>>>,
}

/// The messages of a device that nobody has heard of yet, and the calls that sent them.
pub type Open = Arc<Mutex<BTreeMap<MessageId, Op>>>;

impl Town {
    pub fn new(chance: Chance, recorder: Recorder) -> Self {
        Self { chance, recorder, accounts: Arc::default(), leaving: Arc::default() }
    }

    /// From now on people write to this account, too.
    pub fn add(&self, account: AccountId) {
        self.accounts().push(account);
    }

    /// A new account for whoever sits at a device.
    pub async fn sign_up(&self, client: &Client, device: &str, user: &str) -> Result<AccountId, ClientError> {
        let op = self.recorder.invoked(device, Call::CreateAccount { name: user.to_owned() });
        let login = client.create_account(user, PASSWORD).await;
        self.ended(op, login.map(|login| login.account.id), |id| Answer::Account(id.0))
    }

    /// Another device of an account.
    pub async fn log_in(
        &self,
        client: &Client,
        device: &str,
        user: &str,
        account: AccountId,
    ) -> Result<(), ClientError> {
        let op = self.recorder.invoked(device, Call::LogIn { account: account.0 });
        let login = client.log_in(user, PASSWORD).await;
        self.ended(op, login.map(|_| ()), |()| Answer::Done)
    }

    /// Whether the account may be gone: somebody has begun to delete it.
    pub fn may_be_gone(&self, account: AccountId) -> bool {
        self.leaving().contains(&account)
    }

    fn leaving(&self) -> MutexGuard<'_, BTreeSet<AccountId>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accounts(&self) -> MutexGuard<'_, Vec<AccountId>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a call ended, and hands its result on.
    fn ended<T: Clone>(
        &self,
        op: Op,
        result: Result<T, ClientError>,
        answer: impl FnOnce(T) -> Answer,
    ) -> Result<T, ClientError> {
        let outcome = match &result {
            Ok(done) => Outcome::Done(answer(done.clone())),
            Err(error) => not_done(error),
        };
        self.recorder.returned(op, outcome);
        result
    }
}

/// Whoever sits at a device.
#[derive(Clone, Debug)]
pub struct Person {
    pub town: Town,
    pub device: String,
    pub account: AccountId,
    pub client: Client,
    pub open: Open,
    /// Deletes the account sooner or later.
    pub leaves: bool,
}

impl Person {
    /// Reads what comes in, for ever.
    pub async fn follow(self) {
        let recorder = &self.town.recorder;
        // A process that is killed confirms nothing in its last moment, as dropping these would.
        let mut updates = ManuallyDrop::new(self.client.updates());
        let stream = recorder.stream();
        let (device, account) = (self.device.clone(), self.account.0);
        let chance = &self.town.chance;
        let (from, follow) = if chance.one_in(4) {
            let place = chance.number(0..PLACES);
            (From::After(place), FollowFrom::After(Cursor(place)))
        } else {
            (From::Kept, FollowFrom::Kept)
        };
        recorder.note(What::Following { stream, device, account, from });
        // It comes to nothing where the session has ended; the updates say so.
        let _ = self.client.follow(follow).await;
        while let Some(update) = updates.next().await {
            self.take_in(stream, update);
        }
    }

    fn take_in(&self, stream: history::Stream, update: Update) {
        let recorder = &self.town.recorder;
        let mark = |mark, conversation: chat::ConversationId, by: AccountId, up_to: chat::Cursor| What::SawMark {
            stream,
            mark,
            conversation: conversation.0,
            by: by.0,
            up_to: up_to.0,
        };
        match update {
            Update::Message(message) => recorder.note(What::Saw { stream, message: noted(&message) }),
            Update::Delivered { conversation, by, up_to, .. } => {
                recorder.note(mark(history::Mark::Delivered, conversation, by, up_to));
            }
            Update::Read { conversation, by, up_to, .. } => {
                recorder.note(mark(history::Mark::Read, conversation, by, up_to));
            }
            Update::Stored { id, conversation, cursor, .. } => {
                if let Some(op) = self.open().remove(&id) {
                    let answer = Answer::Stored { conversation: conversation.0, cursor: cursor.0 };
                    recorder.returned(op, Outcome::Done(answer));
                }
            }
            Update::Failed { id, refusal } => {
                if let Some(op) = self.open().remove(&id) {
                    recorder.returned(op, Outcome::Refused { code: refusal.code.to_string() });
                }
            }
            Update::SessionEnded { .. } if self.town.may_be_gone(self.account) => {}
            Update::SessionEnded { refusal } => {
                let line = format!("its session has ended: {refusal}");
                self.complain(&line);
            }
            _ => {}
        }
    }

    /// Does one thing after the other, for ever.
    pub async fn live(self) {
        loop {
            let chance = &self.town.chance;
            sleep(chance.ms(20..500)).await;
            let others: Vec<_> =
                self.town.accounts().iter().copied().filter(|account| *account != self.account).collect();
            let Some(other) = chance.pick(&others) else { continue };
            if self.leaves && chance.one_in(40) && self.leave().await {
                return;
            }
            match chance.number(0..10) {
                0..6 => {
                    // One message, or now and then many at once.
                    let count = if chance.one_in(8) { chance.number(2..12) } else { 1 };
                    for _ in 0..count {
                        self.send(other).await;
                    }
                }
                6 => self.list().await,
                7 => self.read_and_mark(other).await,
                8 => self.page_through(other).await,
                _ => drop(self.read(other, None, None).await),
            }
        }
    }

    /// Waits until everything that was sent is stored, or was refused. Says what is not.
    pub async fn settle(&self) {
        if self.town.may_be_gone(self.account) {
            return;
        }
        let open: Vec<_> = self.open().iter().map(|(id, op)| (*id, *op)).collect();
        for (id, op) in open {
            match self.client.settled(id, Want::Stored, DEADLINE).await {
                Ok(message) => {
                    if self.open().remove(&id).is_some() {
                        self.town.recorder.returned(op, Outcome::Done(stored(&message)));
                    }
                }
                Err(error) if error.code() == Code::AccountDeleted => {
                    if self.open().remove(&id).is_some() {
                        self.town.recorder.returned(op, not_done(&error));
                    }
                }
                Err(error) => self.complain(&format!("message {id} is not stored at the end: {error}")),
            }
        }
    }

    /// A message of this device's, sent and stored now.
    pub async fn send_now(&self, to: AccountId, text: &str) -> Option<MessageInfo> {
        let id = MessageId(u128::from(self.town.chance.number(1..u64::MAX)));
        let call = Call::Send { message: id.to_string(), from: self.account.0, to: to.0, text: text.to_owned() };
        let op = self.town.recorder.invoked(&self.device, call);
        self.client.send(To::Account(to), text.to_owned(), Some(id)).await.ok()?;
        let message = self.client.settled(id, Want::Stored, Duration::from_secs(60)).await.ok()?;
        self.town.recorder.returned(op, Outcome::Done(stored(&message)));
        Some(message)
    }

    /// Notes something that should not be.
    pub fn complain(&self, line: &str) {
        self.town.recorder.note(What::Complained { process: self.device.clone(), line: line.to_owned() });
    }

    async fn send(&self, to: AccountId) {
        let chance = &self.town.chance;
        let id = MessageId(u128::from(chance.number(1..u64::MAX)));
        let text = format!("{id} from {}", self.device);
        let call = Call::Send { message: id.to_string(), from: self.account.0, to: to.0, text: text.clone() };
        let op = self.town.recorder.invoked(&self.device, call);
        self.open().insert(id, op);
        if let Err(error) = self.client.send(To::Account(to), text, Some(id)).await {
            self.open().remove(&id);
            self.town.recorder.returned(op, Outcome::Refused { code: error.refusal.code.to_string() });
        }
    }

    async fn list(&self) {
        let op = self.town.recorder.invoked(&self.device, Call::List { account: self.account.0 });
        let listed = self
            .client
            .conversations()
            .await
            .map(|page| Answer::Conversations { rows: page.items.iter().map(row).collect(), stale: page.stale });
        // What was not read is of no consequence.
        let _ = self.town.ended(op, listed, |answer| answer);
    }

    /// Deletes the account. Whether that is sure; otherwise it may be gone.
    async fn leave(&self) -> bool {
        self.town.leaving().insert(self.account);
        let op = self.town.recorder.invoked(&self.device, Call::DeleteAccount { account: self.account.0 });
        self.town.ended(op, self.client.delete_account().await, |_| Answer::Done).is_ok()
    }

    /// The newest messages, those before them, and what came after the first of these.
    async fn page_through(&self, with: AccountId) {
        let newest = self.read(with, None, None).await;
        let Some(first) = newest.first() else { return };
        let earlier = self.read(with, Some(first.cursor), None).await;
        let from = earlier.first().map_or(Cursor::START, |first| first.cursor);
        self.read(with, None, Some(from)).await;
    }

    async fn read(&self, with: AccountId, before: Option<Cursor>, after: Option<Cursor>) -> Vec<MessageInfo> {
        let limit = u32::try_from(self.town.chance.number(1..50)).unwrap_or(1);
        let place = |cursor: Option<Cursor>| cursor.map(|cursor| cursor.0);
        let (of, with_whom) = (self.account.0, with.0);
        let call = Call::Read { account: of, with: with_whom, before: place(before), after: place(after), limit };
        let op = self.town.recorder.invoked(&self.device, call);
        let page = self.client.messages(To::Account(with), before, after, limit).await;
        let mut found = Vec::new();
        let answer = page.map(|(conversation, page)| {
            let answer = Answer::Messages {
                conversation: conversation.map(|conversation| conversation.id.0),
                messages: page.items.iter().map(noted).collect(),
                more: page.more,
                stale: page.stale,
            };
            found = page.items;
            answer
        });
        let _ = self.town.ended(op, answer, |answer| answer);
        found
    }

    async fn read_and_mark(&self, with: AccountId) {
        let Some(last) = self.read(with, None, None).await.pop() else { return };
        let (conversation, up_to) = (last.conversation, last.cursor);
        let call = Call::MarkRead { account: self.account.0, conversation: conversation.0, up_to: up_to.0 };
        let op = self.town.recorder.invoked(&self.device, call);
        let marked = self.client.mark_read(conversation, up_to).await;
        let _ = self.town.ended(op, marked, |()| Answer::Done);
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<MessageId, Op>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it means that a call was not done: codes that a node gives once it has decided say that it has no effect.
fn not_done(error: &ClientError) -> Outcome {
    let code = error.refusal.code;
    match code {
        Code::Timeout | Code::NoNode | Code::NoQuorum | Code::Busy | Code::ShuttingDown => {
            Outcome::Unknown { code: code.to_string() }
        }
        _ => Outcome::Refused { code: code.to_string() },
    }
}

fn stored(message: &MessageInfo) -> Answer {
    Answer::Stored { conversation: message.conversation.0, cursor: message.cursor.0 }
}

pub fn noted(message: &MessageInfo) -> history::Message {
    history::Message {
        id: message.id.to_string(),
        cursor: message.cursor.0,
        conversation: message.conversation.0,
        from: message.from.id.0,
        to: message.to.id.0,
        text: message.text.clone(),
    }
}

pub fn row(conversation: &ConversationInfo) -> Row {
    Row {
        conversation: conversation.id.0,
        length: conversation.length,
        unread: conversation.unread,
        read_up_to: conversation.read_up_to.0,
        last: conversation.last.as_ref().map_or(0, |last| last.cursor.0),
    }
}
