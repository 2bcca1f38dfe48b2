//! Opening an LMDB environment, and what its errors mean for a node.

use std::fs;
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, EnvFlags, EnvOpenOptions, MdbError, WithoutTls};

use crate::store::{StoreError, file};

pub(super) type Env = heed::Env<WithoutTls>;

/// A table of bytes.
pub(super) type Db = Database<'static, Bytes, Bytes>;

/// What a commit leaves to the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sync {
    /// Nothing: it is on the disk when it returns.
    Full,
    /// The meta page: a power cut may take back the last transaction.
    AllButMeta,
}

/// Readers at one time, snapshots being sent included; beyond it a read fails.
const READERS_MAX: u32 = 1024;

/// The file that holds an environment; LMDB has the name.
pub(super) const DATA: &str = "data.mdb";

/// Where a new environment is made.
const ASIDE: &str = "new";

/// Room for an environment that has nothing in it yet.
const NEW_MAP_SIZE_BYTES: usize = 1 << 20;

/// If this much of the address space is not to be had, less may be.
const MAP_SIZE_MIN_BYTES: usize = 1 << 30;

/// Opens the environment in `dir`, making it if there is none, with room for `tables` tables and, in virtual
/// memory, `map_size_bytes`.
pub(super) fn open(dir: &Path, sync: Sync, map_size_bytes: usize, tables: u32) -> Result<Env, StoreError> {
    file::make_dir(dir)?;
    if !dir.join(DATA).exists() {
        make(dir)?;
    }
    let env = open_largest(dir, sync, map_size_bytes, tables)?;
    check_flags(&env, sync, dir)?;
    check_size(&env, dir)?;
    // A process that died while it read has left its slot in the lock file.
    env.clear_stale_readers().map_err(|error| failed("check the readers of", dir, error))?;
    Ok(env)
}

/// Makes the environment's file aside, and names it once it is on the disk: LMDB writes the first pages of a new file without a
/// sync, and finds no database in half of them; and it leaves the name of the file to chance, which may take the whole log with it.
fn make(dir: &Path) -> Result<(), StoreError> {
    let aside = dir.join(ASIDE);
    if aside.exists() {
        // An attempt that was cut short.
        fs::remove_dir_all(&aside).map_err(|error| StoreError::io("remove", &aside, &error))?;
    }
    file::make_dir(&aside)?;
    let env = open_mapped(&aside, Sync::Full, NEW_MAP_SIZE_BYTES, 0).map_err(|error| failed("make", dir, error))?;
    env.force_sync().map_err(|error| failed("sync", dir, error))?;
    env.prepare_for_closing().wait();
    let (new, data) = (aside.join(DATA), dir.join(DATA));
    fs::rename(new, &data).map_err(|error| StoreError::io("make", &data, &error))?;
    file::sync_dir(dir)?;
    fs::remove_dir_all(&aside).map_err(|error| StoreError::io("remove", &aside, &error))
}

fn open_largest(dir: &Path, sync: Sync, map_size_bytes: usize, tables: u32) -> Result<Env, StoreError> {
    let mut size_bytes = map_size_bytes;
    loop {
        match open_mapped(dir, sync, size_bytes, tables) {
            Err(heed::Error::Io(error)) if out_of_memory(&error) && size_bytes / 4 >= MAP_SIZE_MIN_BYTES => {
                size_bytes /= 4;
            }
            result => return result.map_err(|error| failed("open", dir, error)),
        }
    }
}

fn out_of_memory(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::OutOfMemory
}

// Mapping a file is unsafe because whoever changes the file behind LMDB's back changes memory. The data
// folder is locked against other nodes, private to its user, and nothing else of ours touches these files, but for `growth`,
// which writes behind their last page, within the only write transaction, and `Generation::lengthen`, which puts a hole there while nobody
// writes; neither cuts what is in use. The one flag
// set, NOMETASYNC, endangers no more than the last transaction, and the state's only: the log has it again.
#[allow(unsafe_code)]
fn open_mapped(dir: &Path, sync: Sync, map_size_bytes: usize, tables: u32) -> heed::Result<Env> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_size_bytes).max_dbs(tables).max_readers(READERS_MAX);
    unsafe {
        if sync == Sync::AllButMeta {
            options.flags(EnvFlags::NO_META_SYNC);
        }
        options.open(dir)
    }
}

/// heed returns an environment that is open already as it is, whatever the options: better to look.
fn check_flags(env: &Env, sync: Sync, dir: &Path) -> Result<(), StoreError> {
    let flags = env.get_flags().map_err(|error| failed("open", dir, error))?;
    let has = |flag: EnvFlags| flags & flag.bits() != 0;
    assert!(!has(EnvFlags::NO_SYNC) && !has(EnvFlags::WRITE_MAP), "a power cut must not corrupt the store");
    assert_eq!(has(EnvFlags::NO_META_SYNC), sync == Sync::AllButMeta, "what is synced is what was asked for");
    Ok(())
}

/// A file that lost its end would not fail a read but kill the process: the map reaches beyond it.
fn check_size(env: &Env, dir: &Path) -> Result<(), StoreError> {
    let expected = used_bytes(env);
    let actual = env.real_disk_size().map_err(|error| failed("open", dir, error))?;
    if actual < expected {
        let what = format!("the database (it has {actual} bytes of {expected})");
        return Err(StoreError::Damaged { place: dir.display().to_string(), what });
    }
    Ok(())
}

/// How much of the file is in use, from its beginning.
pub(super) fn used_bytes(env: &Env) -> u64 {
    (env.info().last_page_number as u64 + 1) * u64::from(env.unnamed_database_stat().page_size)
}

/// The part of a map that tables may fill, in quarters. A transaction writes the pages that it changes anew, those of the one before are
/// not free yet, and what is longer than a page wants free pages in a row: whoever fills a map to its end is told that it is full
/// while much of it is free, in the middle of a transaction.
const QUARTERS_OF_MAP: u64 = 3;

/// What may still be written: the part of the map that may be filled, or so many bytes if that is less, but for the pages that the
/// tables take.
pub(super) fn room_bytes(env: &Env, tables: impl Iterator<Item = Db>, max_bytes: u64) -> heed::Result<u64> {
    let txn = env.read_txn()?;
    let mut pages = 0;
    for table in tables {
        let stat = table.stat(&txn)?;
        pages += stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
    }
    let taken = pages as u64 * u64::from(env.unnamed_database_stat().page_size);
    let of_map = env.info().map_size as u64 / 4 * QUARTERS_OF_MAP;
    Ok(of_map.min(max_bytes).saturating_sub(taken))
}

/// Opens the tables, making those that are missing.
pub(super) fn tables<'a>(
    env: &Env,
    dir: &Path,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Db>, StoreError> {
    names.into_iter().map(|name| table(env, dir, Some(name))).collect()
}

/// Opens LMDB's own table, of the names of the others. Rows of ours may lie beside them.
pub(super) fn names(env: &Env, dir: &Path) -> Result<Db, StoreError> {
    table(env, dir, None)
}

fn table(env: &Env, dir: &Path, name: Option<&str>) -> Result<Db, StoreError> {
    let open = || -> heed::Result<Db> {
        let created = env.create_databases_and_commit(env.write_txn()?, |opener, txn| {
            let table = opener.create_database::<Bytes, Bytes>(txn, name)?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(table))
        })?;
        Ok(created.unwrap_commit())
    };
    open().map_err(|error| failed("open the tables of", dir, error))
}

/// What an error of LMDB means.
pub(super) fn failed(action: &'static str, place: &Path, error: heed::Error) -> StoreError {
    let damaged = || StoreError::Damaged { place: place.display().to_string(), what: "the database".to_owned() };
    match error {
        heed::Error::Io(error) => StoreError::io(action, place, &error),
        heed::Error::Mdb(MdbError::MapFull) => StoreError::Full { place: place.display().to_string() },
        heed::Error::Mdb(
            MdbError::Corrupted
            | MdbError::PageNotFound
            | MdbError::Invalid
            | MdbError::Incompatible
            | MdbError::VersionMismatch
            | MdbError::CursorFull
            | MdbError::PageFull
            | MdbError::Problem,
        ) => damaged(),
        heed::Error::EnvAlreadyOpened => StoreError::InUse(place.display().to_string()),
        error => StoreError::Io { action, place: place.display().to_string(), reason: error.to_string() },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Flips a bit of every copy of `needle` in the environment's file, as a bad disk would; returns how
    /// many there were.
    pub(in crate::store::lmdb) fn flip_in_file(dir: &Path, needle: &[u8]) -> usize {
        flip_in(&dir.join("data.mdb"), needle)
    }

    /// The same in any file.
    pub(in crate::store::lmdb) fn flip_in(path: &Path, needle: &[u8]) -> usize {
        let mut bytes = std::fs::read(path).unwrap();
        let found = bytes.windows(needle.len()).enumerate().filter(|(_, window)| *window == needle);
        let places = found.map(|(place, _)| place).collect::<Vec<_>>();
        for place in &places {
            bytes[*place] ^= 0x10;
        }
        std::fs::write(path, bytes).unwrap();
        places.len()
    }

    #[test]
    fn what_is_removed_leaves_room_in_the_map() {
        let dir = tempfile::tempdir().unwrap();
        let env = open(dir.path(), Sync::Full, 1 << 20, 1).unwrap();
        let db = tables(&env, dir.path(), ["t"]).unwrap()[0];
        let room = || room_bytes(&env, [db].into_iter(), u64::MAX).unwrap();
        let empty = room();
        assert_eq!(empty, 3 << 18);
        assert_eq!(room_bytes(&env, [db].into_iter(), 1 << 18).unwrap(), 1 << 18);
        let mut txn = env.write_txn().unwrap();
        db.put(&mut txn, b"k", &vec![0; 512 * 1024]).unwrap();
        txn.commit().unwrap();
        assert!(room() <= empty - 512 * 1024, "{}", room());
        let mut txn = env.write_txn().unwrap();
        db.delete(&mut txn, b"k").unwrap();
        txn.commit().unwrap();
        assert_eq!(room(), empty);
    }

    #[test]
    fn a_full_map_is_a_full_disk() {
        let dir = tempfile::tempdir().unwrap();
        let env = open(dir.path(), Sync::Full, 256 * 1024, 1).unwrap();
        let db = tables(&env, dir.path(), ["t"]).unwrap()[0];
        let mut txn = env.write_txn().unwrap();
        let error = db.put(&mut txn, b"k", &vec![0; 512 * 1024]).unwrap_err();
        let full = StoreError::Full { place: dir.path().display().to_string() };
        assert_eq!(failed("write", dir.path(), error), full);
        let error = heed::Error::Io(std::io::ErrorKind::StorageFull.into());
        assert_eq!(failed("write", dir.path(), error), full);
    }

    #[test]
    fn an_environment_whose_making_was_cut_short_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let aside = dir.path().join(ASIDE);
        fs::create_dir(&aside).unwrap();
        fs::write(aside.join(DATA), [0; 4096]).unwrap();
        let env = open(dir.path(), Sync::Full, 1 << 30, 1).unwrap();
        tables(&env, dir.path(), ["t"]).unwrap();
        assert!(dir.path().join(DATA).exists());
        assert!(!aside.exists());
    }

    #[test]
    fn pages_that_make_no_sense_are_damage() {
        let error = || failed("read", Path::new("log"), heed::Error::Mdb(MdbError::PageNotFound));
        assert_eq!(error(), StoreError::Damaged { place: "log".to_owned(), what: "the database".to_owned() });
    }

    #[test]
    fn an_environment_syncs_what_it_was_asked_to() {
        for sync in [Sync::Full, Sync::AllButMeta] {
            let dir = tempfile::tempdir().unwrap();
            let env = open(dir.path(), sync, 1 << 30, 1).unwrap();
            let flags = env.get_flags().unwrap();
            assert_eq!(flags & EnvFlags::NO_META_SYNC.bits() != 0, sync == Sync::AllButMeta);
            assert_eq!(flags & (EnvFlags::NO_SYNC | EnvFlags::WRITE_MAP).bits(), 0);
        }
    }
}
