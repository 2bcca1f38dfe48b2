//! I13: safety alone is kept by a cluster that does nothing, so once every fault is undone it has to work again, in time.

use std::time::Duration;

use super::run::{Line, Run};
use super::{Invariant, Report};
use crate::history::What;

pub(super) fn check(run: &Run<'_>, limit: Duration, report: &mut Report) {
    // From the end, so that each end of faults knows what comes after it.
    let mut fault: Option<Line> = None;
    let mut recovered: Vec<(Line, Line)> = Vec::new();
    let mut late = Vec::new();
    for (line, event) in run.events.iter().enumerate().rev() {
        match &event.what {
            What::Fault { .. } => {
                fault = Some(line);
                recovered.clear();
            }
            What::Recovered { message } => {
                let sent = run.sent(message).and_then(|sent| run.first_sent(sent));
                recovered.extend(sent.map(|sent| (line, sent)));
            }
            What::Healed => {
                let passed = |later: Line| Duration::from_nanos(run.events[later].at_ns.saturating_sub(event.at_ns));
                // The earliest was met last, walking back.
                let first = recovered.iter().rev().find(|(_, sent)| *sent > line).map(|(recovered, _)| *recovered);
                let in_time = first.is_some_and(|first| passed(first) <= limit);
                let excused = first.is_none() && fault.is_some_and(|fault| passed(fault) <= limit);
                if !in_time && !excused {
                    late.push((line, first, first.map(passed)));
                }
            }
            _ => {}
        }
    }
    for (line, recovered, after) in late.into_iter().rev() {
        let what = match after {
            Some(after) => format!("after every fault was undone it took {after:?} to recover, not {limit:?}"),
            None => format!("after every fault was undone nothing was read at every node within {limit:?}"),
        };
        report.add(Invariant::I13, &[Some(line), recovered].into_iter().flatten().collect::<Vec<_>>(), what);
    }
}

#[cfg(test)]
mod tests {
    use crate::checker::Invariant::I13;
    use crate::checker::town::{ALICE, BOB, Town, message};

    #[test]
    fn a_cluster_that_recovers_late_or_never_is_caught() {
        let held = [message("m1", ALICE, BOB, 5)];
        let mut town = Town::new();
        town.fault("a node is killed").healed();
        town.clone().breaks(&[I13]);
        town.send("m1", ALICE, BOB).stored(5);
        let mut late = town.clone();
        town.recovered("m1").held(&held).is_clean();
        late.later_ms(11_000).recovered("m1").held(&held).breaks(&[I13]);
    }

    #[test]
    fn the_next_fault_excuses_only_if_it_comes_in_time() {
        let mut town = Town::new();
        town.healed();
        let mut late = town.clone();
        town.later_ms(5_000).fault("a node is killed").is_clean();
        late.later_ms(15_000).fault("a node is killed").breaks(&[I13]);
    }

    #[test]
    fn what_was_sent_before_shows_no_recovery() {
        let mut town = Town::new();
        town.send("m1", ALICE, BOB).stored(5);
        town.healed().recovered("m1").held(&[message("m1", ALICE, BOB, 5)]).breaks(&[I13]);
    }
}
