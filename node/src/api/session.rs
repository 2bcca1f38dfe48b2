//! Whom a connection speaks for: taking a session up again, listening, leaving, ending.

use std::sync::Arc;
use std::time::Duration;

use chat::{AccountId, Command, Cursor, Reply, Session, SessionId};
use wire::message::{Answer, Token};
use wire::{Code, Refusal};

use super::answer::Given;
use super::connection::Connection;
use super::{ApiContext, refusal};
use crate::feed::{Feed, Listener};

/// How long whoever begins or ends a session waits for this node to learn what the others know.
pub(super) const CATCH_UP_MAX: Duration = Duration::from_millis(1_500);

/// The session that a connection has proved.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoggedIn {
    pub(super) session: SessionId,
    pub(super) account: AccountId,
    /// It had not ended when this many endings had been counted.
    there_at: Option<u64>,
}

/// The connection's session, if it still is one. Asked at every request: a session may be ended from
/// another device, at another node.
pub(super) fn current(connection: &Connection) -> Result<LoggedIn, Refusal> {
    let who = connection.with_state(|state| state.session);
    let who = who.ok_or_else(|| Refusal::new(Code::NotLoggedIn, "Log in first."))?;
    // Counted before it is looked up: one that ends in between is looked up again.
    let endings = connection.context.app.endings();
    if who.there_at == Some(endings) {
        return Ok(who);
    }
    if has_ended(&connection.context, who.session)? {
        return Err(refusal::session_invalid());
    }
    let who = LoggedIn { there_at: Some(endings), ..who };
    connection.with_state(|state| {
        if let Some(session) = &mut state.session
            && session.session == who.session
        {
            *session = who;
        }
    });
    Ok(who)
}

/// Whether the session is gone. One that this node has not applied yet is not.
pub(crate) fn has_ended(context: &ApiContext, session: SessionId) -> Result<bool, Refusal> {
    // The order matters: what is applied between the two only makes the session more likely found.
    let applied = *context.app.applied().borrow();
    let found = context.read(context.app.session(session))?;
    Ok(found.is_none() && applied.0 >= session.0)
}

/// Goes on with a session, if the token is its token and the connection comes from its device.
pub(super) async fn resume(connection: &Connection, id: SessionId, token: &Token) -> Result<Given, Refusal> {
    let session = match matching(connection, id, token)? {
        Some(session) => session,
        // Perhaps this node is only behind. It must not tell a client to forget a session that is
        // good, so it looks again once it knows what the others do.
        None => {
            connection.context.quorum.read_barrier(CATCH_UP_MAX).await?;
            matching(connection, id, token)?.ok_or_else(refusal::session_invalid)?
        }
    };
    established(connection, session.id, session.account).await
}

/// The session, if it is one that this token and this device open.
fn matching(connection: &Connection, id: SessionId, token: &Token) -> Result<Option<Session>, Refusal> {
    let context = &connection.context;
    let Some(session) = context.read(context.app.session(id))? else { return Ok(None) };
    // Hashes of this type are compared in constant time.
    let known = blake3::Hash::from(session.token_hash) == blake3::Hash::from(token.hash());
    let alive = context.read(context.app.account(session.account))?.is_some_and(|account| !account.deleted);
    Ok((known && session.device == connection.peer.device() && alive).then_some(session))
}

/// The connection speaks for the session from here on.
pub(super) async fn established(connection: &Connection, id: SessionId, account: AccountId) -> Result<Given, Refusal> {
    let context = &connection.context;
    let behind = || Refusal::new(Code::Timeout, "This node is behind the others; try again.");
    let info = context.read(context.app.account(account))?.ok_or_else(behind)?;
    let session = context.read(context.app.session(id))?.ok_or_else(behind)?;
    connection.unsubscribe().await;
    connection.with_state(|state| state.session = Some(LoggedIn { session: id, account, there_at: None }));
    Ok(Answer::Session { session: id, account: info, numbering: session.numbering }.into())
}

/// Begins to push, in place of an earlier subscription of this connection.
pub(super) async fn subscribe(
    connection: &Connection,
    at_least: Cursor,
    after: Option<Cursor>,
    announce: bool,
) -> Result<Given, Refusal> {
    let LoggedIn { session, account, .. } = current(connection)?;
    let context = &connection.context;
    let from = match after {
        Some(after) => after,
        // From now on: what was stored before is not to come, though this node may show it a moment later only.
        None => {
            let now = context.quorum.read_barrier(CATCH_UP_MAX).await.unwrap_or_else(|_| connection.applied());
            now.max(at_least)
        }
    };
    // The new seat first, so that a session that subscribes again does not seem to leave.
    let seat = announce.then(|| context.listening.enter(session));
    connection.unsubscribe().await;
    let feed = Feed::new(Arc::clone(context), connection.frames.clone(), Listener { session, account, from }, seat);
    Ok(Given { feed: Some(feed), ..Answer::Subscribed { from }.into() })
}

/// Stops listening. The account is inactive at once, unless the session listens elsewhere.
pub(super) async fn leave(connection: &Connection) -> Result<Given, Refusal> {
    let LoggedIn { session, .. } = current(connection)?;
    connection.unsubscribe().await;
    let context = &connection.context;
    if !context.listening.has(session) {
        connection.propose(Command::Disconnect { session, at: context.quorum.here() }).await?;
    }
    Ok(Answer::Done.into())
}

/// Ends the session for good; its token is worth nothing any more.
pub(super) async fn log_out(connection: &Connection) -> Result<Given, Refusal> {
    let LoggedIn { session, .. } = current(connection)?;
    let (at, reply) = connection.propose(Command::CloseSession { session }).await?;
    match reply {
        // Ended already, by another device: what was wanted.
        Reply::Done | Reply::Rejected(_) => {}
        _ => return Err(refusal::unexpected_reply()),
    }
    forget(connection, at).await;
    Ok(Answer::Done.into())
}

/// Deletes the session's account.
pub(super) async fn delete_account(connection: &Connection) -> Result<Given, Refusal> {
    let LoggedIn { session, .. } = current(connection)?;
    let command = Command::DeleteAccount { session, at: connection.context.clock.now() };
    let (at, reply) = connection.propose(command).await?;
    match reply {
        Reply::AccountDeleted { returned } => {
            forget(connection, at).await;
            Ok(Answer::AccountDeleted { returned }.into())
        }
        Reply::Rejected(rejection) => Err(rejection.into()),
        _ => Err(refusal::unexpected_reply()),
    }
}

/// The session ended at this place in the log. Waits until this node has it written: a reply comes
/// before that, and until then the token would still open the session here.
async fn forget(connection: &Connection, ended_at: Cursor) {
    connection.unsubscribe().await;
    connection.with_state(|state| state.session = None);
    connection.caught_up(ended_at, CATCH_UP_MAX).await;
}
