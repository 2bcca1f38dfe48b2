//! Looking for messages by their words.

use std::sync::Arc;

use chat::Cursor;
use wire::message::{Answer, To};
use wire::{Code, Refusal};

use super::answer::Given;
use super::connection::Connection;
use super::reads::{FRESH_WITHIN, other_side, page_limit};
use super::{refusal, session};
use crate::app::{Query, SearchError};

/// The longest query, in bytes.
const QUERY_SIZE_MAX_BYTES: usize = 1024;

/// Messages that the session's account may read and that match. Fresh as any read is; made off the threads that serve
/// connections, because it may look into many places.
pub(super) async fn search(
    connection: &Connection,
    query: &str,
    with: Option<&To>,
    before: Option<Cursor>,
    limit: u32,
) -> Result<Given, Refusal> {
    session::current(connection)?;
    if query.len() > QUERY_SIZE_MAX_BYTES {
        let long = format!("What is looked for has at most {QUERY_SIZE_MAX_BYTES} bytes.");
        return Err(Refusal::new(Code::QueryInvalid, long));
    }
    let query = Query::parse(query).map_err(|error| Refusal::new(Code::QueryInvalid, error.to_string()))?;
    let context = Arc::clone(&connection.context);
    let fresh = context.quorum.read_barrier(FRESH_WITHIN).await;
    let account = session::current(connection)?.account;
    let other = with.map(|with| other_side(connection, with)).transpose()?.map(|other| other.id);
    let app = Arc::clone(&context.app);
    let looking =
        tokio::task::spawn_blocking(move || app.search(account, &query, other, before, page_limit(limit))).await;
    let (messages, more) = match looking.map_err(|_| refusal::internal())? {
        Ok(found) => found,
        Err(SearchError::TooBroad) => {
            let broad = "This is in too many places; look for a longer word, or in one conversation.";
            return Err(Refusal::new(Code::QueryTooBroad, broad));
        }
        Err(SearchError::Store(error)) => return context.read(Err(error)),
    };
    Ok(Given { stale: fresh.is_err(), ..Answer::Found { messages, more }.into() })
}
