//! The thread that files what is in the journal in the tables, a segment at a time, and removes purged entries while there is nothing to
//! file. Nobody who appends waits for it, unless the whole journal waits to be filed.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};

use super::journal::Filed;
use super::reader::SharedTail;
use super::transaction::{Change, Op, Tables};
use crate::store::StoreError;

/// What is to be filed.
pub(super) struct Filing {
    pub(super) ops: Vec<Op>,
    /// How far the tables have the journal then.
    pub(super) up_to: Filed,
}

pub(super) struct Filer {
    pub(super) tables: Arc<Tables>,
    pub(super) tail: Arc<SharedTail>,
    pub(super) filings: Receiver<Filing>,
    /// Told of each that is filed, and on the disk in the tables.
    pub(super) filed: Sender<Result<(), StoreError>>,
}

impl Filer {
    /// Files until nobody can hand anything over any more, or until an error: after it nobody knows what is on the disk.
    pub(super) fn run(self) {
        // A purge that was interrupted goes on.
        let mut purging = true;
        loop {
            let next = if purging { self.filings.try_recv() } else { self.filings.recv().map_err(Into::into) };
            let done = match next {
                Ok(filing) => self.file(&filing),
                Err(TryRecvError::Empty) => self.tables.commit([].iter(), None),
                Err(TryRecvError::Disconnected) => return,
            };
            match done {
                Ok(purged_are_left) => purging = purged_are_left,
                Err(error) => {
                    // The writer may have ended.
                    let _ = self.filed.send(Err(error));
                    return;
                }
            }
        }
    }

    fn file(&self, filing: &Filing) -> Result<bool, StoreError> {
        let purged_are_left = self.tables.commit(filing.ops.iter().map(|op| &op.change), Some(filing.up_to))?;
        let mut tail = self.tail.write();
        for op in &filing.ops {
            if let Change::Append { entries, epoch } = &op.change
                && let Some(last) = entries.last()
            {
                tail.was_filed(last.index + 1, *epoch);
            }
        }
        drop(tail);
        // The writer may have ended.
        let _ = self.filed.send(Ok(()));
        Ok(purged_are_left)
    }
}
