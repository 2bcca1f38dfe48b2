//! The one way into the state: an entry in, its outcome out.
//!
//! Each command is one arm, and each arm calls the module of its subject. Nothing is decided here.

use crate::sending::Draft;
use crate::session::{Opening, Turn};
use crate::{Command, Cursor, Outcome, Rejection, View, account, deletion, marks, sending, session};

/// What follows from the command at this place of the log. Cannot fail: a refusal is a reply.
pub fn apply(view: &impl View, position: Cursor, command: &Command) -> Outcome {
    consequences(view, position, command).unwrap_or_else(Outcome::rejected)
}

fn consequences(view: &impl View, position: Cursor, command: &Command) -> Result<Outcome, Rejection> {
    match command {
        Command::CreateAccount { creation, name, credentials, device, token_hash, at } => {
            let opening = Opening { position, device: *device, token_hash: *token_hash, at: *at };
            account::create(view, *creation, name, credentials, &opening)
        }
        Command::OpenSession { account, device, token_hash, at } => {
            let opening = Opening { position, device: *device, token_hash: *token_hash, at: *at };
            session::open(view, *account, &opening)
        }
        Command::CloseSession { session } => session::close(view, *session),
        Command::DeleteAccount { session, at } => deletion::delete(view, position, *session, *at),
        Command::Send { session, seq, follows, id, to, text, at } => {
            let draft = Draft { id: *id, to, text, at: *at };
            sending::send(view, position, *session, Turn { seq: *seq, follows: *follows }, &draft)
        }
        Command::MarkDelivered { session, marks } => marks::mark_delivered(view, position, *session, marks),
        Command::MarkRead { session, conversation, up_to } => {
            marks::mark_read(view, position, *session, *conversation, *up_to)
        }
        Command::Connect { session, at } => session::connect(view, *session, *at),
        Command::Disconnect { session, at } => session::disconnect(view, *session, *at),
    }
}
