//! What damage does that LMDB trips over: it ends the process, and here it is given a sentence.
//!
//! LMDB trusts its pages. Where a bad disk or a hand has changed one, it may meet an assertion, or memory that is not there: no error
//! that could be returned, and nothing that could be gone on from.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

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
            // On the stack that Rust keeps for it.
            action.sa_flags = libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut())
        };
        if done != 0 {
            tracing::debug!(signal, "an end by this signal will go without a sentence");
        }
    }
}

/// How far the sentence is.
#[cfg(unix)]
static SENTENCE_IS: AtomicU8 = AtomicU8::new(UNSAID);
#[cfg(unix)]
const UNSAID: u8 = 0;
#[cfg(unix)]
const BEING_SAID: u8 = 1;
#[cfg(unix)]
const SAID: u8 = 2;

/// A write and little else: the thread may hold any lock. The signal does what it does by itself only once the sentence is out: two threads
/// may trip over the same damage at once, and the second would end the process before the first has said why. When it returns, what
/// raised the signal raises it again.
#[cfg(unix)]
#[allow(unsafe_code)]
extern "C" fn explain(signal: libc::c_int) {
    let is_explained = signal == libc::SIGABRT && ABORTS_BY_ITSELF.load(Ordering::Relaxed);
    if !is_explained {
        if SENTENCE_IS.compare_exchange(UNSAID, BEING_SAID, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            // SAFETY: the sentence is static.
            let _ = unsafe { libc::write(libc::STDERR_FILENO, SENTENCE.as_ptr().cast(), SENTENCE.len()) };
            SENTENCE_IS.store(SAID, Ordering::Relaxed);
        }
        while SENTENCE_IS.load(Ordering::Relaxed) != SAID {
            std::hint::spin_loop();
        }
    }
    // SAFETY: a handler may, and this is what is there before anybody asks for another.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

#[cfg(not(unix))]
pub fn explain_damage() {}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;
    use std::sync::Barrier;

    use super::*;

    /// Set for the process that is to trip over damage: this test once more.
    const TO_TRIP: &str = "FIVE9S_TEST_TRIP";

    /// Threads that trip at once.
    const THREADS: usize = 8;

    /// Each is another chance for them to meet.
    const TIMES: usize = 50;

    #[test]
    #[allow(unsafe_code)]
    fn however_many_threads_trip_over_it_at_once_it_is_explained() {
        if std::env::var_os(TO_TRIP).is_some() {
            explain_damage();
            let all = Barrier::new(THREADS);
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        all.wait();
                        // SAFETY: none; nothing is there, as behind the end of a file that was cut.
                        unsafe { std::ptr::without_provenance::<u8>(4096).read_volatile() }
                    });
                }
            });
            return;
        }
        let this = format!(
            "{}::however_many_threads_trip_over_it_at_once_it_is_explained",
            module_path!().trim_start_matches("node::")
        );
        for _ in 0..TIMES {
            let mut again = Command::new(std::env::current_exe().expect("this program"));
            let ended = again.args(["--exact", &this, "--nocapture"]).env(TO_TRIP, "1").output().expect("started");
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(said.matches(SENTENCE).count(), 1, "{} {said}", ended.status);
            assert!(!ended.status.success());
        }
    }
}
