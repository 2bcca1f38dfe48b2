//! The conversation: `node --cli` without a command, on a terminal or with the same lines on a pipe.
//!
//! It keeps the original's grammar ([`grammar`]) and words ([`words`]). A person comes in by way of
//! the [`Entrance`] and, once logged in, is in the [`Room`]; each is a state with its own commands.

mod console;
mod entrance;
mod grammar;
mod reading;
mod room;
mod terminal;
mod words;

use client::Client;

use super::context::Context;
use super::exit::CliError;
use console::{Console, Tone};
use entrance::{Entered, Entrance};
use room::Room;

pub use grammar::{Choice, Said, Username};

/// How many accounts are asked for at once.
const ACCOUNTS_A_PAGE: u32 = 200;

/// Talks until the person leaves.
pub(super) async fn run(context: &mut Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let mut console = Console::open();
    match Entrance::new(&client, &mut console).pass().await? {
        Entered::LoggedIn(account) => {
            context.listen(&client);
            Room::new(client, account, console, context.settings.timeout.value).stay().await
        }
        Entered::Left => console.say(Tone::Plain, words::EXITING),
    }
}

/// Shows the accounts, page by page.
async fn list_accounts(client: &Client, console: &mut Console) -> Result<(), CliError> {
    let mut after = None;
    let mut page = client.accounts(None, None, ACCOUNTS_A_PAGE).await?;
    console.say(Tone::Plain, words::ACCOUNTS)?;
    loop {
        for account in &page.items {
            console.say(Tone::Plain, &words::account(&account.name, account.active))?;
        }
        let last = page.items.pop().map(|account| account.name);
        if !page.more || last.is_none() || last == after {
            return Ok(());
        }
        after.clone_from(&last);
        page = client.accounts(None, last, ACCOUNTS_A_PAGE).await?;
    }
}
