//! Judges a [history](crate::history): were the promises kept?
//!
//! A send answers with the cursor of its message, and nodes tell at rest what they hold. So the order of everything is in the
//! history, and nothing has to be searched for as general checkers of linearizability do (Wing & Gong 1993, Knossos, Porcupine), at a
//! price that is exponential in the number of clients: each promise is looked at by itself, in O(n log n) for all, as Jepsen's
//! `set-full` and its checkers of total queues do. What the general ones would say of small pieces is a [`second_opinion`].
//!
//! One call goes through [`check`] like this: `run` pairs every call with its end and every send with its retries;
//! `finals` takes the final order from what was held; `known` says what somebody knew at each line; then each file holds a few
//! invariants against these three.
//!
//! Two things follow from how a history is made. *Before* means an earlier line: lines are written one at a time, an invocation
//! before its call goes out and a return after its answer came, so what is earlier in the file was earlier in the world. And what
//! is wrong with one message is told once: a row that nobody sent (I2) is not told again as a hole in the order (I4, I5), and a
//! place that the final order does not have is not taken for knowledge (I7, I8).
//!
//! The invariants have numbers; [`Invariant`] says each in a line. I11, about edits, does not apply: there are
//! no edits of messages.

mod accounts;
mod counts;
mod digests;
mod feeds;
mod finals;
mod known;
mod lists;
mod order;
mod processes;
#[cfg(test)]
mod properties;
mod reads;
mod recovery;
mod report;
mod run;
pub mod second_opinion;
mod sends;
#[cfg(test)]
mod town;

use std::time::Duration;

use crate::history::Event;

pub use counts::Counts;
pub use report::{Invariant, LISTED_MAX, Report, Violation};
use run::Run;

/// What is measured rather than right or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the end of all faults until a new message is read at every node.
    pub recovery: Duration,
    /// How much more memory a process may use on average in the last quarter of a run than in the first.
    pub memory_growth_bytes: u64,
    /// How many more files it may have open.
    pub files_growth: u64,
}

impl Default for Limits {
    /// Growth is a guess: several times what caches and connections of a short run take, and far from what a leak takes in a long one.
    fn default() -> Self {
        Self { recovery: Duration::from_secs(10), memory_growth_bytes: 64 << 20, files_growth: 32 }
    }
}

/// Everything that is wrong with a history. A malformed one is judged as far as it can be.
pub fn check(events: &[Event], limits: &Limits) -> Report {
    let mut report = Report::default();
    let run = Run::of(events, &mut report);
    sends::check(&run, &mut report);
    order::check(&run, &mut report);
    reads::check(&run, &mut report);
    lists::check(&run, &mut report);
    feeds::check(&run, &mut report);
    accounts::check(&run, &mut report);
    digests::check(&run, &mut report);
    recovery::check(&run, limits.recovery, &mut report);
    processes::check(&run, limits, &mut report);
    report.counts = counts::of(&run);
    report
}
