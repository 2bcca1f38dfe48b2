//! The process that sends to the floor.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{NUMBER_SIZE_BYTES, RECORD_SIZE_BYTES};
use crate::loader::{Order, all_send, next_order, tell};

/// Sends when it is told to, until nobody tells it anything any more.
pub(crate) fn run(address: SocketAddr, clients: usize, window: usize) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the runtime starts");
    runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..clients {
            let stream = TcpStream::connect(address).await.expect("the floor listens");
            stream.set_nodelay(true).expect("TCP can do so");
            streams.push(stream);
        }
        tell(&"ready");
        while let Some(order) = next_order().await {
            let Order::Send { ms } = order else { continue };
            let sent;
            (streams, sent) = all_send(streams, ms, |stream, until| send_for(stream, window, until)).await;
            tell(&sent);
        }
    });
    ExitCode::SUCCESS
}

/// Keeps so many records under way. Answers how long each took.
async fn send_for(mut stream: TcpStream, window: usize, until: Instant) -> (TcpStream, Vec<Duration>) {
    let mut under_way: VecDeque<Instant> = VecDeque::new();
    let (mut taken, mut records, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let now = Instant::now();
        records.clear();
        while under_way.len() < window && now < until {
            under_way.push_back(now);
            records.resize(records.len() + RECORD_SIZE_BYTES, 7);
        }
        if under_way.is_empty() {
            return (stream, taken);
        }
        stream.write_all(&records).await.expect("the floor reads");
        // Everything up to the window is acknowledged in the order in which it was sent.
        let read = stream.read_buf(&mut answers).await.expect("the floor answers");
        assert!(read > 0, "the floor is gone");
        let now = Instant::now();
        let count = answers.len() / NUMBER_SIZE_BYTES;
        taken.extend(under_way.drain(..count).map(|sent| now - sent));
        answers.drain(..count * NUMBER_SIZE_BYTES);
    }
}
