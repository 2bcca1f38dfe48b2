//! The machine's randomness and its time of day, replaced for this process by what the seed says.
//!
//! Not every library lets itself be given a source of chance: hash maps, Tokio's `select!`, OPAQUE and ULIDs ask the C library. So the
//! C library's functions are defined anew here, and the linker prefers ours. madsim does the same.

#![allow(unsafe_code, reason = "functions of the C library can be replaced in no other way")]

use std::ffi::{CStr, c_int, c_long, c_uint, c_void};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What the next bytes are made of: SplitMix64 (Steele, Lea, Flood 2014).
static STATE: AtomicU64 = AtomicU64::new(0);

/// The time of day in nanoseconds since the Unix epoch. 0: as it is.
static NOW_NS: AtomicU64 = AtomicU64::new(0);

/// From here on everything random follows from the seed, and it stays this time of day. (Whoever needs a time of day that goes on has
/// a clock of its own; what is left are the times that clients keep for people to read.)
pub(crate) fn begin(seed: u64, now_ms: u64) {
    STATE.store(seed, Ordering::SeqCst);
    NOW_NS.store(now_ms * 1_000_000, Ordering::SeqCst);
}

fn next() -> u64 {
    let state = STATE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Fills `size` bytes.
///
/// # Safety
/// They are the caller's to write to.
unsafe fn fill(into: *mut u8, size: usize) {
    for at in (0..size).step_by(8) {
        let bytes = next().to_ne_bytes();
        let count = (size - at).min(8);
        // SAFETY: `at + count` is at most `size`.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), into.add(at), count) };
    }
}

/// The function of that name that the C library has. Looked up each time it is not known yet; that does no harm.
fn original(name: &CStr, known: &AtomicUsize) -> usize {
    match known.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: the name ends with a zero.
            let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) } as usize;
            assert_ne!(found, 0, "the C library has every function that is replaced here");
            known.store(found, Ordering::Relaxed);
            found
        }
        found => found,
    }
}

/// In the place of getrandom(2), as std and newer releases of the crate `getrandom` call it.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(into: *mut c_void, size: usize, _flags: c_uint) -> isize {
    // SAFETY: as promised by the caller.
    unsafe { fill(into.cast(), size) };
    isize::try_from(size).unwrap_or(isize::MAX)
}

/// In the place of syscall(2): getrandom(2), as older releases of the crate `getrandom` call it; everything else as it is. The C library
/// declares it with a variable number of arguments, which come in the same registers.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    type Syscall = unsafe extern "C" fn(c_long, c_long, c_long, c_long, c_long, c_long, c_long) -> c_long;
    static KNOWN: AtomicUsize = AtomicUsize::new(0);
    if number == libc::SYS_getrandom {
        // SAFETY: as promised by the caller.
        unsafe { fill(a as *mut u8, b as usize) };
        return b;
    }
    // SAFETY: it is the function of this name, and gets what this one was given.
    unsafe { std::mem::transmute::<usize, Syscall>(original(c"syscall", &KNOWN))(number, a, b, c, d, e, f) }
}

/// In the place of clock_gettime(2): the simulated time of day. The monotonic clock stands still: Tokio adds the simulated time to it.
/// Other clocks as they are.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, into: *mut libc::timespec) -> c_int {
    type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;
    static KNOWN: AtomicUsize = AtomicUsize::new(0);
    let now_ns = NOW_NS.load(Ordering::Relaxed);
    if now_ns > 0 && (clock == libc::CLOCK_REALTIME || clock == libc::CLOCK_MONOTONIC) {
        let (seconds, nanoseconds) = (now_ns / 1_000_000_000, now_ns % 1_000_000_000);
        // SAFETY: as promised by the caller. Both fit: a time of day in this century.
        unsafe { *into = libc::timespec { tv_sec: seconds as i64, tv_nsec: nanoseconds as i64 } };
        return 0;
    }
    // SAFETY: it is the function of this name, and gets what this one was given.
    unsafe { std::mem::transmute::<usize, ClockGettime>(original(c"clock_gettime", &KNOWN))(clock, into) }
}
