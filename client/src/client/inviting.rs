//! The code by which somebody else comes in.

use std::collections::BTreeSet;

use wire::Address;
use wire::invite::{Grant, Invite};
use wire::message::ClusterStatus;

use super::Client;
use crate::ClientError;

impl Client {
    /// A code that lets a client on another machine in. Whoever can make one holds no more than what is in it.
    pub async fn invite(&self) -> Result<String, ClientError> {
        let addresses = self.addresses_to_give().await?;
        let cluster = self.shared.profile.cluster();
        let grant = Grant::Client(cluster.secret.clone());
        Ok(Invite { cluster: cluster.id, addresses, grant }.to_string())
    }

    /// Where nodes listen now. Another machine cannot use an address of this machine only, so those are left out
    /// unless there is nothing else.
    pub async fn addresses_to_give(&self) -> Result<Vec<Address>, ClientError> {
        let ClusterStatus { nodes, .. } = self.cluster_status().await?;
        let all: BTreeSet<Address> = nodes.into_iter().flat_map(|node| node.addresses).collect();
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|address| address.socket().is_some_and(|socket| socket.ip().is_loopback()));
        Ok(if elsewhere.is_empty() { here } else { elsewhere })
    }
}
