//! Whose turn it is among the tasks of a runtime.

/// Has every other task that is ready go first.
///
/// tokio runs what a task wakes right after it. That is quickest for one message, and dear for many: whoever writes to a stream or
/// hands work over would do so for each message by itself, while the next ones wait in tasks that are ready. After this they have added
/// theirs. Where no other task is ready it costs a look at the sockets, some microseconds; where they never end it takes the turns of
/// some sixty of them (tokio's `event_interval`).
pub async fn let_others_go_first() {
    tokio::task::yield_now().await;
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    /// Fewer than the turns after which it goes on although others are ready.
    const MANY: usize = 40;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_many_tasks_have_to_say_is_taken_together() {
        let (say, mut said) = mpsc::unbounded_channel();
        let taking = tokio::spawn(async move {
            let mut times = 0;
            while said.recv().await.is_some() {
                let_others_go_first().await;
                while said.try_recv().is_ok() {}
                times += 1;
            }
            times
        });
        // By a task of the one thread, so that all of them are ready before any has its turn.
        tokio::spawn(async move {
            for _ in 0..MANY {
                let say = say.clone();
                tokio::spawn(async move { say.send(()) });
            }
        });
        let times = taking.await.expect("no panic");
        assert!(times <= 4, "taken {times} times, which is not together");
    }
}
