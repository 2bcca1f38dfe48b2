//! Keeps the file of the log's tables longer than what of it is in use.
//!
//! LMDB counts pages that it took at the end of its file and did not need: with those, the file would be shorter than it says, and so
//! would one be that was cut. And a sync that makes a file longer costs the file system a write of its own. So zeros are written behind
//! LMDB's last page before it gets there, much at a time; LMDB never reads what it has not written. Later the pages of purged entries are
//! used again, and the file stays as long as it is.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// How much is added where less than that is left, beside what is asked for.
const STEP_BYTES: u64 = 4 << 20;

/// How much is written at once.
const PIECE: &[u8] = &[0; 64 << 10];

/// The file, and how long it is.
#[derive(Debug)]
pub(super) struct Growth {
    file: File,
    size_bytes: u64,
    /// Not tried again before so much is in use: it could not be made longer.
    not_before_bytes: u64,
}

impl Growth {
    /// Of the file at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().write(true).open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self { file, size_bytes, not_before_bytes: 0 })
    }

    /// Sees to it that there is room for so much behind what is in use, and some more. To be called while nobody writes.
    pub(super) fn make_room(&mut self, used_bytes: u64, for_bytes: u64) {
        let needed = used_bytes + for_bytes;
        if needed < self.not_before_bytes || needed <= self.size_bytes {
            return;
        }
        let from = used_bytes.max(self.size_bytes);
        if let Err(error) = self.fill(from, needed + STEP_BYTES) {
            // LMDB says what there is to say, once it wants more itself. What is left of the disk is given back.
            let given_back = self.file.set_len(from);
            tracing::debug!(%error, ?given_back, "the log's file cannot be made longer ahead of time");
            self.not_before_bytes = needed + STEP_BYTES;
        }
    }

    fn fill(&mut self, from: u64, to: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(from))?;
        for at in (from..to).step_by(PIECE.len()) {
            let size = (to - at).min(PIECE.len() as u64) as usize;
            self.file.write_all(&PIECE[..size])?;
        }
        self.size_bytes = to;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays_and_zeros_follow() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, [7; 10_000]).unwrap();
        let mut growth = Growth::open(&path).unwrap();
        let size = || std::fs::metadata(&path).unwrap().len();
        growth.make_room(10_000, 5_000);
        assert_eq!(size(), 15_000 + STEP_BYTES);
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes[..10_000].iter().all(|byte| *byte == 7) && bytes[10_000..].iter().all(|byte| *byte == 0));
        growth.make_room(15_000, STEP_BYTES);
        assert_eq!(size(), 15_000 + STEP_BYTES, "there is enough");
        growth.make_room(15_001, STEP_BYTES);
        assert_eq!(size(), 15_001 + 2 * STEP_BYTES);
    }
}
