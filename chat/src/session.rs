//! Sessions: opening and closing, the numbering that makes a resend harmless, and who listens.

use crate::{
    Account, AccountId, Change, Cursor, DeviceId, MessageId, Notice, Numbering, Outcome, Rejection, Replica, Reply,
    Seq, Session, SessionId, Timestamp, View, account,
};

/// For how many commands a session remembers why they were refused. A client keeps fewer than this under way, so a
/// refusal that it still waits for is still here; beyond it, `Reply::Forgotten`. Where a message was stored is never forgotten.
pub const REMEMBERED_REPLIES: u64 = 256;

/// How many sessions an account may have. Beyond it the oldest one that is not connected ends (the
/// oldest of all, where all are), and its device has to log in again.
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 100;

/// What a session is opened with.
pub(crate) struct Opening {
    pub(crate) position: Cursor,
    pub(crate) device: DeviceId,
    pub(crate) token_hash: [u8; 32],
    pub(crate) at: Timestamp,
}

/// The session, if it has not ended. Its account is then living: deletion ends all sessions.
pub(crate) fn living(view: &impl View, id: SessionId) -> Result<Session, Rejection> {
    view.session(id).ok_or(Rejection::SessionEnded)
}

/// The account whose session this is.
fn owner(view: &impl View, session: &Session) -> Result<Account, Rejection> {
    view.account(session.account).ok_or(Rejection::SessionEnded)
}

pub(crate) fn open(view: &impl View, account: AccountId, opening: &Opening) -> Result<Outcome, Rejection> {
    let account = account::living(view, account)?;
    let (session, changes) = on_device(view, account, opening);
    let reply = Reply::SessionOpened { session: session.id, numbering: session.numbering };
    Ok(Outcome { reply, changes, notices: Vec::new() })
}

/// The session that the account has on the device, with its token renewed and its numbering as it
/// was: what the device still has to send keeps its numbers. A new one where there is none.
pub(crate) fn on_device(view: &impl View, account: Account, opening: &Opening) -> (Session, Vec<Change>) {
    let known = view.session_on(account.id, opening.device).and_then(|id| view.session(id));
    if let Some(known) = known {
        let renewed = Session { token_hash: opening.token_hash, ..known };
        return (renewed.clone(), vec![Change::PutSession(renewed)]);
    }
    let session = Session {
        id: SessionId(opening.position.0),
        account: account.id,
        device: opening.device,
        token_hash: opening.token_hash,
        opened_at: opening.at,
        numbering: Numbering::default(),
        connected: None,
    };
    let mut changes = room_for_one_more(view, account);
    changes.push(Change::AddSession(session.clone()));
    (session, changes)
}

fn room_for_one_more(view: &impl View, account: Account) -> Vec<Change> {
    let open = view.sessions_of(account.id);
    if open.len() < SESSIONS_PER_ACCOUNT_MAX {
        return Vec::new();
    }
    let sessions: Vec<Session> = open.into_iter().filter_map(|id| view.session(id)).collect();
    let leaving = sessions.iter().find(|session| session.connected.is_none()).or(sessions.first());
    leaving.map(|session| end(account, session).changes).unwrap_or_default()
}

pub(crate) fn close(view: &impl View, session: SessionId) -> Result<Outcome, Rejection> {
    let session = living(view, session)?;
    Ok(end(owner(view, &session)?, &session))
}

fn end(account: Account, session: &Session) -> Outcome {
    let mut outcome = Outcome::done();
    outcome.changes.push(remove(session));
    if session.connected.is_some() {
        count_down(account, &mut outcome);
    }
    outcome
}

/// The change that removes the session, and nothing about its account.
pub(crate) fn remove(session: &Session) -> Change {
    Change::RemoveSession { session: session.id, account: session.account, device: session.device }
}

/// A device listens. At another replica than before, it has moved and still counts once.
pub(crate) fn connect(view: &impl View, session: SessionId, at: Replica) -> Result<Outcome, Rejection> {
    let session = living(view, session)?;
    let mut outcome = Outcome::done();
    if session.connected == Some(at) {
        return Ok(outcome);
    }
    if session.connected.is_none() {
        count_up(owner(view, &session)?, &mut outcome);
    }
    outcome.changes.push(Change::PutSession(Session { connected: Some(at), ..session }));
    Ok(outcome)
}

/// A device is gone from the replica. One that meanwhile listens at another is not gone.
pub(crate) fn disconnect(view: &impl View, session: SessionId, at: Replica) -> Result<Outcome, Rejection> {
    let session = living(view, session)?;
    let mut outcome = Outcome::done();
    if session.connected == Some(at) {
        count_down(owner(view, &session)?, &mut outcome);
        outcome.changes.push(Change::PutSession(Session { connected: None, ..session }));
    }
    Ok(outcome)
}

fn count_up(mut account: Account, outcome: &mut Outcome) {
    if account.connected == 0 {
        outcome.notices.push(Notice::Connected(account.id));
    }
    account.connected = account.connected.saturating_add(1);
    outcome.changes.push(Change::PutAccount(account));
}

fn count_down(mut account: Account, outcome: &mut Outcome) {
    account.connected = account.connected.saturating_sub(1);
    if account.connected == 0 {
        outcome.notices.push(Notice::Disconnected(account.id));
    }
    outcome.changes.push(Change::PutAccount(account));
}

/// The place in its session that a command claims.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) seq: Seq,
    /// The message before it.
    pub(crate) follows: Option<MessageId>,
}

/// How a claimed place stands to what was applied.
pub(crate) enum Order {
    /// Its turn is now.
    Now,
    /// Its number was used before.
    Before,
    /// Something is missing before it, or something else is there, or it has no number (they begin at 1).
    Out,
}

impl Turn {
    pub(crate) fn order(self, numbering: Numbering) -> Order {
        let expected = numbering.high_water.next();
        if self.seq == expected && self.follows == numbering.last {
            Order::Now
        } else if self.seq == Seq(0) || self.seq >= expected {
            Order::Out
        } else {
            Order::Before
        }
    }
}

/// Uses the number up, and remembers what it was answered unless that can be told again: where a stored message is, its own id says.
pub(crate) fn remember(session: Session, seq: Seq, id: MessageId, reply: &Reply) -> impl Iterator<Item = Change> {
    let (session_id, numbering) = (session.id, Numbering { high_water: seq, last: Some(id) });
    let old = seq.0.checked_sub(REMEMBERED_REPLIES).filter(|old| *old > 0);
    let forget = old.map(|old| Change::Forget { session: session_id, seq: Seq(old) });
    let is_found_again = matches!(reply, Reply::Stored { .. });
    let remember = (!is_found_again).then(|| Change::Remember { session: session_id, seq, reply: reply.clone() });
    [Some(Change::PutSession(Session { numbering, ..session })), remember, forget].into_iter().flatten()
}
