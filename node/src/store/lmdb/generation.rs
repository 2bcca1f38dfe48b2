//! One environment of tables: reading it, writing it, and removing it from the disk once nobody needs it.

use std::fmt;
use std::fs::{self, File};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use heed::{MdbError, PutFlags, RoTxn, RwTxn, WithoutTls};

use super::env::{self, Db, Env};
use crate::store::state::{Read, Row, Table, Write};
use crate::store::{StoreError, record};

/// How much longer than needed the file is made where it is less than the second.
const SPARE_BYTES: u64 = 4 << 20;
const SPARE_MIN_BYTES: u64 = 1 << 20;

/// Virtual memory; the file grows as it is needed.
const MAP_SIZE_BYTES: usize = 256 << 30;

/// An environment with the application's tables.
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) dir: PathBuf,
    env: Env,
    tables: Vec<(Table, Db)>,
    max_bytes: u64,
    /// Whether the folder stays when this is dropped.
    kept: AtomicBool,
}

impl Generation {
    /// Opens the generation of this number, making it if there is none. Its folder goes when it is dropped,
    /// unless it is to be [kept](Self::keep).
    pub(super) fn open(root: &Path, number: u64, tables: &'static [Table], max_bytes: u64) -> Result<Self, StoreError> {
        let dir = root.join(number.to_string());
        let count = u32::try_from(tables.len()).expect("an application has few tables");
        let env = env::open(&dir, env::Sync::AllButMeta, MAP_SIZE_BYTES, count)?;
        let opened = env::tables(&env, &dir, tables.iter().map(|table| table.0))?;
        let tables = tables.iter().copied().zip(opened).collect();
        let generation = Self { number, dir, env, tables, max_bytes, kept: AtomicBool::new(false) };
        generation.lengthen();
        Ok(generation)
    }

    /// Keeps the file longer than what of it is in use, by a hole. LMDB counts pages that it took at the end of its file and did not
    /// need; with those, the file of a process that died then would be shorter than it says, and so would one be that was cut.
    fn lengthen(&self) {
        let used_bytes = env::used_bytes(&self.env);
        let is_long = |size_bytes: u64| size_bytes >= used_bytes + SPARE_MIN_BYTES;
        if self.env.real_disk_size().is_ok_and(is_long) {
            return;
        }
        let file = File::options().write(true).open(self.dir.join(env::DATA));
        if let Err(error) = file.and_then(|file| file.set_len(used_bytes + SPARE_BYTES)) {
            // It is needed only if LMDB does not write its last pages, and this process dies before it does.
            tracing::debug!(%error, "the state's file cannot be made longer ahead of time");
        }
    }

    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::Release);
    }

    pub(super) fn discard(&self) {
        self.kept.store(false, Ordering::Release);
    }

    pub(super) fn is_empty(&self) -> Result<bool, StoreError> {
        let txn = self.env.read_txn().map_err(|error| self.failed("read", error))?;
        for (_, db) in &self.tables {
            if !db.is_empty(&txn).map_err(|error| self.failed("read", error))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.env.force_sync().map_err(|error| self.failed("sync", error))
    }

    pub(super) fn room_bytes(&self) -> u64 {
        // Nothing is known of what cannot be read; whoever reads it next hears why.
        env::room_bytes(&self.env, self.tables.iter().map(|(_, db)| *db), self.max_bytes).unwrap_or(u64::MAX)
    }

    fn db(&self, table: Table) -> Result<Db, StoreError> {
        // Nearly always the very text that the table was declared with, so that it need not be read.
        let same_text = |(name, _): &&(Table, Db)| std::ptr::eq(name.0, table.0);
        let same_name = |(name, _): &&(Table, Db)| *name == table;
        let found =
            self.tables.iter().find(same_text).or_else(|| self.tables.iter().find(same_name)).map(|(_, db)| *db);
        found.ok_or_else(|| StoreError::no_table(table))
    }

    fn failed(&self, action: &'static str, error: heed::Error) -> StoreError {
        env::failed(action, &self.dir, error)
    }

    fn open_value<'a>(&self, table: Table, key: &[u8], frame: &'a [u8]) -> Result<&'a [u8], StoreError> {
        let place = || self.dir.display().to_string();
        record::open(key, frame, place, || format!("a row of the table {}", table.0))
    }

    fn get(&self, txn: &RoTxn<'_, WithoutTls>, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let frame = self.db(table)?.get(txn, key).map_err(|error| self.failed("read", error))?;
        frame.map(|frame| self.open_value(table, key, frame).map(<[u8]>::to_vec)).transpose()
    }

    fn scan(
        &self,
        txn: &RoTxn<'_, WithoutTls>,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let range = (start(from), to.map_or(Bound::Unbounded, Bound::Excluded));
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        for row in self.db(table)?.range(txn, &range).map_err(|error| self.failed("read", error))? {
            let (key, frame) = row.map_err(|error| self.failed("read", error))?;
            if !each(key, self.open_value(table, key, frame)?) {
                break;
            }
        }
        Ok(())
    }

    fn last(
        &self,
        txn: &RoTxn<'_, WithoutTls>,
        table: Table,
        from: &[u8],
        before: &[u8],
    ) -> Result<Option<Row>, StoreError> {
        if before <= from {
            return Ok(None);
        }
        let found = self.db(table)?.get_lower_than(txn, before).map_err(|error| self.failed("read", error))?;
        let Some((key, frame)) = found.filter(|(key, _)| *key >= from) else { return Ok(None) };
        Ok(Some((key.to_vec(), self.open_value(table, key, frame)?.to_vec())))
    }
}

/// LMDB takes no empty key, not even to begin at.
fn start(from: &[u8]) -> Bound<&[u8]> {
    if from.is_empty() { Bound::Unbounded } else { Bound::Included(from) }
}

impl Drop for Generation {
    fn drop(&mut self) {
        // The environment is unmapped a moment after its folder is gone, which Unix allows. Where the
        // removal fails, the next start tries again.
        if !*self.kept.get_mut()
            && let Err(error) = fs::remove_dir_all(&self.dir)
        {
            tracing::debug!(dir = %self.dir.display(), %error, "cannot remove an old generation now");
        }
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// A read, which keeps its generation alive.
pub(super) struct LmdbRead {
    txn: RoTxn<'static, WithoutTls>,
    generation: Arc<Generation>,
}

impl LmdbRead {
    pub(super) fn begin(generation: Arc<Generation>) -> Result<Self, StoreError> {
        let txn = generation.env.clone().static_read_txn().map_err(|error| generation.failed("read", error))?;
        Ok(Self { txn, generation })
    }
}

impl Read for LmdbRead {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.generation.get(&self.txn, table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.generation.scan(&self.txn, table, from, to, each)
    }

    fn last(&self, table: Table, from: &[u8], before: &[u8]) -> Result<Option<Row>, StoreError> {
        self.generation.last(&self.txn, table, from, before)
    }
}

/// The one write. Dropped without a commit, it is as if it had never been.
pub(super) struct LmdbWrite<'a> {
    txn: RwTxn<'a>,
    generation: &'a Generation,
    /// The frame of the row that is being written; kept, so that not each row takes memory of its own.
    frame: Vec<u8>,
}

impl<'a> LmdbWrite<'a> {
    pub(super) fn begin(generation: &'a Generation) -> Result<Self, StoreError> {
        let txn = generation.env.write_txn().map_err(|error| generation.failed("write", error))?;
        Ok(Self { txn, generation, frame: Vec::new() })
    }

    /// Writes a row that belongs behind all others of its table: it is not searched for, and pages are left full.
    pub(super) fn append(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        match self.put_as(PutFlags::APPEND, self.generation.db(table)?, key, value) {
            // It belongs elsewhere.
            Err(heed::Error::Mdb(MdbError::KeyExist)) => self.put(table, key, value),
            put => put.map_err(|error| self.generation.failed("write", error)),
        }
    }

    fn put_as(&mut self, flags: PutFlags, db: Db, key: &[u8], value: &[u8]) -> heed::Result<()> {
        self.frame.clear();
        record::seal_onto(&mut self.frame, key, value);
        db.put_with_flags(&mut self.txn, flags, key, &self.frame)
    }

    pub(super) fn commit(self) -> Result<(), StoreError> {
        self.txn.commit().map_err(|error| self.generation.failed("write", error))?;
        self.generation.lengthen();
        Ok(())
    }
}

impl Read for LmdbWrite<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.generation.get(&self.txn, table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.generation.scan(&self.txn, table, from, to, each)
    }

    fn last(&self, table: Table, from: &[u8], before: &[u8]) -> Result<Option<Row>, StoreError> {
        self.generation.last(&self.txn, table, from, before)
    }
}

impl Write for LmdbWrite<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let put = self.put_as(PutFlags::empty(), self.generation.db(table)?, key, value);
        put.map_err(|error| self.generation.failed("write", error))
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        let deleted = self.generation.db(table)?.delete(&mut self.txn, key);
        deleted.map(drop).map_err(|error| self.generation.failed("write", error))
    }
}

#[cfg(test)]
impl Generation {
    /// How much of the file is in use, and how long it is.
    pub(super) fn used_and_size_bytes(&self) -> (u64, u64) {
        (env::used_bytes(&self.env), self.env.real_disk_size().unwrap())
    }

    /// Puts a frame as it is, as a bad disk might.
    pub(super) fn put_raw(&self, table: Table, key: &[u8], frame: &[u8]) {
        let mut txn = self.env.write_txn().unwrap();
        self.db(table).unwrap().put(&mut txn, key, frame).unwrap();
        txn.commit().unwrap();
    }
}
