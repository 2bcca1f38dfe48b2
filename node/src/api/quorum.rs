//! What the API asks of the cluster, as a trait: [`net::Cluster`](crate::net::Cluster) in a node, and
//! in tests a twin that applies at once.

use std::fmt;
use std::time::Duration;

use chat::{Cursor, Replica};
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::watch;
use wire::Refusal;
use wire::message::{ClusterHealth, ClusterStatus, NodeDigest};

use crate::app::{AppReply, Entry};
use crate::net::Cluster;

/// The nodes together. Every call ends within a few seconds, with a refusal if need be.
pub trait Quorum: Send + Sync + fmt::Debug + 'static {
    /// This node, as sessions that listen here name it.
    fn here(&self) -> Replica;

    /// Puts the entry into the log and returns its place and its reply, once a majority has it on disk.
    /// `Timeout` means that it may or may not have happened.
    ///
    /// Entries enter the log in the order in which these futures are first polled, as long as the
    /// leader stays; callers that depend on more than that check the reply.
    fn propose(&self, entry: Entry) -> BoxFuture<'_, Result<(Cursor, AppReply), Refusal>>;

    /// Returns once this node has applied everything that was committed before the call.
    fn read_barrier(&self, within: Duration) -> BoxFuture<'_, Result<Cursor, Refusal>>;

    /// Every node, as far as it answers.
    fn status(&self) -> BoxFuture<'_, ClusterStatus>;

    /// What clients are told, at each change.
    fn health(&self) -> watch::Receiver<ClusterHealth>;

    /// A digest of the state at one index, from every node.
    fn check(&self) -> BoxFuture<'_, Result<(Cursor, Vec<NodeDigest>), Refusal>>;

    /// Removes the node of that name for good.
    fn remove_node<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Refusal>>;

    /// Hands leadership to the node of that name, or to whoever is most up to date.
    fn transfer_leader<'a>(&'a self, to: Option<&'a str>) -> BoxFuture<'a, Result<(), Refusal>>;
}

impl Quorum for Cluster {
    fn here(&self) -> Replica {
        Replica(self.me().0)
    }

    fn propose(&self, entry: Entry) -> BoxFuture<'_, Result<(Cursor, AppReply), Refusal>> {
        Self::propose(self, entry).boxed()
    }

    fn read_barrier(&self, within: Duration) -> BoxFuture<'_, Result<Cursor, Refusal>> {
        Self::read_barrier(self, within).boxed()
    }

    fn status(&self) -> BoxFuture<'_, ClusterStatus> {
        Self::status(self).boxed()
    }

    fn health(&self) -> watch::Receiver<ClusterHealth> {
        Self::health(self)
    }

    fn check(&self) -> BoxFuture<'_, Result<(Cursor, Vec<NodeDigest>), Refusal>> {
        Self::check(self).boxed()
    }

    fn remove_node<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Refusal>> {
        Self::remove_node(self, name).boxed()
    }

    fn transfer_leader<'a>(&'a self, to: Option<&'a str>) -> BoxFuture<'a, Result<(), Refusal>> {
        Self::transfer_leader(self, to).boxed()
    }
}
