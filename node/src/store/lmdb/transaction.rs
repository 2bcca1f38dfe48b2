//! The log's tables, and the changes that one transaction makes to them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heed::{PutFlags, RoTxn, RwTxn};

use super::env::{self, Db, Env};
use crate::store::log::{Extent, OnDisk, StoredEntry};
use crate::store::{StoreError, record};

/// Virtual memory; the file grows as it is needed.
const MAP_SIZE_BYTES: usize = 64 << 30;

/// Purged entries removed in one transaction: so few that a purge never holds up an append, and that the list of the pages that
/// become free with them takes a small part of a page. LMDB writes what is left of that list anew with each transaction.
const REMOVED_MAX: u64 = 500;

/// A record by which earlier builds made a new file longer. One that is still there is of an attempt that was cut short.
const GROWTH: &[u8] = b"grow";

/// Our own record of the log's first index. Entries before it are purged, whether removed yet or not.
const FIRST: &str = "log.first";

/// A record that is written anew whenever the log is opened.
const OPENED: &str = "log.opened";

/// A write, in the order of the calls.
pub(super) enum Change {
    Append { entries: Vec<StoredEntry>, epoch: u64 },
    Truncate { from: u64 },
    Purge { before: u64 },
    Put { key: &'static str, value: Vec<u8> },
}

/// A change, and who waits for it.
pub(super) struct Op {
    pub(super) change: Change,
    pub(super) on_disk: Option<OnDisk>,
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.change {
            Change::Append { .. } => "append",
            Change::Truncate { .. } => "truncate",
            Change::Purge { .. } => "purge",
            Change::Put { key, .. } => key,
        };
        f.debug_struct("Op").field("change", &what).field("is_waited_for", &self.on_disk.is_some()).finish()
    }
}

impl Op {
    pub(super) fn size_bytes(&self) -> usize {
        match &self.change {
            Change::Append { entries, .. } => entries.iter().map(|entry| entry.bytes.len()).sum(),
            Change::Truncate { .. } | Change::Purge { .. } => 0,
            Change::Put { value, .. } => value.len(),
        }
    }
}

/// What became of a transaction.
pub(super) struct Committed {
    /// The sync of this one took all transactions before it to the disk. One without changes does not sync.
    pub(super) has_synced: bool,
    /// Purged entries are left to be removed.
    pub(super) purged_are_left: bool,
}

/// The log's environment.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) dir: PathBuf,
    pub(super) env: Env,
    entries: Db,
    records: Db,
}

/// What a log held when it was opened.
pub(super) struct Found {
    pub(super) extent: Extent,
    pub(super) records: BTreeMap<String, Vec<u8>>,
}

impl Tables {
    pub(super) fn open(dir: &Path) -> Result<Arc<Self>, StoreError> {
        let env = env::open(dir, env::Sync::AllButMeta, MAP_SIZE_BYTES, 4)?;
        let tables = env::tables(&env, dir, ["entries", "records"])?;
        let tables = Self { dir: dir.to_owned(), env, entries: tables[0], records: tables[1] };
        tables.remove_growth().map_err(|error| tables.failed("write", error))?;
        Ok(Arc::new(tables))
    }

    fn remove_growth(&self) -> heed::Result<()> {
        let mut txn = self.env.write_txn()?;
        if self.records.delete(&mut txn, GROWTH)? { txn.commit() } else { Ok(()) }
    }

    pub(super) fn room_bytes(&self) -> u64 {
        // Nothing is known of what cannot be read; whoever reads it next hears why.
        env::room_bytes(&self.env, [self.entries, self.records].into_iter(), u64::MAX).unwrap_or(u64::MAX)
    }

    /// Reads every small record and every entry. Damage to an entry must not wait until some follower
    /// needs it: by then this node may lead. What the log keeps is read in a fraction of a second.
    pub(super) fn check(&self) -> Result<Found, StoreError> {
        let txn = self.read_txn()?;
        let mut records = self.read_records(&txn)?;
        self.check_counted("records", records.len() as u64, self.records.len(&txn))?;
        records.remove(OPENED);
        let first = records.remove(FIRST).map_or(Ok(0), |bytes| self.parse_index(&bytes))?;
        let mut extent = Extent { first, end: first };
        for entry in self.entries_from(&txn, first)? {
            let entry = entry?;
            // An empty log takes any first index, as after a snapshot.
            if extent.end == extent.first {
                extent = Extent { first: entry.index, end: entry.index };
            }
            if entry.index != extent.end {
                return Err(self.damaged(format!("log entry {}", extent.end)));
            }
            extent.end += 1;
        }
        let counted = self.left_before(&txn, first)? + (extent.end - extent.first);
        self.check_counted("entries", counted, self.entries.len(&txn))?;
        Ok(Found { extent, records })
    }

    /// Whether as many were found as the table says that it has. A page in another's place may be an older one of the same rows, each
    /// of them whole, and the last ones missing.
    fn check_counted(&self, what: &str, counted: u64, said: heed::Result<u64>) -> Result<(), StoreError> {
        let said = said.map_err(|error| self.failed("read", error))?;
        if counted == said { Ok(()) } else { Err(self.damaged(format!("the number of {what}, {counted} of {said},"))) }
    }

    /// How many entries are there that were purged and not removed yet.
    fn left_before(&self, txn: &RoTxn<'_, heed::WithoutTls>, first: u64) -> Result<u64, StoreError> {
        let first = first.to_be_bytes();
        let range = (Bound::Unbounded, Bound::Excluded(&first[..]));
        let rows = self.entries.range(txn, &range).map_err(|error| self.failed("read", error))?;
        rows.map(|row| row.map(|_| 1).map_err(|error| self.failed("read", error))).sum()
    }

    fn read_records(&self, txn: &RoTxn<'_, heed::WithoutTls>) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let mut records = BTreeMap::new();
        for row in self.records.iter(txn).map_err(|error| self.failed("read", error))? {
            let (key, frame) = row.map_err(|error| self.failed("read", error))?;
            let name = String::from_utf8_lossy(key).into_owned();
            let value = record::open(key, frame, || self.place(), || format!("the record {name}"))?;
            records.insert(name, value.to_vec());
        }
        Ok(records)
    }

    pub(super) fn parse_entry(&self, (key, frame): (&[u8], &[u8])) -> Result<StoredEntry, StoreError> {
        let index = self.parse_index(key)?;
        let bytes = record::open(key, frame, || self.place(), || format!("log entry {index}"))?;
        Ok(StoredEntry { index, bytes: bytes.into() })
    }

    fn parse_index(&self, bytes: &[u8]) -> Result<u64, StoreError> {
        let bytes = bytes.try_into().map_err(|_| self.damaged("an index of the log".to_owned()))?;
        Ok(u64::from_be_bytes(bytes))
    }

    pub(super) fn read_txn(&self) -> Result<RoTxn<'_, heed::WithoutTls>, StoreError> {
        self.env.read_txn().map_err(|error| self.failed("read", error))
    }

    /// The entries from this index on.
    pub(super) fn entries_from<'t>(
        &self,
        txn: &'t RoTxn<'_, heed::WithoutTls>,
        index: u64,
    ) -> Result<impl Iterator<Item = Result<StoredEntry, StoreError>> + use<'t, '_>, StoreError> {
        let from = index.to_be_bytes();
        let range = (Bound::Included(&from[..]), Bound::Unbounded);
        let rows = self.entries.range(txn, &range).map_err(|error| self.failed("read", error))?;
        Ok(rows.map(|row| self.parse_entry(row.map_err(|error| self.failed("read", error))?)))
    }

    /// Makes the changes in one transaction, and removes purged entries while at it. On the disk once a later one, or
    /// [`sync`](Self::sync), has returned.
    pub(super) fn commit<'a>(&self, changes: impl Iterator<Item = &'a Change>) -> Result<Committed, StoreError> {
        let commit = || -> heed::Result<Committed> {
            let before = self.env.info().last_txn_id;
            let mut txn = self.env.write_txn()?;
            for change in changes {
                self.make(&mut txn, change)?;
            }
            let purged_are_left = self.remove_purged(&mut txn)?;
            txn.commit()?;
            // LMDB gives no number to one that changed nothing.
            Ok(Committed { has_synced: self.env.info().last_txn_id > before, purged_are_left })
        };
        commit().map_err(|error| self.failed("write", error))
    }

    /// Puts all that was found on the disk, before anything is answered by it. What a process that died wrote last is found here
    /// though it may be nowhere but in the memory of the machine, where the next power cut would take it from. A transaction that
    /// changes something takes it along: its own pages have been synced, and what names them is written anew.
    pub(super) fn confirm(&self) -> Result<(), StoreError> {
        let opened = [Change::Put { key: OPENED, value: Vec::new() }];
        let committed = self.commit(opened.iter())?;
        assert!(committed.has_synced, "a record that is put is a change, be it the same as before");
        self.sync()
    }

    /// Everything committed is on the disk when it returns.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.env.force_sync().map_err(|error| self.failed("sync", error))
    }

    fn make(&self, txn: &mut RwTxn<'_>, change: &Change) -> heed::Result<()> {
        match change {
            Change::Append { entries, .. } => entries.iter().try_for_each(|entry| self.append(txn, entry)),
            Change::Truncate { from } => {
                let from = from.to_be_bytes();
                let range = (Bound::Included(&from[..]), Bound::Unbounded);
                self.entries.delete_range(txn, &range).map(drop)
            }
            Change::Purge { before } => self.put(txn, FIRST, &before.to_be_bytes()),
            Change::Put { key, value } => self.put(txn, key, value),
        }
    }

    /// APPEND refuses an index that does not follow on the last, and fills pages to the brim.
    fn append(&self, txn: &mut RwTxn<'_>, entry: &StoredEntry) -> heed::Result<()> {
        let key = entry.index.to_be_bytes();
        self.entries.put_with_flags(txn, PutFlags::APPEND, &key, &record::seal(&key, &entry.bytes))
    }

    fn put(&self, txn: &mut RwTxn<'_>, key: &str, value: &[u8]) -> heed::Result<()> {
        self.records.put(txn, key.as_bytes(), &record::seal(key.as_bytes(), value))
    }

    fn remove_purged(&self, txn: &mut RwTxn<'_>) -> heed::Result<bool> {
        let Some(first) = self.purged_before(txn)? else { return Ok(false) };
        let Some((lowest, _)) = self.entries.first(txn)? else { return Ok(false) };
        if *lowest >= first[..] {
            return Ok(false);
        }
        let lowest = lowest.try_into().map_or(0, u64::from_be_bytes);
        let to = (lowest + REMOVED_MAX).to_be_bytes().min(first);
        self.entries.delete_range(txn, &(Bound::Unbounded, Bound::Excluded(&to[..])))?;
        Ok(to < first)
    }

    /// The log's first index as the transaction sees it; what was verified on opening, or written since.
    fn purged_before(&self, txn: &RwTxn<'_>) -> heed::Result<Option<[u8; 8]>> {
        let frame = self.records.get(txn, FIRST.as_bytes())?;
        Ok(frame.and_then(|frame| frame.last_chunk().copied()))
    }

    fn place(&self) -> String {
        self.dir.display().to_string()
    }

    pub(super) fn damaged(&self, what: String) -> StoreError {
        StoreError::Damaged { place: self.place(), what }
    }

    fn failed(&self, action: &'static str, error: heed::Error) -> StoreError {
        env::failed(action, &self.dir, error)
    }
}

#[cfg(test)]
impl Tables {
    pub(super) fn commit_foreign(&self, txn: &mut RwTxn<'_>, index: u64) {
        self.entries.put(txn, &index.to_be_bytes(), b"not by the writer").unwrap();
    }

    pub(super) fn remove_foreign(&self, txn: &mut RwTxn<'_>, index: u64) {
        assert!(self.entries.delete(txn, &index.to_be_bytes()).unwrap());
    }

    pub(super) fn check_count(&self) -> u64 {
        self.entries.len(&self.read_txn().unwrap()).unwrap()
    }
}
