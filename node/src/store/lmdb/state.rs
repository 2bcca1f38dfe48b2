//! The application's tables, in generations.
//!
//! ```text
//! state/current   which generation is the store; replaced atomically
//! state/7/        an LMDB environment
//! state/8/        a snapshot that is arriving, or was when the power went
//! ```
//! A snapshot is received in a generation of its own and adopted by one small write. Readers of the old
//! one keep it alive; its folder goes when the last is done.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::generation::{Generation, LmdbRead, LmdbWrite};
use crate::store::state::{Read, Row, Staged, StateStore, Table, Write};
use crate::store::{StoreError, file};

pub(super) const CURRENT: &str = "current";

/// How much of a snapshot that arrives is written in one transaction.
const STAGED_SIZE_BYTES: usize = 1024 * 1024;

/// The application's tables.
#[derive(Debug)]
pub struct LmdbState {
    root: PathBuf,
    tables: &'static [Table],
    max_bytes: u64,
    current: RwLock<Arc<Generation>>,
    /// The number of the next generation. Several may arrive at once; at most one is adopted.
    next: AtomicU64,
    /// Held by whoever writes. Set by the first error, for good: after a failed sync nobody knows what the
    /// disk holds.
    failed: Mutex<Option<StoreError>>,
}

impl LmdbState {
    /// Opens the store in this folder, making it if there is none.
    pub fn open(dir: &Path, tables: &'static [Table]) -> Result<Arc<Self>, StoreError> {
        Self::open_within(dir, tables, u64::MAX)
    }

    /// The same, with [room](StateStore::room_bytes) for no more than so many bytes. What is there already stays, be it more.
    pub fn open_within(dir: &Path, tables: &'static [Table], max_bytes: u64) -> Result<Arc<Self>, StoreError> {
        file::make_dir(dir)?;
        let number = match read_current(dir)? {
            Some(number) => number,
            None => begin(dir, tables, max_bytes)?,
        };
        let current = Generation::open(dir, number, tables, max_bytes)?;
        current.keep();
        remove_others(dir, number)?;
        Ok(Arc::new(Self {
            root: dir.to_owned(),
            tables,
            max_bytes,
            current: RwLock::new(Arc::new(current)),
            next: AtomicU64::new(number + 1),
            failed: Mutex::new(None),
        }))
    }

    fn current(&self) -> Arc<Generation> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Becomes the one who writes, if nothing has ever failed.
    fn lock(&self) -> Result<MutexGuard<'_, Option<StoreError>>, StoreError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*failed {
            Some(error) => Err(error.clone()),
            None => Ok(failed),
        }
    }
}

impl StateStore for LmdbState {
    fn read(&self) -> Result<Box<dyn Read + Send>, StoreError> {
        Ok(Box::new(LmdbRead::begin(self.current())?))
    }

    fn write(&self, work: &mut dyn FnMut(&mut dyn Write) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut failed = self.lock()?;
        let generation = self.current();
        let mut writing = LmdbWrite::begin(&generation)?;
        work(&mut writing)?;
        writing.commit().inspect_err(|error| *failed = Some(error.clone()))
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut failed = self.lock()?;
        self.current().sync().inspect_err(|error| *failed = Some(error.clone()))
    }

    fn stage(&self) -> Result<Box<dyn Staged>, StoreError> {
        // Never there yet: what an earlier process left was removed on opening.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let generation = Generation::open(&self.root, number, self.tables, self.max_bytes)?;
        Ok(Box::new(LmdbStaged { generation, waiting: Vec::new(), waiting_bytes: 0 }))
    }

    fn adopt(&self, staged: Box<dyn Staged>) -> Result<(), StoreError> {
        let mut staged =
            staged.into_any().downcast::<LmdbStaged>().expect("only what `stage` of this kind of store returned");
        let mut failed = self.lock()?;
        staged.write().inspect_err(|error| *failed = Some(error.clone()))?;
        let generation = staged.generation;
        let adopt = || {
            generation.sync()?;
            file::sync_dir(&generation.dir)?;
            file::sync_dir(&self.root)?;
            // From here on it is the new one, power cut or not.
            file::write(&self.root.join(CURRENT), CURRENT, &generation.number.to_be_bytes())
        };
        adopt().inspect_err(|error| *failed = Some(error.clone()))?;
        generation.keep();
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.discard();
        *current = Arc::new(generation);
        Ok(())
    }

    fn room_bytes(&self) -> u64 {
        self.current().room_bytes()
    }
}

/// A generation that nobody sees yet.
struct LmdbStaged {
    generation: Generation,
    /// Rows that were not written yet: every transaction syncs, and writes the ends of the tables anew.
    waiting: Vec<(Table, Row)>,
    waiting_bytes: usize,
}

impl LmdbStaged {
    fn write(&mut self) -> Result<(), StoreError> {
        let mut writing = LmdbWrite::begin(&self.generation)?;
        for (table, (key, value)) in self.waiting.drain(..) {
            writing.append(table, &key, &value)?;
        }
        self.waiting_bytes = 0;
        writing.commit()
    }
}

impl Staged for LmdbStaged {
    fn fill(&mut self, rows: &mut dyn Iterator<Item = (Table, Row)>) -> Result<(), StoreError> {
        for (table, (key, value)) in rows {
            self.waiting_bytes += key.len() + value.len();
            self.waiting.push((table, (key, value)));
        }
        if self.waiting_bytes >= STAGED_SIZE_BYTES { self.write() } else { Ok(()) }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

fn read_current(dir: &Path) -> Result<Option<u64>, StoreError> {
    let path = dir.join(CURRENT);
    let Some(bytes) = file::read(&path, CURRENT)? else { return Ok(None) };
    let bytes = bytes.try_into().map_err(|_| damaged(&path, "the number of the generation"))?;
    let number = u64::from_be_bytes(bytes);
    if !dir.join(number.to_string()).join("data.mdb").exists() {
        return Err(damaged(dir, &format!("generation {number}, which should be the current one,")));
    }
    Ok(Some(number))
}

/// Makes the first generation. One that is there already is an attempt that was cut short, if it is empty.
fn begin(dir: &Path, tables: &'static [Table], max_bytes: u64) -> Result<u64, StoreError> {
    let names = fs::read_dir(dir).map_err(|error| StoreError::io("read", dir, &error))?;
    if names.flatten().any(|entry| entry.file_name() != "1" && entry.path().is_dir()) {
        return Err(damaged(dir, "the record of which generation is the current one"));
    }
    let first = Generation::open(dir, 1, tables, max_bytes)?;
    first.keep();
    if !first.is_empty()? {
        return Err(damaged(dir, "the record of which generation is the current one"));
    }
    first.sync()?;
    file::write(&dir.join(CURRENT), CURRENT, &1u64.to_be_bytes())?;
    Ok(1)
}

/// Removes what an earlier process received or replaced and did not get to remove.
fn remove_others(dir: &Path, current: u64) -> Result<(), StoreError> {
    let names = fs::read_dir(dir).map_err(|error| StoreError::io("read", dir, &error))?;
    for path in names.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        if path.file_name().is_some_and(|name| *name != *current.to_string()) {
            fs::remove_dir_all(&path).map_err(|error| StoreError::io("remove", &path, &error))?;
        }
    }
    Ok(())
}

fn damaged(place: &Path, what: &str) -> StoreError {
    StoreError::Damaged { place: place.display().to_string(), what: what.to_owned() }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
