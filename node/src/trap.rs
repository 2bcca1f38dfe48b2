//! What damage does that LMDB trips over: it ends the process, and here it is given a sentence.
//!
//! LMDB trusts its pages. Where a bad disk or a hand has changed one, it may meet an assertion, or memory that is not there: no error
//! that could be returned, and nothing that could be gone on from.

use std::sync::atomic::{AtomicBool, Ordering};

/// Set where the process is about to abort for a reason that it has said.
static ABORTS_BY_ITSELF: AtomicBool = AtomicBool::new(false);

/// What is said, whatever it was.
pub const SENTENCE: &str = "error: reading the node's data ended the process: a file in the data folder is damaged, or its disk has \
failed. Restore this node's data folder from another disk, or remove the folder and let the node join anew.\n";

/// Whoever aborts the process having said why says so here first.
pub(crate) fn will_abort() {
    ABORTS_BY_ITSELF.store(true, Ordering::Relaxed);
}

/// From here on an end of that kind says what to do. The process ends by the same signal as before.
#[cfg(unix)]
#[allow(unsafe_code)]
pub fn explain_damage() {
    for signal in [libc::SIGBUS, libc::SIGSEGV, libc::SIGABRT] {
        // SAFETY: all zeros is an action without flags and with an empty mask; the handler does only what a handler may.
        let done = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = explain as extern "C" fn(libc::c_int) as libc::sighandler_t;
            // Once, and on the stack that Rust keeps for it. After that the signal does what it does by itself.
            action.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut())
        };
        if done != 0 {
            tracing::debug!(signal, "an end by this signal will go without a sentence");
        }
    }
}

/// A write and nothing else: the thread may hold any lock. When it returns, what raised the signal raises it again.
#[cfg(unix)]
#[allow(unsafe_code)]
extern "C" fn explain(signal: libc::c_int) {
    if signal == libc::SIGABRT && ABORTS_BY_ITSELF.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: the sentence is static.
    let _ = unsafe { libc::write(libc::STDERR_FILENO, SENTENCE.as_ptr().cast(), SENTENCE.len()) };
}

#[cfg(not(unix))]
pub fn explain_damage() {}
