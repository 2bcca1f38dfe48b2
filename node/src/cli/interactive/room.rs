//! Logged in: what is typed, what arrives, and the answers to what was sent.
//!
//! The next line is read once the one before it is answered, or known to be queued; so the answers
//! stand in the order of the lines, and the end of a script finds nothing unanswered.

use std::collections::VecDeque;
use std::time::Duration;

use client::{
    AccountChange, AccountInfo, Client, Code, Cursor, FollowFrom, LinkState, MessageId, MessageInfo, Refusal, To,
    Update, Updates,
};
use tokio::time::Instant;

use crate::cli::commands::account::preview_words;
use crate::cli::exit::CliError;

use super::console::{Console, Input, Tone};
use super::grammar::Said;
use super::reading::Reading;
use super::{list_accounts, words};

/// How long a message may go unanswered before the person is told that it is queued. A failover
/// takes less.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// How long after one attempt to find out what was missed the next is made.
const ARRIVAL_PAUSE: Duration = Duration::from_secs(2);

/// How long the first line waits for the account to be active, so that what it asks for already shows that.
const ENTRY_LIMIT: Duration = Duration::from_secs(2);

/// How many unseen messages are asked for at once.
const UNSEEN_A_PAGE: u32 = 200;

/// The state after the login.
pub(super) struct Room {
    client: Client,
    me: AccountInfo,
    console: Console,
    updates: Updates,
    reading: Reading,
    /// Sent and not answered yet, in their order.
    unanswered: VecDeque<Sent>,
    /// When to find out next what was missed; None once the feed is followed.
    arrival: Option<Instant>,
    /// Until when the first line waits; None once the account is active.
    entry: Option<Instant>,
    connected: bool,
    /// How long the end of a script waits for answers.
    patience: Duration,
}

/// A message that has no answer yet.
struct Sent {
    id: MessageId,
    to: String,
    at: Instant,
    told_queued: bool,
}

/// Whether to go on.
enum Next {
    Stay,
    Leave,
}

impl Room {
    pub(super) fn new(client: Client, me: AccountInfo, console: Console, patience: Duration) -> Self {
        let updates = client.updates();
        let reading = Reading::start(client.clone());
        let connected = matches!(*client.link().borrow(), LinkState::Live { .. });
        Self {
            client,
            me,
            console,
            updates,
            reading,
            unanswered: VecDeque::new(),
            arrival: Some(Instant::now()),
            entry: None,
            connected,
            patience,
        }
    }

    /// Until the person leaves.
    pub(super) async fn stay(mut self) -> Result<(), CliError> {
        for line in words::COMMANDS {
            self.console.hint(line)?;
        }
        let stayed = self.talk().await;
        self.reading.finish().await;
        stayed
    }

    async fn talk(&mut self) -> Result<(), CliError> {
        loop {
            let next = tokio::select! {
                biased;
                Some(update) = self.updates.next() => self.hear(update).await?,
                () = overdue(&self.unanswered) => self.tell_queued()?,
                () = due(self.arrival), if self.connected => self.arrive().await?,
                () = due(self.entry) => self.enter(),
                input = self.console.line(), if self.is_ready() => self.take(input).await?,
            };
            if let Next::Leave = next {
                return Ok(());
            }
        }
    }

    /// Whether the next line may be read.
    fn is_ready(&self) -> bool {
        self.entry.is_none() && self.unanswered.iter().all(|sent| sent.told_queued)
    }

    fn enter(&mut self) -> Next {
        self.entry = None;
        Next::Stay
    }

    /// Shows what was missed, then follows from there. What cannot be found out now is tried again.
    async fn arrive(&mut self) -> Result<Next, CliError> {
        match self.catch_up().await {
            Ok(()) => {
                self.arrival = None;
                self.entry = (!self.me.active).then(|| Instant::now() + ENTRY_LIMIT);
            }
            Err(CliError::Refused(refusal)) if refusal.code == Code::SessionInvalid => {
                return Err(CliError::Refused(refusal));
            }
            Err(CliError::Refused(_)) => self.arrival = Some(Instant::now() + ARRIVAL_PAUSE),
            Err(end) => return Err(end),
        }
        Ok(Next::Stay)
    }

    /// What arrives between the list of conversations and the feed is in the feed, for that begins
    /// where the list ends.
    async fn catch_up(&mut self) -> Result<(), CliError> {
        let mut newest = Cursor::START;
        let mut unseen = Vec::new();
        for conversation in self.client.conversations().await?.items {
            let Some(last) = &conversation.last else { continue };
            newest = newest.max(last.cursor);
            if conversation.unread > 0 {
                let with = To::Account(conversation.with.id);
                unseen.extend(self.unseen(with, conversation.read_up_to, last.cursor).await?);
            }
        }
        unseen.sort_by_key(|message| message.cursor);
        self.client.follow(FollowFrom::After(newest)).await?;
        self.show_unseen(&unseen)
    }

    /// The messages of others after `after`, up to `up_to`.
    async fn unseen(&self, with: To, mut after: Cursor, up_to: Cursor) -> Result<Vec<MessageInfo>, CliError> {
        let mut unseen = Vec::new();
        loop {
            let (_, page) = self.client.messages(with.clone(), None, Some(after), UNSEEN_A_PAGE).await?;
            let last = page.items.last().map(|message| message.cursor);
            let wanted = |message: &MessageInfo| message.cursor <= up_to && self.is_incoming(message);
            unseen.extend(page.items.into_iter().filter(wanted));
            match last {
                Some(last) if page.more && last < up_to => after = last,
                _ => return Ok(unseen),
            }
        }
    }

    fn show_unseen(&mut self, unseen: &[MessageInfo]) -> Result<(), CliError> {
        if !unseen.is_empty() {
            self.console.say(Tone::News, words::UNSEEN)?;
        }
        unseen.iter().try_for_each(|message| self.show(message))
    }

    fn show(&mut self, message: &MessageInfo) -> Result<(), CliError> {
        self.console.say(Tone::News, &words::incoming(&message.from.name, &message.text))?;
        self.reading.show(message.conversation, message.cursor);
        Ok(())
    }

    /// Whether the message is for this account to read. What one writes to oneself is.
    fn is_incoming(&self, message: &MessageInfo) -> bool {
        message.to.id == self.me.id
    }

    async fn take(&mut self, input: Input) -> Result<Next, CliError> {
        let line = match input {
            Input::Line(line) => line,
            Input::Interrupted => return Err(CliError::Interrupted),
            Input::End => {
                self.wait_for_answers().await?;
                return self.leave().await;
            }
        };
        match Said::parse(&line) {
            Said::Nothing => self.console.say(Tone::Warning, words::EMPTY)?,
            Said::Unaddressed => self.console.say(Tone::Warning, words::UNADDRESSED)?,
            Said::List => self.list().await?,
            Said::Message { to, text } => self.send(to, text).await?,
            Said::Delete => return self.delete().await,
            Said::Quit => return self.leave().await,
        }
        Ok(Next::Stay)
    }

    async fn list(&mut self) -> Result<(), CliError> {
        match list_accounts(&self.client, &mut self.console).await {
            Err(CliError::Refused(refusal)) => self.console.say(Tone::Bad, &refusal.message),
            listed => listed,
        }
    }

    async fn send(&mut self, to: &str, text: &str) -> Result<(), CliError> {
        match self.client.send(To::Name(to.to_owned()), text.to_owned(), None).await {
            Ok(id) => {
                self.unanswered.push_back(Sent { id, to: to.to_owned(), at: Instant::now(), told_queued: false });
                Ok(())
            }
            Err(error) => self.say_refused(&error.refusal),
        }
    }

    async fn hear(&mut self, update: Update) -> Result<Next, CliError> {
        match update {
            Update::Message(message) if self.is_incoming(&message) => self.show(&message)?,
            Update::Stored { id, recipient_active, .. } => self.answer(id, recipient_active)?,
            Update::Failed { id, refusal } => self.refuse(id, &refusal)?,
            Update::Account { account, change } => self.tell_presence(&account, change)?,
            Update::Returned { by, returned, .. } => {
                let words = format!("{} has deleted the account; messages that never arrived: {returned}.", by.name);
                self.console.say(Tone::Warning, &words)?;
            }
            Update::Link(link) => self.tell_link(&link)?,
            Update::SessionEnded { refusal } => return Err(CliError::Refused(refusal)),
            _ => {}
        }
        Ok(Next::Stay)
    }

    fn answer(&mut self, id: MessageId, recipient_active: bool) -> Result<(), CliError> {
        let Some(sent) = self.settle(id) else { return Ok(()) };
        if recipient_active {
            self.console.say(Tone::Good, words::DELIVERED)
        } else {
            self.console.say(Tone::Warning, &words::will_be_delivered(&sent.to))
        }
    }

    fn refuse(&mut self, id: MessageId, refusal: &Refusal) -> Result<(), CliError> {
        match self.settle(id) {
            Some(_) => self.say_refused(refusal),
            None => Ok(()),
        }
    }

    fn say_refused(&mut self, refusal: &Refusal) -> Result<(), CliError> {
        let words = match refusal.code {
            Code::NoSuchAccount | Code::NameInvalid | Code::NameReserved => words::UNKNOWN,
            _ => &refusal.message,
        };
        self.console.say(Tone::Bad, words)
    }

    fn settle(&mut self, id: MessageId) -> Option<Sent> {
        let place = self.unanswered.iter().position(|sent| sent.id == id)?;
        self.unanswered.remove(place)
    }

    fn tell_presence(&mut self, account: &AccountInfo, change: AccountChange) -> Result<(), CliError> {
        if account.id == self.me.id && account.active {
            self.enter();
        }
        match change {
            AccountChange::Connected => self.console.say(Tone::News, &words::connected(&account.name)),
            AccountChange::Disconnected => self.console.say(Tone::News, &words::left(&account.name)),
            AccountChange::Created | AccountChange::Deleted => Ok(()),
        }
    }

    fn tell_link(&mut self, link: &LinkState) -> Result<(), CliError> {
        let was_connected = std::mem::replace(&mut self.connected, matches!(link, LinkState::Live { .. }));
        if was_connected && !self.connected {
            self.console.hint("The node is gone; looking for another. Go on typing.")?;
        }
        Ok(())
    }

    fn tell_queued(&mut self) -> Result<Next, CliError> {
        if let Some(sent) = self.unanswered.iter_mut().find(|sent| !sent.told_queued) {
            sent.told_queued = true;
            self.console.say(Tone::Warning, words::QUEUED)?;
        }
        Ok(Next::Stay)
    }

    /// A script has nobody to come back and look: it waits longer for what is still queued.
    async fn wait_for_answers(&mut self) -> Result<(), CliError> {
        let end = Instant::now() + self.patience;
        while !self.unanswered.is_empty() {
            let update = tokio::time::timeout_at(end, self.updates.next());
            let Ok(Some(update)) = update.await else { return Ok(()) };
            self.hear(update).await?;
        }
        Ok(())
    }

    async fn delete(&mut self) -> Result<Next, CliError> {
        if self.console.has_person() && !self.confirm_deletion().await? {
            return Ok(Next::Stay);
        }
        if let Err(error) = self.client.delete_account().await {
            self.say_refused(&error.refusal)?;
            return Ok(Next::Stay);
        }
        self.console.say(Tone::Good, words::DELETED)?;
        self.console.say(Tone::Plain, words::BYE)?;
        Ok(Next::Leave)
    }

    async fn confirm_deletion(&mut self) -> Result<bool, CliError> {
        let preview = match self.client.deletion_preview().await {
            Ok((undelivered, senders)) => preview_words(undelivered, senders),
            Err(error) => {
                self.say_refused(&error.refusal)?;
                return Ok(false);
            }
        };
        self.console.say(Tone::Warning, &format!("{preview} Type y to delete {}.", self.me.name))?;
        match self.console.line().await {
            Input::Line(line) => Ok(line == "y"),
            Input::Interrupted => Err(CliError::Interrupted),
            Input::End => Ok(false),
        }
    }

    async fn leave(&mut self) -> Result<Next, CliError> {
        if !self.unanswered.is_empty() {
            let words =
                format!("Still queued: {}. It is sent when this account is next used here.", self.unanswered.len());
            self.console.hint(&words)?;
        }
        self.console.say(Tone::Plain, words::EXITING)?;
        Ok(Next::Leave)
    }
}

/// Until a message has gone unanswered for too long without the person being told.
async fn overdue(unanswered: &VecDeque<Sent>) {
    match unanswered.iter().find(|sent| !sent.told_queued) {
        Some(sent) => tokio::time::sleep_until(sent.at + ANSWER_LIMIT).await,
        None => std::future::pending().await,
    }
}

/// A moment that is past is due at once: a timer would first let others have their turn.
async fn due(at: Option<Instant>) {
    match at {
        Some(at) if at <= Instant::now() => {}
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
