//! Where the time of an entry goes on its way through this node.
//!
//! Off, and next to free, unless the log is asked for it by `RUST_LOG=node::stages=debug`: then each second in which something was
//! stored is a line, with the median and the 99th percentile of each stage in microseconds. `cargo xtask bench stages` reads them.
//!
//! ```text
//! asked ─▶ proposed ─▶ appended ─┬─▶ persisted (here)
//!   └── the way to the leader    └─▶ committed (by a majority) ─┬─▶ applied ─▶ answered
//!                                                               └─▶ pushed
//! ```

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{Instant, interval};

/// What the log is asked for.
pub const TARGET: &str = "node::stages";

/// How many entries may be on their way, by index; of one that takes longer nothing is known.
const UNDER_WAY_MAX: usize = 1 << 14;

/// How many durations of a stage are kept for a line; beyond it they are left out of it.
const KEPT_MAX: usize = 1 << 17;

/// How often a line is written.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// A part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// From when the API asks for it, at this node, until its reply is there: with the way to the leader and back.
    Whole,
    /// From the leader's proposal until the log has it in memory, and it goes to the followers.
    Appended,
    /// From there until it is on the leader's own disk.
    Persisted,
    /// From there (not from the leader's disk) until the leader knows that a majority has it.
    Committed,
    /// From there until the state has it.
    Applied,
    /// From there until whoever proposed it goes on.
    Answered,
    /// From the commit, as this node heard of it, until it is pushed to somebody.
    Pushed,
}

/// The stages in the order of the way, and what each line calls them.
const STAGES: [(Stage, &str); 7] = [
    (Stage::Whole, "whole"),
    (Stage::Appended, "appended"),
    (Stage::Persisted, "persisted"),
    (Stage::Committed, "committed"),
    (Stage::Applied, "applied"),
    (Stage::Answered, "answered"),
    (Stage::Pushed, "pushed"),
];

/// What each line may have, in the order of the way.
pub fn names() -> impl Iterator<Item = &'static str> {
    STAGES.into_iter().map(|(_, name)| name)
}

/// What is taken down; clones are the same. By default: nothing.
#[derive(Clone, Default)]
pub struct Stages(Option<Arc<Taken>>);

/// When something began, if anybody wants to know.
#[derive(Clone, Copy, Debug)]
pub struct Begun(Option<Instant>);

struct Taken {
    since: Instant,
    under_way: Box<[UnderWay]>,
    durations: [Mutex<Vec<Duration>>; STAGES.len()],
}

/// When an entry got where, in nanoseconds; 0: not yet.
#[derive(Default)]
struct UnderWay {
    index: AtomicU64,
    appended: AtomicU64,
    persisted: AtomicU64,
    committed: AtomicU64,
    applied: AtomicU64,
}

impl Stages {
    /// As the log wants it.
    pub fn as_asked_for() -> Self {
        if tracing::enabled!(target: TARGET, tracing::Level::DEBUG) { Self::on() } else { Self::default() }
    }

    fn on() -> Self {
        let under_way = std::iter::repeat_with(UnderWay::default).take(UNDER_WAY_MAX).collect();
        Self(Some(Arc::new(Taken { since: Instant::now(), under_way, durations: Default::default() })))
    }

    /// Something begins that is timed by itself.
    pub fn begin(&self) -> Begun {
        Begun(self.0.as_ref().map(|_| Instant::now()))
    }

    /// The log has these entries in memory.
    pub(crate) fn appended(&self, indexes: Range<u64>) {
        let Some(taken) = &self.0 else { return };
        let now = taken.now();
        for index in indexes {
            let entry = taken.slot(index);
            entry.index.store(index, Ordering::Relaxed);
            entry.appended.store(now, Ordering::Relaxed);
            for later in [&entry.persisted, &entry.committed, &entry.applied] {
                later.store(0, Ordering::Relaxed);
            }
        }
    }

    /// And this node's disk has.
    pub(crate) fn persisted(&self, indexes: Range<u64>) {
        self.note(indexes, |entry| &entry.persisted);
    }

    /// And a majority's.
    pub(crate) fn committed(&self, indexes: Range<u64>) {
        self.note(indexes, |entry| &entry.committed);
    }

    /// And the state.
    pub(crate) fn applied(&self, index: u64) {
        self.note(index..index + 1, |entry| &entry.applied);
    }

    /// Whoever proposed it here goes on with the reply.
    pub(crate) fn answered(&self, proposed: Begun, index: u64) {
        let (Some(taken), Begun(Some(proposed))) = (&self.0, proposed) else { return };
        let Some(entry) = taken.entry(index) else { return };
        let [appended, persisted, committed, applied] =
            [&entry.appended, &entry.persisted, &entry.committed, &entry.applied].map(|at| at.load(Ordering::Relaxed));
        let proposed = u64::try_from((proposed - taken.since).as_nanos()).unwrap_or(0);
        taken.keep(Stage::Appended, proposed, appended);
        taken.keep(Stage::Persisted, appended, persisted);
        taken.keep(Stage::Committed, appended, committed);
        taken.keep(Stage::Applied, committed, applied);
        taken.keep(Stage::Answered, applied, taken.now());
    }

    /// What the API asked for is done, here or at the leader.
    pub(crate) fn done(&self, asked: Begun) {
        if let (Some(taken), Begun(Some(asked))) = (&self.0, asked) {
            taken.keep_for(Stage::Whole, asked.elapsed());
        }
    }

    /// It is on its way to somebody who follows.
    pub(crate) fn pushed(&self, index: u64) {
        let Some(taken) = &self.0 else { return };
        if let Some(entry) = taken.entry(index) {
            taken.keep(Stage::Pushed, entry.committed.load(Ordering::Relaxed), taken.now());
        }
    }

    fn note(&self, indexes: Range<u64>, at: impl Fn(&UnderWay) -> &AtomicU64) {
        let Some(taken) = &self.0 else { return };
        let now = taken.now();
        for entry in indexes.filter_map(|index| taken.entry(index)) {
            at(entry).store(now, Ordering::Relaxed);
        }
    }

    /// Writes the lines, for as long as it is awaited; ends at once where there are none.
    pub(crate) async fn tell(self) {
        let Some(taken) = self.0 else { return };
        let mut each = interval(LINE_EVERY);
        loop {
            each.tick().await;
            let line = taken.line();
            if !line.is_empty() {
                let line = Value::Object(line);
                tracing::debug!(target: TARGET, "{line}");
            }
        }
    }
}

impl fmt::Debug for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stages").field(&self.0.is_some()).finish()
    }
}

impl Taken {
    /// Never 0, which says that something has not happened.
    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    fn slot(&self, index: u64) -> &UnderWay {
        #[expect(clippy::cast_possible_truncation, reason = "the rest of a division by what fits")]
        &self.under_way[(index % UNDER_WAY_MAX as u64) as usize]
    }

    /// The entry, unless another has taken its place.
    fn entry(&self, index: u64) -> Option<&UnderWay> {
        Some(self.slot(index)).filter(|entry| entry.index.load(Ordering::Relaxed) == index)
    }

    fn keep(&self, stage: Stage, from: u64, to: u64) {
        // One that is not there yet: a majority may be without this node's disk.
        if from > 0 && to >= from {
            self.keep_for(stage, Duration::from_nanos(to - from));
        }
    }

    fn keep_for(&self, stage: Stage, took: Duration) {
        let mut kept = self.durations[stage as usize].lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push(took);
        }
    }

    /// What has come since the last line.
    fn line(&self) -> Map<String, Value> {
        let mut line = Map::new();
        for (stage, name) in STAGES {
            let kept = &mut *self.durations[stage as usize].lock().unwrap_or_else(PoisonError::into_inner);
            let mut durations = std::mem::take(kept);
            durations.sort_unstable();
            let at = |share: usize| durations.get(durations.len() * share / 100).map(|took| took.as_micros() as u64);
            if let (Some(median), Some(p99)) = (at(50), at(99)) {
                line.insert(name.to_owned(), json!({ "count": durations.len(), "p50_us": median, "p99_us": p99 }));
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_stage_is_timed_from_where_the_one_before_it_ended() {
        let stages = Stages::on();
        let wait = |ms| tokio::time::advance(Duration::from_millis(ms));
        wait(1).await;
        let (asked, proposed) = (stages.begin(), stages.begin());
        wait(2).await;
        stages.appended(7..9);
        wait(3).await;
        stages.persisted(7..9);
        wait(4).await;
        stages.committed(7..9);
        wait(5).await;
        stages.applied(8);
        wait(6).await;
        stages.answered(proposed, 8);
        stages.done(asked);
        stages.pushed(7);
        let line = stages.0.as_ref().unwrap().line();
        let median = |stage: &str| line[stage]["p50_us"].as_u64().unwrap() / 1000;
        let wanted =
            [("whole", 20), ("appended", 2), ("persisted", 3), ("committed", 7), ("applied", 5), ("answered", 6)];
        for (stage, ms) in wanted.into_iter().chain([("pushed", 11)]) {
            assert_eq!(median(stage), ms, "{stage}");
        }
        assert!(stages.0.as_ref().unwrap().line().is_empty(), "each is told once");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_said_of_an_entry_whose_place_another_has_taken() {
        let stages = Stages::on();
        tokio::time::advance(Duration::from_millis(1)).await;
        let proposed = stages.begin();
        stages.appended(1..2);
        stages.appended(1 + UNDER_WAY_MAX as u64..2 + UNDER_WAY_MAX as u64);
        stages.answered(proposed, 1);
        assert!(stages.0.as_ref().unwrap().line().is_empty());
    }
}
