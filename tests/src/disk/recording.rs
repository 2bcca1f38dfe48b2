//! What a recording holds: every call of every process that changed or synced a file, in one order.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a call was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A file was made.
    Create = 1,
    /// A file was cut, or grown.
    Resize = 2,
    Write = 3,
    /// A write that had reached the disk when it returned (`O_DSYNC`).
    WriteSynced = 4,
    /// All that was written to a file before has reached the disk.
    Sync = 5,
    /// All that was made, renamed and removed in a folder before has reached the disk.
    SyncDir = 6,
    Rename = 7,
    /// A file or an empty folder was removed.
    Remove = 8,
    MakeDir = 9,
}

/// What precedes the bytes of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its place among the notes of all processes.
    pub stamp: u64,
    /// Of a sync: how many notes there were when it began. Only what had been done by then is on the disk.
    pub begun: u64,
    pub kind: Kind,
    /// The number that the file system gave to the file.
    pub file: u64,
    /// Of a write: where. Of a cut: the new size.
    pub number: u64,
    /// How many bytes follow: of what was written, or of one path, or of two.
    pub sizes: [u64; 2],
}

impl Head {
    /// Its size.
    pub const SIZE_BYTES: usize = 49;

    /// As it lies in a file of notes.
    pub fn encode(&self) -> [u8; Self::SIZE_BYTES] {
        let mut bytes = [0; Self::SIZE_BYTES];
        bytes[0] = self.kind as u8;
        let numbers = [self.stamp, self.begun, self.file, self.number, self.sizes[0], self.sizes[1]];
        for (place, number) in bytes[1..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8; Self::SIZE_BYTES]) -> Option<Self> {
        let kinds = [
            Kind::Create,
            Kind::Resize,
            Kind::Write,
            Kind::WriteSynced,
            Kind::Sync,
            Kind::SyncDir,
            Kind::Rename,
            Kind::Remove,
            Kind::MakeDir,
        ];
        let kind = kinds.into_iter().find(|kind| *kind as u8 == bytes[0])?;
        let number = |at: usize| bytes[1 + 8 * at..].first_chunk().copied().map(u64::from_le_bytes);
        Some(Self {
            stamp: number(0)?,
            begun: number(1)?,
            kind,
            file: number(2)?,
            number: number(3)?,
            sizes: [number(4)?, number(5)?],
        })
    }
}

/// A call.
#[derive(Clone, Debug)]
pub struct Op {
    pub head: Head,
    pub bytes: Bytes,
    pub more: Bytes,
}

impl Op {
    /// The path that it is about, below the root.
    pub fn path(&self) -> String {
        String::from_utf8_lossy(self.bytes.get()).into_owned()
    }
}

/// Bytes within the notes of a process.
#[derive(Clone)]
pub struct Bytes {
    of: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Bytes {
    /// What they are.
    pub fn get(&self) -> &[u8] {
        &self.of[self.range.clone()]
    }

    /// A part of them.
    pub fn part(&self, range: Range<usize>) -> Self {
        let start = self.range.start;
        Self { of: Arc::clone(&self.of), range: start + range.start..start + range.end }
    }

    /// These bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { of: Arc::new(bytes.to_vec()), range: 0..bytes.len() }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.range.len())
    }
}

/// What a process said of itself at a moment, by a line in a file whose name begins with [`SAID`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub stamp: u64,
    pub line: String,
}

/// The name with which files of such lines begin.
pub const SAID: &str = "said-";

/// See the module.
#[derive(Debug)]
pub struct Recording {
    pub folder: PathBuf,
    /// In the order in which they were done.
    pub ops: Vec<Op>,
    pub said: Vec<Said>,
}

impl Recording {
    /// Where the processes that are recorded have their files.
    pub fn root(folder: &Path) -> PathBuf {
        folder.join("data")
    }

    /// Where they leave their notes.
    pub fn notes(folder: &Path) -> PathBuf {
        folder.join("notes")
    }

    /// Reads what was recorded in this folder.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let unreadable = |error| format!("the recording in {} cannot be read: {error}", folder.display());
        let mut ops = Vec::new();
        for file in fs::read_dir(Self::notes(folder)).map_err(unreadable)?.flatten() {
            let bytes = Arc::new(fs::read(file.path()).map_err(unreadable)?);
            read_ops(&bytes, &mut ops);
        }
        ops.sort_by_key(|op| op.head.stamp);
        let said = take_said(&mut ops);
        Ok(Self { folder: folder.to_owned(), ops, said })
    }

    /// One past the last stamp.
    pub fn end(&self) -> u64 {
        self.ops.last().map_or(0, |op| op.head.stamp + 1)
    }
}

/// A note that was cut short is the end: its process was killed while it wrote.
fn read_ops(bytes: &Arc<Vec<u8>>, ops: &mut Vec<Op>) {
    let mut at = 0;
    while let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk()).and_then(Head::decode) {
        let [one, other] = head.sizes.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let middle = at + Head::SIZE_BYTES + one;
        let end = middle + other;
        if end > bytes.len() {
            return;
        }
        let piece = |range| Bytes { of: Arc::clone(bytes), range };
        ops.push(Op { head, bytes: piece(at + Head::SIZE_BYTES..middle), more: piece(middle..end) });
        at = end;
    }
}

/// Takes out what is no file of the cluster's, but words about it.
fn take_said(ops: &mut Vec<Op>) -> Vec<Said> {
    let mut files: BTreeMap<u64, bool> = BTreeMap::new();
    let mut said = Vec::new();
    ops.retain(|op| {
        if op.head.kind == Kind::Create {
            files.insert(op.head.file, op.bytes.get().starts_with(SAID.as_bytes()));
        }
        let about_file = matches!(op.head.kind, Kind::Create | Kind::Write | Kind::Resize | Kind::Sync);
        if !about_file || !files.get(&op.head.file).copied().unwrap_or(false) {
            return true;
        }
        if op.head.kind == Kind::Write {
            let text = String::from_utf8_lossy(op.bytes.get()).into_owned();
            said.extend(text.lines().map(|line| Said { stamp: op.head.stamp, line: line.to_owned() }));
        }
        false
    });
    said
}
