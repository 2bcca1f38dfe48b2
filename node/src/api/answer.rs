//! Which room answers which request.

use wire::message::{Answer, Ask, Request, To};
use wire::{Code, Refusal};

use super::connection::Connection;
use super::{login, operator, reads, search, send, session};
use crate::feed::Feed;

/// More bytes than any name or pattern of names takes, however it is composed.
const NAME_SIZE_MAX_BYTES: usize = 1024;

/// An answer, and what goes with it.
pub(super) struct Given {
    pub(super) answer: Answer,
    /// From this node alone: no majority could be asked.
    pub(super) stale: bool,
    /// The subscription that begins once the answer is on its way.
    pub(super) feed: Option<Feed>,
}

impl From<Answer> for Given {
    fn from(answer: Answer) -> Self {
        Self { answer, stale: false, feed: None }
    }
}

/// Whether the request changes whom the connection speaks for, so that the next one has to wait for
/// its outcome.
pub(super) fn in_turn(request: &Request) -> bool {
    match request {
        Request::RegisterFinish { .. }
        | Request::LoginStart { .. }
        | Request::LoginFinish { .. }
        | Request::Resume { .. }
        | Request::Subscribe { .. }
        | Request::DeleteAccount
        | Request::LogOut
        | Request::Leave => true,
        Request::Accounts { .. }
        | Request::RegisterStart { .. }
        | Request::ClusterStatus
        | Request::ClusterCheck
        | Request::Send { .. }
        | Request::Conversations
        | Request::Messages { .. }
        | Request::MessageById { .. }
        | Request::Delivered { .. }
        | Request::Read { .. }
        | Request::DeletionPreview
        | Request::RemoveNode { .. }
        | Request::TransferLeader { .. }
        | Request::Search { .. }
        | Request::ConversationsAfter { .. }
        | Request::Term { .. }
        | Request::Ping => false,
    }
}

/// Whether the answer is large, or takes other nodes' time: few of these are under way at once.
pub(super) fn is_costly(request: &Request) -> bool {
    matches!(
        request,
        Request::Accounts { .. }
            | Request::Conversations
            | Request::ConversationsAfter { .. }
            | Request::Messages { .. }
            | Request::Search { .. }
            | Request::ClusterStatus
    )
}

/// Refuses what no name can be like before it waits for its turn, and holds its memory meanwhile.
pub(super) fn check_names(request: &Request) -> Result<(), Refusal> {
    let names = match request {
        Request::Accounts { pattern, after, .. } => [pattern.as_deref(), after.as_deref()],
        Request::Messages { with: To::Name(name), .. }
        | Request::Search { with: Some(To::Name(name)), .. }
        | Request::Send { to: To::Name(name), .. } => [Some(name.as_str()), None],
        _ => [None, None],
    };
    if names.into_iter().flatten().all(|name| name.len() <= NAME_SIZE_MAX_BYTES) {
        return Ok(());
    }
    Err(Refusal::new(Code::NameInvalid, format!("No name is longer than {NAME_SIZE_MAX_BYTES} bytes.")))
}

/// Answers one request. Always ends within a few seconds.
pub(super) async fn answer(connection: &Connection, ask: Ask) -> Result<Given, Refusal> {
    let at_least = ask.at_least;
    match ask.request {
        Request::RegisterStart { name, registration } => login::register_start(connection, &name, &registration).await,
        Request::RegisterFinish { creation, name, upload, token } => {
            login::register_finish(connection, creation, &name, &upload, &token).await
        }
        Request::LoginStart { name, credential } => login::start(connection, &name, &credential).await,
        Request::LoginFinish { finalization, token } => login::finish(connection, &finalization, &token).await,

        Request::Resume { session, token } => session::resume(connection, session, &token).await,
        Request::Subscribe { after, announce } => session::subscribe(connection, at_least, after, announce).await,
        Request::LogOut => session::log_out(connection).await,
        Request::Leave => session::leave(connection).await,
        Request::DeleteAccount => session::delete_account(connection).await,

        Request::Send { seq, follows, id, to, text } => {
            send::send(connection, send::Place { seq, follows }, id, to, text).await
        }
        Request::Delivered { marks } => send::delivered(connection, marks).await,
        Request::Read { conversation, up_to } => send::read(connection, conversation, up_to).await,

        Request::Accounts { pattern, after, limit } => {
            reads::accounts(connection, pattern.as_deref(), after.as_deref(), limit).await
        }
        Request::Conversations => reads::conversations(connection).await,
        Request::Messages { with, before, after, limit } => {
            reads::messages(connection, &with, reads::Page { before, after, limit }).await
        }
        Request::MessageById { id } => reads::message_by_id(connection, id).await,
        Request::DeletionPreview => reads::deletion_preview(connection).await,
        Request::ConversationsAfter { after } => reads::conversations_after(connection, after).await,
        Request::Search { query, with, before, limit } => {
            search::search(connection, &query, with.as_ref(), before, limit).await
        }
        Request::Term { at } => reads::term(connection, at).await,

        Request::ClusterStatus => Ok(operator::status(connection).await),
        Request::ClusterCheck => operator::check(connection).await,
        Request::RemoveNode { name } => operator::remove_node(connection, &name).await,
        Request::TransferLeader { to } => operator::transfer_leader(connection, to.as_deref()).await,
        Request::Ping => Ok(Answer::Done.into()),
    }
}
