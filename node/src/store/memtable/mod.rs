//! A state store whose latest changes lie in memory, before they go into the tables of another, many at a time.
//!
//! ```text
//! write ─▶ changes ─▶ a layer; small ones are merged ─┐
//! read  ─▶ layers, over the tables                    ├─▶ due: so much, or so old ─▶ frozen ─▶ one transaction of the tables
//! ```
//! This is the memtable of a log-structured merge tree (O'Neil et al., 1996), over a B+ tree. A transaction of LMDB syncs, and writes
//! each page that it changed anew; who has to wait for one to see a message waits for the disk. Here a write costs no disk, and what is
//! written again and again, such as how far a conversation is, goes to the disk once.
//!
//! What is in memory only is lost with the process. It is always the latest that is lost, and Raft's log has it again.

mod flushing;
mod key;
mod layer;
mod view;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use self::flushing::{Amount, Due};
use self::layer::{Changes, Layer, Merged};
use self::view::View;
use super::state::{Read, Staged, StateStore, Table, Write};
use super::{StoreError, thread};

/// Where there is no thread of its own for it, so much is flushed at once, by whoever writes.
const IN_PLACE_SIZE_BYTES: usize = 16 * 1024;

/// See the module.
pub struct MemtableState {
    shared: Arc<Shared>,
    /// Flushes what is due; None: whoever writes does.
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    below: Arc<dyn StateStore>,
    tables: &'static [Table],
    layers: RwLock<Layers>,
    due: Due,
    /// Held by whoever writes, and by whoever freezes what was written. Taken after `flusher`, if both are.
    writer: Mutex<()>,
    /// Held by whoever flushes, so that layers reach the tables in order.
    flusher: Mutex<()>,
}

/// What was written and is not in the tables, or may not be. Looked at under its lock, so that a reader sees one moment.
#[derive(Default)]
struct Layers {
    /// The newest last. Each has more rows than the next, and what is merged has about twice as many, so there are few.
    open: Vec<Arc<Layer>>,
    /// On their way into the tables, the newest last; until they are known to be there.
    frozen: Vec<Arc<Layer>>,
}

impl MemtableState {
    /// Over this store, which has these tables; with a thread that flushes.
    pub fn start(below: Arc<dyn StateStore>, tables: &'static [Table]) -> Result<Arc<Self>, StoreError> {
        let shared = Shared::over(below, tables);
        let thread = thread::start("state-flush", "writes the state", {
            let shared = Arc::clone(&shared);
            move || shared.run()
        })?;
        Ok(Arc::new(Self { shared, thread: Some(thread) }))
    }

    /// The same without a thread, for where all is done in one. What was not flushed is lost when it is dropped, as if its process had
    /// been killed.
    pub fn in_place(below: Arc<dyn StateStore>, tables: &'static [Table]) -> Arc<Self> {
        Arc::new(Self { shared: Shared::over(below, tables), thread: None })
    }
}

impl StateStore for MemtableState {
    fn read(&self) -> Result<Box<dyn Read + Send>, StoreError> {
        Ok(Box::new(self.shared.view()?))
    }

    fn write(&self, work: &mut dyn FnMut(&mut dyn Write) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.shared.due.wait_for_room()?;
        let writer = lock(&self.shared.writer);
        let mut view = self.shared.view()?;
        work(&mut view)?;
        let waiting = self.shared.publish(view.changed, &writer);
        drop(writer);
        if self.thread.is_none() && waiting.bytes >= IN_PLACE_SIZE_BYTES {
            self.shared.flush()?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.shared.flush()?;
        self.shared.below.sync()
    }

    fn stage(&self) -> Result<Box<dyn Staged>, StoreError> {
        self.shared.below.stage()
    }

    fn adopt(&self, staged: Box<dyn Staged>) -> Result<(), StoreError> {
        let _flusher = lock(&self.shared.flusher);
        let writer = lock(&self.shared.writer);
        // With nothing left above them, the tables are replaced for everybody at one moment.
        self.shared.freeze(&writer);
        self.shared.flush_frozen()?;
        self.shared.below.adopt(staged)
    }

    fn room_bytes(&self) -> u64 {
        let layers = self.shared.layers();
        let waiting: usize = layers.open.iter().chain(&layers.frozen).map(|layer| layer.size_bytes()).sum();
        drop(layers);
        self.shared.below.room_bytes().saturating_sub(waiting as u64)
    }
}

impl Shared {
    fn over(below: Arc<dyn StateStore>, tables: &'static [Table]) -> Arc<Self> {
        let (layers, due) = (RwLock::default(), Due::default());
        Arc::new(Self { below, tables, layers, due, writer: Mutex::default(), flusher: Mutex::default() })
    }

    fn layers(&self) -> RwLockReadGuard<'_, Layers> {
        self.layers.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn layers_mut(&self) -> RwLockWriteGuard<'_, Layers> {
        self.layers.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> Result<View, StoreError> {
        let layers = self.layers();
        let newest_first = layers.frozen.iter().chain(&layers.open).rev().cloned().collect();
        // While nothing can be frozen or forgotten: the tables are those that these layers lie over, or have the frozen ones already.
        let below = self.below.read()?;
        drop(layers);
        Ok(View { changed: Changes::none(self.tables.len()), layers: newest_first, below, tables: self.tables })
    }

    /// Has readers see the changes. Returns how much there is to flush.
    fn publish(&self, changed: Changes, _writer: &MutexGuard<'_, ()>) -> Amount {
        if changed.is_empty() {
            return Amount::default();
        }
        // Only who writes changes these.
        let open = self.layers().open.clone();
        let mut newest = Layer::of(changed);
        let mut kept = open.as_slice();
        while let Some((last, rest)) = kept.split_last()
            && last.len() <= newest.len()
        {
            newest = Layer::merged(&newest, last);
            kept = rest;
        }
        let waiting = Amount {
            rows: kept.iter().map(|layer| layer.len()).sum::<usize>() + newest.len(),
            bytes: kept.iter().map(|layer| layer.size_bytes()).sum::<usize>() + newest.size_bytes(),
        };
        let mut layers = self.layers_mut();
        layers.open.truncate(kept.len());
        layers.open.push(Arc::new(newest));
        drop(layers);
        self.due.note(waiting);
        waiting
    }

    /// What was written up to here goes to the tables next.
    fn freeze(&self, _writer: &MutexGuard<'_, ()>) {
        let mut layers = self.layers_mut();
        let Layers { open, frozen } = &mut *layers;
        frozen.append(open);
        self.due.begin();
    }

    /// Writes all that was written up to now into the tables.
    fn flush(&self) -> Result<(), StoreError> {
        let _flusher = lock(&self.flusher);
        self.freeze(&lock(&self.writer));
        self.flush_frozen()
    }

    fn flush_frozen(&self) -> Result<(), StoreError> {
        self.due.check()?;
        let frozen = self.layers().frozen.clone();
        let done = if frozen.is_empty() { Ok(()) } else { self.write_below(&frozen) };
        if done.is_ok() {
            self.layers_mut().frozen.clear();
        }
        self.due.end(done)
    }

    fn write_below(&self, layers: &[Arc<Layer>]) -> Result<(), StoreError> {
        self.below.write(&mut |to| {
            for (number, table) in self.tables.iter().enumerate() {
                let runs = layers.iter().rev().map(|layer| layer.all(number)).collect();
                for (key, value) in Merged::of(runs) {
                    match value {
                        Some(value) => to.put(*table, key.bytes, value)?,
                        None => to.delete(*table, key.bytes)?,
                    }
                }
            }
            Ok(())
        })
    }

    /// Flushes what is due, until it is told to stop, or cannot.
    fn run(&self) {
        while let Some(flush) = self.due.wait() {
            // Whoever writes next is told.
            if self.flush().is_err() || flush.is_last {
                return;
            }
        }
    }
}

fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for MemtableState {
    fn drop(&mut self) {
        self.shared.due.stop();
        if let Some(thread) = self.thread.take() {
            thread::end(thread);
        }
    }
}

impl fmt::Debug for MemtableState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemtableState").field("below", &self.shared.below).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
