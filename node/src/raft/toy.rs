//! A toy application for tests: it remembers every command under its index, over any state store.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::application::{Application, Entries, SnapshotRead, SnapshotWrite};
use crate::store::StoreError;
use crate::store::state::{Read, Row, Staged, StateStore, Table};

const COMMANDS: Table = Table("commands");
const META: Table = Table("meta");
pub(super) const TABLES: &[Table] = &[COMMANDS, META];
/// A test that has failed lets nothing go.
const HELD_MAX: Duration = Duration::from_secs(30);
const APPLIED: &[u8] = b"applied";

#[derive(Debug)]
pub(super) struct Toy {
    store: Arc<dyn StateStore>,
    is_broken: AtomicBool,
    installing: Arc<Installing>,
}

/// How often snapshots were installed, and whether that waits.
#[derive(Debug, Default)]
struct Installing {
    count: AtomicU64,
    is_held: Mutex<bool>,
    let_go: Condvar,
}

impl Toy {
    pub(super) fn new(store: Arc<dyn StateStore>) -> Arc<Self> {
        let (is_broken, installing) = (AtomicBool::new(false), Arc::default());
        Arc::new(Self { store, is_broken, installing })
    }

    /// From now on what is to be installed waits, or does not any more.
    pub(super) fn hold_installing(&self, is_held: bool) {
        *self.installing.is_held.lock().unwrap() = is_held;
        self.installing.let_go.notify_all();
    }

    /// How many snapshots were to be installed.
    pub(super) fn installed(&self) -> u64 {
        self.installing.count.load(Ordering::Relaxed)
    }

    /// From now on it can apply nothing.
    pub(super) fn break_down(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }

    pub(super) fn broken() -> StoreError {
        StoreError::Full { place: "the toy".to_owned() }
    }

    /// Every command applied, in order.
    pub(super) fn commands(&self) -> Vec<String> {
        let mut commands = vec![];
        let mut each = |_: &[u8], value: &[u8]| {
            commands.push(String::from_utf8(value.to_vec()).unwrap());
            true
        };
        self.store.read().unwrap().scan(COMMANDS, b"", None, &mut each).unwrap();
        commands
    }
}

impl Application for Toy {
    fn applied(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.read()?.get(META, APPLIED)
    }

    fn apply(&self, entries: &mut dyn Entries) -> Result<(), StoreError> {
        self.store.write(&mut |rows| {
            for entry in std::iter::from_fn(|| entries.next()).flatten() {
                if self.is_broken.load(Ordering::Relaxed) {
                    return Err(Self::broken());
                }
                let Some(command) = &entry.command else { continue };
                rows.put(COMMANDS, &entry.index.to_be_bytes(), command)?;
                if let Some(respond) = entry.respond {
                    respond(Bytes::from([b"did ", &command[..]].concat()));
                }
            }
            rows.put(META, APPLIED, &entries.applied())
        })
    }

    fn sync(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let applied = self.applied()?;
        self.store.sync()?;
        Ok(applied)
    }

    fn snapshot(&self) -> Result<(Option<Vec<u8>>, Box<dyn SnapshotRead>), StoreError> {
        let rows = self.store.read()?;
        let applied = rows.get(META, APPLIED)?;
        Ok((applied, Box::new(ToyRead { rows, from: Some(vec![]) })))
    }

    fn receive(&self) -> Result<Box<dyn SnapshotWrite>, StoreError> {
        let (store, installing) = (self.store.clone(), self.installing.clone());
        Ok(Box::new(ToyWrite { store, staged: self.store.stage()?, installing }))
    }
}

struct ToyRead {
    rows: Box<dyn Read + Send>,
    from: Option<Vec<u8>>,
}

impl SnapshotRead for ToyRead {
    fn next(&mut self, _size_max_bytes: usize) -> Result<Vec<(Table, Row)>, StoreError> {
        let Some(from) = self.from.take() else { return Ok(vec![]) };
        let mut rows = vec![];
        self.rows.scan(COMMANDS, &from, None, &mut |key, value| {
            if rows.len() == 3 {
                self.from = Some(key.to_vec());
                return false;
            }
            rows.push((COMMANDS, (key.to_vec(), value.to_vec())));
            true
        })?;
        Ok(rows)
    }
}

struct ToyWrite {
    store: Arc<dyn StateStore>,
    staged: Box<dyn Staged>,
    installing: Arc<Installing>,
}

impl SnapshotWrite for ToyWrite {
    fn fill(&mut self, rows: Vec<(String, Row)>) -> Result<(), StoreError> {
        let mut rows = rows.into_iter().map(|(table, row)| {
            assert_eq!(table, COMMANDS.0);
            (COMMANDS, row)
        });
        self.staged.fill(&mut rows)
    }

    fn install(mut self: Box<Self>, applied: &[u8]) -> Result<(), StoreError> {
        self.installing.count.fetch_add(1, Ordering::Relaxed);
        let is_held = self.installing.is_held.lock().unwrap();
        drop(self.installing.let_go.wait_timeout_while(is_held, HELD_MAX, |is_held| *is_held));
        self.staged.fill(&mut std::iter::once((META, (APPLIED.to_vec(), applied.to_vec()))))?;
        self.store.adopt(self.staged)
    }
}
