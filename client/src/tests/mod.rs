//! The promises of the client, kept against nodes whose faults the test chooses.

mod finding;
mod following;
mod sending;

use tempfile::TempDir;

use crate::Client;
use crate::testing::Cluster;

/// A client with an account of this name, in a profile of its own.
async fn person(cluster: &Cluster, name: &str) -> (Client, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let client = cluster.client(&folder);
    client.create_account(name, "a password").await.expect("an account");
    (client, folder)
}
