//! The code by which somebody else comes in.

use std::collections::BTreeSet;
use std::time::Duration;

use wire::Address;
use wire::invite::{Grant, Invite};
use wire::message::ClusterStatus;

use super::Client;
use super::accounts::is_about_nodes;
use crate::{ClientError, find};

/// How long the nodes may take to say where they all are, where this machine has one whose addresses are known.
const STATUS_MAX: Duration = Duration::from_secs(2);

impl Client {
    /// A code that lets a client on another machine in. Whoever can make one holds no more than what is in it.
    pub async fn invite(&self) -> Result<String, ClientError> {
        let addresses = self.addresses_to_give().await?;
        let cluster = self.shared.profile.cluster();
        let grant = Grant::Client(cluster.secret.clone());
        Ok(Invite { cluster: cluster.id, addresses, grant }.to_string())
    }

    /// Where nodes listen now, also before the cluster is founded. Another machine cannot use an address of this machine only, so those are left out
    /// unless there is nothing else.
    pub async fn addresses_to_give(&self) -> Result<Vec<Address>, ClientError> {
        let cluster = self.shared.profile.cluster().id;
        let here = find::nodes_of_this_machine(&self.shared.runtime_dir, cluster);
        let mut all: BTreeSet<Address> = here.into_iter().flat_map(|node| node.addresses).collect();
        // A cluster that is not founded yet answers nothing, and it is with a code that its founders find each other.
        let patience = if all.is_empty() { self.deadline } else { self.deadline.min(STATUS_MAX) };
        match self.with_deadline(patience).cluster_status().await {
            Ok(ClusterStatus { nodes, .. }) => all.extend(nodes.into_iter().flat_map(|node| node.addresses)),
            Err(error) if !all.is_empty() && is_about_nodes(error.code()) => {}
            Err(error) => return Err(error),
        }
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|address| address.socket().is_some_and(|socket| socket.ip().is_loopback()));
        Ok(if elsewhere.is_empty() { here } else { elsewhere })
    }
}
