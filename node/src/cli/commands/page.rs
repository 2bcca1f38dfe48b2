//! What several commands need: pages of a conversation, and a question to a person.

use std::io::Write;

use client::{Client, ConversationInfo, Cursor, MessageInfo, Page, To};

use crate::cli::context::Context;
use crate::cli::exit::CliError;

/// How much is asked for at once. A node may answer with less, and says whether there is more.
pub(super) const ITEMS_A_PAGE: u32 = 200;

/// Which messages of a conversation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range {
    pub(super) before: Option<Cursor>,
    pub(super) after: Option<Cursor>,
    /// None: all. With `after` the first ones, else the last ones.
    pub(super) limit: Option<u32>,
}

/// Messages, oldest first, and whether one node alone told them.
pub(super) struct Listed {
    pub(super) conversation: Option<ConversationInfo>,
    pub(super) messages: Vec<MessageInfo>,
    pub(super) stale: bool,
}

/// The messages of the range. Those of a range without a limit are all held in memory, as are its pages.
pub(super) async fn messages(client: &Client, with: &str, range: Range) -> Result<Listed, CliError> {
    match (range.limit, range.after) {
        (Some(limit), None) => last(client, with, range.before, limit).await,
        (limit, after) => first(client, with, after.unwrap_or(Cursor::START), range.before, limit).await,
    }
}

/// From `after` on, towards the present.
async fn first(
    client: &Client,
    with: &str,
    mut after: Cursor,
    before: Option<Cursor>,
    limit: Option<u32>,
) -> Result<Listed, CliError> {
    let mut listed = Listed { conversation: None, messages: Vec::new(), stale: false };
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    loop {
        let (conversation, Page { items, more, stale }) =
            client.messages(To::Name(with.into()), None, Some(after), ITEMS_A_PAGE).await?;
        listed.conversation = conversation;
        listed.stale |= stale;
        let last = items.last().map(|message| message.cursor);
        let wanted = items.into_iter().take_while(|message| before.is_none_or(|before| message.cursor < before));
        listed.messages.extend(wanted.take(limit - listed.messages.len()));
        match last {
            Some(last) if more && listed.messages.len() < limit && before.is_none_or(|before| last < before) => {
                after = last;
            }
            _ => return Ok(listed),
        }
    }
}

/// From `before` on, towards the past.
async fn last(client: &Client, with: &str, mut before: Option<Cursor>, limit: u32) -> Result<Listed, CliError> {
    let mut listed = Listed { conversation: None, messages: Vec::new(), stale: false };
    let mut left = limit;
    loop {
        let (conversation, Page { mut items, more, stale }) =
            client.messages(To::Name(with.into()), before, None, left.min(ITEMS_A_PAGE)).await?;
        listed.conversation = conversation;
        listed.stale |= stale;
        left = left.saturating_sub(u32::try_from(items.len()).unwrap_or(u32::MAX));
        before = items.first().map(|message| message.cursor);
        items.append(&mut listed.messages);
        listed.messages = items;
        if !more || left == 0 || before.is_none() {
            return Ok(listed);
        }
    }
}

/// Says so where what was shown is from one node that could not ask the others, or is behind them.
pub(super) fn note_if_stale(stale: bool, context: &Context) {
    if stale {
        context
            .output
            .note("This may be stale: the node that told it cannot reach a majority now, or is still behind it.");
    }
}

/// Asks a person at a terminal; anything but `y` or `yes` is a no.
pub(in crate::cli) async fn ask(question: String) -> Result<bool, CliError> {
    let answer = tokio::task::spawn_blocking(move || {
        let mut stderr = std::io::stderr();
        write!(stderr, "{question}").and_then(|()| stderr.flush())?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let answer = answer.await.map_err(|_| CliError::Interrupted)??;
    Ok(matches!(answer.trim(), "y" | "yes"))
}
