//! `message follow`: the account's messages as they are stored, each once, over every failover.

use client::{AccountInfo, Client, Code, Cursor, FollowFrom, LinkState, MessageInfo, Update};
use tokio::time::Instant;

use crate::cli::args::FollowArgs;
use crate::cli::context::Context;
use crate::cli::exit::CliError;
use crate::config::Origin;

use super::page::{self, Range};

pub(super) async fn run(args: &FollowArgs, context: &mut Context) -> Result<(), CliError> {
    // A time given with the command is how long to follow; one of the settings is how long a request may take.
    let timeout = &context.settings.timeout;
    let end = (timeout.origin == Origin::Flag).then(|| Instant::now() + timeout.value);
    let (client, account) = context.log_in().await?;
    let from = start(args, &client).await?;
    let mut updates = client.updates();
    context.listen(&client);
    client.follow(from).await?;
    let mut view = View { args, account, caught_up: false, shown: 0 };
    loop {
        let update = tokio::select! {
            update = updates.next() => update,
            () = reached(end) => return timed_out(&client),
        };
        let Some(update) = update else { return Ok(()) };
        view.take(update, context)?;
        if view.is_done() {
            return Ok(());
        }
    }
}

/// What this command shows of the feed.
struct View<'a> {
    args: &'a FollowArgs,
    account: AccountInfo,
    caught_up: bool,
    shown: u64,
}

impl View<'_> {
    fn take(&mut self, update: Update, context: &mut Context) -> Result<(), CliError> {
        match update {
            Update::Message(message) if self.wants(&message) => {
                self.shown += 1;
                context.output.message(&message, self.account.id)
            }
            Update::CaughtUp { .. } => {
                self.caught_up = true;
                Ok(())
            }
            Update::SessionEnded { refusal } => Err(CliError::Refused(refusal)),
            _ => Ok(()),
        }
    }

    fn wants(&self, message: &MessageInfo) -> bool {
        let other = if message.from.id == self.account.id { &message.to } else { &message.from };
        let same = |name: &str| chat::NameKey::fold(name) == chat::NameKey::fold(&other.name);
        self.args.with.as_deref().is_none_or(same)
    }

    fn is_done(&self) -> bool {
        self.args.once && self.caught_up && self.shown > 0
    }
}

async fn start(args: &FollowArgs, client: &Client) -> Result<FollowFrom, CliError> {
    match (args.since, args.tail) {
        (Some(since), _) => Ok(FollowFrom::After(Cursor(since))),
        (None, Some(count)) if count > 0 => tail(client, args.with.as_deref(), count).await.map(FollowFrom::After),
        (None, _) => Ok(FollowFrom::Now),
    }
}

/// The place before the last `count` messages. The feed itself then shows them, so that none is
/// missing or there twice.
async fn tail(client: &Client, with: Option<&str>, count: u32) -> Result<Cursor, CliError> {
    let names = match with {
        Some(name) => vec![name.to_owned()],
        None => client.conversations().await?.items.into_iter().map(|conversation| conversation.with.name).collect(),
    };
    let mut places = Vec::new();
    for name in names {
        let last = page::messages(client, &name, Range { limit: Some(count), ..Range::default() }).await?;
        places.extend(last.messages.iter().map(|message| message.cursor));
    }
    places.sort_unstable();
    let first = places.len().saturating_sub(count as usize);
    Ok(places.get(first).map_or(Cursor::START, |place| Cursor(place.0.saturating_sub(1))))
}

async fn reached(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// The time to follow is over. That is no failure, unless nobody could be reached all along.
fn timed_out(client: &Client) -> Result<(), CliError> {
    match &*client.link().borrow() {
        LinkState::Live { .. } => Ok(()),
        LinkState::Searching { .. } => Err(CliError::refused(Code::NoNode, "No node can be reached.")),
    }
}
