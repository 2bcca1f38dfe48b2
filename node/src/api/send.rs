//! Commands of a session: messages, and the marks of how far they have come.
//!
//! What cannot be a message is refused before the log, with no number used: the client gives the same
//! number to its next one. Whatever enters the log uses its number up, and its reply says what became
//! of it, a rejection included.

use chat::{Command, ConversationId, Cursor, MessageId, Name, Recipient, Reply, Seq, Text};
use wire::message::{Answer, To};
use wire::{Code, Refusal};

use super::answer::Given;
use super::connection::Connection;
use super::refusal;
use super::session::{self, LoggedIn};

/// How many marks one request may carry; a client with more of them asks again.
const MARKS_MAX: usize = 1024;

/// Where in its session a message belongs.
pub(super) struct Place {
    pub(super) seq: Seq,
    /// The message before it.
    pub(super) follows: Option<MessageId>,
}

/// Stores a message. The answer is the log's reply, also where that is a rejection or a gap.
pub(super) async fn send(
    connection: &Connection,
    Place { seq, follows }: Place,
    id: MessageId,
    to: To,
    text: String,
) -> Result<Given, Refusal> {
    let LoggedIn { session, .. } = session::current(connection)?;
    let text = Text::parse(text)?;
    let to = recipient(to)?;
    let command = Command::Send { session, seq, follows, id, to, text, at: connection.context.clock.now() };
    let (_, reply) = connection.propose(command).await?;
    Ok(Answer::Sent(reply).into())
}

/// A name that could not be anybody's must not take room in the log.
fn recipient(to: To) -> Result<Recipient, Refusal> {
    match to {
        To::Name(name) => Ok(Recipient::Name(Name::parse(&name)?.key().clone())),
        To::Account(account) => Ok(Recipient::Account(account)),
    }
}

/// Marks messages as received by the session's device.
pub(super) async fn delivered(connection: &Connection, marks: Vec<(ConversationId, Cursor)>) -> Result<Given, Refusal> {
    let LoggedIn { session, .. } = session::current(connection)?;
    if marks.len() > MARKS_MAX {
        let sentence = format!("A request carries at most {MARKS_MAX} marks; this one has {}.", marks.len());
        return Err(Refusal::new(Code::FrameTooLarge, sentence));
    }
    if marks.is_empty() {
        return Ok(Answer::Done.into());
    }
    done(connection.propose(Command::MarkDelivered { session, marks }).await?)
}

/// Marks messages as read by the session's account.
pub(super) async fn read(
    connection: &Connection,
    conversation: ConversationId,
    up_to: Cursor,
) -> Result<Given, Refusal> {
    let LoggedIn { session, .. } = session::current(connection)?;
    done(connection.propose(Command::MarkRead { session, conversation, up_to }).await?)
}

fn done((_, reply): (Cursor, Reply)) -> Result<Given, Refusal> {
    match reply {
        Reply::Done => Ok(Answer::Done.into()),
        Reply::Rejected(rejection) => Err(rejection.into()),
        _ => Err(refusal::unexpected_reply()),
    }
}
