//! openraft's own tests of a store, on both kinds of ours.

use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use wire::PeerId;
use wire::peer::StoreId;

use super::Peer;
use super::failure::Failure;
use super::holds::Holds;
use super::log::RaftLog;
use super::machine::{App, Machine};
use super::toy::{TABLES, Toy};
use super::types::{Runtime, TypeConfig};
use crate::stages::Stages;
use crate::store::lmdb::{LmdbLog, LmdbState};
use crate::store::log::EntryLog;
use crate::store::memory::{MemoryLog, MemoryState};
use crate::store::state::StateStore;

// The suite makes members that have nothing but an id.
impl Default for Peer {
    fn default() -> Self {
        Self { peer: PeerId([0; 32]), store: StoreId([0; 16]) }
    }
}

async fn build(log: Arc<dyn EntryLog>, state: Arc<dyn StateStore>) -> (RaftLog, Machine) {
    let failure = Failure::default();
    let app = App::new(Toy::new(state), failure.clone());
    let (machine, _) = Machine::open(app, Holds::new(0)).await.unwrap();
    (RaftLog::open(log, failure, Stages::default()).unwrap(), machine)
}

struct InMemory;

impl StoreBuilder<TypeConfig, RaftLog, Machine> for InMemory {
    async fn build(&self) -> Result<((), RaftLog, Machine), StorageError<TypeConfig>> {
        let (log, machine) = build(MemoryLog::new(), MemoryState::new(TABLES)).await;
        Ok(((), log, machine))
    }
}

struct OnDisk;

impl StoreBuilder<TypeConfig, RaftLog, Machine, tempfile::TempDir> for OnDisk {
    async fn build(&self) -> Result<(tempfile::TempDir, RaftLog, Machine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let log = LmdbLog::open(&dir.path().join("log")).unwrap();
        let state = LmdbState::open(&dir.path().join("state"), TABLES).unwrap();
        let (log, machine) = build(log, state).await;
        Ok((dir, log, machine))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_in_memory_pass_the_suite() {
    Runtime::scope(1, Suite::test_all(InMemory)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_on_lmdb_pass_the_suite() {
    Runtime::scope(1, Suite::test_all(OnDisk)).await.unwrap();
}
