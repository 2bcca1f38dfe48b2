//! I10: what an account does after it was deleted, which is nothing.

use std::collections::HashMap;

use super::run::{Line, Run};
use super::{Invariant, Report};
use crate::history::{Account, Call};

pub(super) fn check(run: &Run<'_>, report: &mut Report) {
    let mut deleted: HashMap<Account, Line> = HashMap::new();
    for asked in &run.asked {
        if let (Call::DeleteAccount { account }, Some(line)) = (asked.call, asked.done()) {
            let known = deleted.entry(*account).or_insert(line);
            *known = line.min(*known);
        }
    }
    if deleted.is_empty() {
        return;
    }
    let gone = |account: Account, invoked: Line| deleted.get(&account).copied().filter(|line| *line < invoked);
    for asked in &run.asked {
        let (account, did) = match asked.call {
            Call::LogIn { account } => (*account, "logged in".to_owned()),
            Call::Send { message, from, .. } => (*from, format!("sent {message}")),
            _ => continue,
        };
        if let (Some(line), Some(returned)) = (gone(account, asked.invoked), asked.done()) {
            let what = format!("account {account} was deleted, and {did} later");
            report.add(Invariant::I10, &[line, asked.invoked, returned], what);
        }
    }
    unacknowledged(run, gone, report);
}

/// What nobody was told of is as wrong, if it is stored in the end.
fn unacknowledged(run: &Run<'_>, gone: impl Fn(Account, Line) -> Option<Line>, report: &mut Report) {
    for sent in &run.sent {
        let attempts = || sent.attempts.iter().map(|attempt| &run.asked[*attempt]);
        let (Some((message, held)), Some(first)) = (run.finals.with_id(sent.id).first(), run.first_sent(sent)) else {
            continue;
        };
        if let Some(line) = gone(message.from, first)
            && attempts().all(|attempt| attempt.stored().is_none())
        {
            let what = format!("account {} was deleted, and {} of it, sent later, is held", message.from, sent.id);
            report.add(Invariant::I10, &[line, first, *held], what);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checker::Invariant::I10;
    use crate::checker::town::{ALICE, BOB, Town, message};

    #[test]
    fn an_account_that_acts_after_its_deletion_is_caught() {
        let mut town = Town::new();
        town.send("m1", ALICE, BOB).stored(5);
        let held = [message("m1", ALICE, BOB, 5)];
        let alongside = town.send("m2", ALICE, BOB).pending();
        town.delete(ALICE).done();
        town.log_in(ALICE).refused();
        town.send("m3", ALICE, BOB).refused();
        town.log_in(BOB).done();
        let (m2, m3) = (message("m2", ALICE, BOB, 6), message("m3", ALICE, BOB, 7));
        let mut good = town.clone();
        good.stored(alongside, (ALICE, BOB), 6);
        good.held(&[held[0].clone(), m2]).is_clean();
        let mut back = town.clone();
        back.log_in(ALICE).done();
        back.held(&held).breaks(&[I10]);
        let mut heard = town.clone();
        heard.send("m3", ALICE, BOB).stored(7);
        heard.held(&[held[0].clone(), m3.clone()]).breaks(&[I10]);
        town.send("m3", ALICE, BOB).unknown();
        town.held(&[held[0].clone(), m3]).breaks(&[I10]);
    }

    #[test]
    fn a_deletion_of_unknown_end_forbids_nothing() {
        let mut town = Town::new();
        town.delete(ALICE).unknown();
        town.log_in(ALICE).done();
        town.is_clean();
    }
}
