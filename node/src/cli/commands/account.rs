//! `account create`, `account delete`, `account list`.

use client::{Client, Page};

use crate::cli::args::AccountCommand;
use crate::cli::context::Context;
use crate::cli::exit::CliError;
use crate::cli::print::Deleted;
use crate::cli::safe;

use super::page::{self, ITEMS_A_PAGE};

pub(in crate::cli) async fn run(command: AccountCommand, context: &mut Context) -> Result<(), CliError> {
    match command {
        AccountCommand::Create { name } => create(&name, context).await,
        AccountCommand::Delete { yes } => delete(yes, context).await,
        AccountCommand::List { pattern, limit, after } => list(pattern, limit, after, context).await,
    }
}

async fn create(name: &str, context: &mut Context) -> Result<(), CliError> {
    let password = context.passwords.choose(name).await?;
    let login = context.client().await?.create_account(name, &password).await?;
    context.output.account(&login.account)
}

async fn delete(yes: bool, context: &mut Context) -> Result<(), CliError> {
    if !yes && !context.can_ask() {
        return Err(CliError::Usage("Deleting an account cannot be undone: say --yes.".into()));
    }
    let (client, account) = context.log_in().await?;
    if !yes {
        confirm(&client, &account.name).await?;
    }
    let returned = client.delete_account().await?;
    let words = format!(
        "{} was deleted; never received, and sent back: {}.",
        safe::line(&account.name),
        count(returned, "message")
    );
    context.output.row("deleted", Deleted { name: &account.name, returned }, &words)
}

async fn confirm(client: &Client, name: &str) -> Result<(), CliError> {
    let (undelivered, senders) = client.deletion_preview().await?;
    let question = format!("Delete {}? {} (y/N) ", safe::line(name), preview_words(undelivered, senders));
    if page::ask(question).await? { Ok(()) } else { Err(CliError::Usage("Nothing was deleted.".into())) }
}

/// What deleting would do, as a sentence.
pub(in crate::cli) fn preview_words(undelivered: u64, senders: u64) -> String {
    match undelivered {
        0 => "Everything sent to it has been received.".into(),
        _ => {
            let (messages, senders) = (count(undelivered, "message"), count(senders, "sender"));
            format!("Not received, and going back: {messages} of {senders}.")
        }
    }
}

fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

async fn list(
    pattern: Option<String>,
    limit: Option<u32>,
    mut after: Option<String>,
    context: &mut Context,
) -> Result<(), CliError> {
    let client = context.client().await?;
    let mut left = limit.unwrap_or(u32::MAX);
    loop {
        let asked = client.accounts(pattern.clone(), after.take(), left.min(ITEMS_A_PAGE));
        let Page { items, more, stale } = asked.await?;
        for account in &items {
            context.output.account(account)?;
        }
        left = left.saturating_sub(u32::try_from(items.len()).unwrap_or(u32::MAX));
        after = items.into_iter().next_back().map(|account| account.name);
        if !more || left == 0 || after.is_none() {
            page::note_if_stale(stale, context);
            return Ok(());
        }
    }
}
