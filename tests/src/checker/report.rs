//! What a check came to: breaches, in words, with the lines that show them.

use std::collections::BTreeMap;
use std::fmt;

use super::Counts;

/// How many violations of one invariant are listed. What is beyond is only counted: one lost message can break every page that
/// should have had it, and nobody reads the thousandth.
pub const LISTED_MAX: usize = 20;

/// What a history must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// The history contradicts itself, so that the recorder or the driver is to blame.
    Malformed,
    I1,
    I2,
    I3,
    I4,
    I5,
    I6,
    I7,
    I8,
    I9,
    I10,
    // I11 is about edits of messages, of which there are none.
    I12,
    I13,
    I14,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed: a history does not contradict itself",
            Self::I1 => "I1: what was acknowledged is stored once, where it was said to be, as it was sent",
            Self::I2 => {
                "I2: what is unknown is stored at most once, what was refused never, and nothing that nobody sent"
            }
            Self::I3 => "I3: an id is one message, and every retry is answered alike",
            Self::I4 => "I4: there is one order, and every page is an unbroken piece of it",
            Self::I5 => "I5: a feed goes on without a gap, a repeat or a step back",
            Self::I6 => "I6: what a device sends is stored in the order in which it was sent",
            Self::I7 => "I7: what was known before something was sent comes before it",
            Self::I8 => "I8: an answer that is not stale shows all that was known before it was asked for",
            Self::I9 => "I9: what is unread is counted exactly, and read marks only rise",
            Self::I10 => "I10: an account that was deleted neither logs in nor sends",
            Self::I12 => "I12: nodes that have applied the same have the same state",
            Self::I13 => "I13: once every fault is undone, the cluster recovers in time",
            Self::I14 => "I14: no process complains or grows without bound",
        })
    }
}

/// A breach of an invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub invariant: Invariant,
    pub what: String,
    /// The indexes of the lines that show it.
    pub events: Vec<usize>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {} (lines {:?})", self.invariant, self.what, self.events)
    }
}

/// What a check came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// At most [`LISTED_MAX`] of each invariant.
    pub violations: Vec<Violation>,
    /// How many more there are, of the invariants with more than that.
    pub unlisted: BTreeMap<Invariant, usize>,
    pub counts: Counts,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    pub(super) fn add(&mut self, invariant: Invariant, events: &[usize], what: String) {
        let listed = self.violations.iter().rev().filter(|one| one.invariant == invariant).count();
        if listed < LISTED_MAX {
            self.violations.push(Violation { invariant, what, events: events.to_vec() });
        } else {
            *self.unlisted.entry(invariant).or_default() += 1;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        for (invariant, more) in &self.unlisted {
            writeln!(f, "{invariant}. {more} more")?;
        }
        write!(f, "{}: {}", if self.is_clean() { "clean" } else { "NOT CLEAN" }, self.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::{Invariant, LISTED_MAX, Report};

    #[test]
    fn a_report_lists_so_many_and_counts_the_rest() {
        let mut report = Report::default();
        for line in 0..LISTED_MAX + 3 {
            report.add(Invariant::I4, &[line], "a gap".to_owned());
        }
        report.add(Invariant::I1, &[9], "lost".to_owned());
        assert_eq!(report.violations.len(), LISTED_MAX + 1);
        assert_eq!(report.unlisted[&Invariant::I4], 3);
        assert!(report.to_string().contains("3 more"));
    }
}
