//! Which chats could be joined: the one of this computer's nodes, and whatever says on the network that it is a node.

use std::collections::BTreeSet;
use std::time::Duration;

use client::{Access, Address, Code, NodeHere, Paths, Scout, nodes_here};
use futures::future::join_all;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::types::{Place, PlaceKind};
use crate::{Refusal, Setup};

/// How long a node of this computer may take to answer. A file of one that was killed stays behind, and is no node.
const KNOCK_MAX: Duration = Duration::from_millis(300);

/// How many nodes of a place are named.
const NODES_NAMED_MAX: usize = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct Places {
    paths: Paths,
    mdns: bool,
    /// Begun by the first who asks, ended once a chat is joined.
    scout: Mutex<Option<Scout>>,
}

impl Places {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self { paths: setup.paths.clone(), mdns: setup.mdns, scout: Mutex::default() }
    }

    /// All of them, this computer's first.
    pub(crate) async fn all(&self) -> Vec<Place> {
        let here = self.nodes_here().await;
        let names: Vec<String> = here.iter().map(|node| node.name.clone()).collect();
        let network = self.on_the_network(&here).await;
        let this_computer = names.first().cloned().map(|first| Place {
            kind: PlaceKind::ThisComputer,
            name: host_name().unwrap_or(first),
            nodes: names,
        });
        this_computer.into_iter().chain(network).collect()
    }

    /// The nodes of this user's own cluster that run here and answer.
    pub(crate) async fn nodes_here(&self) -> Vec<NodeHere> {
        let Ok(access) = self.access() else { return Vec::new() };
        let nodes = nodes_here(self.paths.runtime_dir(), &access);
        let answering = nodes.into_iter().map(|node| async { answers(&node.addresses).await.then_some(node) });
        join_all(answering).await.into_iter().flatten().collect()
    }

    /// What lets this user into the chat of this computer's nodes.
    pub(crate) fn access(&self) -> Result<Access, Refusal> {
        let nobody = || Refusal::new(Code::NotAMember, "No node of yours has ever run on this computer.");
        Access::of_user(&self.paths)?.ok_or_else(nobody)
    }

    /// Nobody looks around any more.
    pub(crate) async fn end(&self) {
        *self.scout.lock().await = None;
    }

    /// A stranger cannot tell which cluster a node is of, so whatever is seen is one place.
    async fn on_the_network(&self, here: &[NodeHere]) -> Option<Place> {
        if !self.mdns {
            return None;
        }
        let mut scout = self.scout.lock().await;
        if scout.is_none() {
            match Scout::begin().await {
                Ok(begun) => *scout = Some(begun),
                Err(error) => tracing::debug!(%error, "nobody can be seen on the network"),
            }
        }
        let seen = scout.as_ref().map(Scout::seen).unwrap_or_default();
        let elsewhere = seen.into_iter().filter(|(peer, _)| here.iter().all(|node| node.peer != *peer));
        let hosts: BTreeSet<String> = elsewhere.filter_map(|(_, addresses)| host_of(&addresses)).collect();
        let nodes: Vec<String> = hosts.into_iter().take(NODES_NAMED_MAX).collect();
        nodes.first().cloned().map(|name| Place { kind: PlaceKind::Network, name, nodes })
    }
}

/// Where others can reach a node: an address that is not of the node's own machine, if it has one.
fn host_of(addresses: &[Address]) -> Option<String> {
    let sockets = || addresses.iter().filter_map(Address::socket);
    let elsewhere = sockets().find(|socket| socket.is_ipv4() && !socket.ip().is_loopback());
    elsewhere.or_else(|| sockets().next()).map(|socket| socket.to_string())
}

async fn answers(addresses: &[Address]) -> bool {
    let sockets = addresses.iter().filter_map(Address::socket);
    let knocks =
        sockets.map(|socket| async move { matches!(timeout(KNOCK_MAX, TcpStream::connect(socket)).await, Ok(Ok(_))) });
    join_all(knocks).await.contains(&true)
}

fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/etc/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_called_by_where_others_reach_it() {
        let address = |text: &str| text.parse().expect("an address");
        let all = [address("127.0.0.1:12340"), address("[fe80::1]:12340"), address("192.0.2.7:12340")];
        assert_eq!(host_of(&all).as_deref(), Some("192.0.2.7:12340"));
        assert_eq!(host_of(&all[..1]).as_deref(), Some("127.0.0.1:12340"));
        assert_eq!(host_of(&[]), None);
    }
}
