//! What a power cut left of a client's profile.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use client::{Access, Client, Config};
use wire::PeerId;
use wire::transport::memory::Network;

use crate::checks::Known;
use crate::processes::account;

/// Opens what is left of a person's profile, and checks that every message that was kept is still to be sent, unless it is stored.
pub(crate) async fn check(
    person: u32,
    dir: &Path,
    known: &Known,
    secret: &str,
    stored: &BTreeSet<String>,
) -> Result<(), String> {
    let name = account(person);
    let mut config = Config::new(dir.to_owned(), dir.join("nowhere"));
    config.access = Access::from_secret(secret).map_err(|error| error.to_string())?;
    config.transport = Some(Network::without_discovery().join(PeerId([1; 32])));
    config.deadline = Duration::from_millis(1);
    let client = Client::open(config).map_err(|error| format!("the profile of {name} does not open: {error}"))?;
    if !known.accounts.contains(&name) {
        return Ok(());
    }
    client.resume(&name).await.map_err(|error| format!("{name} is not logged in any more: {error}"))?;
    let pending = client.pending().await.map_err(|error| format!("the outbox of {name} cannot be read: {error}"))?;
    let pending: BTreeSet<_> = pending.iter().filter_map(|message| crate::processes::name_in(&message.text)).collect();
    let own = format!("{person}.");
    let lost = known.kept.iter().filter(|message| message.starts_with(&own));
    match lost.into_iter().find(|message| !pending.contains(*message) && !stored.contains(*message)) {
        Some(message) => Err(format!("message {message} of {name} was kept, and is neither in the outbox nor stored")),
        None => Ok(()),
    }
}
