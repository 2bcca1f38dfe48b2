//! A process of the floor.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use heed::byteorder::BigEndian;
use heed::types::{Bytes, U64};
use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, PutFlags};
use tokio::io::AsyncReadExt as _;

use super::{NUMBER_SIZE_BYTES, RECORD_SIZE_BYTES};
use crate::MESSAGE_SIZE_BYTES;

/// What a client's connection is read into.
const READ_SIZE_BYTES: usize = 256 * RECORD_SIZE_BYTES;

/// Stores records until it is killed.
pub(crate) fn run(folder: &Path, followers: &[SocketAddr]) -> ExitCode {
    let store = Store::open(folder);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let followers: Vec<_> =
        followers.iter().map(|follower| TcpStream::connect(follower).expect("the follower listens")).collect();
    println!("{}", listener.local_addr().expect("it has an address"));
    if followers.is_empty() {
        follow(store, &listener);
    } else {
        lead(store, listener, followers);
    }
    ExitCode::SUCCESS
}

/// Records in the order in which they came.
struct Store {
    env: Env,
    records: Database<'static, U64<BigEndian>, Bytes>,
    next: u64,
}

impl Store {
    #[allow(unsafe_code, reason = "opening an LMDB environment maps a file that nobody else may shorten; it is ours")]
    fn open(folder: &Path) -> Self {
        let mut options = EnvOpenOptions::new();
        options.map_size(64 << 30).max_dbs(1);
        // SAFETY: a fresh folder of this process's own.
        let env = unsafe { options.open(folder) }.expect("the environment opens");
        let txn = env.write_txn().expect("a transaction begins");
        let made = env.create_databases_and_commit(txn, |opener, txn| {
            let database = opener.create_database::<U64<BigEndian>, Bytes>(txn, Some("records"))?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(database))
        });
        let records = made.expect("the table can be made").unwrap_commit();
        Self { env, records, next: 0 }
    }

    /// All of them in one synced transaction.
    fn commit<'a>(&mut self, records: impl Iterator<Item = &'a [u8]>) {
        let mut txn = self.env.write_txn().expect("a transaction begins");
        for record in records {
            self.records.put_with_flags(&mut txn, PutFlags::APPEND, &self.next, record).expect("the record fits");
            self.next += 1;
        }
        txn.commit().expect("the commit succeeds");
    }
}

/// Takes batches from the leader: how many records, and the records. Answers each with its number once it is on the disk.
fn follow(mut store: Store, listener: &TcpListener) {
    let (mut leader, _) = listener.accept().expect("the leader comes");
    leader.set_nodelay(true).expect("TCP can do so");
    let mut records = Vec::new();
    for number in 1_u64.. {
        let mut count = [0; 4];
        if leader.read_exact(&mut count).is_err() {
            return;
        }
        records.resize(u32::from_be_bytes(count) as usize * MESSAGE_SIZE_BYTES, 0);
        leader.read_exact(&mut records).expect("the batch is whole");
        store.commit(records.chunks(MESSAGE_SIZE_BYTES));
        if leader.write_all(&number.to_be_bytes()).is_err() {
            return;
        }
    }
}

/// A record that a client waits for.
struct Waiting {
    client: Arc<tokio::net::TcpStream>,
    number: [u8; NUMBER_SIZE_BYTES],
    record: [u8; MESSAGE_SIZE_BYTES],
}

/// What came while the disk worked.
#[derive(Default)]
struct Arrived {
    waiting: Mutex<Vec<Waiting>>,
    some: Condvar,
}

/// Which process has which batches on its disk, and who waits for them.
struct Stored {
    reached: Vec<u64>,
    waiting: VecDeque<(u64, Vec<Waiting>)>,
}

fn lead(store: Store, listener: TcpListener, followers: Vec<TcpStream>) {
    let arrived = Arc::new(Arrived::default());
    let stored = Arc::new(Mutex::new(Stored { reached: vec![0; followers.len() + 1], waiting: VecDeque::new() }));
    for (at, follower) in followers.iter().enumerate() {
        follower.set_nodelay(true).expect("TCP can do so");
        let (mut answers, stored) = (follower.try_clone().expect("a socket can be shared"), Arc::clone(&stored));
        std::thread::spawn(move || {
            let mut number = [0; 8];
            while answers.read_exact(&mut number).is_ok() {
                lock(&stored).reach(at + 1, u64::from_be_bytes(number));
            }
        });
    }
    let commit = Arc::clone(&arrived);
    std::thread::spawn(move || write_batches(store, followers, &commit, &stored));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("the runtime starts");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a socket can do so");
        let listener = tokio::net::TcpListener::from_std(listener).expect("the runtime takes it");
        while let Ok((client, _)) = listener.accept().await {
            client.set_nodelay(true).expect("TCP can do so");
            tokio::spawn(serve(Arc::new(client), Arc::clone(&arrived)));
        }
    });
}

/// Takes a client's records.
async fn serve(client: Arc<tokio::net::TcpStream>, arrived: Arc<Arrived>) {
    let mut bytes = Vec::with_capacity(READ_SIZE_BYTES);
    loop {
        let mut reader = Reader(&client);
        match reader.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let whole = bytes.len() - bytes.len() % RECORD_SIZE_BYTES;
        if whole == 0 {
            continue;
        }
        let mut waiting = lock(&arrived.waiting);
        for bytes in bytes[..whole].chunks_exact(RECORD_SIZE_BYTES) {
            let (number, record) = bytes.split_at(NUMBER_SIZE_BYTES);
            let number = number.try_into().expect("so many bytes");
            let record = record.try_into().expect("so many bytes");
            waiting.push(Waiting { client: Arc::clone(&client), number, record });
        }
        drop(waiting);
        arrived.some.notify_one();
        bytes.drain(..whole);
    }
}

/// Reads from a connection that others write to.
struct Reader<'a>(&'a tokio::net::TcpStream);

impl tokio::io::AsyncRead for Reader<'_> {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        loop {
            std::task::ready!(self.0.poll_read_ready(context))?;
            match self.0.try_read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return std::task::Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return std::task::Poll::Ready(Err(error)),
            }
        }
    }
}

/// Batch after batch: to the followers, and to the disk here while they write.
fn write_batches(mut store: Store, mut followers: Vec<TcpStream>, arrived: &Arrived, stored: &Mutex<Stored>) {
    let mut frame = Vec::new();
    for number in 1_u64.. {
        let waiting = lock(&arrived.waiting);
        let mut waiting =
            arrived.some.wait_while(waiting, |waiting| waiting.is_empty()).unwrap_or_else(PoisonError::into_inner);
        let batch = std::mem::take(&mut *waiting);
        drop(waiting);
        frame.clear();
        frame.extend(u32::try_from(batch.len()).expect("far fewer").to_be_bytes());
        frame.extend(batch.iter().flat_map(|waiting| waiting.record));
        for follower in &mut followers {
            follower.write_all(&frame).expect("the follower lives");
        }
        store.commit(frame[4..].chunks(MESSAGE_SIZE_BYTES));
        let mut stored = lock(stored);
        stored.waiting.push_back((number, batch));
        stored.reach(0, number);
    }
}

impl Stored {
    /// Whoever waits for what a majority has by now is answered.
    fn reach(&mut self, at: usize, number: u64) {
        self.reached[at] = number;
        let mut reached = self.reached.clone();
        reached.sort_unstable();
        let by_most = reached[(reached.len() - 1) / 2];
        while self.waiting.front().is_some_and(|(number, _)| *number <= by_most) {
            let Some((_, batch)) = self.waiting.pop_front() else { return };
            answer(batch);
        }
    }
}

/// A write for each client, of all its numbers.
fn answer(batch: Vec<Waiting>) {
    let mut answers: HashMap<*const tokio::net::TcpStream, (Arc<tokio::net::TcpStream>, Vec<u8>)> = HashMap::new();
    for waiting in batch {
        let key = Arc::as_ptr(&waiting.client);
        answers.entry(key).or_insert_with(|| (waiting.client, Vec::new())).1.extend(waiting.number);
    }
    for (client, numbers) in answers.into_values() {
        let mut left = &numbers[..];
        while !left.is_empty() {
            match client.try_write(left) {
                Ok(written) => left = &left[written..],
                // A few bytes for somebody who reads: there is room in a moment.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(_) => break,
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
