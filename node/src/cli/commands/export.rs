//! `export`: everything that was said, for keeping.

use client::{AccountId, Client, Cursor, To};

use crate::cli::context::Context;
use crate::cli::exit::CliError;

use super::page;

/// Writes as it reads, so that no history is too long. What arrives meanwhile is written too, if its conversation's turn is still to
/// come.
pub(in crate::cli) async fn run(with: Option<String>, context: &mut Context) -> Result<(), CliError> {
    let (client, account) = context.log_in().await?;
    let mut stale = false;
    match with {
        Some(name) => stale |= conversation(&client, To::Name(name), account.id, context).await?,
        None => {
            let all = client.all_conversations().await?;
            stale |= all.stale;
            for one in all.items {
                stale |= conversation(&client, To::Account(one.with.id), account.id, context).await?;
            }
        }
    }
    page::note_if_stale(stale, context);
    Ok(())
}

/// Whether one node alone told it.
async fn conversation(client: &Client, with: To, viewer: AccountId, context: &mut Context) -> Result<bool, CliError> {
    let mut after = Cursor::START;
    let mut stale = false;
    loop {
        let (_, page) = client.messages(with.clone(), None, Some(after), page::ITEMS_A_PAGE).await?;
        stale |= page.stale;
        for message in &page.items {
            after = message.cursor;
            context.output.message(message, viewer)?;
        }
        if !page.more || page.items.is_empty() {
            return Ok(stale);
        }
    }
}
