//! What the calls, the pump and the feed share: the profile, the way to the nodes, who is logged in; and the one place where a
//! request is tried again.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chat::{AccountId, MessageId, SessionId};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::Instant;
use wire::message::{Answer, Request};
use wire::{Code, Refusal};

use crate::ClientError;
use crate::blocking::off_the_runtime;
use crate::hub::Hub;
use crate::ids::Ids;
use crate::link::{Link, Trouble};
use crate::profile::{KeptSession, Profile};
use crate::reach::Reach;
use crate::update::{LinkState, Update};

/// How long one node may take to answer before another is asked.
const ATTEMPT_MAX: Duration = Duration::from_secs(4);

/// How long is looked for a node that knows more than the one that answered, and then for its answer.
const FRESHER_WITHIN: Duration = Duration::from_secs(2);

/// The pause before a request is tried again after a refusal that may pass. Up to as much again is added by chance.
const PAUSE_MIN_MS: u64 = 150;

/// At most so long before time is up nothing that was refused is begun again: see [`Shared::retry`].
const LAST_MAX: Duration = Duration::from_millis(500);

/// Who is logged in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) account: AccountId,
    pub(crate) name: String,
    pub(crate) session: SessionId,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) profile: Arc<Profile>,
    pub(crate) reach: Reach,
    pub(crate) hub: Hub,
    pub(crate) signed: watch::Sender<Option<Signed>>,
    pub(crate) ids: Ids,
    /// There is something new to send.
    pub(crate) queued: Notify,
    /// Messages that were settled here. Whoever lags looks into the outbox instead.
    pub(crate) settled: broadcast::Sender<MessageId>,
    /// Why the pump does not get on.
    pub(crate) sending_trouble: Mutex<Option<Refusal>>,
    pub(crate) deadline: Duration,
    /// Where this machine's nodes leave word of themselves.
    pub(crate) runtime_dir: PathBuf,
}

/// On whose behalf a request is made.
#[derive(Clone, Copy, Debug)]
enum Voice {
    Anyone,
    Account(AccountId),
}

impl Shared {
    /// How long a call of the client's own may take.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Who is logged in, or a refusal.
    pub(crate) fn signed(&self) -> Result<Signed, ClientError> {
        let nobody = || ClientError::new(Code::NotLoggedIn, "Nobody is logged in here; log in first.");
        self.signed.borrow().clone().ok_or_else(nobody)
    }

    /// Asks as anyone who holds the client secret. Answers with whether the answer is stale.
    pub(crate) async fn call(&self, request: Request, within: Duration) -> Result<(Answer, bool), ClientError> {
        self.ask_until(Voice::Anyone, request, within).await
    }

    /// Asks as the account's session.
    pub(crate) async fn call_as(
        &self,
        account: AccountId,
        request: Request,
        within: Duration,
    ) -> Result<(Answer, bool), ClientError> {
        self.ask_until(Voice::Account(account), request, within).await
    }

    /// Asks one node after the other until one answers for good, or time is up. Only for what may be asked twice: every request but the two halves
    /// of a login, which belong to one connection, and `Send`, which the outbox repeats in its order.
    async fn ask_until(&self, voice: Voice, request: Request, within: Duration) -> Result<(Answer, bool), ClientError> {
        let attempt = |link: Link| {
            let request = request.clone();
            async move {
                let answer = match voice {
                    Voice::Anyone => link.ask(request).await,
                    Voice::Account(account) => self.ask_as(&link, account, request).await,
                };
                answer.map(|(answer, stale)| (answer, stale, link))
            }
        };
        let until = Instant::now() + within;
        let (answer, stale, link) = self.retry(within, &attempt).await?;
        if stale && self.has_left_behind(&link, until).await {
            let within = FRESHER_WITHIN.min(until.saturating_duration_since(Instant::now()));
            if let Ok((fresh, false, _)) = self.retry(within, &attempt).await {
                return Ok((fresh, false));
            }
        }
        Ok((answer, stale))
    }

    /// Moves on from a node that cannot tell what the others know, although they can commit: it is behind. Whether there was another
    /// to move to.
    async fn has_left_behind(&self, link: &Link, until: Instant) -> bool {
        if !matches!(&*self.reach.state.borrow(), LinkState::Live { writable: true, .. }) {
            return false;
        }
        self.reach.tell_behind(link);
        let until = until.min(Instant::now() + FRESHER_WITHIN);
        tokio::time::timeout_at(until, self.reach.moved_from(link)).await.is_ok()
    }

    async fn ask_as(&self, link: &Link, account: AccountId, request: Request) -> Result<(Answer, bool), Trouble> {
        self.speak_as(link, account).await?;
        let answer = link.ask(request).await;
        if matches!(&answer, Err(Trouble::Refused(refusal)) if ends_session(refusal.code)) {
            // Ended since this link began to speak for it: resuming it again says so for certain, and keeps it.
            link.forget_session();
            self.speak_as(link, account).await?;
        }
        answer
    }

    /// Does something with the live link, again and again on whichever link is live then, until it is done, refused for good, or time is up.
    /// The one place where calls are retried. What was refused is not begun again where it took so long that time might be up before it is
    /// answered: that nothing came of it would then no longer be certain.
    pub(crate) async fn retry<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        within: Duration,
        attempt: impl Fn(Link) -> F,
    ) -> Result<T, ClientError> {
        let until = Instant::now() + within;
        let mut last = None;
        loop {
            let Ok(link) = tokio::time::timeout_at(until, self.reach.link()).await else {
                return Err(self.overdue(last));
            };
            let began = Instant::now();
            let limit = until.min(began + ATTEMPT_MAX);
            let trouble = match tokio::time::timeout_at(limit, attempt(link.clone())).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(Trouble::Refused(refusal))) if !may_pass(refusal.code) => return Err(refusal.into()),
                Ok(Err(trouble)) => trouble,
                Err(_) => Trouble::Refused(no_answer()),
            };
            let took = began.elapsed();
            self.take_note(&link, &trouble);
            let (refusal, needed) = match trouble {
                // Perhaps it was carried out, whatever an earlier attempt came to: there is no certainty to lose.
                Trouble::Lost => (no_answer(), Duration::ZERO),
                Trouble::Refused(refusal) | Trouble::Ailing(refusal) => {
                    if !at_once(&refusal) {
                        tokio::time::sleep_until(until.min(Instant::now() + pause())).await;
                    }
                    (refusal, LAST_MAX.min(2 * took))
                }
            };
            last = Some(refusal);
            if Instant::now() + needed >= until {
                return Err(self.overdue(last));
            }
        }
    }

    /// Tells failover what was found out about a node.
    pub(crate) fn take_note(&self, link: &Link, trouble: &Trouble) {
        let is_worse = match trouble {
            // One that is busy is no worse at storing than the others.
            Trouble::Refused(refusal) => may_pass(refusal.code) && refusal.code != Code::Busy && !at_once(refusal),
            Trouble::Ailing(_) => true,
            Trouble::Lost => false,
        };
        if is_worse {
            self.reach.tell_unwritable(link);
        }
    }

    /// Why nothing came of it: what a node said last, or that there is none.
    pub(crate) fn overdue(&self, last: Option<Refusal>) -> ClientError {
        let state = self.reach.state.borrow().clone();
        let refusal = match (last, state) {
            (Some(refusal), _) => refusal,
            (None, LinkState::Searching { trouble: Some(trouble) }) => trouble,
            (None, LinkState::Searching { trouble: None }) => {
                Refusal::new(Code::NoNode, "No node could be reached. Is one running?")
            }
            (None, LinkState::Live { .. }) => no_answer(),
        };
        refusal.into()
    }

    /// Makes the link speak for the account's session. Reads the profile each time: another process may have renewed the session.
    pub(crate) async fn speak_as(&self, link: &Link, account: AccountId) -> Result<KeptSession, Trouble> {
        let kept = self.kept(account).await?;
        if kept.ended {
            return Err(Trouble::Refused(session_over()));
        }
        match link.resume(&kept).await {
            Ok(_) => Ok(kept),
            Err(Trouble::Refused(refusal)) if ends_session(refusal.code) => {
                let now = self.kept(account).await?;
                if now.token == kept.token {
                    self.session_ended(&kept, &refusal).await;
                    return Err(Trouble::Refused(refusal));
                }
                link.resume(&now).await.map(|_| now)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// The nodes say that the session is over.
    pub(crate) async fn session_ended(&self, kept: &KeptSession, refusal: &Refusal) {
        let (account, session) = (kept.account, kept.session);
        let ended = off_the_runtime(&self.profile, move |profile| profile.end_session(account, session)).await;
        if let Err(error) = ended {
            tracing::warn!(%error, "the end of the session could not be kept");
        }
        self.hub.note(Update::SessionEnded { refusal: refusal.clone() });
    }

    /// Remembers why the pump does not get on; None: it does.
    pub(crate) fn set_sending_trouble(&self, trouble: Option<Refusal>) {
        *self.sending_trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Why the pump does not get on.
    pub(crate) fn sending_trouble(&self) -> Option<Refusal> {
        self.sending_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn kept(&self, account: AccountId) -> Result<KeptSession, Trouble> {
        let kept = off_the_runtime(&self.profile, move |profile| profile.session_of(account)).await;
        kept.map_err(|error| Trouble::Refused(error.refusal))
    }
}

/// Whether another node, or this one a little later, may answer otherwise.
pub(crate) fn may_pass(code: Code) -> bool {
    matches!(
        code,
        Code::NoQuorum | Code::Timeout | Code::Busy | Code::StorageFull | Code::ShuttingDown | Code::NotFounded
    )
}

/// Whether the node is to be asked again at once: nothing is wrong with it, and it has only lost the leader on the way.
pub(crate) fn at_once(refusal: &Refusal) -> bool {
    may_pass(refusal.code) && refusal.retry_after_ms == Some(0)
}

/// Whether the refusal means that the session is over.
pub(crate) fn ends_session(code: Code) -> bool {
    matches!(code, Code::SessionInvalid | Code::NotLoggedIn)
}

pub(crate) fn session_over() -> Refusal {
    Refusal::new(Code::SessionInvalid, "The session has ended; log in again. What is queued is kept and sent then.")
}

fn no_answer() -> Refusal {
    Refusal::new(Code::Timeout, "No answer in time: whether it was done is unknown.")
}

fn pause() -> Duration {
    Duration::from_millis(PAUSE_MIN_MS + rand::random::<u64>() % PAUSE_MIN_MS)
}
