//! A toy application for tests: it remembers every command under its index, over any state store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::application::{Application, Entries, SnapshotRead, SnapshotWrite};
use super::demand::Demand;
use crate::store::StoreError;
use crate::store::state::{Read, Row, Staged, StateStore, Table};

const COMMANDS: Table = Table("commands");
const META: Table = Table("meta");
pub(super) const TABLES: &[Table] = &[COMMANDS, META];
const APPLIED: &[u8] = b"applied";

#[derive(Debug)]
pub(super) struct Toy {
    store: Arc<dyn StateStore>,
    is_broken: AtomicBool,
    demand: Demand,
}

impl Toy {
    pub(super) fn new(store: Arc<dyn StateStore>) -> Arc<Self> {
        Arc::new(Self { store, is_broken: AtomicBool::new(false), demand: Demand::default() })
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

    fn demand(&self) -> Demand {
        self.demand.clone()
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
        Ok(Box::new(ToyWrite { store: self.store.clone(), staged: self.store.stage()? }))
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
        self.staged.fill(&mut std::iter::once((META, (APPLIED.to_vec(), applied.to_vec()))))?;
        self.store.adopt(self.staged)
    }
}
