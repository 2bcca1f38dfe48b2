//! Who is around, before any cluster is joined: for a person who is to choose. Nothing that is seen here is trusted.

use std::path::Path;
use std::sync::Arc;

use wire::transport::libp2p::{Config, Libp2p, Limits};
use wire::{Address, Code, PeerId, Transport};

use crate::{Access, ClientError, find, login};

/// A node that left word of itself on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeHere {
    pub name: String,
    pub peer: PeerId,
    pub addresses: Vec<Address>,
}

/// The nodes of the cluster of this access that left word of themselves in the runtime folder. One that was killed left its word as well.
pub fn nodes_here(runtime_dir: &Path, access: &Access) -> Vec<NodeHere> {
    let Some(cluster) = access.cluster() else { return Vec::new() };
    let nodes = find::nodes_of_this_machine(runtime_dir, cluster);
    nodes.into_iter().map(|node| NodeHere { name: node.name, peer: node.peer, addresses: node.addresses }).collect()
}

/// Listens to who says on the network, by mDNS, that it is a node. Which cluster it is of, a stranger is not told. Ends when dropped.
pub struct Scout {
    transport: Arc<Libp2p>,
}

impl Scout {
    /// Begins, under a name that is thrown away. Within a Tokio runtime.
    pub async fn begin() -> Result<Self, ClientError> {
        let config = Config {
            seed: login::fresh(),
            listen: Vec::new(),
            port_first: None,
            mdns: true,
            limits: Limits::default(),
        };
        let begun = Libp2p::start(config).await;
        let transport = begun.map_err(|error| ClientError::new(Code::NoNode, format!("No network: {error}.")))?;
        Ok(Self { transport })
    }

    /// Whoever was seen up to now.
    pub fn seen(&self) -> Vec<(PeerId, Vec<Address>)> {
        let seen = self.transport.discovered().borrow().clone();
        seen.into_iter().filter(|(_, addresses)| !addresses.is_empty()).collect()
    }
}

impl std::fmt::Debug for Scout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scout").finish_non_exhaustive()
    }
}
