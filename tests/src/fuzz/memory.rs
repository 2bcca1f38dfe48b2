//! How much memory something takes, where the program counts it.

#![allow(unsafe_code, reason = "an allocator cannot be written in any other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a decoder may take besides a few times its input. serde sets aside up to 1 MiB for a list whose length it was told.
const BESIDES_BYTES: usize = 1 << 20;

/// How many times its input a decoder may take: the bytes themselves, what is made of them, and room to grow.
const TIMES: usize = 4;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which counts. For a program to install; without it everything seems to take nothing.
#[derive(Debug)]
pub struct Counting;

// SAFETY: every call is handed on to the system's allocator as it came; the counters are not memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may both be there for a moment.
        grow(size);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

fn grow(size: usize) {
    let live = LIVE.fetch_add(size, Ordering::Relaxed) + size;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

/// Does the work, and returns the most that it took at any time, in bytes. The work of other threads counts as well.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let done = work();
    (done, PEAK.load(Ordering::Relaxed).saturating_sub(before))
}

/// Does work on so many bytes from outside, and sees that it takes a few times their size at most.
pub fn modest<T>(input_bytes: usize, work: impl FnOnce() -> T) -> T {
    let (done, peak) = peak_of(work);
    let allowed = TIMES * input_bytes + BESIDES_BYTES;
    assert!(
        peak <= allowed,
        "{peak} bytes of memory were taken for {input_bytes} bytes of input, {allowed} are allowed"
    );
    done
}
