//! The calls by which this process writes to files, taken down as they are made.
//!
//! The C library's functions are defined anew here, and the linker prefers ours, for LMDB and SQLite (which are C) as for std. So what
//! is recorded is what the real daemon and the real client ask of the operating system, whichever library asks. Each call is carried
//! out first, by a system call of our own, and noted after that: a write that is noted has happened, and a sync that is noted has
//! returned. What a call is about is asked of the kernel each time (`/proc/self/fd`), so nothing here has to follow descriptors as they
//! are opened, copied and closed.
//!
//! Memory maps are not seen. Nothing durable is written through one: LMDB maps its data for reading only, and what it and SQLite keep
//! in `lock.mdb` and `-shm` is made anew by the first process that opens them.

#![allow(unsafe_code, reason = "functions of the C library can be replaced in no other way")]

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uint, c_void};
use std::fs::OpenOptions;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use libc::{mode_t, off_t, size_t, ssize_t};

use tests::disk::{Head, Kind};

/// What syncs do: a [`Syncing`].
static SYNCING: AtomicU8 = AtomicU8::new(Syncing::On as u8);

/// What of its syncing a process does, ever more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Syncing {
    /// Nothing.
    Off,
    /// Records and profiles sync (`fsync`), LMDB does not (`fdatasync`).
    NoDatabases,
    /// What LMDB writes into its meta pages is not on the disk when it should be, but with the sync after: as if the log's tables were
    /// said to have its journal a transaction too early.
    MetaPagesLate,
    On,
}

fn syncs(least: Syncing) -> bool {
    SYNCING.load(Ordering::Relaxed) >= least as u8
}

static RECORDING: OnceLock<Recorder> = OnceLock::new();

/// Held from a call that changes a name until it is noted: another thread may find the name at once, and what it does there must not be
/// noted before.
static NAMING: Mutex<()> = Mutex::new(());

/// Shared by the calls that are being carried out and noted. A process that is killed takes it for itself first: what such a call has
/// done must be noted, or what was recorded is not what is on the disk.
static CALLS: RwLock<()> = RwLock::new(());

/// The process is being killed: nothing more is begun.
static ENDS: AtomicBool = AtomicBool::new(false);

/// Held from a call until it is noted, where this process is recorded. It never comes back in one that is being killed.
fn begin() -> Option<RwLockReadGuard<'static, ()>> {
    RECORDING.get()?;
    while ENDS.load(Ordering::SeqCst) {
        std::thread::park();
    }
    Some(CALLS.read().unwrap_or_else(PoisonError::into_inner))
}

/// Kills this process, as soon as nothing is between a call and its note.
fn end() {
    ENDS.store(true, Ordering::SeqCst);
    // The one that ends it is such a call itself.
    std::thread::spawn(|| {
        let _all = CALLS.write();
        // SAFETY: it ends this process, which is what it is for.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    });
}

/// Where a process notes what it does.
struct Recorder {
    /// The folder whose files count.
    root: Vec<u8>,
    /// The file of this process's notes.
    notes: c_int,
    /// Orders the notes of all processes: one number, in memory that they share.
    counter: &'static AtomicU64,
    /// After so many notes this process is killed; 0: never.
    left: AtomicU64,
}

/// From here on this process syncs no more than that.
pub(crate) fn sync_only(syncing: Syncing) {
    SYNCING.store(syncing as u8, Ordering::SeqCst);
}

/// From here on whatever this process does to files below `root` is noted in the file `notes`; `counter` is a file that all processes of
/// a recording share. After so many notes the process is killed; 0: never.
pub(crate) fn record(root: &Path, notes: &Path, counter: &Path, killed_after: u64) -> std::io::Result<()> {
    let notes = OpenOptions::new().append(true).create_new(true).open(notes)?;
    let counter = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(counter)?;
    counter.set_len(8)?;
    // SAFETY: the file has the eight bytes, nobody shortens it, and the mapping is never taken away.
    let mapped = unsafe {
        libc::mmap(ptr::null_mut(), 8, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, counter.as_raw_fd(), 0)
    };
    if mapped == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: a mapping begins at a page, so it is aligned; all processes use it as an atomic number.
    let counter = unsafe { &*mapped.cast::<AtomicU64>() };
    let root = root.as_os_str().as_bytes().to_vec();
    let left = AtomicU64::new(killed_after);
    let begun = RECORDING.set(Recorder { root, notes: notes.into_raw_fd(), counter, left });
    begun.map_err(|_| std::io::Error::other("this process is recorded already"))
}

impl Recorder {
    /// How many notes there are of all processes.
    fn now(&self) -> u64 {
        self.counter.load(Ordering::SeqCst)
    }

    /// Whether the path is below the root, and how it goes on from there.
    fn below<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        path.strip_prefix(&self.root[..])?.strip_prefix(b"/")
    }

    /// Notes a call, in one write that no other can come between.
    fn note(&self, kind: Kind, file: u64, begun: u64, number: u64, one: &[u8], other: &[u8]) {
        let stamp = self.counter.fetch_add(1, Ordering::SeqCst);
        let sizes = [one.len() as u64, other.len() as u64];
        let head = Head { stamp, begun, kind, file, number, sizes }.encode();
        let pieces = [&head[..], one, other]
            .map(|bytes| libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() });
        // SAFETY: the pieces are slices that live until it returns, and are only read.
        let written = unsafe { libc::syscall(libc::SYS_writev, self.notes, pieces.as_ptr(), pieces.len()) };
        let whole = head.len() + one.len() + other.len();
        assert_eq!(usize::try_from(written), Ok(whole), "a note can be written");
        let counted = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if counted == Ok(1) {
            end();
        }
    }
}

fn naming() -> MutexGuard<'static, ()> {
    NAMING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an open descriptor is.
struct Opened {
    /// The number of the file, as the file system counts them.
    file: u64,
    /// Below the root.
    path: Vec<u8>,
    is_dir: bool,
}

/// What the descriptor is, if this process is recorded and it is a file or folder below the root.
fn recorded(fd: c_int) -> Option<(&'static Recorder, Opened)> {
    let recorder = RECORDING.get()?;
    // SAFETY: all zeros is a value of this plain struct, and it is ours to be written to.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    if unsafe { libc::fstat(fd, &raw mut stat) } != 0 {
        return None;
    }
    let is_dir = stat.st_mode & libc::S_IFMT == libc::S_IFDIR;
    if !is_dir && stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return None;
    }
    let path = path_of(fd)?;
    let path = match recorder.below(&path) {
        Some(below) => below.to_vec(),
        None if path == recorder.root => Vec::new(),
        None => return None,
    };
    Some((recorder, Opened { file: stat.st_ino, path, is_dir }))
}

fn path_of(fd: c_int) -> Option<Vec<u8>> {
    let link = CString::new(format!("/proc/self/fd/{fd}")).ok()?;
    let mut path = vec![0; libc::PATH_MAX as usize];
    // SAFETY: the name ends with a zero, and the buffer has the size that is given.
    let size = unsafe { libc::readlink(link.as_ptr(), path.as_mut_ptr().cast(), path.len()) };
    path.truncate(usize::try_from(size).ok()?);
    Some(path)
}

/// The path below the root, if this process is recorded and it is one.
///
/// # Safety
/// `path` ends with a zero.
unsafe fn recorded_path(dir: c_int, path: *const c_char) -> Option<(&'static Recorder, Vec<u8>)> {
    let recorder = RECORDING.get()?;
    // SAFETY: as promised by the caller.
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()));
    let whole = if path.is_absolute() {
        path
    } else if dir == libc::AT_FDCWD {
        std::env::current_dir().ok()?.join(path)
    } else {
        PathBuf::from(std::ffi::OsStr::from_bytes(&path_of(dir)?)).join(path)
    };
    let below = recorder.below(whole.as_os_str().as_bytes())?.to_vec();
    Some((recorder, below))
}

fn errno() -> c_int {
    // SAFETY: it is this thread's own.
    unsafe { *libc::__errno_location() }
}

#[expect(clippy::cast_possible_truncation, reason = "what system calls return for these fits")]
fn int(result: c_long) -> c_int {
    result as c_int
}

/// # Safety
/// As open(2).
unsafe fn open_at(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let flags = if syncs(Syncing::On) { flags } else { flags & !(libc::O_SYNC | libc::O_DSYNC) };
    // SAFETY: as promised by the caller.
    let open = |flags: c_int| int(unsafe { libc::syscall(libc::SYS_openat, dir, path, flags, mode) });
    // SAFETY: as promised by the caller.
    let Some((recorder, below)) = (unsafe { recorded_path(dir, path) }) else { return open(flags) };
    let _call = begin();
    let creates = flags & libc::O_CREAT != 0;
    let _naming = creates.then(naming);
    loop {
        // Whether the file was there is known only where opening and making it are two calls.
        let mut fd = if creates && flags & libc::O_EXCL == 0 { open(flags & !libc::O_CREAT) } else { open(flags) };
        let mut is_new = fd >= 0 && creates && flags & libc::O_EXCL != 0;
        if fd < 0 && errno() == libc::ENOENT && creates {
            fd = open(flags | libc::O_EXCL);
            if fd < 0 && errno() == libc::EEXIST && flags & libc::O_EXCL == 0 {
                continue;
            }
            is_new = fd >= 0;
        }
        if fd >= 0
            && let Some((_, opened)) = recorded(fd)
        {
            if is_new {
                recorder.note(Kind::Create, opened.file, 0, 0, &below, &[]);
            } else if flags & libc::O_TRUNC != 0 {
                recorder.note(Kind::Resize, opened.file, 0, 0, &[], &[]);
            }
        }
        return fd;
    }
}

// The C library declares open(2) and its like with a variable number of arguments, which come in the same registers.

/// # Safety
/// As open(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As open(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As openat(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { open_at(dir, path, flags, mode) }
}

/// # Safety
/// As openat(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn openat64(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { open_at(dir, path, flags, mode) }
}

/// Notes that this was written. `offset` None: where the descriptor stood.
fn wrote(fd: c_int, bytes: &[u8], offset: Option<off_t>) {
    let Some((recorder, opened)) = recorded(fd) else { return };
    let offset = offset.unwrap_or_else(|| {
        // SAFETY: it only asks.
        let now = unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) };
        now - off_t::try_from(bytes.len()).unwrap_or(0)
    });
    // SAFETY: it only asks.
    let is_synced = unsafe { libc::fcntl(fd, libc::F_GETFL) } & libc::O_DSYNC != 0;
    let kind = if is_synced { Kind::WriteSynced } else { Kind::Write };
    recorder.note(kind, opened.file, 0, u64::try_from(offset).unwrap_or(0), bytes, &[]);
}

/// # Safety
/// They are readable.
unsafe fn slice<'a>(bytes: *const c_void, size: ssize_t) -> &'a [u8] {
    // SAFETY: as promised by the caller.
    usize::try_from(size).map_or(&[], |size| unsafe { std::slice::from_raw_parts(bytes.cast(), size) })
}

/// # Safety
/// As write(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, size: size_t) -> ssize_t {
    // SAFETY: as promised by the caller, of whose bytes so many were written.
    unsafe {
        let _call = begin();
        let written = libc::syscall(libc::SYS_write, fd, bytes, size) as ssize_t;
        if written > 0 && RECORDING.get().is_some() {
            wrote(fd, slice(bytes, written), None);
        }
        written
    }
}

/// The two meta pages of a database; nothing else is written there, and each of them only in part.
const META_PAGES_BYTES: off_t = 8_192;
const META_SIZE_MAX_BYTES: usize = 1_024;

/// Writes to meta pages that are noted once their file was synced: which file, where, and what.
static LATE: Mutex<Vec<(u64, off_t, Vec<u8>)>> = Mutex::new(Vec::new());

fn late() -> MutexGuard<'static, Vec<(u64, off_t, Vec<u8>)>> {
    LATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn meta_pages_are_late() -> bool {
    syncs(Syncing::MetaPagesLate) && !syncs(Syncing::On)
}

/// Whether the write is kept for later.
fn comes_late(fd: c_int, bytes: &[u8], offset: off_t) -> bool {
    let is_meta = offset < META_PAGES_BYTES && bytes.len() <= META_SIZE_MAX_BYTES;
    if !is_meta || !meta_pages_are_late() {
        return false;
    }
    let Some((_, opened)) = recorded(fd).filter(|(_, opened)| opened.path.ends_with(b"data.mdb")) else { return false };
    late().push((opened.file, offset, bytes.to_vec()));
    true
}

/// Notes what was kept of the file.
fn note_late(fd: c_int) {
    let Some((recorder, opened)) = recorded(fd) else { return };
    let mut late = late();
    for (file, offset, bytes) in late.extract_if(.., |(file, ..)| *file == opened.file) {
        recorder.note(Kind::Write, file, 0, u64::try_from(offset).unwrap_or(0), &bytes, &[]);
    }
}

/// # Safety
/// As pwrite(2).
unsafe fn write_at(fd: c_int, bytes: *const c_void, size: size_t, offset: off_t) -> ssize_t {
    // SAFETY: as promised by the caller, of whose bytes so many were written.
    unsafe {
        let _call = begin();
        let written = libc::syscall(libc::SYS_pwrite64, fd, bytes, size, offset) as ssize_t;
        if written > 0 && !comes_late(fd, slice(bytes, written), offset) {
            wrote(fd, slice(bytes, written), Some(offset));
        }
        written
    }
}

/// # Safety
/// As pwrite(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(fd: c_int, bytes: *const c_void, size: size_t, offset: off_t) -> ssize_t {
    // SAFETY: as promised by the caller.
    unsafe { write_at(fd, bytes, size, offset) }
}

/// # Safety
/// As pwrite(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(fd: c_int, bytes: *const c_void, size: size_t, offset: off_t) -> ssize_t {
    // SAFETY: as promised by the caller.
    unsafe { write_at(fd, bytes, size, offset) }
}

/// Several pieces as one.
///
/// # Safety
/// They are readable.
unsafe fn joined(pieces: *const libc::iovec, count: c_int, size: ssize_t) -> Vec<u8> {
    let mut bytes = Vec::new();
    for at in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: as promised by the caller.
        let piece = unsafe { &*pieces.add(at) };
        // SAFETY: as promised by the caller.
        bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(piece.iov_base.cast(), piece.iov_len) });
    }
    bytes.truncate(usize::try_from(size).unwrap_or(0));
    bytes
}

/// # Safety
/// As writev(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn writev(fd: c_int, pieces: *const libc::iovec, count: c_int) -> ssize_t {
    // SAFETY: as promised by the caller.
    unsafe {
        let _call = begin();
        let written = libc::syscall(libc::SYS_writev, fd, pieces, count) as ssize_t;
        // Most of these go to sockets.
        if written > 0 && recorded(fd).is_some() {
            wrote(fd, &joined(pieces, count, written), None);
        }
        written
    }
}

/// # Safety
/// As pwritev(2).
unsafe fn write_pieces_at(fd: c_int, pieces: *const libc::iovec, count: c_int, offset: off_t) -> ssize_t {
    // SAFETY: as promised by the caller. The kernel takes the offset in two halves; on 64 bits the lower one has all of it.
    unsafe {
        let _call = begin();
        let written = libc::syscall(libc::SYS_pwritev, fd, pieces, count, offset, 0) as ssize_t;
        if written > 0 && recorded(fd).is_some() {
            wrote(fd, &joined(pieces, count, written), Some(offset));
        }
        written
    }
}

/// # Safety
/// As pwritev(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn pwritev(fd: c_int, pieces: *const libc::iovec, count: c_int, offset: off_t) -> ssize_t {
    // SAFETY: as promised by the caller.
    unsafe { write_pieces_at(fd, pieces, count, offset) }
}

/// # Safety
/// As pwritev(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn pwritev64(fd: c_int, pieces: *const libc::iovec, count: c_int, offset: off_t) -> ssize_t {
    // SAFETY: as promised by the caller.
    unsafe { write_pieces_at(fd, pieces, count, offset) }
}

/// Syncs by this system call.
fn sync(number: c_long, fd: c_int) -> c_int {
    let _call = begin();
    let begun = RECORDING.get().map_or(0, Recorder::now);
    // SAFETY: it takes a number.
    let result = int(unsafe { libc::syscall(number, fd) });
    if result == 0
        && let Some((recorder, opened)) = recorded(fd)
    {
        let kind = if opened.is_dir { Kind::SyncDir } else { Kind::Sync };
        recorder.note(kind, opened.file, begun, 0, &opened.path, &[]);
    }
    result
}

#[unsafe(no_mangle)]
extern "C" fn fsync(fd: c_int) -> c_int {
    if syncs(Syncing::NoDatabases) { sync(libc::SYS_fsync, fd) } else { 0 }
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(fd: c_int) -> c_int {
    let result = if syncs(Syncing::MetaPagesLate) { sync(libc::SYS_fdatasync, fd) } else { 0 };
    if meta_pages_are_late() {
        note_late(fd);
    }
    result
}

fn resize(fd: c_int, size: off_t) -> c_int {
    let _call = begin();
    // SAFETY: it takes numbers.
    let result = int(unsafe { libc::syscall(libc::SYS_ftruncate, fd, size) });
    if result == 0
        && let Some((recorder, opened)) = recorded(fd)
    {
        recorder.note(Kind::Resize, opened.file, 0, u64::try_from(size).unwrap_or(0), &[], &[]);
    }
    result
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate(fd: c_int, size: off_t) -> c_int {
    resize(fd, size)
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate64(fd: c_int, size: off_t) -> c_int {
    resize(fd, size)
}

/// # Safety
/// As renameat(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn renameat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe {
        let _call = begin();
        let _naming = naming();
        let result = int(libc::syscall(libc::SYS_renameat2, from_dir, from, to_dir, to, 0));
        if result == 0
            && let (Some((recorder, from)), Some((_, to))) = (recorded_path(from_dir, from), recorded_path(to_dir, to))
        {
            recorder.note(Kind::Rename, 0, 0, 0, &from, &to);
        }
        result
    }
}

/// # Safety
/// As rename(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { renameat(libc::AT_FDCWD, from, libc::AT_FDCWD, to) }
}

/// # Safety
/// As unlinkat(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn unlinkat(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe {
        let _call = begin();
        let _naming = naming();
        let result = int(libc::syscall(libc::SYS_unlinkat, dir, path, flags));
        if result == 0
            && let Some((recorder, path)) = recorded_path(dir, path)
        {
            recorder.note(Kind::Remove, 0, 0, 0, &path, &[]);
        }
        result
    }
}

/// # Safety
/// As unlink(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { unlinkat(libc::AT_FDCWD, path, 0) }
}

/// # Safety
/// As rmdir(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { unlinkat(libc::AT_FDCWD, path, libc::AT_REMOVEDIR) }
}

/// # Safety
/// As mkdirat(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn mkdirat(dir: c_int, path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe {
        let _call = begin();
        let _naming = naming();
        let result = int(libc::syscall(libc::SYS_mkdirat, dir, path, c_uint::from(mode)));
        if result == 0
            && let Some((recorder, path)) = recorded_path(dir, path)
        {
            recorder.note(Kind::MakeDir, 0, 0, 0, &path, &[]);
        }
        result
    }
}

/// # Safety
/// As mkdir(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { mkdirat(libc::AT_FDCWD, path, mode) }
}
