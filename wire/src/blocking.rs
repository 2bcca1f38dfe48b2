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

/// Does what may block here and now, and has another thread go on with the tasks of this one meanwhile, with the runtime's timers and its
/// sockets. Within a Tokio runtime of several threads that is; elsewhere there is nothing to go on with.
pub fn while_others_go_on<T>(work: impl FnOnce() -> T) -> T {
    let has_others = |runtime: Handle| runtime.runtime_flavor() == RuntimeFlavor::MultiThread;
    if Handle::try_current().is_ok_and(has_others) { tokio::task::block_in_place(work) } else { work() }
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

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_go_on_while_something_blocks() {
        let (say, heard) = std::sync::mpsc::channel();
        let deadline = std::time::Duration::from_secs(20);
        let blocked = tokio::spawn(async move {
            // By a timer as well, which the thread that is blocked would drive.
            tokio::spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                say.send(()).ok();
            });
            while_others_go_on(|| heard.recv_timeout(deadline))
        });
        assert_eq!(blocked.await.unwrap(), Ok(()), "said while it was waited for");
    }

    #[test]
    fn what_may_block_is_done_outside_of_any_runtime_too() {
        assert_eq!(while_others_go_on(thread), thread());
    }
}
