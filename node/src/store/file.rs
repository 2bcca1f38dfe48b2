//! Small files that are replaced whole: after a power cut there is the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::{StoreError, record};

/// The record in the file; None where there is no file. `key` as given to [`write`].
pub(super) fn read(path: &Path, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let frame = match fs::read(path) {
        Ok(frame) => frame,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("read", path, &error)),
    };
    let place = || path.display().to_string();
    record::open(key.as_bytes(), &frame, place, || "the file".to_owned()).map(|payload| Some(payload.to_vec()))
}

/// Replaces the file. On the disk when it returns.
pub(super) fn write(path: &Path, key: &str, payload: &[u8]) -> Result<(), StoreError> {
    make(path, &record::seal(key.as_bytes(), payload))
}

/// Makes the file of these bytes, or replaces it by them. On the disk when it returns.
pub(super) fn make(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let new = path.with_extension("new");
    write_synced(&new, bytes).map_err(|error| StoreError::io("write", &new, &error))?;
    fs::rename(&new, path).map_err(|error| StoreError::io("replace", path, &error))?;
    sync_dir(path.parent().expect("a file has a folder"))
}

/// Makes the folder if there is none, readable by nobody else, and its name durable.
pub(super) fn make_dir(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_dir(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(StoreError::io("make", path, &error)),
        _ => path.parent().map_or(Ok(()), sync_dir),
    }
}

/// Makes the names in a folder durable: what was made, renamed and removed in it.
pub(super) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    // Windows cannot open a folder as a file, and journals names by itself.
    if cfg!(windows) {
        return Ok(());
    }
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|error| StoreError::io("sync", path, &error))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
