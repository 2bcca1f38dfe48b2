//! How much a history had to judge: a clean report about nothing is worth nothing.

use std::collections::HashSet;
use std::fmt;

use super::run::Run;
use crate::history::{Answer, Call, Outcome, What};

/// How much of what there was. Messages are counted by their ids, whatever became of them in the end of all retries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub events: usize,
    pub devices: usize,
    pub conversations: usize,
    pub acknowledged: usize,
    pub unknown: usize,
    pub refused: usize,
    pub reads: usize,
    pub lists: usize,
    /// Of the reads and lists.
    pub stale: usize,
    pub rows_read: usize,
    pub streams: usize,
    pub rows_seen: usize,
    pub stored: usize,
    pub digests: usize,
    pub faults: usize,
    pub recoveries: usize,
    /// Of accounts, that were confirmed.
    pub deletions: usize,
}

pub(super) fn of(run: &Run<'_>) -> Counts {
    let mut counts = Counts {
        events: run.events.len(),
        devices: run.asked.iter().map(|asked| asked.device).collect::<HashSet<_>>().len(),
        conversations: run.finals.conversations().count(),
        stored: run.finals.conversations().map(|(_, order)| order.len()).sum(),
        streams: run.streams.len(),
        ..Counts::default()
    };
    for sent in &run.sent {
        if sent.attempts.iter().any(|attempt| run.asked[*attempt].stored().is_some()) {
            counts.acknowledged += 1;
        } else if sent.effective.is_some() {
            counts.unknown += 1;
        } else {
            counts.refused += 1;
        }
    }
    for asked in &run.asked {
        if let (Call::Read { .. } | Call::List { .. }, Some((_, Outcome::Done(answer)))) = (asked.call, asked.returned)
        {
            counts.answer(answer);
        }
        counts.deletions += usize::from(matches!(asked.call, Call::DeleteAccount { .. }) && asked.done().is_some());
    }
    for event in run.events {
        match event.what {
            What::Saw { .. } => counts.rows_seen += 1,
            What::Digest { .. } => counts.digests += 1,
            What::Fault { .. } => counts.faults += 1,
            What::Recovered { .. } => counts.recoveries += 1,
            _ => {}
        }
    }
    counts
}

impl Counts {
    fn answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Messages { messages, stale, .. } => {
                self.reads += 1;
                self.rows_read += messages.len();
                self.stale += usize::from(*stale);
            }
            Answer::Conversations { stale, .. } => {
                self.lists += 1;
                self.stale += usize::from(*stale);
            }
            Answer::Done | Answer::Account(_) | Answer::Stored { .. } => {}
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} messages acknowledged, {} unknown, {} refused, {} stored in {} conversations by {} devices; \
             {} reads of {} rows and {} lists, {} of them stale; {} rows seen in {} streams; \
             {} accounts deleted, {} digests, {} faults, {} recoveries, {} events",
            self.acknowledged,
            self.unknown,
            self.refused,
            self.stored,
            self.conversations,
            self.devices,
            self.reads,
            self.rows_read,
            self.lists,
            self.stale,
            self.rows_seen,
            self.streams,
            self.deletions,
            self.digests,
            self.faults,
            self.recoveries,
            self.events,
        )
    }
}
