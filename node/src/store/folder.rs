//! A node's data folder: who the node is, its small records, and where its two databases lie.
//!
//! ```text
//! lock        held for as long as a process uses the folder
//! identity    the seed of the node's key pair, and the id of this store
//! log/        Raft's log, its journal and its tables  (lmdb::LmdbLog)
//! state/      the application   (lmdb::LmdbState)
//! …           records by name: the promise, the membership, …
//! ```
//! A folder is a node: copied, it would be two nodes with one identity, so copies are not looked for and
//! must not be made. Wiped, it is a new node.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use wire::peer::StoreId;

use super::{StoreError, file, lmdb};

const SEED_SIZE_BYTES: usize = 32;
const STORE_ID_SIZE_BYTES: usize = 16;

/// The data folder, locked for as long as this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    seed: [u8; SEED_SIZE_BYTES],
    store_id: StoreId,
    /// The lock goes with the file.
    _lock: File,
}

impl Folder {
    /// Opens the folder, making it if there is none; `fill` draws the secret randomness of a new
    /// identity. [`StoreError::InUse`] while another process has it open.
    pub fn open(path: &Path, fill: &dyn Fn(&mut [u8])) -> Result<Self, StoreError> {
        file::make_dir(path)?;
        let lock = lock(path)?;
        let identity = match file::read(&path.join("identity"), "identity")? {
            Some(identity) => identity,
            None => draw_identity(path, fill)?,
        };
        let (seed, store_id) = parse_identity(&identity)
            .ok_or_else(|| damaged(&path.join("identity"), "the node's identity has a wrong size"))?;
        Ok(Self { path: path.to_owned(), seed, store_id, _lock: lock })
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the node's key pair is made from.
    pub fn seed(&self) -> [u8; SEED_SIZE_BYTES] {
        self.seed
    }

    /// Which store this is: drawn with the folder, and gone with it.
    pub fn store_id(&self) -> StoreId {
        self.store_id
    }

    /// Where Raft's log lies.
    pub fn log_dir(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Where the application's tables lie.
    pub fn state_dir(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Refuses a folder whose stores are not both there. Each is made where there is none, which is wrong for a node that has had
    /// them: without its log it does not know whom it voted for.
    pub fn require_stores(&self) -> Result<(), StoreError> {
        for (dir, what) in [(self.log_dir(), "Raft's log"), (self.state_dir(), "the node's state")] {
            if !lmdb::has_begun(&dir) {
                return Err(damaged(&self.path, &format!("{what} is missing; what is left")));
            }
        }
        Ok(())
    }

    /// The record of this name; None where it was never written.
    pub fn read_record(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        file::read(&self.path.join(name), name)
    }

    /// Replaces the record of this name. On the disk when it returns.
    pub fn write_record(&self, name: &str, record: &[u8]) -> Result<(), StoreError> {
        file::write(&self.path.join(name), name, record)
    }
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let path = path.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| StoreError::io("open", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let folder = path.parent().unwrap_or(&path);
            Err(StoreError::InUse(folder.display().to_string()))
        }
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path, &error)),
    }
}

/// A new folder gets its identity before anything else, so one without but with data has lost it.
fn draw_identity(path: &Path, fill: &dyn Fn(&mut [u8])) -> Result<Vec<u8>, StoreError> {
    if path.join("log").exists() || path.join("state").exists() {
        return Err(damaged(path, "the node's identity is missing; what is left"));
    }
    let mut identity = vec![0; SEED_SIZE_BYTES + STORE_ID_SIZE_BYTES];
    fill(&mut identity);
    file::write(&path.join("identity"), "identity", &identity)?;
    Ok(identity)
}

fn parse_identity(identity: &[u8]) -> Option<([u8; SEED_SIZE_BYTES], StoreId)> {
    let (seed, store_id) = identity.split_at_checked(SEED_SIZE_BYTES)?;
    Some((seed.try_into().ok()?, StoreId(store_id.try_into().ok()?)))
}

fn damaged(place: &Path, what: &str) -> StoreError {
    StoreError::Damaged { place: place.display().to_string(), what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn open(path: &Path) -> Result<Folder, StoreError> {
        Folder::open(path, &|bytes| rand::RngCore::fill_bytes(&mut rand::rngs::OsRng, bytes))
    }

    #[test]
    fn an_identity_is_drawn_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let first = open(&path).unwrap();
        let (seed, store_id) = (first.seed(), first.store_id());
        drop(first);
        let again = open(&path).unwrap();
        assert_eq!((again.seed(), again.store_id()), (seed, store_id));
        assert_ne!(open(&dir.path().join("c")).unwrap().seed(), seed);
    }

    #[test]
    fn a_store_that_has_been_there_must_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open(dir.path()).unwrap();
        drop(lmdb::LmdbLog::open(&folder.log_dir()).unwrap());
        drop(lmdb::LmdbState::open(&folder.state_dir(), &[]).unwrap());
        assert_eq!(folder.require_stores(), Ok(()));
        fs::remove_file(folder.log_dir().join("data.mdb")).unwrap();
        assert!(matches!(folder.require_stores(), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn a_folder_in_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap();
        assert_eq!(open(dir.path()).unwrap_err(), StoreError::InUse(dir.path().display().to_string()));
        drop(first);
        assert!(open(dir.path()).is_ok());
    }

    #[test]
    fn records_come_back_and_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open(dir.path()).unwrap();
        assert_eq!(folder.read_record("promise"), Ok(None));
        folder.write_record("promise", b"one").unwrap();
        folder.write_record("promise", b"two").unwrap();
        assert_eq!(folder.read_record("promise"), Ok(Some(b"two".to_vec())));
    }

    #[test]
    fn a_flipped_bit_in_a_record_or_the_identity_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open(dir.path()).unwrap();
        folder.write_record("promise", b"one").unwrap();
        flip(&dir.path().join("promise"));
        assert!(matches!(folder.read_record("promise"), Err(StoreError::Damaged { .. })));
        drop(folder);
        flip(&dir.path().join("identity"));
        assert!(matches!(open(dir.path()), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn a_record_of_a_newer_version_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open(dir.path()).unwrap();
        let newer = super::super::record::tests::seal_newer(b"promise", b"one");
        fs::write(dir.path().join("promise"), newer).unwrap();
        assert!(matches!(folder.read_record("promise"), Err(StoreError::Newer { found: 2, known: 1, .. })));
    }

    #[test]
    fn a_folder_with_data_but_no_identity_is_not_given_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open(dir.path()).unwrap();
        fs::create_dir(folder.log_dir()).unwrap();
        drop(folder);
        fs::remove_file(dir.path().join("identity")).unwrap();
        assert!(matches!(open(dir.path()), Err(StoreError::Damaged { .. })));
        assert!(!dir.path().join("identity").exists());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_the_folder() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let _folder = open(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("identity"))), (0o700, 0o600));
    }

    fn flip(path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 4;
        fs::write(path, bytes).unwrap();
    }
}
