//! Where the code under test has been. A build with LLVM's coverage counters (`cargo xtask fuzz` makes one) tells this module of them before
//! `main` begins; in any other there are none, and nothing is ever new.

#![allow(unsafe_code, reason = "the counters are LLVM's, and known by their addresses only")]

use std::sync::Mutex;
use std::sync::PoisonError;

/// The counters: first and end, as addresses. Each object file tells of all that were linked, so most are told of many times.
static TOLD: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// LLVM's callback: one counter of a byte for each edge.
///
/// # Safety
/// The compiler calls it, with the bounds of what it made.
#[unsafe(no_mangle)]
unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(first: *mut u8, end: *mut u8) {
    let range = (first as usize, end as usize);
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if range.0 < range.1 && !told.contains(&range) {
        told.push(range);
    }
}

/// What was reached so far, by any input.
pub(crate) struct Coverage {
    /// Where the counters are, and how many.
    counters: Vec<(usize, usize)>,
    /// For each counter, which of eight classes of counts it was seen with.
    seen: Vec<u8>,
}

impl Coverage {
    pub(crate) fn begin() -> Self {
        let told = TOLD.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let counters: Vec<_> = told.iter().map(|(first, end)| (*first, end - first)).collect();
        let size = counters.iter().map(|(_, count)| count).sum();
        let mut begun = Self { counters, seen: vec![0; size] };
        begun.forget();
        begun
    }

    /// Whether this build counts at all.
    pub(crate) fn is_counted(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Sets all counters to zero, before a run.
    pub(crate) fn forget(&mut self) {
        for (first, count) in &self.counters {
            // SAFETY: LLVM's counters are there for as long as the program; other threads may lose a count, which does no harm.
            unsafe { std::ptr::write_bytes(*first as *mut u8, 0, *count) };
        }
    }

    /// Whether the run since then got somewhere new: to an edge never taken, or so much more often.
    pub(crate) fn is_new(&mut self) -> bool {
        let (mut is_new, mut seen) = (false, &mut self.seen[..]);
        for (first, count) in &self.counters {
            // SAFETY: as above; nothing is written through it here.
            let counters = unsafe { std::slice::from_raw_parts(*first as *const u8, *count) };
            let (these, rest) = seen.split_at_mut(*count);
            is_new |= merge(counters, these);
            seen = rest;
        }
        is_new
    }

    /// How many edges were ever taken, and how many there are.
    pub(crate) fn edges(&self) -> (usize, usize) {
        (self.seen.iter().filter(|classes| **classes != 0).count(), self.seen.len())
    }
}

/// Most counters are zero, so they are looked at eight at a time.
fn merge(counters: &[u8], seen: &mut [u8]) -> bool {
    let mut is_new = false;
    for (counters, seen) in counters.chunks(8).zip(seen.chunks_mut(8)) {
        if counters.iter().fold(0, |all, count| all | count) == 0 {
            continue;
        }
        for (count, seen) in counters.iter().zip(seen) {
            let class = class(*count);
            is_new |= *seen & class != class;
            *seen |= class;
        }
    }
    is_new
}

/// Counts in classes, each one bit, as AFL has them: a loop that goes round once more is nothing new, twice as often is.
fn class(count: u8) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..8 => 8,
        8..16 => 16,
        16..32 => 32,
        32..128 => 64,
        128.. => 128,
    }
}
