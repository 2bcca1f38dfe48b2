//! `cluster status`, `invite`, `remove`, `transfer`, `check`.

use std::collections::BTreeSet;

use client::{Code, NodeDigest};
use wire::invite::{Grant, Invite};
use wire::secret::ClusterSecret;

use crate::cli::args::{ClusterCommand, InviteFor};
use crate::cli::context::Context;
use crate::cli::exit::CliError;
use crate::cli::print::InviteCode;

use super::page;

pub(in crate::cli) async fn run(command: ClusterCommand, context: &mut Context) -> Result<(), CliError> {
    match command {
        ClusterCommand::Status => status(context).await,
        ClusterCommand::Invite { role } => invite(role, context).await,
        ClusterCommand::Remove { name, yes } => remove(&name, yes, context).await,
        ClusterCommand::Transfer { name } => Ok(context.operator().await?.transfer_leader(name.as_deref()).await?),
        ClusterCommand::Check => check(context).await,
    }
}

async fn status(context: &mut Context) -> Result<(), CliError> {
    let status = context.client().await?.cluster_status().await?;
    context.output.cluster_status(&status)
}

async fn invite(role: InviteFor, context: &mut Context) -> Result<(), CliError> {
    let secret = context.cluster_secret()?.ok_or_else(|| {
        let sentence =
            "Only whoever holds the cluster secret can invite: run this as the user that founded the cluster.";
        CliError::refused(Code::Forbidden, sentence)
    })?;
    let secret = ClusterSecret::parse(secret.trim())
        .map_err(|error| CliError::refused(Code::Damaged, format!("The cluster secret is damaged: {error}")))?;
    let addresses = context.operator().await?.addresses_to_give().await?;
    let node = secret.node_secret();
    let (word, grant) = match role {
        InviteFor::Node => ("node", Grant::Node(node)),
        InviteFor::Client => ("client", Grant::Client(node.client_secret())),
    };
    let code = Invite { cluster: secret.cluster_id(), addresses, grant }.to_string();
    context.output.row("invite", InviteCode { r#for: word, code: &code }, &code)
}

async fn remove(name: &str, yes: bool, context: &mut Context) -> Result<(), CliError> {
    if !yes && !context.can_ask() {
        return Err(CliError::Usage("A removed node cannot come back as what it was: say --yes.".into()));
    }
    let question = format!("Remove {name} from the cluster for good? (y/N) ");
    if !yes && !page::ask(question).await? {
        return Err(CliError::Usage("Nothing was removed.".into()));
    }
    Ok(context.operator().await?.remove_node(name).await?)
}

/// Differing digests are damage; a node that says nothing leaves the question open.
async fn check(context: &mut Context) -> Result<(), CliError> {
    let (index, nodes) = context.client().await?.cluster_check().await?;
    context.output.digests(index, &nodes)?;
    verdict(&nodes)
}

fn verdict(nodes: &[NodeDigest]) -> Result<(), CliError> {
    let digests: BTreeSet<[u8; 32]> = nodes.iter().filter_map(|node| node.digest).collect();
    if digests.len() > 1 {
        return Err(CliError::refused(Code::Damaged, "The nodes do not hold the same state."));
    }
    let silent: Vec<&str> = nodes.iter().filter(|node| node.digest.is_none()).map(|node| node.name.as_str()).collect();
    if silent.is_empty() {
        return Ok(());
    }
    let sentence = format!("Those that answered hold the same state; {} did not answer.", silent.join(", "));
    Err(CliError::refused(Code::Timeout, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(digests: &[Option<u8>]) -> Vec<NodeDigest> {
        let node = |digest: &Option<u8>| NodeDigest { name: "n".into(), digest: digest.map(|byte| [byte; 32]) };
        digests.iter().map(node).collect()
    }

    #[test]
    fn a_check_is_passed_only_by_all_nodes_with_the_same_state() {
        assert!(verdict(&nodes(&[Some(1), Some(1), Some(1)])).is_ok());
        assert_eq!(verdict(&nodes(&[Some(1), Some(1), None])).unwrap_err().exit_code(), 5);
        assert_eq!(verdict(&nodes(&[Some(1), Some(2), None])).unwrap_err().exit_code(), 6);
    }
}
