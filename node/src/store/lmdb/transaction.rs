//! The log's tables, and the changes that one transaction makes to them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use heed::{MdbError, PutFlags, RoTxn, RwTxn};

use super::env::{self, Db, Env};
use super::growth::Growth;
use super::journal::Filed;
use super::sums::{Sum, Sums};
use crate::store::log::{Extent, OnDisk, StoredEntry};
use crate::store::{StoreError, record};

/// Virtual memory; the file grows as it is needed.
const MAP_SIZE_BYTES: usize = 64 << 30;

/// Purged entries removed in one transaction: so few that a purge never holds up an append, and that the list of the pages that
/// become free with them takes a small part of a page. LMDB writes what is left of that list anew with each transaction.
const REMOVED_MAX: u64 = 500;

/// What a transaction may need at the end of the file: for the pages that it writes anew, and for each byte of its changes.
const ROOM_BYTES: u64 = 1 << 20;
const ROOM_FACTOR: u64 = 3;

/// Our own record of the log's first index. Entries before it are purged, whether removed yet or not.
const FIRST: &str = "log.first";

/// A record that is written anew whenever the log is opened.
const OPENED: &str = "log.opened";

/// A write, in the order of the calls.
pub(super) enum Change {
    Append { entries: Vec<StoredEntry>, epoch: u64 },
    Truncate { from: u64 },
    Purge { before: u64 },
    Put { key: Cow<'static, str>, value: Vec<u8> },
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

impl Change {
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Append { entries, .. } => entries.iter().map(|entry| entry.bytes.len()).sum(),
            Self::Truncate { .. } | Self::Purge { .. } => 0,
            Self::Put { value, .. } => value.len(),
        }
    }
}

/// What became of purged entries.
struct Removed {
    is_some_left: bool,
}

/// Of keys.
type Range<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// The log's environment.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) dir: PathBuf,
    pub(super) env: Env,
    /// The names of the tables, and the [`Sums`].
    names: Db,
    entries: Db,
    records: Db,
    /// Used by whoever writes.
    growth: Mutex<Growth>,
}

/// What a log held when it was opened.
pub(super) struct Found {
    pub(super) extent: Extent,
    pub(super) records: BTreeMap<String, Vec<u8>>,
    pub(super) sums: Sums,
}

impl Tables {
    pub(super) fn open(dir: &Path) -> Result<Arc<Self>, StoreError> {
        let env = env::open(dir, env::Sync::Full, MAP_SIZE_BYTES, 4)?;
        let names = env::names(&env, dir)?;
        let tables = env::tables(&env, dir, ["entries", "records"])?;
        let path = dir.join(env::DATA);
        let growth = Growth::open(&path).map_err(|error| StoreError::io("open", &path, &error))?;
        let [entries, records] = [tables[0], tables[1]];
        Ok(Arc::new(Self { dir: dir.to_owned(), env, names, entries, records, growth: Mutex::new(growth) }))
    }

    pub(super) fn room_bytes(&self) -> u64 {
        // Nothing is known of what cannot be read; whoever reads it next hears why.
        env::room_bytes(&self.env, [self.entries, self.records].into_iter(), u64::MAX).unwrap_or(u64::MAX)
    }

    /// Reads every small record and every entry. Damage to an entry must not wait until some follower
    /// needs it: by then this node may lead. What the log keeps is read in a fraction of a second.
    pub(super) fn check(&self) -> Result<Found, StoreError> {
        let txn = self.read_txn()?;
        let mut sums = Sums { transaction: txn.id() as u64, ..Sums::default() };
        let mut records = self.read_records(&txn, &mut sums.records)?;
        records.remove(OPENED);
        let first = records.remove(FIRST).map_or(Ok(0), |bytes| self.parse_index(&bytes))?;
        let mut extent = Extent { first, end: first };
        for row in self.entries.iter(&txn).map_err(|error| self.failed("read", error))? {
            let row = row.map_err(|error| self.failed("read", error))?;
            sums.entries.add(row.1);
            if self.parse_index(row.0)? < first {
                // Purged, and not removed yet.
                continue;
            }
            let entry = self.parse_entry(row)?;
            // An empty log takes any first index, as after a snapshot.
            if extent.end == extent.first {
                extent = Extent { first: entry.index, end: entry.index };
            }
            if entry.index != extent.end {
                return Err(self.damaged(format!("log entry {}", extent.end)));
            }
            extent.end += 1;
        }
        sums.filed = self.check_sums(&txn, sums)?;
        Ok(Found { extent, records, sums })
    }

    /// Whether what was read is what the last transaction left; and how far that had filed the journal. A log of an earlier build has no
    /// sums.
    fn check_sums(&self, txn: &RoTxn<'_, heed::WithoutTls>, found: Sums) -> Result<Filed, StoreError> {
        let Some(frame) = self.names.get(txn, Sums::KEY).map_err(|error| self.failed("read", error))? else {
            return Ok(Filed::default());
        };
        let left = Sums::decode(frame).ok_or_else(|| self.damaged("the sums of the log".to_owned()))?;
        let wrong = [
            ("the sum of the log's entries", left.entries != found.entries),
            ("the sum of the log's records", left.records != found.records),
            ("the number of the log's last transaction", left.transaction != found.transaction),
        ];
        let wrong = wrong.into_iter().find_map(|(what, is_wrong)| is_wrong.then_some(what));
        wrong.map_or(Ok(left.filed), |what| Err(self.damaged(what.to_owned())))
    }

    fn read_records(
        &self,
        txn: &RoTxn<'_, heed::WithoutTls>,
        sum: &mut Sum,
    ) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let mut records = BTreeMap::new();
        for row in self.records.iter(txn).map_err(|error| self.failed("read", error))? {
            let (key, frame) = row.map_err(|error| self.failed("read", error))?;
            let name = String::from_utf8_lossy(key).into_owned();
            let value = record::open(key, frame, || self.place(), || format!("the record {name}"))?;
            records.insert(name, value.to_vec());
            sum.add(frame);
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

    /// Makes the changes in one transaction, with which the tables have the journal so far, and removes purged entries while at it.
    /// On the disk when it returns. Answers whether purged entries are left to be removed.
    pub(super) fn commit<'a>(
        &self,
        changes: impl Iterator<Item = &'a Change>,
        filed: Option<Filed>,
    ) -> Result<bool, StoreError> {
        let left = |txn: &RwTxn<'_>| {
            let frame = self.names.get(txn, Sums::KEY)?;
            // As verified on opening, or written since.
            frame.and_then(Sums::decode).ok_or(heed::Error::Mdb(MdbError::Corrupted))
        };
        self.commit_onto(left, changes, filed)
    }

    /// The same, where the tables have these sums before.
    fn commit_onto<'a>(
        &self,
        sums: impl FnOnce(&RwTxn<'_>) -> heed::Result<Sums>,
        changes: impl Iterator<Item = &'a Change>,
        filed: Option<Filed>,
    ) -> Result<bool, StoreError> {
        let changes: Vec<_> = changes.collect();
        let commit = || {
            let mut txn = self.env.write_txn()?;
            self.make_room(&changes);
            let mut sums = sums(&txn)?;
            let filed = filed.unwrap_or(sums.filed);
            let before = std::mem::replace(&mut sums.filed, filed);
            let has_changes = !changes.is_empty() || filed != before;
            for change in changes {
                self.make(&mut txn, &mut sums, change)?;
            }
            let removed = self.remove_purged(&mut txn, &mut sums)?;
            // LMDB gives no number to a transaction that changed nothing.
            if has_changes || removed.is_some() {
                sums.transaction = txn.id() as u64;
                self.names.put(&mut txn, Sums::KEY, &sums.encode())?;
            }
            txn.commit()?;
            Ok(removed.is_some_and(|removed| removed.is_some_left))
        };
        commit().map_err(|error| self.failed("write", error))
    }

    /// Within the transaction, so that nobody else writes to the file.
    fn make_room(&self, changes: &[&Change]) {
        let size_bytes: u64 = changes.iter().map(|change| change.size_bytes() as u64).sum();
        let mut growth = self.growth.lock().unwrap_or_else(PoisonError::into_inner);
        growth.make_room(env::used_bytes(&self.env), ROOM_BYTES + ROOM_FACTOR * size_bytes);
    }

    /// Files what the journal has beside what was found, and puts all of it on the disk, before anything is answered by it. What a
    /// process that died wrote last is found though it may be nowhere but in the memory of the machine, where the next power cut would
    /// take it from. A transaction that changes something takes it along: what names its pages is written anew.
    pub(super) fn confirm(&self, found: &Found, left: Vec<Change>, filed: Filed) -> Result<(), StoreError> {
        let opened = Change::Put { key: OPENED.into(), value: Vec::new() };
        let changes = left.iter().chain([&opened]);
        self.commit_onto(|_| Ok(found.sums), changes, Some(filed)).map(drop)
    }

    fn make(&self, txn: &mut RwTxn<'_>, sums: &mut Sums, change: &Change) -> heed::Result<()> {
        match change {
            Change::Append { entries, .. } => {
                entries.iter().try_for_each(|entry| self.append(txn, &mut sums.entries, entry))
            }
            Change::Truncate { from } => {
                let from = from.to_be_bytes();
                self.remove_entries(txn, &mut sums.entries, (Bound::Included(&from[..]), Bound::Unbounded))
            }
            Change::Purge { before } => self.put(txn, &mut sums.records, FIRST, &before.to_be_bytes()),
            Change::Put { key, value } => self.put(txn, &mut sums.records, key, value),
        }
    }

    /// APPEND refuses an index that does not follow on the last, and fills pages to the brim.
    fn append(&self, txn: &mut RwTxn<'_>, sum: &mut Sum, entry: &StoredEntry) -> heed::Result<()> {
        let key = entry.index.to_be_bytes();
        let frame = record::seal(&key, &entry.bytes);
        sum.add(&frame);
        self.entries.put_with_flags(txn, PutFlags::APPEND, &key, &frame)
    }

    fn remove_entries(&self, txn: &mut RwTxn<'_>, sum: &mut Sum, range: Range<'_>) -> heed::Result<()> {
        for row in self.entries.range(txn, &range)? {
            sum.remove(row?.1);
        }
        self.entries.delete_range(txn, &range).map(drop)
    }

    fn put(&self, txn: &mut RwTxn<'_>, sum: &mut Sum, key: &str, value: &[u8]) -> heed::Result<()> {
        let key = key.as_bytes();
        if let Some(before) = self.records.get(txn, key)? {
            sum.remove(before);
        }
        let frame = record::seal(key, value);
        sum.add(&frame);
        self.records.put(txn, key, &frame)
    }

    /// None where there was nothing to remove.
    fn remove_purged(&self, txn: &mut RwTxn<'_>, sums: &mut Sums) -> heed::Result<Option<Removed>> {
        let Some(first) = self.purged_before(txn)? else { return Ok(None) };
        let Some((lowest, _)) = self.entries.first(txn)? else { return Ok(None) };
        if *lowest >= first[..] {
            return Ok(None);
        }
        let lowest = lowest.try_into().map_or(0, u64::from_be_bytes);
        let to = (lowest + REMOVED_MAX).to_be_bytes().min(first);
        self.remove_entries(txn, &mut sums.entries, (Bound::Unbounded, Bound::Excluded(&to[..])))?;
        Ok(Some(Removed { is_some_left: to < first }))
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
