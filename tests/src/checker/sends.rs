//! I1, I2 and I3: what became of each message that somebody sent, and that nothing else is there.

use std::collections::HashSet;

use super::run::{Asked, Content, Run, Sent};
use super::{Invariant, Report};
use crate::history::{Answer, Message, What};

pub(super) fn check(run: &Run<'_>, report: &mut Report) {
    for sent in &run.sent {
        let stored: Vec<&Asked<'_>> =
            sent.attempts.iter().map(|attempt| &run.asked[*attempt]).filter(|asked| asked.stored().is_some()).collect();
        match stored.first() {
            Some(first) => {
                acknowledged(run, sent, first, report);
                for later in &stored[1..] {
                    answered_alike(sent, first, later, report);
                }
            }
            None => unanswered(run, sent, report),
        }
    }
    phantoms(run, report);
}

/// I1. The first acknowledgement speaks for all: I3 is that they are alike.
fn acknowledged(run: &Run<'_>, sent: &Sent<'_>, first: &Asked<'_>, report: &mut Report) {
    let Some((line, conversation, cursor)) = first.stored() else { return };
    let held = run.finals.with_id(sent.id);
    let [(message, shown)] = held else {
        let held_at = held.first().map_or(line, |(_, line)| *line);
        let cursors: Vec<_> = held.iter().map(|(message, _)| message.cursor).collect();
        let what = format!("{} was acknowledged at {cursor} and is held {} times: {cursors:?}", sent.id, held.len());
        return report.add(Invariant::I1, &[first.invoked, line, held_at], what);
    };
    let lines = [first.invoked, line, *shown];
    if (message.conversation, message.cursor) != (conversation, cursor) {
        let what = format!(
            "{} was acknowledged at {cursor} of conversation {conversation} and is held at {} of {}",
            sent.id, message.cursor, message.conversation
        );
        report.add(Invariant::I1, &lines, what);
    } else if first.content() != Some(Content::of(message)) {
        let what = format!("{} was acknowledged and is held with another text, sender or recipient", sent.id);
        report.add(Invariant::I1, &lines, what);
    }
}

/// I3.
fn answered_alike(sent: &Sent<'_>, first: &Asked<'_>, later: &Asked<'_>, report: &mut Report) {
    let (Some((line, conversation, cursor)), Some((line_later, of_later, cursor_later))) =
        (first.stored(), later.stored())
    else {
        return;
    };
    if (of_later, cursor_later) != (conversation, cursor) {
        let what = format!(
            "{} was acknowledged at {cursor} of conversation {conversation}, and at {cursor_later} of {of_later}",
            sent.id
        );
        report.add(Invariant::I3, &[line, line_later], what);
    }
    if first.content() != later.content() {
        let what = format!("{} was acknowledged with two contents", sent.id);
        report.add(Invariant::I3, &[first.invoked, later.invoked], what);
    }
}

/// I2, of what was never acknowledged.
fn unanswered(run: &Run<'_>, sent: &Sent<'_>, report: &mut Report) {
    let held = run.finals.with_id(sent.id);
    let Some((_, shown)) = held.first() else { return };
    let lines: Vec<_> = sent.attempts.iter().map(|attempt| run.asked[*attempt].invoked).chain([*shown]).collect();
    let cursors: Vec<_> = held.iter().map(|(message, _)| message.cursor).collect();
    if sent.effective.is_none() {
        let what = format!("{} was refused and is held at {cursors:?}", sent.id);
        report.add(Invariant::I2, &lines, what);
    } else if held.len() > 1 {
        let what = format!("{} was sent once, its end is unknown, and it is held at {cursors:?}", sent.id);
        report.add(Invariant::I2, &lines, what);
    } else if !run.was_sent(held[0].0) {
        let what = format!("{} is held at {cursors:?} with another text, sender or recipient than sent", sent.id);
        report.add(Invariant::I2, &lines, what);
    }
}

/// I2, of what nobody sent: each once, where it was met first.
fn phantoms(run: &Run<'_>, report: &mut Report) {
    let mut told = HashSet::new();
    for (_, order) in run.finals.conversations() {
        for message in (0..order.len()).filter_map(|index| order.get(index)) {
            if run.sent(&message.id).is_none() && told.insert(message) {
                report.add(Invariant::I2, &[order.line], phantom(message, "is held"));
            }
        }
    }
    for (_, line, answer) in run.pages() {
        let Answer::Messages { messages, .. } = answer else { continue };
        for message in messages.iter().filter(|message| !run.was_sent(message)) {
            if told.insert(message) {
                report.add(Invariant::I2, &[line], phantom(message, "was read"));
            }
        }
    }
    for (line, event) in run.events.iter().enumerate() {
        let What::Saw { message, .. } = &event.what else { continue };
        if !run.was_sent(message) && told.insert(message) {
            report.add(Invariant::I2, &[line], phantom(message, "came by a feed"));
        }
    }
}

fn phantom(message: &Message, met: &str) -> String {
    format!(
        "{} at {} of conversation {} {met}, and nobody sent it so",
        message.id, message.cursor, message.conversation
    )
}

#[cfg(test)]
mod tests {
    use crate::checker::Invariant::{I1, I2, I3};
    use crate::checker::town::{ALICE, BOB, CAROL, Town, message};

    #[test]
    fn what_was_acknowledged_and_is_lost_is_caught() {
        let mut town = Town::new();
        town.send("m1", ALICE, BOB).stored(5);
        town.send("m2", ALICE, BOB).stored(7);
        town.clone().held(&[message("m1", ALICE, BOB, 5)]).breaks(&[I1]);
        town.held(&[message("m1", ALICE, BOB, 5), message("m2", ALICE, BOB, 7)]).is_clean();
    }

    #[test]
    fn what_is_doubled_moved_or_garbled_is_caught() {
        let mut town = Town::new();
        town.send("m1", ALICE, BOB).stored(5);
        town.clone().held(&[message("m1", ALICE, BOB, 5), message("m1", ALICE, BOB, 6)]).breaks(&[I1]);
        town.clone().held(&[message("m1", ALICE, BOB, 6)]).breaks(&[I1]);
        town.clone().held(&[message("m1", BOB, ALICE, 5)]).breaks(&[I1]);
        let mut garbled = message("m1", ALICE, BOB, 5);
        garbled.text.push('!');
        town.clone().held(&[garbled]).breaks(&[I1]);
    }

    #[test]
    fn what_is_unknown_is_there_once_or_not() {
        let mut town = Town::new();
        town.send("m1", ALICE, BOB).unknown();
        town.clone().held(&[]).is_clean();
        town.clone().held(&[message("m1", ALICE, BOB, 5)]).is_clean();
        town.clone().held(&[message("m1", ALICE, BOB, 5), message("m1", ALICE, BOB, 6)]).breaks(&[I2]);
        town.clone().held(&[message("m1", BOB, ALICE, 5)]).breaks(&[I2]);
        town.send("m2", ALICE, BOB).pending();
        town.held(&[message("m1", ALICE, BOB, 5), message("m2", ALICE, BOB, 6)]).is_clean();
    }

    #[test]
    fn what_was_refused_is_not_there_unless_another_attempt_stored_it() {
        let mut town = Town::new();
        town.send("m1", ALICE, BOB).refused();
        town.clone().held(&[]).is_clean();
        town.clone().held(&[message("m1", ALICE, BOB, 5)]).breaks(&[I2]);
        town.send("m1", ALICE, BOB).unknown();
        town.held(&[message("m1", ALICE, BOB, 5)]).is_clean();
    }

    #[test]
    fn phantoms_are_caught_wherever_they_are_met() {
        let mut town = Town::new();
        town.send("m1", ALICE, BOB).stored(5);
        let (real, phantom) = (message("m1", ALICE, BOB, 5), message("m2", ALICE, BOB, 6));
        town.clone().held(&[real.clone(), phantom.clone()]).breaks(&[I2]);
        let mut read = town.clone();
        read.read(ALICE, BOB).shows(&[real.clone(), phantom.clone()]);
        read.held(std::slice::from_ref(&real)).breaks(&[I2]);
        let stream = town.follow("bob", BOB);
        town.saw(stream, &real).saw(stream, &phantom);
        town.held(&[real]).breaks(&[I2]);
    }

    #[test]
    fn a_retry_has_the_first_answer() {
        let mut town = Town::new();
        town.send("m1", ALICE, BOB).unknown();
        town.send("m1", ALICE, BOB).stored(5);
        let mut other = town.clone();
        town.send("m1", ALICE, BOB).stored(5);
        town.held(&[message("m1", ALICE, BOB, 5)]).is_clean();
        other.send("m1", ALICE, BOB).stored(6);
        other.held(&[message("m1", ALICE, BOB, 5)]).breaks(&[I3]);
    }

    #[test]
    fn an_id_is_one_message() {
        let mut town = Town::new();
        town.send("m1", ALICE, BOB).stored(5);
        let mut refused = town.clone();
        refused.send("m1", ALICE, CAROL).refused();
        refused.held(&[message("m1", ALICE, BOB, 5)]).is_clean();
        town.send("m1", BOB, ALICE).stored(5);
        town.held(&[message("m1", ALICE, BOB, 5)]).breaks(&[I3]);
    }
}
