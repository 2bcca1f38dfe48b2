//! The log's journal: what is not in the tables yet, on the disk after one write and one sync.
//!
//! A transaction of LMDB takes two syncs that wait for each other (its pages, then the page that names them) and writes some pages
//! anew for each entry. So what is queued together goes into a file of fixed length first, as one record, and into the tables
//! later, much at a time (see [`filing`](super::filing)). The file is cut into segments; a segment is used again once the tables have all that
//! is in it.
//!
//! ```text
//! record   a multiple of BLOCK, within one segment, right behind the one before or at the start of a segment
//!   header   a frame: number, and how long what follows is
//!   changes  a frame: what was queued, in its order
//! ```
//! Each header's checksum covers its place and the *life*: a number that is drawn whenever the log is opened, and that only the tables
//! know. So nothing that was written before, elsewhere, or by whoever writes messages passes for a record.
//!
//! A record is written once the one before has been synced. What is behind the last whole record is therefore nothing, or a record that
//! nobody was told of; a record behind *that* is proof of damage. As soon as the log rests an empty record is put behind the last one, so
//! that damage to that is told from a write that was cut off; the next record takes its place.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::transaction::Change;
use crate::store::log::StoredEntry;
use crate::store::{StoreError, file, record};

/// The file in the log's folder.
const NAME: &str = "journal";

/// Disks write no less than this at once, so that no record shares what is written with the next.
const BLOCK_SIZE_BYTES: usize = 4096;

const SEGMENT_SIZE_BYTES: usize = 2 << 20;

/// One is written, the others wait until the tables have them.
pub(super) const SEGMENTS: usize = 8;

/// What a record takes beside its changes: two frames of [`record`], and a header of a number and a length.
const FRAME_SIZE_BYTES: usize = 5;
const HEADER_SIZE_BYTES: usize = FRAME_SIZE_BYTES + 12;

/// The longest changes that one record can hold.
pub(super) const CHANGES_SIZE_MAX_BYTES: usize = SEGMENT_SIZE_BYTES - HEADER_SIZE_BYTES - FRAME_SIZE_BYTES;

/// How far the tables have what is in the journal: up to this record of this life. No life: there was no journal yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Filed {
    pub(super) life: u64,
    pub(super) number: u64,
}

/// The file, and where the next record goes.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    life: u64,
    /// Of the last record; they count from one.
    number: u64,
    segment: usize,
    /// How much of the segment is written.
    used_bytes: usize,
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens the journal of the log in this folder, making it if there is none and there has never been one.
    pub(super) fn open(dir: &Path, filed: Filed) -> Result<Self, StoreError> {
        let path = dir.join(NAME);
        if !path.exists() {
            if filed != Filed::default() {
                return Err(damaged(&path, "the log's journal (it is missing)"));
            }
            // As long as it will ever be: a sync that makes a file longer costs the file system a write of its own.
            file::make(&path, &vec![0; SEGMENTS * SEGMENT_SIZE_BYTES])?;
        }
        let file = File::options().read(true).write(true).open(&path);
        let file = file.map_err(|error| StoreError::io("open", &path, &error))?;
        Ok(Self { path, file, life: 0, number: 0, segment: 0, used_bytes: 0, buffer: Vec::new() })
    }

    /// What the tables do not have yet, in its order.
    pub(super) fn left(&mut self, filed: Filed) -> Result<Vec<Change>, StoreError> {
        let mut bytes = Vec::new();
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.read_to_end(&mut bytes));
        read.map_err(|error| StoreError::io("read", &self.path, &error))?;
        if bytes.len() != SEGMENTS * SEGMENT_SIZE_BYTES {
            return Err(damaged(&self.path, "the log's journal (it is cut)"));
        }
        if filed == Filed::default() {
            return Ok(Vec::new());
        }
        let found = self.find(&bytes, filed.life)?;
        let mut changes = Vec::new();
        let mut number = filed.number + 1;
        while let Some(Some(record)) = found.get(&number) {
            changes.extend(decode(record).ok_or_else(|| self.damaged(number))?);
            number += 1;
        }
        if found.keys().any(|other| *other > number) {
            return Err(self.damaged(number));
        }
        Ok(changes)
    }

    /// The records of this life: what is in them, or None where that is not whole.
    fn find<'a>(&self, bytes: &'a [u8], life: u64) -> Result<BTreeMap<u64, Option<&'a [u8]>>, StoreError> {
        let mut found = BTreeMap::new();
        let place = || self.path.display().to_string();
        for at in (0..bytes.len()).step_by(BLOCK_SIZE_BYTES) {
            let segment = &bytes[at..(at / SEGMENT_SIZE_BYTES + 1) * SEGMENT_SIZE_BYTES];
            let (header, rest) = segment.split_at(HEADER_SIZE_BYTES);
            let header = match record::open(&key(life, at as u64), header, place, String::new) {
                Err(StoreError::Damaged { .. }) => continue,
                header => header?,
            };
            let (number, size) = header.split_at(8);
            let number = u64::from_be_bytes(number.try_into().expect("so many bytes"));
            let size = u32::from_be_bytes(size.try_into().expect("so many bytes")) as usize;
            let whole = rest.get(..size).map(|frame| record::open(&key(life, number), frame, place, String::new));
            found.insert(
                number,
                match whole {
                    Some(Ok(changes)) => Some(changes),
                    None | Some(Err(StoreError::Damaged { .. })) => None,
                    Some(Err(error)) => return Err(error),
                },
            );
        }
        Ok(found)
    }

    /// Begins a new life, in which nothing that is in the file counts. The tables have to know it before the first record.
    pub(super) fn begin(&mut self, life: u64) -> Result<Filed, StoreError> {
        (self.life, self.number) = (life, 0);
        self.go_to(0)?;
        Ok(self.written())
    }

    /// Up to where it is written.
    pub(super) fn written(&self) -> Filed {
        Filed { life: self.life, number: self.number }
    }

    /// Whether this segment has room for a record with so long changes.
    pub(super) fn has_room_for(&self, changes_size_bytes: usize) -> bool {
        let size_bytes = HEADER_SIZE_BYTES + FRAME_SIZE_BYTES + changes_size_bytes;
        self.used_bytes + size_bytes.next_multiple_of(BLOCK_SIZE_BYTES) <= SEGMENT_SIZE_BYTES
    }

    /// Goes on in the next segment, all of which the tables must have.
    pub(super) fn turn(&mut self) -> Result<(), StoreError> {
        self.go_to((self.segment + 1) % SEGMENTS)
    }

    fn go_to(&mut self, segment: usize) -> Result<(), StoreError> {
        (self.segment, self.used_bytes) = (segment, 0);
        let gone = self.file.seek(SeekFrom::Start((segment * SEGMENT_SIZE_BYTES) as u64));
        gone.map(drop).map_err(|error| self.failed(&error))
    }

    /// Writes a record, which must have room, and the one before must be on the disk. So is this one when it returns.
    pub(super) fn write(&mut self, changes: &[u8]) -> Result<(), StoreError> {
        let written = self.put(changes).and_then(|()| self.file.sync_data());
        written.map_err(|error| self.failed(&error))?;
        self.used_bytes += self.buffer.len();
        self.number += 1;
        Ok(())
    }

    /// Puts an empty record where the next one will be, for which there must be room; on the disk whenever that may be.
    pub(super) fn vouch(&mut self) -> Result<(), StoreError> {
        let put = self.put(&[]).and_then(|()| self.file.seek_relative(-(BLOCK_SIZE_BYTES as i64)));
        put.map_err(|error| self.failed(&error))
    }

    fn put(&mut self, changes: &[u8]) -> io::Result<()> {
        let number = self.number + 1;
        let at = self.segment * SEGMENT_SIZE_BYTES + self.used_bytes;
        let size = u32::try_from(FRAME_SIZE_BYTES + changes.len()).expect("it has room in a segment");
        let header = [&number.to_be_bytes()[..], &size.to_be_bytes()].concat();
        self.buffer.clear();
        record::seal_onto(&mut self.buffer, &key(self.life, at as u64), &header);
        record::seal_onto(&mut self.buffer, &key(self.life, number), changes);
        self.buffer.resize(self.buffer.len().next_multiple_of(BLOCK_SIZE_BYTES), 0);
        self.file.write_all(&self.buffer)
    }

    fn failed(&self, error: &io::Error) -> StoreError {
        StoreError::io("write", &self.path, error)
    }

    fn damaged(&self, number: u64) -> StoreError {
        damaged(&self.path, &format!("record {number} of the log's journal"))
    }
}

fn damaged(path: &Path, what: &str) -> StoreError {
    StoreError::Damaged { place: path.display().to_string(), what: what.to_owned() }
}

/// What a frame is bound to beside its life: a header to its place, changes to the number of their record.
fn key(life: u64, which: u64) -> [u8; 16] {
    (u128::from(life) << 64 | u128::from(which)).to_be_bytes()
}

const APPEND: u8 = 0;
const TRUNCATE: u8 = 1;
const PURGE: u8 = 2;
const PUT: u8 = 3;

/// The changes as they lie in a record.
pub(super) fn encode<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for change in changes {
        match change {
            Change::Append { entries, .. } => entries.iter().for_each(|entry| {
                bytes.push(APPEND);
                bytes.extend(entry.index.to_be_bytes());
                put_sized(&mut bytes, &entry.bytes);
            }),
            Change::Truncate { from } => put_index(&mut bytes, TRUNCATE, *from),
            Change::Purge { before } => put_index(&mut bytes, PURGE, *before),
            Change::Put { key, value } => {
                bytes.push(PUT);
                put_sized(&mut bytes, key.as_bytes());
                put_sized(&mut bytes, value);
            }
        }
    }
    bytes
}

fn put_index(bytes: &mut Vec<u8>, kind: u8, index: u64) {
    bytes.push(kind);
    bytes.extend(index.to_be_bytes());
}

fn put_sized(bytes: &mut Vec<u8>, part: &[u8]) {
    // What does not fit a segment is never written.
    bytes.extend((part.len() as u32).to_be_bytes());
    bytes.extend(part);
}

/// None: the checksums are right, and the rest is not.
fn decode(mut bytes: &[u8]) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        bytes = rest;
        changes.push(match *kind {
            APPEND => {
                let index = take_index(&mut bytes)?;
                let entries = vec![StoredEntry { index, bytes: take_sized(&mut bytes)?.into() }];
                Change::Append { entries, epoch: 0 }
            }
            TRUNCATE => Change::Truncate { from: take_index(&mut bytes)? },
            PURGE => Change::Purge { before: take_index(&mut bytes)? },
            PUT => {
                let key = std::str::from_utf8(take_sized(&mut bytes)?).ok()?.to_owned();
                Change::Put { key: Cow::Owned(key), value: take_sized(&mut bytes)?.to_owned() }
            }
            _ => return None,
        });
    }
    Some(changes)
}

fn take_index(bytes: &mut &[u8]) -> Option<u64> {
    let (index, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_be_bytes(*index))
}

fn take_sized<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (size, rest) = bytes.split_first_chunk()?;
    let (part, rest) = rest.split_at_checked(u32::from_be_bytes(*size) as usize)?;
    *bytes = rest;
    Some(part)
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
