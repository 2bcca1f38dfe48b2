//! The disk of a machine: a file system of its own in a file, whose power can be cut.

#![allow(unsafe_code, reason = "the kernel cuts a file system off by nothing but an ioctl")]

use std::cell::Cell;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// As large as a daemon needs in a run, many times over.
const SIZE_BYTES: u64 = 400 << 20;

/// From the kernel's `fs/ext4/ext4.h` and `include/uapi/linux/fs.h`: `_IOR('X', 125, __u32)`.
const FS_IOC_SHUTDOWN: u32 = 0x8004_587d;

/// Nothing more goes to the disk, not even what the journal holds: what a power cut leaves.
static NO_LOG_FLUSH: u32 = 2;

/// A mounted file system.
pub(crate) struct Disk {
    image: PathBuf,
    folder: PathBuf,
    /// Whether it is meant to be full.
    is_filled: Cell<bool>,
}

impl Disk {
    /// A new file system, mounted at the folder, which is made.
    pub(crate) fn make(image: PathBuf, folder: PathBuf) -> Result<Self, String> {
        let file = File::create(&image).and_then(|file| file.set_len(SIZE_BYTES));
        file.map_err(|error| format!("{} cannot be made: {error}", image.display()))?;
        fs::create_dir_all(&folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))?;
        let disk = Self { image, folder, is_filled: Cell::new(false) };
        disk.mount()?;
        Ok(disk)
    }

    /// What was not synced is lost, and nothing can be read or written until [`Disk::restore`].
    pub(crate) fn cut_power(&self) -> io::Result<()> {
        let folder = File::open(&self.folder)?;
        // SAFETY: the folder is open, and the ioctl reads one u32, which outlives the call.
        let done = unsafe { libc::ioctl(folder.as_raw_fd(), FS_IOC_SHUTDOWN as _, &raw const NO_LOG_FLUSH) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The power is back: the file system as it was on the disk. Nothing may have a file of it open.
    pub(crate) fn restore(&self) -> Result<(), String> {
        self.unmount()?;
        self.mount()?;
        if self.is_filled.get() {
            return Ok(());
        }
        // While it was cut off nothing could be removed.
        match self.empty() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("{} cannot be emptied: {error}", self.folder.display()))
            }
            _ => Ok(()),
        }
    }

    /// Whatever is written waits, until it is thawed.
    pub(crate) fn freeze(&self) -> Result<(), String> {
        run(Command::new("fsfreeze").arg("--freeze").arg(&self.folder))
    }

    pub(crate) fn thaw(&self) -> Result<(), String> {
        run(Command::new("fsfreeze").arg("--unfreeze").arg(&self.folder))
    }

    /// Takes all the room that is left, but for so many bytes.
    pub(crate) fn fill(&self, but_bytes: u64) -> io::Result<()> {
        use std::io::{Seek as _, Write as _};
        self.is_filled.set(true);
        let mut filler = File::create(self.filler())?;
        // At once, but for what the file system itself may need for it; what is left after that is written.
        let most = self.free_bytes()?.saturating_sub(but_bytes + (4 << 20));
        if most > 0 {
            rustix::fs::fallocate(&filler, rustix::fs::FallocateFlags::empty(), 0, most)?;
            filler.seek(io::SeekFrom::End(0))?;
        }
        let mut left = self.free_bytes()?.saturating_sub(but_bytes);
        let zeros = vec![0; 1 << 20];
        while left > 0 {
            let size = left.min(zeros.len() as u64);
            match filler.write(&zeros[..usize::try_from(size).unwrap_or(zeros.len())]) {
                Ok(written) => left -= written as u64,
                Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let free = rustix::fs::statvfs(&self.folder)?;
        Ok(free.f_bavail * free.f_frsize)
    }

    /// Gives it back.
    pub(crate) fn empty(&self) -> io::Result<()> {
        self.is_filled.set(false);
        fs::remove_file(self.filler())
    }

    pub(crate) fn unmount(&self) -> Result<(), String> {
        run(Command::new("umount").arg(&self.folder))
    }

    fn mount(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.folder))
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

/// Whether this process may have disks of its own. An error: why not.
pub(crate) fn try_out(folder: &Path) -> Result<(), String> {
    let disk = Disk::make(folder.join("try.img"), folder.join("try"))?;
    disk.cut_power().map_err(|error| format!("a file system cannot be cut off: {error}"))?;
    disk.unmount()
}

fn run(command: &mut Command) -> Result<(), String> {
    let ran = command.stdin(Stdio::null()).output();
    let ran = ran.map_err(|error| format!("{:?} cannot be run: {error}", command.get_program()))?;
    if ran.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&ran.stderr).trim()))
}
