//! openraft's state machine over an [`Application`].
//!
//! The application's own durable state is the snapshot. To build one is to sync it, and copies nothing; its
//! rows are read only when a follower needs them, from one moment of the tables.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot};
use tokio::sync::{Mutex, watch};
use wire::blocking::beside_the_runtime;

use super::application::{Application, Committed, SnapshotRead, SnapshotWrite};
use super::applier::{APPLY_MAX, Applier, Piece};
use super::entry::Applied;
use super::failure::Failure;
use super::holds::Holds;
use super::types::{LogId, Reply, SnapshotMeta, StoredMembership, TypeConfig};
use crate::stages::Stages;
use crate::store::StoreError;

/// What is read of a snapshot at once.
pub(super) const CHUNK_SIZE_BYTES: usize = 256 * 1024;

/// The rows that go with a snapshot's meta.
pub(super) enum Rows {
    /// None: they are in the application, where whoever needs them asks for the current snapshot.
    Kept,
    /// Being read, to be sent.
    Read(Box<dyn SnapshotRead>),
    /// Received, to be installed.
    Received(Box<dyn SnapshotWrite>),
}

/// The application, for openraft.
pub(super) struct Machine {
    app: App,
    applier: Applier,
    /// What has been handed to the applier, or installed.
    applied: Applied,
    /// The index that the application has applied, for those who wait for it.
    progress: watch::Sender<u64>,
    stages: Stages,
    /// For whom the log is kept.
    holds: Holds,
}

/// The application and how to call it: off the runtime's threads, and one call at a time, but for `sync`.
#[derive(Clone)]
pub(super) struct App {
    app: Arc<dyn Application>,
    turn: Arc<Mutex<()>>,
    failure: Failure,
}

impl App {
    pub(super) fn new(app: Arc<dyn Application>, failure: Failure) -> Self {
        Self { app, turn: Arc::default(), failure }
    }

    pub(super) fn stages(&self) -> Stages {
        self.app.stages()
    }

    fn has_room(&self) -> bool {
        self.app.has_room()
    }

    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Application) -> Result<T, StoreError> + Send + 'static,
    ) -> io::Result<T> {
        let _turn = self.turn.lock().await;
        let app = self.app.clone();
        self.blocking(move || work(&*app)).await
    }

    /// Beside other calls: what is applied meanwhile need not be durable, and does not wait.
    async fn sync(&self) -> io::Result<Applied> {
        let app = self.app.clone();
        let applied = self.blocking(move || app.sync()).await?;
        self.decode(applied)
    }

    /// Runs what may block on a disk.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> io::Result<T> {
        let result = beside_the_runtime(work).await.map_err(io::Error::other)?;
        result.map_err(|error| self.failure.note(error))
    }

    fn decode(&self, applied: Option<Vec<u8>>) -> io::Result<Applied> {
        let Some(bytes) = applied else { return Ok(Applied::default()) };
        Applied::decode(&bytes).map_err(|error| self.failure.note_codec("the record of what was applied", error))
    }

    /// Somewhere to put a snapshot that arrives.
    pub(super) async fn receive(&self) -> io::Result<Box<dyn SnapshotWrite>> {
        self.call(|app| app.receive()).await
    }

    /// The next rows of a snapshot, and the rest of it.
    pub(super) async fn read_rows(
        &self,
        mut rows: Box<dyn SnapshotRead>,
    ) -> io::Result<(Vec<super::message::Row>, Box<dyn SnapshotRead>)> {
        let read = move || {
            let chunk = rows.next(CHUNK_SIZE_BYTES)?;
            Ok((chunk.into_iter().map(Into::into).collect(), rows))
        };
        self.blocking(read).await
    }

    /// Adds rows to a snapshot that arrives.
    pub(super) async fn write_rows(
        &self,
        mut snapshot: Box<dyn SnapshotWrite>,
        rows: Vec<super::message::Row>,
    ) -> io::Result<Box<dyn SnapshotWrite>> {
        let write = move || snapshot.fill(rows.into_iter().map(Into::into).collect()).map(|()| snapshot);
        self.blocking(write).await
    }
}

impl Machine {
    /// The machine, with what the application has applied, and a view of its progress.
    pub(super) async fn open(app: App, holds: Holds) -> io::Result<(Self, watch::Receiver<u64>)> {
        // Synced: a process that died may have left what it applied last in the memory of the machine only.
        let applied = app.sync().await?;
        let (progress, seen) = watch::channel(applied.log_id.map_or(0, |id| id.index));
        let applier = Applier::start(app.clone(), progress.clone());
        let stages = app.stages();
        Ok((Self { app, applier, applied, progress, stages, holds }, seen))
    }

    fn builder(&self) -> Builder {
        Builder { app: self.app.clone(), applier: self.applier.clone() }
    }

    async fn apply_batch(&mut self, batch: Vec<EntryResponder<TypeConfig>>) -> io::Result<()> {
        let mut applied = self.applied.clone();
        let mut own = vec![];
        let mut entries = Vec::with_capacity(batch.len());
        for (entry, responder) in batch {
            let (log_id, command) = note(&mut applied, entry);
            let respond = match (responder, &command) {
                (Some(responder), Some(_)) => {
                    let stages = self.stages.clone();
                    let respond = move |reply: Bytes| {
                        stages.applied(log_id.index);
                        responder.send(Reply(reply));
                    };
                    Some(Box::new(respond) as Box<dyn FnOnce(Bytes) + Send>)
                }
                (responder, _) => {
                    own.extend(responder);
                    None
                }
            };
            self.stages.committed(log_id.index..log_id.index + 1);
            entries.push(Committed { index: log_id.index, term: log_id.leader_id.term, command, respond });
        }
        self.applied = applied.clone();
        self.applier.apply(Piece { entries, own, applied }).await
    }
}

/// Notes in `applied` what the entry changes of it; returns where it is and what the application gets.
fn note(applied: &mut Applied, entry: super::types::Entry) -> (LogId, Option<Bytes>) {
    let log_id = entry.log_id();
    applied.log_id = Some(log_id);
    let command = match entry.payload {
        EntryPayload::Blank => None,
        EntryPayload::Normal(command) => Some(command.0),
        EntryPayload::Membership(membership) => {
            applied.membership = StoredMembership::new(Some(log_id), membership);
            None
        }
    };
    (log_id, command)
}

impl From<Applied> for SnapshotMeta {
    fn from(applied: Applied) -> Self {
        Self { last_log_id: applied.log_id, last_membership: applied.membership }
    }
}

impl From<&SnapshotMeta> for Applied {
    fn from(meta: &SnapshotMeta) -> Self {
        Self { log_id: meta.last_log_id, membership: meta.last_membership.clone() }
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = Rows;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied.log_id, self.applied.membership.clone()))
    }

    async fn apply<Strm>(&mut self, entries: Strm) -> io::Result<()>
    where
        Strm: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + Send,
    {
        let mut batches = entries.ready_chunks(APPLY_MAX);
        while let Some(batch) = batches.next().await {
            self.apply_batch(batch.into_iter().collect::<io::Result<_>>()?).await?;
        }
        Ok(())
    }

    /// None: not now. Once there is one, openraft purges the log; it asks again after as many entries as between two others.
    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Builder> {
        let applied = self.applied.log_id.map_or(0, |id| id.index);
        let may_purge = force || !self.app.has_room() || self.holds.let_purge(applied);
        may_purge.then(|| self.builder())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        self.builder()
    }

    /// Durable when it returns: the log up to here may go next.
    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Rows) -> io::Result<()> {
        let applied = Applied::from(meta);
        let received = match snapshot {
            Rows::Kept => return Ok(()),
            Rows::Received(received) => received,
            Rows::Read(mut rows) => {
                let mut received = self.app.receive().await?;
                loop {
                    let (chunk, rest) = self.app.read_rows(rows).await?;
                    if chunk.is_empty() {
                        break received;
                    }
                    received = self.app.write_rows(received, chunk).await?;
                    rows = rest;
                }
            }
        };
        let record = applied.encode();
        // What is still to be applied belongs to the state that the snapshot replaces.
        self.applier.drain().await?;
        self.app.call(move |_| received.install(&record)).await?;
        let index = applied.log_id.map_or(0, |id| id.index);
        tracing::info!(index, "caught up by a snapshot");
        self.progress.send_replace(index);
        self.applied = applied;
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<Snapshot<super::types::LeaderId, u64, super::Peer, Rows>>> {
        if self.applied.log_id.is_none() {
            return Ok(None);
        }
        self.applier.drain().await?;
        let (applied, rows) = self.app.call(|app| app.snapshot()).await?;
        let meta = self.app.decode(applied)?.into();
        Ok(Some(Snapshot { meta, snapshot: Rows::Read(rows) }))
    }
}

/// Makes the state durable, up to where the log may then be purged.
pub(super) struct Builder {
    app: App,
    applier: Applier,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = Rows;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot<super::types::LeaderId, u64, super::Peer, Rows>> {
        self.applier.drain().await?;
        let meta = self.app.sync().await?.into();
        Ok(Snapshot { meta, snapshot: Rows::Kept })
    }
}
