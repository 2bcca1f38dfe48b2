//! What processes and disks used, as the kernel counts it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

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
        for process in processes.iter().map(|id| PathBuf::from(format!("/proc/{id}"))) {
            used.cpu_seconds += cpu_seconds(&process);
            used.resident_bytes += 1024 * field(&process.join("status"), "VmRSS:");
            used.anonymous_bytes += 1024 * field(&process.join("status"), "RssAnon:");
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

fn cpu_seconds(process: &Path) -> f64 {
    let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
    // The name is in brackets, and may have anything in it; see proc(5) for the rest. The unit is 10 ms on every kind of machine.
    let numbers = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = numbers.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    ticks.sum::<u64>() as f64 / 100.0
}

fn field(file: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    value.unwrap_or_default()
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
