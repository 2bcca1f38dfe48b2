//! Who one is, and who else there is.

use crate::requests::{AccountsPage, Credentials, Named, Nothing};
use crate::types::{Account, Deleted, DeletionPreview, Login, Page};
use crate::{Api, Refusal};

/// The longest password, in bytes.
const PASSWORD_SIZE_MAX_BYTES: usize = 1_024;

pub(crate) async fn create_account(api: &Api, Credentials { name, password }: Credentials) -> Result<Login, Refusal> {
    check(&password)?;
    let client = api.client()?;
    let login = client.create_account(&name, &password).await?;
    api.signed_in(&client, login).await
}

pub(crate) async fn log_in(api: &Api, Credentials { name, password }: Credentials) -> Result<Login, Refusal> {
    check(&password)?;
    let client = api.client()?;
    let login = client.log_in(&name, &password).await?;
    api.signed_in(&client, login).await
}

pub(crate) async fn resume(api: &Api, Named { name }: Named) -> Result<Login, Refusal> {
    let client = api.client()?;
    let login = client.resume(&name).await?;
    api.signed_in(&client, login).await
}

pub(crate) async fn log_out(api: &Api, _: Nothing) -> Result<(), Refusal> {
    api.client()?.log_out().await?;
    api.signed_out();
    Ok(())
}

pub(crate) async fn deletion_preview(api: &Api, _: Nothing) -> Result<DeletionPreview, Refusal> {
    let (undelivered, senders) = api.client()?.deletion_preview().await?;
    Ok(DeletionPreview { undelivered, senders })
}

pub(crate) async fn delete_account(api: &Api, _: Nothing) -> Result<Deleted, Refusal> {
    let returned = api.client()?.delete_account().await?;
    api.signed_out();
    Ok(Deleted { returned })
}

pub(crate) async fn accounts(api: &Api, request: AccountsPage) -> Result<Page<Account>, Refusal> {
    let AccountsPage { prefix, after, limit } = request;
    // No name has a wildcard in it, so neither has the beginning of one.
    if prefix.as_ref().is_some_and(|prefix| prefix.contains(['*', '?'])) {
        return Ok(Page { items: Vec::new(), more: false, stale: false });
    }
    let pattern = prefix.filter(|prefix| !prefix.is_empty()).map(|prefix| format!("{prefix}*"));
    Ok(api.client()?.accounts(pattern, after, limit).await?.into())
}

fn check(password: &str) -> Result<(), Refusal> {
    if password.len() <= PASSWORD_SIZE_MAX_BYTES {
        return Ok(());
    }
    Err(Refusal::malformed(format!("A password has at most {PASSWORD_SIZE_MAX_BYTES} bytes.")))
}
