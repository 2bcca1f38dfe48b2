//! Looking for messages by their words.

use std::sync::Arc;
use std::time::Duration;

use chat::Cursor;
use tokio::time::timeout;
use wire::blocking::beside_the_runtime;
use wire::message::{Answer, To};
use wire::{Code, Refusal};

use super::answer::Given;
use super::connection::Connection;
use super::reads::{is_stale, other_side, page_limit};
use super::{refusal, session};
use crate::app::{Query, SearchError};

/// The longest query, in bytes.
const QUERY_SIZE_MAX_BYTES: usize = 1024;

/// How long a search waits for its turn.
const TURN_WITHIN: Duration = Duration::from_millis(1_500);

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
    let stale = is_stale(connection).await;
    let turn = timeout(TURN_WITHIN, Arc::clone(&context.searching).acquire_owned()).await;
    let crowded = |_| Refusal::new(Code::Busy, "Too many people search at once; try again in a moment.");
    let turn = turn.map_err(crowded)?;
    let account = session::current(connection)?.account;
    let other = with.map(|with| other_side(connection, with)).transpose()?.map(|other| other.id);
    let app = Arc::clone(&context.app);
    let looking = beside_the_runtime(move || {
        // It goes on though the client is gone, and is counted for as long.
        let _turn = turn;
        app.search(account, &query, other, before, page_limit(limit))
    });
    let (messages, more) = match looking.await.map_err(|_| refusal::internal())? {
        Ok(found) => found,
        Err(SearchError::TooBroad) => {
            let broad = "This is in too many places; look for a longer word, or in one conversation.";
            return Err(Refusal::new(Code::QueryTooBroad, broad));
        }
        Err(SearchError::NotIndexed) => {
            // Nothing to be tried again at once: each time costs as much.
            let later =
                "This node is still making its index of words; look in one conversation, or try again in a while.";
            return Err(Refusal::new(Code::QueryTooBroad, later));
        }
        Err(SearchError::Store(error)) => return context.read(Err(error)),
    };
    Ok(Given { stale, ..Answer::Found { messages, more }.into() })
}
