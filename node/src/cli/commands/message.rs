//! `message send`, `message list`, `message follow`, `message read`.

use client::{Code, Cursor};

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
