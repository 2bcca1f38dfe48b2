//! From the first start to a chat that is joined.

use client::{Access, Code};

use crate::api::lock;
use crate::requests::{Join, Nothing};
use crate::types::{Invited, Place, Start};
use crate::{Api, Refusal, own_node};

/// The longest code or secret that is read, in bytes.
const CODE_SIZE_MAX_BYTES: usize = 8 * 1024;

pub(crate) async fn start(api: &Api, _: Nothing) -> Result<Start, Refusal> {
    let joined = api.is_joined()?;
    let accounts = if joined { api.client()?.kept_accounts().await? } else { Vec::new() };
    Ok(Start { joined, accounts, version: env!("CARGO_PKG_VERSION").into(), link: api.link(), signed_in: api.login() })
}

pub(crate) async fn places(api: &Api, _: Nothing) -> Result<Vec<Place>, Refusal> {
    Ok(api.inner().places.all().await)
}

pub(crate) async fn join(api: &Api, Join { code }: Join) -> Result<(), Refusal> {
    if code.len() > CODE_SIZE_MAX_BYTES {
        return Err(Refusal::new(Code::CodeInvalid, "No code is so long; copy it again."));
    }
    let code = code.trim();
    let access = if code.to_ascii_lowercase().starts_with("five9s-secret-") {
        Access::from_secret(code)?
    } else {
        Access::from_code(code)?
    };
    let _one = api.inner().joining.lock().await;
    enter(api, access, false).await
}

pub(crate) async fn join_local(api: &Api, _: Nothing) -> Result<(), Refusal> {
    let _one = api.inner().joining.lock().await;
    let access = api.inner().places.access()?;
    enter(api, access, false).await
}

pub(crate) async fn start_here(api: &Api, _: Nothing) -> Result<(), Refusal> {
    let _one = api.inner().joining.lock().await;
    own_node::run(api.inner()).await?;
    let is_own = lock(&api.inner().own_node).is_some();
    let access = api.inner().places.access()?;
    enter(api, access, is_own).await
}

pub(crate) async fn invite(api: &Api, _: Nothing) -> Result<Invited, Refusal> {
    Ok(Invited { code: api.client()?.invite().await? })
}

/// `own_node`: the app runs a node for this chat. One that it ran for another is told to stop.
async fn enter(api: &Api, access: Access, own_node: bool) -> Result<(), Refusal> {
    api.enter(access)?;
    api.inner().places.end().await;
    api.keep(|kept| kept.own_node = own_node).await?;
    if !own_node {
        let node = lock(&api.inner().own_node).take();
        drop(node);
    }
    Ok(())
}
