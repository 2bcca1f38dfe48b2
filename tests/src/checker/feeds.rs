//! I5: a feed is the account's final messages from some place on, without a gap or a repeat; and marks only rise.

use std::collections::HashMap;

use super::run::{Followed, Line, Run};
use super::{Invariant, Report};
use crate::history::{Account, Conversation, From, Mark, Message, Place, Stream, What};

/// How far a stream, or a device over all its streams, has come.
#[derive(Clone, Copy)]
struct Reached {
    /// How many of the account's messages lie behind.
    rows: usize,
    /// From this one on they may come once more.
    again_from: usize,
    line: Line,
}

/// Rows that a device handed over in its last second before it died may be handed over once more: it writes down how far it has come
/// a few times a second, and not for each row.
const AGAIN_NS: u64 = 1_000_000_000;

/// What a device has been handed, over all the streams in which it went on from where it was: when, and which row.
type Kept<'a> = HashMap<(&'a str, Account), (Reached, Vec<(u64, usize)>)>;

pub(super) fn check(run: &Run<'_>, report: &mut Report) {
    rows(run, report);
    marks(run, report);
}

fn rows(run: &Run<'_>, report: &mut Report) {
    let mut streams: HashMap<Stream, Reached> = HashMap::new();
    let mut kept = Kept::new();
    for (line, event) in run.events.iter().enumerate() {
        let What::Saw { stream, message } = &event.what else { continue };
        let Some(followed) = run.streams.get(stream) else { continue };
        if !run.was_sent(message) {
            continue;
        }
        let device = (followed.device, followed.account);
        let reached = streams.get(stream).copied();
        let reached = reached.unwrap_or_else(|| begin(run, followed, &kept, line));
        let rows = match judge(run, followed, reached, message) {
            Ok(rows) => rows,
            Err((invariant, what)) => {
                report.add(invariant, &[reached.line, line], format!("stream {stream} {what}"));
                // Goes on from what came, so that one gap is told once.
                run.finals.of_account(followed.account).partition_point(|held| held.cursor <= message.cursor)
            }
        };
        let now = Reached { rows, again_from: rows, line };
        streams.insert(*stream, now);
        if followed.from == From::Kept {
            let (reached, handed) = kept.entry(device).or_insert((now, Vec::new()));
            *reached = now;
            handed.push((event.at_ns, rows.saturating_sub(1)));
        }
    }
}

/// Where a stream is before its first row.
fn begin(run: &Run<'_>, followed: &Followed<'_>, kept: &Kept<'_>, line: Line) -> Reached {
    match followed.from {
        From::After(place) => {
            let rows = run.finals.of_account(followed.account).partition_point(|held| held.cursor <= place);
            Reached { rows, again_from: rows, line }
        }
        From::Kept => match kept.get(&(followed.device, followed.account)) {
            None => Reached { rows: 0, again_from: 0, line },
            Some((reached, handed)) => {
                let last_ns = handed.last().map_or(0, |(at_ns, _)| *at_ns);
                let late = handed.partition_point(|(at_ns, _)| at_ns.saturating_add(AGAIN_NS) < last_ns);
                let again_from = handed[late..].iter().map(|(_, row)| *row).min();
                Reached { again_from: again_from.unwrap_or(reached.rows), ..*reached }
            }
        },
    }
}

/// How many rows lie behind after this one.
fn judge(
    run: &Run<'_>,
    followed: &Followed<'_>,
    reached: Reached,
    message: &Message,
) -> Result<usize, (Invariant, String)> {
    let all = run.finals.of_account(followed.account);
    let cursor = message.cursor;
    let Ok(index) = all.binary_search_by_key(&cursor, |held| held.cursor) else {
        let what = format!("has {} at {cursor}, where account {} has nothing", message.id, followed.account);
        return Err((Invariant::I5, what));
    };
    if all[index] != message {
        return Err((Invariant::I4, format!("has {} at {cursor}, where {} is held", message.id, all[index].id)));
    }
    if index == reached.rows || (reached.again_from..reached.rows).contains(&index) {
        return Ok(index + 1);
    }
    let expected = all.get(reached.rows).map(|held| held.cursor);
    let how = if index > reached.rows { "leaves a gap" } else { "goes back" };
    Err((Invariant::I5, format!("{how}: {} came at {cursor}, and next was {expected:?}", message.id)))
}

fn marks(run: &Run<'_>, report: &mut Report) {
    let mut highest: HashMap<(Stream, Conversation, Account, Mark), (Place, Line)> = HashMap::new();
    for (line, event) in run.events.iter().enumerate() {
        let What::SawMark { stream, mark, conversation, by, up_to } = &event.what else { continue };
        let known = highest.entry((*stream, *conversation, *by, *mark)).or_insert((*up_to, line));
        if *up_to < known.0 {
            let what = format!(
                "in stream {stream} the mark {mark:?} of account {by} in conversation {conversation} falls from {} to {up_to}",
                known.0
            );
            report.add(Invariant::I5, &[known.1, line], what);
        } else {
            *known = (*up_to, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checker::Invariant::{I4, I5, Malformed};
    use crate::checker::town::{ALICE, BOB, CAROL, Town, message};
    use crate::history::{From, Mark, Message};

    /// Bob's feed: of two conversations, and one message of his own.
    fn rows() -> [Message; 4] {
        [
            message("m1", ALICE, BOB, 5),
            message("m2", CAROL, BOB, 7),
            message("m3", BOB, ALICE, 8),
            message("m4", ALICE, BOB, 9),
        ]
    }

    fn four() -> Town {
        let mut town = Town::new();
        for row in &rows() {
            town.send(&row.id, row.from, row.to).stored(row.cursor);
        }
        town
    }

    #[test]
    fn a_gap_a_repeat_and_a_step_back_are_caught() {
        let [m1, m2, m3, m4] = rows();
        let seen = |rows: &[&Message]| {
            let mut town = four();
            let stream = town.follow("bob", BOB);
            for row in rows {
                town.saw(stream, row);
            }
            town.held(&self::rows());
            town
        };
        seen(&[&m1, &m2, &m3, &m4]).is_clean();
        seen(&[&m1, &m2]).is_clean();
        seen(&[&m1, &m3, &m4]).breaks(&[I5]);
        seen(&[&m2]).breaks(&[I5]);
        seen(&[&m1, &m2, &m2]).breaks(&[I5]);
        seen(&[&m1, &m2, &m1]).breaks(&[I5]);
    }

    #[test]
    fn a_feed_has_only_what_concerns_its_account_and_is_held() {
        let mut town = four();
        let stream = town.follow("alice", ALICE);
        town.saw(stream, &rows()[0]).saw(stream, &rows()[1]);
        town.held(&rows()).breaks(&[I5]);
        let mut town = four();
        town.send("m5", ALICE, BOB).unknown();
        let stream = town.follow("bob", BOB);
        town.saw(stream, &message("m5", ALICE, BOB, 5));
        town.held(&rows()).breaks(&[I4]);
    }

    #[test]
    fn a_feed_after_a_place_begins_right_there() {
        let [_, m2, m3, _] = rows();
        let mut town = four();
        let stream = town.follow_from("bob", BOB, From::After(6));
        let mut late = town.clone();
        town.saw(stream, &m2).saw(stream, &m3);
        town.held(&rows()).is_clean();
        late.saw(stream, &m3);
        late.held(&rows()).breaks(&[I5]);
    }

    #[test]
    fn a_feed_that_was_kept_goes_on_and_repeats_the_last_second_at_most() {
        let [m1, m2, m3, m4] = rows();
        let mut town = four();
        let first = town.follow("bob", BOB);
        town.saw(first, &m1).later_ms(1_100);
        town.saw(first, &m2).later_ms(5_000);
        let _silent = town.follow("bob", BOB);
        let again = town.follow("bob", BOB);
        let with = |rows: &[&Message]| {
            let mut town = town.clone();
            for row in rows {
                town.saw(again, row);
            }
            town.held(&self::rows());
            town
        };
        with(&[&m3, &m4]).is_clean();
        with(&[&m2, &m3]).is_clean();
        with(&[&m2, &m4]).breaks(&[I5]);
        with(&[&m2, &m2]).breaks(&[I5]);
        with(&[&m1]).breaks(&[I5]);
        with(&[&m4]).breaks(&[I5]);
    }

    #[test]
    fn a_mark_that_falls_is_caught() {
        let mut town = four();
        let stream = town.follow("alice", ALICE);
        town.saw_mark(stream, Mark::Read, (ALICE, BOB), BOB, 8);
        town.saw_mark(stream, Mark::Delivered, (ALICE, BOB), BOB, 5);
        town.held(&rows());
        town.clone().is_clean();
        town.saw_mark(stream, Mark::Read, (ALICE, BOB), BOB, 5).breaks(&[I5]);
    }

    #[test]
    fn a_stream_that_nobody_follows_is_malformed() {
        let mut town = four();
        town.saw(99, &rows()[0]);
        town.held(&rows()).breaks(&[Malformed]);
    }
}
