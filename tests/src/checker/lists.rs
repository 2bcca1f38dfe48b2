//! I9, and what of I4 and I8 concerns counts: how long a conversation is, where it ends, and what of it is unread.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use super::finals::Order;
use super::run::{Line, Run};
use super::{Invariant, Report};
use crate::history::{Account, Answer, Call, Conversation, Outcome, Row, What};

/// A node lists so many conversations of an account; of those beyond, none can be missed.
const LISTED_MAX: usize = 300;

pub(super) fn check(run: &Run<'_>, report: &mut Report) {
    for asked in &run.asked {
        let Call::List { account } = asked.call else { continue };
        let Some((line, Outcome::Done(Answer::Conversations { rows, stale: false }))) = asked.returned else {
            continue;
        };
        for row in rows {
            let told = Told { account: *account, row, asked: asked.invoked, line };
            if let Err((invariant, what)) = told.judge(run) {
                report.add(invariant, &[asked.invoked, line], what);
            }
        }
        complete(run, *account, rows, asked.invoked, line, report);
    }
    at_rest(run, report);
}

/// A row as it was told to an account.
struct Told<'a> {
    account: Account,
    row: &'a Row,
    asked: Line,
    line: Line,
}

type Judgement = Result<(), (Invariant, String)>;

impl Told<'_> {
    fn judge(&self, run: &Run<'_>) -> Judgement {
        let Row { conversation, length, unread, read_up_to, last } = *self.row;
        let account = self.account;
        let Some(order) = run.finals.order(conversation) else {
            return Err((Invariant::I4, format!("conversation {conversation} was listed, which no node holds")));
        };
        if last != 0 && order.index(last).is_none() {
            return Err((
                Invariant::I4,
                format!("conversation {conversation} was listed with a last message at {last}"),
            ));
        }
        let held = order.up_to(last);
        if length != held as u64 {
            let what = format!("conversation {conversation} has {held} messages up to {last}, and {length} were told");
            return Err((Invariant::I4, what));
        }
        let others = order.of_others(account, read_up_to, last);
        if unread != others as u64 || read_up_to > last {
            let what = format!(
                "of conversation {conversation} account {account} has {others} unread after {read_up_to} and up to \
                 {last}, and {unread} were told"
            );
            return Err((Invariant::I9, what));
        }
        self.is_fresh(run)
    }

    fn is_fresh(&self, run: &Run<'_>) -> Judgement {
        let Row { conversation, read_up_to, last, .. } = *self.row;
        if let Some((learnt, known)) = run.known.of_conversation(conversation, self.asked)
            && known > last
        {
            let what =
                format!("conversation {conversation} was listed up to {last}; {known} was known at line {learnt}");
            return Err((Invariant::I8, what));
        }
        if let Some((learnt, known)) = run.known.read_by(self.account, conversation, self.asked)
            && known > read_up_to
        {
            let what = format!(
                "account {} has read conversation {conversation} up to {known} since line {learnt}, and {read_up_to} was \
                 told at line {}",
                self.account, self.line
            );
            return Err((Invariant::I9, what));
        }
        Ok(())
    }
}

/// Whether each conversation is there once that was known of.
fn complete(run: &Run<'_>, account: Account, rows: &[Row], invoked: Line, line: Line, report: &mut Report) {
    let mut listed = HashSet::new();
    for row in rows.iter().filter(|row| !listed.insert(row.conversation)) {
        let what = format!("conversation {} was listed twice", row.conversation);
        report.add(Invariant::I4, &[invoked, line], what);
    }
    if rows.len() >= LISTED_MAX {
        return;
    }
    for conversation in run.finals.of_members(account) {
        if let Some((learnt, known)) = run.known.of_conversation(*conversation, invoked)
            && !listed.contains(conversation)
        {
            let what = format!("conversation {conversation} was not listed; {known} of it was known at line {learnt}");
            report.add(Invariant::I8, &[invoked, line], what);
        }
    }
}

/// How a node counted a conversation at rest.
struct Counted<'a> {
    node: &'a str,
    row: &'a Row,
    line: Line,
}

/// Counts at rest: everything is there, and every node counts alike.
fn at_rest(run: &Run<'_>, report: &mut Report) {
    let mut counted: HashMap<(Account, Conversation), Vec<Counted<'_>>> = HashMap::new();
    for (line, event) in run.events.iter().enumerate() {
        let What::Counted { node, account, row } = &event.what else { continue };
        let last = run.finals.order(row.conversation).map_or(0, Order::last);
        let told = Told { account: *account, row, asked: line, line };
        if let Err((invariant, what)) = told.judge(run) {
            report.add(invariant, &[line], format!("at rest at node {node}: {what}"));
        } else if row.last != last {
            let what = format!("node {node} ends conversation {} at {}, not at {last}", row.conversation, row.last);
            report.add(Invariant::I9, &[line], what);
        }
        let others = counted.entry((*account, row.conversation)).or_default();
        others.push(Counted { node, row, line });
        alike(*account, others, report);
    }
}

/// Whether the last of these is of a node of its own, and has the mark that the first has.
fn alike(account: Account, counted: &[Counted<'_>], report: &mut Report) {
    let [first, .., last] = counted else { return };
    let lines = |one: &Counted<'_>| [one.line, last.line];
    let conversation = last.row.conversation;
    if let Some(earlier) = counted[..counted.len() - 1].iter().find(|one| one.node == last.node) {
        let what = format!("node {} counts conversation {conversation} of account {account} twice", last.node);
        report.add(Invariant::Malformed, &lines(earlier), what);
    } else if first.row.read_up_to != last.row.read_up_to {
        let what = format!(
            "account {account} has read conversation {conversation} up to {} at node {}, and up to {} at node {}",
            first.row.read_up_to, first.node, last.row.read_up_to, last.node
        );
        report.add(Invariant::I9, &lines(first), what);
    }
}
