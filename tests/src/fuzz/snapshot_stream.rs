//! A snapshot on its way to a node that is behind: whatever arrives, what is installed is what was sent, or nothing.

use std::cell::Cell;
use std::sync::{Arc, LazyLock};

use node::app::{App, Entry, TABLES};
use node::raft::application::{Application, Entries, Snapshot, SnapshotRead, SnapshotWrite};
use node::raft::bytes::{install_snapshot, write_snapshot};
use node::store::StoreError;
use node::store::lmdb::LmdbState;
use node::store::memory::MemoryState;
use node::store::state::{Row, Table};

use super::draw::Draw;
use super::rows::{Replica, Rows, is_for_the_disk, wait};
use super::samples::behind;
use super::{Target, commands};

pub(super) const TARGET: Target =
    Target { name: "snapshot_stream", run, seeds, words: &[b"accounts", b"\x01\x01", b"own"] };

/// Who leads, and is believed.
const LEADER: u64 = 1;

/// Raft's record of what was applied, as Raft writes it: up to entry 40, or 41, of term 3 under the leader.
const APPLIED: [&[u8]; 2] = [&[1, 1, 3, 1, 40, 0, 0, 0], &[1, 1, 3, 1, 41, 0, 0, 0]];

/// Rows in small chunks, so that a small state has many.
const CHUNK_SIZE_BYTES: usize = 300;

/// One byte says how to read the rest: as the stream itself, or as what to do to a whole one.
fn run(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let stream = if kind % 2 == 0 { bytes.to_vec() } else { edited(Draw(bytes)) };
    let place = if is_for_the_disk(input) { &DISK } else { &MEMORY };
    // Taken out, so that one that something is wrong with does not come back.
    let receiver = place.take().unwrap_or_else(|| Receiver::new(is_for_the_disk(input)));
    place.set(Some(receiver.after(&stream)));
}

/// A snapshot as it is sent.
struct Sent {
    stream: Vec<u8>,
    rows: Rows,
    applied: Vec<u8>,
}

static SENT: LazyLock<[Sent; 2]> = LazyLock::new(|| APPLIED.map(Sent::new));

impl Sent {
    fn new(applied: &[u8]) -> Self {
        let mut replica = Replica::over(MemoryState::new(TABLES));
        // The two differ in their last entries.
        let (story, more) = (commands::story(), usize::from(applied == APPLIED[1]));
        replica.apply(story.into_iter().skip(more).map(Entry::Chat).collect(), applied);
        let mut stream = Vec::new();
        let small = Arc::new(InSmallChunks(replica.app.clone()));
        wait(write_snapshot(small, 3, LEADER, &mut stream)).expect("it is sent");
        Self { stream, rows: replica.rows(), applied: applied.to_vec() }
    }

    fn frames(&self) -> Vec<&[u8]> {
        let (mut frames, mut rest) = (Vec::new(), &self.stream[..]);
        while let Some(length) = rest.first_chunk() {
            let (frame, after) = rest.split_at(4 + u32::from_be_bytes(*length) as usize);
            frames.push(frame);
            rest = after;
        }
        frames
    }
}

/// A whole stream after what the input does to it.
fn edited(mut draw: Draw<'_>) -> Vec<u8> {
    let mut frames: Vec<Vec<u8>> = SENT[0].frames().into_iter().map(<[u8]>::to_vec).collect();
    let mut edits = 0;
    // Enough for any mistake; longer inputs only take longer.
    while !draw.is_empty() && !frames.is_empty() && edits < 8 {
        edits += 1;
        let (what, one) = (draw.byte(), draw.below(frames.len()));
        match what % 8 {
            0 => drop(frames.remove(one)),
            1 => {
                let again = frames[one].clone();
                frames.insert(draw.below(frames.len()), again);
            }
            2 => {
                let other = draw.below(frames.len());
                frames.swap(one, other);
            }
            3 => {
                let (at, bit) = (usize::from(draw.short()), draw.byte() % 8);
                let size = frames[one].len().max(1);
                if let Some(byte) = frames[one].get_mut(at % size) {
                    *byte ^= 1 << bit;
                }
            }
            4 => frames.truncate(one + 1),
            5 => {
                let (at, byte) = (usize::from(draw.short()), draw.byte());
                let size = frames[one].len();
                frames[one].insert(at % (size + 1), byte);
            }
            6 => {
                let others = SENT[1].frames();
                frames[one] = others[draw.below(others.len())].to_vec();
            }
            _ => {
                let size = frames[one].len();
                frames[one].truncate(usize::from(draw.short()) % (size + 1));
            }
        }
    }
    frames.concat()
}

/// A node that is behind.
struct Receiver {
    replica: Replica,
    rows: Rows,
    applied: Option<Vec<u8>>,
    folder: Option<tempfile::TempDir>,
}

thread_local! {
    static MEMORY: Cell<Option<Receiver>> = const { Cell::new(None) };
    static DISK: Cell<Option<Receiver>> = const { Cell::new(None) };
}

impl Receiver {
    fn new(is_on_disk: bool) -> Self {
        let folder = is_on_disk.then(|| tempfile::tempdir().expect("room for a small state"));
        let mut replica = match &folder {
            Some(folder) => Replica::over(LmdbState::open(folder.path(), TABLES).expect("a new folder")),
            None => Replica::over(MemoryState::new(TABLES)),
        };
        replica.apply(commands::story().into_iter().take(3).map(Entry::Chat).collect(), &[1, 1, 3, 1, 3, 0, 0, 0]);
        let (rows, applied) = (replica.rows(), replica.applied());
        Self { replica, rows, applied, folder }
    }

    /// The same node after this has arrived, or another one that is behind.
    fn after(self, stream: &[u8]) -> Self {
        let app: Arc<dyn Application> = self.replica.app.clone();
        let taken = wait(install_snapshot(app, LEADER, stream));
        let (rows, applied) = (self.replica.rows(), self.replica.applied());
        match taken {
            Err(error) => {
                assert!(!SENT.iter().any(|sent| sent.stream == stream), "a whole snapshot is refused: {error}");
                assert!(rows == self.rows && applied == self.applied, "a refused snapshot leaves something behind");
                self
            }
            Ok(()) => {
                let same = |sent: &&Sent| sent.rows == rows && Some(&sent.applied) == applied.as_ref();
                assert!(SENT.iter().any(|sent| same(&sent)), "a snapshot is installed that nobody sent: {applied:?}");
                Self::new(self.folder.is_some())
            }
        }
    }
}

/// The application, in no hurry to tell of itself.
struct InSmallChunks(Arc<App>);

impl Application for InSmallChunks {
    fn applied(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Application::applied(&*self.0)
    }

    fn apply(&self, entries: &mut dyn Entries) -> Result<(), StoreError> {
        self.0.apply(entries)
    }

    fn sync(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.sync()
    }

    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let (applied, rows) = self.0.snapshot()?;
        Ok((applied, Box::new(Small(rows))))
    }

    fn receive(&self) -> Result<Box<dyn SnapshotWrite>, StoreError> {
        self.0.receive()
    }
}

struct Small(Box<dyn SnapshotRead>);

impl SnapshotRead for Small {
    fn next(&mut self, _: usize) -> Result<Vec<(Table, Row)>, StoreError> {
        self.0.next(CHUNK_SIZE_BYTES)
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![behind(1, [])];
    seeds.extend(SENT.iter().map(|sent| behind(0, &sent.stream)));
    // Each kind of edit, to the first frame and to two in the middle.
    for (what, one) in (0..8).flat_map(|what| [0, 2, 5].map(|one| (what, one))) {
        seeds.push(behind(1, [what, one, 4, 1, 3]));
    }
    seeds
}
