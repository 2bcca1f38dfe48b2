//! I6 and I7: the order is the one in which a device sent, and the one in which the world came to know.

use std::collections::HashMap;

use super::run::{Line, Run};
use super::{Invariant, Report};
use crate::history::{Account, Place};

/// A message that is stored, by the first attempt that can have stored it.
struct Stored<'a> {
    id: &'a str,
    device: &'a str,
    from: Account,
    sent: Line,
    cursor: Place,
}

pub(super) fn check(run: &Run<'_>, report: &mut Report) {
    let mut stored: Vec<Stored<'_>> = run
        .sent
        .iter()
        .filter_map(|sent| {
            let attempt = &run.asked[sent.effective?];
            let (message, _) = run.finals.with_id(sent.id).first()?;
            let (from, cursor) = (message.from, message.cursor);
            Some(Stored { id: sent.id, device: attempt.device, from, sent: attempt.invoked, cursor })
        })
        .collect();
    stored.sort_by_key(|stored| stored.sent);
    first_in_first_out(&stored, report);
    after_what_was_known(run, &stored, report);
}

/// I6, over all conversations. Two accounts that one device has sessions of at once wait for each other no more than two devices.
fn first_in_first_out(stored: &[Stored<'_>], report: &mut Report) {
    let mut highest: HashMap<(&str, Account), &Stored<'_>> = HashMap::new();
    for later in stored {
        let earlier = highest.entry((later.device, later.from)).or_insert(later);
        if earlier.cursor > later.cursor {
            let what = format!(
                "{} sent {} before {}, and they are stored at {} and {}",
                later.device, earlier.id, later.id, earlier.cursor, later.cursor
            );
            report.add(Invariant::I6, &[earlier.sent, later.sent], what);
        } else {
            *earlier = later;
        }
    }
}

/// I7, over all devices and conversations.
fn after_what_was_known(run: &Run<'_>, stored: &[Stored<'_>], report: &mut Report) {
    for stored in stored {
        let Some((learnt, highest)) = run.known.before(stored.sent) else { continue };
        if highest >= stored.cursor {
            let what =
                format!("{} is stored at {}, and {highest} was known before it was sent", stored.id, stored.cursor);
            report.add(Invariant::I7, &[learnt, stored.sent], what);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checker::Invariant::{I6, I7};
    use crate::checker::town::{ALICE, BOB, CAROL, Town, message};

    #[test]
    fn a_device_that_is_overtaken_by_itself_is_caught() {
        let mut town = Town::new();
        let first = town.send("m1", ALICE, BOB).pending();
        let second = town.send("m2", ALICE, CAROL).pending();
        let mut other = town.clone();
        town.stored(second, (ALICE, CAROL), 6).stored(first, (ALICE, BOB), 5);
        town.held(&[message("m1", ALICE, BOB, 5), message("m2", ALICE, CAROL, 6)]).is_clean();
        other.stored(second, (ALICE, CAROL), 5).stored(first, (ALICE, BOB), 6);
        other.held(&[message("m2", ALICE, CAROL, 5), message("m1", ALICE, BOB, 6)]).breaks(&[I6]);
    }

    #[test]
    fn a_message_that_was_refused_first_has_its_place_by_the_next_attempt() {
        let mut town = Town::new();
        town.send("m1", ALICE, BOB).refused();
        town.send("m2", ALICE, BOB).stored(5);
        town.send("m1", ALICE, BOB).stored(6);
        town.held(&[message("m2", ALICE, BOB, 5), message("m1", ALICE, BOB, 6)]).is_clean();
    }

    #[test]
    fn what_is_stored_before_what_was_acknowledged_earlier_is_caught() {
        let mut town = Town::new();
        let first = town.send("m1", ALICE, BOB).pending();
        let mut alongside = town.clone();
        let second = alongside.send("m2", CAROL, BOB).pending();
        alongside.stored(first, (ALICE, BOB), 6).stored(second, (CAROL, BOB), 5);
        alongside.held(&[message("m1", ALICE, BOB, 6), message("m2", CAROL, BOB, 5)]).is_clean();
        town.stored(first, (ALICE, BOB), 6);
        town.send("m2", CAROL, BOB).stored(5);
        town.held(&[message("m1", ALICE, BOB, 6), message("m2", CAROL, BOB, 5)]).breaks(&[I7]);
    }

    #[test]
    fn what_is_stored_before_what_was_seen_earlier_is_caught() {
        let mut town = Town::new();
        town.send("m1", ALICE, BOB).pending();
        let stream = town.follow("alice", ALICE);
        let first = message("m1", ALICE, BOB, 6);
        town.saw(stream, &first);
        let mut late = town.clone();
        town.send("m2", CAROL, BOB).unknown();
        town.held(&[first.clone(), message("m2", CAROL, BOB, 5)]).breaks(&[I7]);
        late.send("m2", CAROL, BOB).unknown();
        late.held(&[first, message("m2", CAROL, BOB, 7)]).is_clean();
    }
}
