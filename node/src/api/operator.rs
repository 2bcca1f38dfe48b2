//! The cluster itself: how it is, for anyone; and what only an operator may change about it.

use wire::message::Answer;
use wire::{Code, Refusal};

use super::answer::Given;
use super::connection::Connection;

pub(super) async fn status(connection: &Connection) -> Given {
    Answer::ClusterStatus(connection.context.quorum.status().await).into()
}

pub(super) async fn check(connection: &Connection) -> Result<Given, Refusal> {
    let busy = |_| Refusal::retry_after(Code::Busy, "The cluster is being checked already; try again.", 1_000);
    let _checking = connection.context.checking.try_lock().map_err(busy)?;
    let (index, digests) = connection.context.quorum.check().await?;
    Ok(Answer::ClusterCheck { index, digests }.into())
}

pub(super) async fn remove_node(connection: &Connection, name: &str) -> Result<Given, Refusal> {
    operators_only(connection)?;
    connection.context.quorum.remove_node(name).await?;
    Ok(Answer::Done.into())
}

pub(super) async fn transfer_leader(connection: &Connection, to: Option<&str>) -> Result<Given, Refusal> {
    operators_only(connection)?;
    connection.context.quorum.transfer_leader(to).await?;
    Ok(Answer::Done.into())
}

fn operators_only(connection: &Connection) -> Result<(), Refusal> {
    if connection.operator {
        return Ok(());
    }
    Err(Refusal::new(
        Code::Forbidden,
        "Only an operator may do this: run it on a machine that holds the cluster secret.",
    ))
}
