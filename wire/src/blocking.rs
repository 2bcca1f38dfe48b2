//! Work that blocks, kept off the threads that everything else runs on.
//!
//! A runtime with one thread has nothing beside it: there the work is done in place. Such a runtime is chosen for its one order of
//! things (a simulation under paused time, the same every run), and a second thread would take that away.

use tokio::runtime::{Handle, RuntimeFlavor};

/// The work was not done, or not to its end: the program is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program is stopping")]
pub struct Stopping;

/// Does what may block: on a thread for that, or in place. Within a Tokio runtime.
pub async fn beside_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stopping> {
    if is_done_in_place() {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| Stopping)
}

/// Whether the runtime that this is called in has one thread only. Outside of any: no.
pub fn is_done_in_place() -> bool {
    Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread() -> std::thread::ThreadId {
        std::thread::current().id()
    }

    #[tokio::test]
    async fn one_thread_does_it_itself() {
        assert_eq!(beside_the_runtime(thread).await, Ok(thread()));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn several_have_another_do_it() {
        assert_ne!(beside_the_runtime(thread).await, Ok(thread()));
    }
}
