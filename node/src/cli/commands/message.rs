//! `message send`, `message list`, `message follow`, `message search`, `message read`.

use client::{Code, Cursor, To};

use crate::cli::args::MessageCommand;
use crate::cli::context::Context;
use crate::cli::exit::CliError;
use crate::cli::print::ReadUpTo;
use crate::cli::safe;

use super::page::{self, Range};
use super::{follow, send};

pub(in crate::cli) async fn run(command: MessageCommand, context: &mut Context) -> Result<(), CliError> {
    match command {
        MessageCommand::Send(args) => send::run(args, context).await,
        MessageCommand::Follow(args) => follow::run(&args, context).await,
        MessageCommand::Search { query, with, limit } => search(&query, with, limit, context).await,
        MessageCommand::Read { name, up_to } => read(&name, up_to.map(Cursor), context).await,
        MessageCommand::List { name, limit, before, after } => {
            list(&name, Range { before: before.map(Cursor), after: after.map(Cursor), limit }, context).await
        }
    }
}

async fn list(name: &str, range: Range, context: &mut Context) -> Result<(), CliError> {
    let (client, account) = context.log_in().await?;
    let listed = page::messages(&client, name, range).await?;
    for message in &listed.messages {
        context.output.message(message, account.id)?;
    }
    page::note_if_stale(listed.stale, context);
    Ok(())
}

/// The latest that match, in the order in which they were stored.
async fn search(query: &str, with: Option<String>, limit: u32, context: &mut Context) -> Result<(), CliError> {
    let (client, account) = context.log_in().await?;
    let with = with.map(To::Name);
    let mut found = Vec::new();
    let mut before = None;
    let (mut left, mut stale, mut more) = (limit, false, true);
    while more && left > 0 {
        let asked = client.search(query, with.clone(), before, left.min(page::ITEMS_A_PAGE)).await;
        let page = match asked {
            // What was found is right; only older ones were not looked for.
            Err(error) if error.code() == Code::QueryTooBroad && !found.is_empty() => break,
            asked => asked?,
        };
        left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
        stale |= page.stale;
        more = page.more;
        found.extend(page.items);
        before = found.last().map(|message| message.cursor);
    }
    for message in found.iter().rev() {
        context.output.message(message, account.id)?;
    }
    if more {
        context.output.note(&format!("There may be more; these are the latest {}.", found.len()));
    }
    page::note_if_stale(stale, context);
    Ok(())
}

async fn read(name: &str, up_to: Option<Cursor>, context: &mut Context) -> Result<(), CliError> {
    let (client, _) = context.log_in().await?;
    let newest = page::messages(&client, name, Range { limit: Some(1), ..Range::default() }).await?;
    let (Some(conversation), Some(newest)) = (newest.conversation, newest.messages.last()) else {
        let sentence = format!("There are no messages with {name} yet.");
        return Err(CliError::refused(Code::NoSuchConversation, sentence));
    };
    let up_to = up_to.map_or(newest.cursor, |up_to| up_to.min(newest.cursor));
    client.mark_read(conversation.id, up_to).await?;
    let words = format!("{}\tread up to {up_to}", safe::line(&conversation.with.name));
    context.output.row("read", ReadUpTo { conversation: &conversation.with.name, up_to: up_to.0 }, &words)
}
