use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::Notify;

use super::*;

const SIZE_MAX_BYTES: usize = 64 * 1024;

fn pair() -> (BoxStream, BoxStream) {
    let (near, far) = tokio::io::duplex(4096);
    (Box::pin(near), Box::pin(far))
}

fn spawn_caller<Q, A>(stream: BoxStream) -> Caller<Q, A>
where
    Q: Serialize + Send + 'static,
    A: DeserializeOwned + Send + 'static,
{
    let (caller, carry) = caller(stream, SIZE_MAX_BYTES);
    tokio::spawn(carry);
    caller
}

#[tokio::test]
async fn thousands_of_calls_each_get_their_own_answer() {
    let (near, far) = pair();
    let caller = spawn_caller::<u64, u64>(near);
    tokio::spawn(serve(far, SIZE_MAX_BYTES, 64, |n: u64| async move { n * 2 }.boxed()));
    let calls = (0..3 * IN_FLIGHT_MAX as u64).map(|n| {
        let caller = caller.clone();
        async move { assert_eq!(caller.call(&n).await, Ok(n * 2)) }
    });
    futures::future::join_all(calls).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_sent_in_the_order_of_the_calls_also_while_they_wait_for_others() {
    const MANY: u64 = 3 * IN_FLIGHT_MAX as u64;
    let (near, far) = pair();
    let caller = spawn_caller::<u64, ()>(near);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let answer = move |n: u64| {
        locked_list(&seen).push(n);
        async {}.boxed()
    };
    tokio::spawn(serve(far, SIZE_MAX_BYTES, 64, answer));
    let mut calls = Vec::new();
    for n in 0..MANY {
        let caller = caller.clone();
        let mut call = async move { caller.call(&n).await }.boxed();
        match futures::poll!(tokio::task::unconstrained(&mut call)) {
            Poll::Pending => calls.push(tokio::spawn(call)),
            Poll::Ready(answered) => assert_eq!(answered, Ok(())),
        }
    }
    for call in calls {
        assert_eq!(call.await.expect("no panic"), Ok(()));
    }
    assert!(locked_list(&asked).iter().copied().eq(0..MANY));
}

fn locked_list(list: &Mutex<Vec<u64>>) -> std::sync::MutexGuard<'_, Vec<u64>> {
    list.lock().expect("no test panics while it holds this")
}

#[tokio::test]
async fn answers_begin_in_the_order_of_the_requests() {
    // More than a task may do with channels before the runtime has it make way for others.
    const MANY: u64 = 2_000;
    let (near, far) = tokio::io::duplex(1024 * 1024);
    let mut writer = FrameWriter::new(near);
    (0..MANY).for_each(|n| writer.push(&Numbered { id: n, body: n }));
    writer.flush().await.expect("there is room for all");
    let (began, mut beginnings) = mpsc::channel(MANY as usize);
    let answer = move |n: u64| {
        let began = began.clone();
        async move {
            began.send(n).await.expect("the test listens");
            std::future::pending::<u64>().await
        }
        .boxed()
    };
    let serving = tokio::spawn(serve(Box::pin(far), SIZE_MAX_BYTES, MANY as usize, answer));
    for n in 0..MANY {
        assert_eq!(beginnings.recv().await, Some(n));
    }
    serving.abort();
}

#[tokio::test]
async fn a_slow_answer_holds_up_no_other() {
    let (near, far) = pair();
    let caller = spawn_caller::<bool, bool>(near);
    let release = Arc::new(Notify::new());
    let held = Arc::clone(&release);
    tokio::spawn(serve(far, SIZE_MAX_BYTES, 8, move |slow: bool| {
        let held = Arc::clone(&held);
        async move {
            if slow {
                held.notified().await;
            }
            slow
        }
        .boxed()
    }));
    let slow = tokio::spawn({
        let caller = caller.clone();
        async move { caller.call(&true).await }
    });
    assert_eq!(caller.call(&false).await, Ok(false));
    assert!(!slow.is_finished());
    release.notify_one();
    assert_eq!(slow.await.expect("no panic"), Ok(true));
}

#[tokio::test]
async fn what_goes_first_waits_for_no_place() {
    let (near, far) = tokio::io::duplex(1024 * 1024);
    let caller = spawn_caller::<bool, bool>(Box::pin(near));
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    tokio::spawn(serve(Box::pin(far), SIZE_MAX_BYTES, 2 * IN_FLIGHT_MAX, move |slow: bool| {
        let arrived = arrived.clone();
        async move {
            arrived.send(()).expect("the test listens");
            if slow { std::future::pending().await } else { false }
        }
        .boxed()
    }));
    let slow: Vec<_> = (0..2 * IN_FLIGHT_MAX)
        .map(|_| {
            let caller = caller.clone();
            tokio::spawn(async move { caller.call(&true).await })
        })
        .collect();
    for _ in 0..IN_FLIGHT_MAX {
        arrivals.recv().await.expect("it serves");
    }
    assert_eq!(caller.call_first(&false).await, Ok(false));
    for call in slow {
        call.abort();
    }
}

#[tokio::test]
async fn when_the_stream_ends_every_call_is_lost_and_the_caller_knows() {
    let (near, far) = pair();
    let caller = spawn_caller::<u64, u64>(near);
    let waiting = tokio::spawn({
        let caller = caller.clone();
        async move { caller.call(&1).await }
    });
    let (mut read, write) = tokio::io::split(far);
    codec::read::<Numbered<u64>>(&mut read, SIZE_MAX_BYTES).await.expect("a frame").expect("a call");
    assert!(!caller.is_closed());
    drop((read, write));
    assert_eq!(waiting.await.expect("no panic"), Err(CallError::Lost));
    caller.closed().await;
    assert_eq!(caller.call(&2).await, Err(CallError::Lost));
}

#[tokio::test]
async fn a_request_too_long_for_a_frame_is_not_sent() {
    let (near, far) = pair();
    let caller = spawn_caller::<String, u64>(near);
    tokio::spawn(serve(far, SIZE_MAX_BYTES, 8, |text: String| async move { text.len() as u64 }.boxed()));
    let outcome = caller.call(&"x".repeat(SIZE_MAX_BYTES)).await;
    assert!(matches!(outcome, Err(CallError::TooLarge { max: SIZE_MAX_BYTES, .. })));
    assert_eq!(caller.call(&"short".into()).await, Ok(5));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_so_many_calls_are_under_way() {
    let (near, far) = pair();
    let caller = spawn_caller::<u64, u64>(near);
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&most);
    tokio::spawn(serve(far, SIZE_MAX_BYTES, 3, move |n: u64| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&counted));
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(1)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            n
        }
        .boxed()
    }));
    let asked = async |n| caller.call(&n).await;
    futures::future::join_all((0..20).map(asked)).await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_is_under_way_is_finished_though_the_asker_has_gone() {
    let (near, far) = pair();
    let (started, finish, finished) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let caller = spawn_caller::<u64, u64>(near);
    let signals = (Arc::clone(&started), Arc::clone(&finish), Arc::clone(&finished));
    tokio::spawn(serve(far, SIZE_MAX_BYTES, 8, move |n: u64| {
        let (started, finish, finished) = signals.clone();
        async move {
            started.notify_one();
            finish.notified().await;
            finished.notify_one();
            n
        }
        .boxed()
    }));
    let asking = tokio::spawn(async move { caller.call(&1).await });
    started.notified().await;
    asking.abort();
    finish.notify_one();
    finished.notified().await;
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_ends_the_stream() {
    let (near, mut far) = pair();
    let caller = spawn_caller::<u64, u64>(near);
    codec::write(&mut far, &Numbered { id: 77, body: 1_u64 }).await.expect("there is room");
    caller.closed().await;
}

#[tokio::test]
async fn a_request_that_makes_no_sense_ends_the_serving() {
    let (mut near, far) = pair();
    let serving = tokio::spawn(serve(far, SIZE_MAX_BYTES, 8, |n: u64| async move { n }.boxed()));
    codec::write(&mut near, &"not a number").await.expect("there is room");
    assert!(matches!(serving.await.expect("no panic"), Err(FrameError::Malformed(_))));
}
