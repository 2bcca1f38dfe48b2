//! What processes and disks used, as the kernel counts it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tests::process;

/// What processes have used so far, together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) cpu_seconds: f64,
    /// What is in memory now, mapped files included, and what of it is theirs alone.
    pub(crate) resident_bytes: u64,
    pub(crate) anonymous_bytes: u64,
    /// None: this kernel does not say.
    pub(crate) disk: Option<Disk>,
}

/// What a disk was asked for, by whomever: nothing else should be busy there. (What a process wrote is of no use: of a file that is mapped
/// the kernel counts whole folios, and so thousands of times what reaches the disk.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disk {
    pub(crate) written_bytes: u64,
    /// How often it was told to have everything on it.
    pub(crate) syncs: u64,
}

impl Used {
    /// By these processes, with their files in this folder.
    pub(crate) fn by(processes: &[u32], folder: &Path) -> Self {
        let mut used = Self { disk: Disk::of(folder), ..Self::default() };
        for process in processes.iter().copied() {
            used.cpu_seconds += process::cpu_time(process).unwrap_or_default().as_secs_f64();
            used.resident_bytes += process::memory_bytes(process, "VmRSS:").unwrap_or_default();
            used.anonymous_bytes += process::memory_bytes(process, "RssAnon:").unwrap_or_default();
        }
        used
    }

    /// Since then. Memory is as it is now.
    pub(crate) fn since(self, then: Self) -> Self {
        Self {
            cpu_seconds: self.cpu_seconds - then.cpu_seconds,
            disk: self.disk.zip(then.disk).map(|(now, then)| now.since(then)),
            ..self
        }
    }
}

impl Disk {
    /// The one that the folder is on. The fields are those of the kernel's Documentation/block/stat.rst, which has them for whole disks.
    fn of(folder: &Path) -> Option<Self> {
        let device = fs::metadata(folder).ok()?.dev();
        let device = PathBuf::from(format!("/sys/dev/block/{}:{}", libc::major(device), libc::minor(device)));
        let disk = if device.join("partition").exists() { device.join("..") } else { device };
        let stat = fs::read_to_string(disk.join("stat")).ok()?;
        let field = |at| stat.split_whitespace().nth(at)?.parse::<u64>().ok();
        Some(Self { written_bytes: 512 * field(6)?, syncs: field(15)? })
    }

    fn since(self, then: Self) -> Self {
        Self { written_bytes: self.written_bytes - then.written_bytes, syncs: self.syncs - then.syncs }
    }
}
