//! Looks at the cluster from a place of its own, as an operator does.

use std::path::Path;
use std::time::{Duration, Instant};

use client::{Access, Client, Config};
use tokio::runtime::Runtime;
use wire::message::{ClusterStatus, NodeDigest};

/// How long a look may take while things go wrong.
const GLANCE: Duration = Duration::from_secs(1);

/// How long it takes until it looks again.
const AGAIN: Duration = Duration::from_millis(50);

/// An operator at the last port of the network.
pub(crate) struct Watch {
    runtime: Runtime,
    client: Client,
}

impl Watch {
    pub(crate) fn begin(home: &Path, secret: &str) -> Result<Self, String> {
        let runtime = Runtime::new().map_err(|error| format!("there is no runtime: {error}"))?;
        let mut config = Config::new(home.join("operator"), home.join("nowhere"));
        config.access = Access::from_secret(secret).map_err(|error| error.to_string())?;
        config.deadline = Duration::from_secs(5);
        let client = runtime.block_on(async { Client::open(config) }).map_err(|error| error.to_string())?;
        Ok(Self { runtime, client })
    }

    /// None: nobody answers now.
    pub(crate) fn status(&self) -> Option<ClusterStatus> {
        self.runtime.block_on(self.client.with_deadline(GLANCE).cluster_status()).ok()
    }

    /// The name of whoever leads, as far as anybody knows.
    pub(crate) fn leader(&self) -> Option<String> {
        self.status()?.leader
    }

    /// Looks until the status is as wanted. None: it is not, within that time.
    pub(crate) fn until(&self, within: Duration, wanted: impl Fn(&ClusterStatus) -> bool) -> Option<ClusterStatus> {
        let began = Instant::now();
        while began.elapsed() < within {
            if let Some(status) = self.status().filter(&wanted) {
                return Some(status);
            }
            std::thread::sleep(AGAIN);
        }
        None
    }

    /// Has another node lead.
    pub(crate) fn hand_over(&self) {
        let client = self.client.clone();
        // Whether it can is the cluster's to say.
        self.runtime.spawn(async move { client.transfer_leader(None).await });
    }

    /// Removes a node, however long it takes until the cluster can.
    pub(crate) fn remove(&self, name: String, within: Duration) {
        let client = self.client.clone();
        self.runtime.spawn(async move {
            let began = Instant::now();
            while began.elapsed() < within && client.remove_node(&name).await.is_err() {
                tokio::time::sleep(AGAIN).await;
            }
        });
    }

    /// Every node's digest of its state at one index.
    pub(crate) fn compare(&self) -> Result<(u64, Vec<NodeDigest>), String> {
        let patient = self.client.with_deadline(Duration::from_secs(30));
        let compared = self.runtime.block_on(patient.cluster_check());
        compared.map(|(index, digests)| (index.0, digests)).map_err(|error| error.to_string())
    }
}
