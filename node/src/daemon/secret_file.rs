//! The files that make this user's nodes one cluster, and let this user's clients into one that they joined.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use wire::invite::{Grant, Invite};
use wire::secret::{ClusterSecret, NodeSecret};

use super::DaemonError;
use crate::clock::Clock;

/// Reads the secret, or makes one. Daemons that start at the same time agree: a link is made once, and
/// whoever comes second reads what the first wrote.
pub(super) fn read_or_make(file: &Path, clock: &dyn Clock) -> Result<ClusterSecret, DaemonError> {
    if let Some(secret) = read(file)? {
        return Ok(secret);
    }
    let fresh = ClusterSecret::generate(&mut |bytes| clock.fill(bytes));
    make(file, &fresh, clock).map_err(|error| failed("write", file, &error))?;
    read(file)?.ok_or_else(|| failed("read", file, &ErrorKind::NotFound.into()))
}

/// Reads the secret, if there is one.
pub(super) fn read(file: &Path) -> Result<Option<ClusterSecret>, DaemonError> {
    match fs::read_to_string(file) {
        Ok(text) => {
            let broken = |error| DaemonError::damaged(format!("{} is damaged: {error}", file.display()));
            ClusterSecret::parse(text.trim()).map(Some).map_err(broken)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", file, &error)),
    }
}

/// Leaves the code with which clients of this user come in, in place of one of another cluster. It names no addresses: clients find
/// nodes of their own machine.
pub(super) fn leave_client_code(file: &Path, node: &NodeSecret, clock: &dyn Clock) -> Result<(), DaemonError> {
    let grant = Grant::Client(node.client_secret());
    let text = format!("{}\n", Invite { cluster: node.cluster_id(), addresses: Vec::new(), grant });
    if is_private(file) && fs::read(file).is_ok_and(|kept| kept == text.as_bytes()) {
        return Ok(());
    }
    let replace = || {
        let folder = file.parent().ok_or(ErrorKind::InvalidInput)?;
        fs::create_dir_all(folder)?;
        let temporary = temporary(folder, clock);
        let placed = write_private(&temporary, &text).and_then(|()| fs::rename(&temporary, file));
        if placed.is_err() {
            // A code must not be left about; what failed is what is reported.
            let _ = fs::remove_file(&temporary);
        }
        placed?;
        sync_folder(folder)
    };
    replace().map_err(|error| failed("write", file, &error))
}

fn make(file: &Path, secret: &ClusterSecret, clock: &dyn Clock) -> io::Result<()> {
    let folder = file.parent().ok_or(ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let temporary = temporary(folder, clock);
    let linked = write_private(&temporary, &format!("{}\n", secret.to_text()))
        .and_then(|()| fs::hard_link(&temporary, file))
        .and_then(|()| sync_folder(folder));
    fs::remove_file(&temporary)?;
    match linked {
        // Another was first: its secret is everyone's.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn temporary(folder: &Path, clock: &dyn Clock) -> PathBuf {
    let mut number = [0; 8];
    clock.fill(&mut number);
    folder.join(format!(".secret.{:016x}", u64::from_be_bytes(number)))
}

/// Whether nobody else may read it. False where it cannot be looked at.
#[cfg(unix)]
fn is_private(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 == 0)
}

/// A folder of the user's is the user's own there.
#[cfg(not(unix))]
fn is_private(_file: &Path) -> bool {
    true
}

/// Nobody else may read it, at no moment.
fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = options.open(file)?;
    open.write_all(text.as_bytes())?;
    open.sync_all()
}

/// The name is on the disk as well.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

fn failed(action: &str, file: &Path, error: &io::Error) -> DaemonError {
    DaemonError::mendable(format!("cannot {action} {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn daemons_that_start_at_once_agree_on_one_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/cluster-secret");
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| read_or_make(&file, &SystemClock).unwrap())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(secrets.windows(2).all(|pair| pair[0] == pair[1]));
        let left: Vec<_> = fs::read_dir(file.parent().unwrap()).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "nothing else is left behind");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_the_secret() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cluster-secret");
        read_or_make(&file, &SystemClock).unwrap();
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_code_that_others_may_read_is_left_anew() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("client-code");
        let node = ClusterSecret::generate(&mut |bytes| bytes.fill(1)).node_secret();
        for mode in [0o600, 0o644] {
            leave_client_code(&file, &node, &SystemClock).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
        leave_client_code(&file, &node, &SystemClock).unwrap();
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_secret_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cluster-secret");
        fs::write(&file, "not a secret\n").unwrap();
        assert_eq!(read_or_make(&file, &SystemClock).unwrap_err().exit_code, 6);
        assert_eq!(fs::read_to_string(&file).unwrap(), "not a secret\n");
    }
}
