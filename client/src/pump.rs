//! Sends what waits in the outbox, in its order, over whichever link is live, until each message is answered.
//!
//! Many are under way at once. Whatever goes wrong on the way (the link lost, a node that cannot commit, a number out of turn), the pump
//! forgets what was under way and begins again with the first message that is not settled: the nodes know each by its number and its
//! id, so sending twice stores once.

use std::sync::Arc;
use std::time::Duration;

use chat::{AccountId, MessageId, Rejection, Reply, Seq};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::time::Instant;
use wire::message::{Answer, Answered, Request};
use wire::{Code, Refusal};

use crate::ClientError;
use crate::blocking::off_the_runtime;
use crate::link::{Link, Trouble, unexpected};
use crate::outbox::Waiting;
use crate::profile::{KeptSession, Profile};
use crate::shared::{Shared, at_once, ends_session, may_pass, session_over};
use crate::update::Update;

/// How many messages are under way at once: half of what a node remembers the answers of, so an answer asked for again is still there.
const UNDER_WAY_MAX: usize = 128;
const _: () = assert!((UNDER_WAY_MAX as u64) < chat::REMEMBERED_REPLIES);

/// How often the outbox is looked at without being told: another process may have queued something and died.
const LOOK: Duration = Duration::from_secs(1);

/// How long nothing may be answered while messages are under way.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The pause after trouble, doubling up to the longest while it lasts.
const PAUSE_MIN: Duration = Duration::from_millis(150);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Runs until it is dropped.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut pause = PAUSE_MIN;
    loop {
        let account = something_waits(&shared).await;
        let link = shared.reach.link().await;
        match send_all(&shared, account, &link, &mut pause).await {
            Ok(()) => pause = PAUSE_MIN,
            Err(Trouble::Lost) => {}
            Err(trouble @ (Trouble::Refused(_) | Trouble::Ailing(_))) => {
                shared.take_note(&link, &trouble);
                if let Trouble::Refused(refusal) | Trouble::Ailing(refusal) = trouble {
                    tracing::debug!(%refusal, "messages wait");
                    shared.set_sending_trouble(Some(refusal));
                }
                tokio::time::sleep(pause.mul_f64(1.0 + rand::random::<f64>() / 2.0)).await;
                pause = PAUSE_MAX.min(pause * 2);
            }
        }
    }
}

/// Waits until somebody is logged in who has messages waiting.
async fn something_waits(shared: &Shared) -> AccountId {
    let mut signed = shared.signed.subscribe();
    loop {
        let account = signed.borrow_and_update().as_ref().map(|signed| signed.account);
        if let Some(account) = account {
            let count = off_the_runtime(&shared.profile, move |profile| profile.waiting_count(account)).await;
            match count {
                Ok(0) => {}
                Ok(_) => return account,
                Err(error) => tracing::warn!(%error, "the outbox cannot be read"),
            }
        }
        tokio::select! {
            _ = signed.changed() => {}
            () = shared.queued.notified() => {}
            () = tokio::time::sleep(LOOK), if account.is_some() => {}
        }
    }
}

/// Sends over one link until nothing waits, or the link is no longer the live one. The pause after trouble is short again once
/// something was stored.
async fn send_all(shared: &Shared, account: AccountId, link: &Link, pause: &mut Duration) -> Result<(), Trouble> {
    let speaking = tokio::time::timeout(ANSWER_MAX, shared.speak_as(link, account)).await;
    let kept = speaking.map_err(|_| no_answer())??;
    let mut sending = Sending { shared, link, kept, last: Seq(0), under_way: FuturesUnordered::new(), pause };
    let mut moved = std::pin::pin!(shared.reach.moved_from(link));
    let mut answer_by = Instant::now() + ANSWER_MAX;
    loop {
        sending.fill().await?;
        if sending.under_way.is_empty() {
            return Ok(());
        }
        tokio::select! {
            Some(first) = sending.under_way.next() => {
                sending.take(first).await?;
                answer_by = Instant::now() + ANSWER_MAX;
            }
            () = shared.queued.notified() => {}
            () = &mut moved => return Ok(()),
            () = tokio::time::sleep_until(answer_by) => return Err(no_answer()),
        }
    }
}

fn no_answer() -> Trouble {
    Trouble::Refused(Refusal::new(Code::Timeout, "The node does not answer; what is queued is kept and sent again."))
}

/// A message, and what was answered; None: the link is lost.
type Ended = (Waiting, Option<Answered>);

/// A message that is stored, and what is told of it.
type Told = (MessageId, Update);

/// What is under way on one link.
struct Sending<'a> {
    shared: &'a Shared,
    link: &'a Link,
    kept: KeptSession,
    /// The last number that was sent.
    last: Seq,
    under_way: FuturesUnordered<BoxFuture<'static, Ended>>,
    pause: &'a mut Duration,
}

impl Sending<'_> {
    /// Sends what may still be put under way, in its order.
    async fn fill(&mut self) -> Result<(), Trouble> {
        let room = UNDER_WAY_MAX.saturating_sub(self.under_way.len());
        if room == 0 {
            return Ok(());
        }
        let (session, last) = (self.kept.session, self.last);
        let waiting = in_profile(self.shared, move |profile| profile.waiting(session, last, room)).await?;
        for message in waiting {
            let request = Request::Send {
                seq: message.seq,
                follows: message.follows,
                id: message.id,
                to: message.to.clone(),
                text: message.text.clone(),
            };
            let answer = self.link.start(request).await?;
            self.last = message.seq;
            self.under_way.push(Box::pin(async move { (message, answer.await.ok()) }));
        }
        Ok(())
    }

    /// Begins again with the first message that is not settled.
    fn rewind(&mut self) {
        self.under_way = FuturesUnordered::new();
        self.last = Seq(0);
    }

    /// Takes this answer and those that have come with it, up to one that changes what is under way. Those that are stored share a
    /// transaction.
    async fn take(&mut self, first: Ended) -> Result<(), Trouble> {
        let (mut stored, mut ended) = (Vec::new(), Some(first));
        while let Some((message, answered)) = ended.take() {
            let told = match &answered {
                Some(Answered { result: Ok(Answer::Sent(reply)), .. }) => told_of(reply, message.id),
                _ => None,
            };
            let Some(told) = told else {
                self.stored(stored).await?;
                return self.answered(message, answered).await;
            };
            stored.push(told);
            ended = self.under_way.next().now_or_never().flatten();
        }
        self.stored(stored).await
    }

    async fn answered(&mut self, message: Waiting, answered: Option<Answered>) -> Result<(), Trouble> {
        match answered.ok_or(Trouble::Lost)?.result {
            Ok(Answer::Sent(reply)) => self.replied(message, reply).await,
            Ok(other) => Err(Trouble::Refused(unexpected(&other))),
            Err(refusal) => self.refused(message, refusal).await,
        }
    }

    /// The message's number was looked at by the log.
    async fn replied(&mut self, message: Waiting, reply: Reply) -> Result<(), Trouble> {
        if let Some(told) = told_of(&reply, message.id) {
            return self.stored(vec![told]).await;
        }
        match reply {
            // Too long ago for the node to remember; or the number was used for another message, by a profile that this one is an
            // old copy of.
            Reply::Forgotten | Reply::Stored { .. } => self.look_up(message).await,
            Reply::Rejected(Rejection::SessionEnded) => {
                // Resuming it, the next thing that happens, says so for certain.
                self.link.forget_session();
                Err(Trouble::Refused(session_over()))
            }
            Reply::Rejected(rejection) => self.failed(message, rejection.into()).await,
            Reply::SequenceGap { numbering } => {
                let (account, session) = (self.kept.account, self.kept.session);
                in_profile(self.shared, move |profile| profile.go_on_after(account, session, numbering)).await?;
                self.rewind();
                Ok(())
            }
            _ => Err(Trouble::Refused(Refusal::new(Code::Internal, "The node's reply does not fit a message."))),
        }
    }

    /// The node refused before the log saw the message.
    async fn refused(&mut self, message: Waiting, refusal: Refusal) -> Result<(), Trouble> {
        if ends_session(refusal.code) {
            self.link.forget_session();
            return Err(Trouble::Refused(refusal));
        }
        if at_once(&refusal) {
            self.rewind();
            return Ok(());
        }
        if !for_good(refusal.code) {
            return Err(Trouble::of_node(refusal));
        }
        let (account, session) = (self.kept.account, self.kept.session);
        let (id, why) = (message.id, refusal.clone());
        let settle = move |profile: &Profile| profile.settle_failed_unnumbered(account, &message, session, &why);
        if in_profile(self.shared, settle).await? {
            self.tell_failed(id, refusal);
        }
        self.rewind();
        Ok(())
    }

    async fn stored(&mut self, told: Vec<Told>) -> Result<(), Trouble> {
        if told.is_empty() {
            return Ok(());
        }
        let (account, ids) = (self.kept.account, told.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        let news = in_profile(self.shared, move |profile| profile.settle_stored(account, &ids)).await?;
        *self.pause = PAUSE_MIN;
        self.shared.set_sending_trouble(None);
        self.shared.reach.tell_writable(self.link);
        for ((id, update), is_news) in told.into_iter().zip(news) {
            if is_news {
                self.shared.hub.note(update);
            }
            self.tell_settled(id);
        }
        Ok(())
    }

    async fn failed(&mut self, message: Waiting, refusal: Refusal) -> Result<(), Trouble> {
        let (account, id, why) = (self.kept.account, message.id, refusal.clone());
        if in_profile(self.shared, move |profile| profile.settle_failed(account, id, &why)).await? {
            self.tell_failed(id, refusal);
        }
        Ok(())
    }

    fn tell_failed(&self, id: MessageId, refusal: Refusal) {
        self.shared.hub.note(Update::Failed { id, refusal });
        self.tell_settled(id);
    }

    fn tell_settled(&self, id: MessageId) {
        // Nobody need be waiting.
        let _ = self.shared.settled.send(id);
    }

    /// The message's id tells what its number did not.
    async fn look_up(&mut self, message: Waiting) -> Result<(), Trouble> {
        match self.link.ask(Request::MessageById { id: message.id }).await?.0 {
            Answer::Message(Some(info)) => {
                let update = Update::Stored {
                    id: message.id,
                    conversation: info.conversation,
                    cursor: info.cursor,
                    to: info.to.id,
                    sent_at: info.sent_at,
                    recipient_active: info.to.active,
                };
                self.stored(vec![(message.id, update)]).await
            }
            Answer::Message(None) => self.start_over().await,
            other => Err(Trouble::Refused(unexpected(&other))),
        }
    }

    /// Gives everything that waits numbers that were never used.
    async fn start_over(&mut self) -> Result<(), Trouble> {
        let numbering = self.link.numbering(&self.kept).await?;
        let (account, session) = (self.kept.account, self.kept.session);
        in_profile(self.shared, move |profile| profile.start_over_after(account, session, numbering)).await?;
        self.rewind();
        Ok(())
    }
}

/// What whoever watches is told, if the reply is that this message is stored.
fn told_of(reply: &Reply, of: MessageId) -> Option<Told> {
    match *reply {
        Reply::Stored { id, conversation, cursor, to, sent_at, recipient_active } if id == of => {
            Some((id, Update::Stored { id, conversation, cursor, to, sent_at, recipient_active }))
        }
        _ => None,
    }
}

async fn in_profile<T: Send + 'static>(
    shared: &Shared,
    work: impl FnOnce(&Profile) -> Result<T, ClientError> + Send + 'static,
) -> Result<T, Trouble> {
    off_the_runtime(&shared.profile, work).await.map_err(|error| Trouble::Refused(error.refusal))
}

/// Whether the node will never take this message, whenever it is asked: as opposed to one that cannot now.
fn for_good(code: Code) -> bool {
    !may_pass(code) && !matches!(code, Code::SequenceGap | Code::TooManyAttempts | Code::Internal | Code::Damaged)
}
