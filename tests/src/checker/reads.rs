//! I4 and I8 of pages: each is an unbroken piece of the final order, begins and ends where it must, and, unless it is stale, shows what
//! was known before it was asked for.

use super::finals::Order;
use super::run::{Asked, Line, Run};
use super::{Invariant, Report};
use crate::history::{Answer, Call, Conversation, Message, Place};

/// A page, and what was asked for.
struct Page<'a> {
    conversation: Conversation,
    before: Option<Place>,
    after: Option<Place>,
    limit: u32,
    messages: &'a [Message],
    more: bool,
    stale: bool,
    invoked: Line,
    returned: Line,
}

pub(super) fn check(run: &Run<'_>, report: &mut Report) {
    for (asked, line, answer) in run.pages() {
        if let Some(page) = Page::of(run, asked, line, answer, report)
            && let Err((invariant, what)) = page.judge(run)
        {
            report.add(invariant, &[page.invoked, page.returned], what);
        }
    }
}

impl<'a> Page<'a> {
    /// None: there is nothing that it could be compared with.
    fn of(run: &Run<'_>, asked: &Asked<'a>, line: Line, answer: &'a Answer, report: &mut Report) -> Option<Self> {
        let Call::Read { account, with, before, after, limit } = asked.call else { return None };
        let Answer::Messages { conversation, messages, more, stale } = answer else { return None };
        if messages.iter().any(|message| !run.was_sent(message)) {
            return None;
        }
        let of_pair = run.finals.conversation_of(*account, *with);
        if !messages.is_empty() && *conversation != of_pair {
            let what =
                format!("a page between {account} and {with} is of conversation {conversation:?}, not {of_pair:?}");
            report.add(Invariant::I4, &[asked.invoked, line], what);
            return None;
        }
        let (before, after, limit) = (*before, *after, *limit);
        let (more, stale, conversation) = (*more, *stale, of_pair?);
        Some(Self { conversation, before, after, limit, messages, more, stale, invoked: asked.invoked, returned: line })
    }

    fn judge(&self, run: &Run<'_>) -> Result<(), (Invariant, String)> {
        let Some(order) = run.finals.order(self.conversation) else { return Ok(()) };
        let broken = |what| (Invariant::I4, what);
        self.keeps_to_what_was_asked().map_err(broken)?;
        let (begin, end) = self.piece(order).map_err(broken)?;
        self.begins_and_ends(order, begin, end).map_err(broken)?;
        self.is_fresh(run, order, end).map_err(|what| (Invariant::I8, what))
    }

    fn keeps_to_what_was_asked(&self) -> Result<(), String> {
        if self.messages.len() > self.limit as usize {
            return Err(format!("a page of at most {} has {} messages", self.limit, self.messages.len()));
        }
        let outside = self.messages.iter().find(|message| {
            self.before.is_some_and(|before| message.cursor >= before)
                || self.after.is_some_and(|after| message.cursor <= after)
        });
        outside.map_or(Ok(()), |message| {
            Err(format!("a page before {:?} and after {:?} has {}", self.before, self.after, message.cursor))
        })
    }

    /// Where it lies in the final order.
    fn piece(&self, order: &Order<'_>) -> Result<(usize, usize), String> {
        let Some(first) = self.messages.first() else {
            let at = self.after.map_or(0, |after| order.up_to(after));
            return Ok((at, at));
        };
        let begin = order.index(first.cursor);
        let begin =
            begin.ok_or_else(|| format!("{} was read at {}, which the end does not have", first.id, first.cursor))?;
        for (offset, message) in self.messages.iter().enumerate() {
            if order.get(begin + offset) != Some(message) {
                let there = order.get(begin + offset).map(|there| (&there.id, there.cursor));
                return Err(format!("a page has {} at {} where the order has {there:?}", message.id, message.cursor));
            }
        }
        Ok((begin, begin + self.messages.len()))
    }

    fn begins_and_ends(&self, order: &Order<'_>, begin: usize, end: usize) -> Result<(), String> {
        let (conversation, more) = (self.conversation, self.more);
        if let Some(after) = self.after {
            if begin != order.up_to(after) {
                return Err(format!("a page of conversation {conversation} after {after} leaves out what comes first"));
            }
            if more && end >= self.upper(order) {
                return Err(format!("a page of conversation {conversation} after {after} promises more than there is"));
            }
        } else if more != (begin > 0) && (more || !self.messages.is_empty()) {
            return Err(format!(
                "a page of conversation {conversation} with {begin} earlier messages says more: {more}"
            ));
        }
        Ok(())
    }

    /// I8, of a page that goes up to the newest end.
    fn is_fresh(&self, run: &Run<'_>, order: &Order<'_>, end: usize) -> Result<(), String> {
        if self.stale || (self.after.is_some() && self.more) {
            return Ok(());
        }
        let Some((learnt, known)) = run.known.of_conversation(self.conversation, self.invoked) else { return Ok(()) };
        if end >= order.up_to(known).min(self.upper(order)) {
            return Ok(());
        }
        let ends = self.messages.last().map_or(0, |message| message.cursor);
        let conversation = self.conversation;
        Err(format!("a page of conversation {conversation} ends at {ends}; {known} was known at line {learnt}"))
    }

    /// Where the piece that was asked for ends at the latest.
    fn upper(&self, order: &Order<'_>) -> usize {
        self.before.map_or(order.len(), |before| order.up_to(before.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use crate::checker::Invariant::{I4, I8};
    use crate::checker::town::{ALICE, BOB, CAROL, Town, message};
    use crate::history::Message;

    fn rows() -> [Message; 4] {
        [5, 7, 8, 9].map(|cursor| message(&format!("m{cursor}"), ALICE, BOB, cursor))
    }

    fn four() -> Town {
        let mut town = Town::new();
        for row in &rows() {
            town.send(&row.id, ALICE, BOB).stored(row.cursor);
        }
        town
    }

    #[test]
    fn a_page_with_a_hole_is_caught() {
        let [m5, m7, m8, m9] = rows();
        let mut town = four();
        town.read(BOB, ALICE).shows(&rows());
        town.clone().held(&rows()).is_clean();
        town.read(BOB, ALICE).shows(&[m5, m7, m9.clone()]);
        town.clone().held(&rows()).breaks(&[I4]);
        let mut swapped = four();
        swapped.read(BOB, ALICE).more().shows(&[m9, m8]);
        swapped.held(&rows()).breaks(&[I4]);
    }

    #[test]
    fn a_page_begins_where_more_says() {
        let [.., m8, m9] = rows();
        let mut town = four();
        town.read(BOB, ALICE).limit(2).more().shows(&[m8.clone(), m9.clone()]);
        town.clone().held(&rows()).is_clean();
        town.read(BOB, ALICE).limit(2).shows(&[m8.clone(), m9.clone()]);
        town.clone().held(&rows()).breaks(&[I4]);
        let mut promising = four();
        promising.read(BOB, ALICE).more().shows(&rows());
        promising.held(&rows()).breaks(&[I4]);
        let mut long = four();
        long.read(BOB, ALICE).limit(1).more().shows(&[m8, m9]);
        long.held(&rows()).breaks(&[I4]);
    }

    #[test]
    fn a_page_before_or_after_a_place_touches_it() {
        let [m5, m7, m8, m9] = rows();
        let mut town = four();
        town.read(BOB, ALICE).before(8).shows(&[m5.clone(), m7.clone()]);
        town.read(BOB, ALICE).after(5).limit(2).more().shows(&[m7.clone(), m8.clone()]);
        town.read(BOB, ALICE).after(5).before(9).shows(&[m7.clone(), m8.clone()]);
        town.read(BOB, ALICE).after(9).shows(&[]);
        town.clone().held(&rows()).is_clean();
        let mut late = town.clone();
        late.read(BOB, ALICE).after(5).shows(&[m8.clone(), m9.clone()]);
        late.held(&rows()).breaks(&[I4]);
        let mut early = town.clone();
        early.read(BOB, ALICE).before(8).shows(&[m5]);
        early.held(&rows()).breaks(&[I8]);
        let mut short = town.clone();
        short.read(BOB, ALICE).after(5).more().shows(&[m7.clone(), m8.clone(), m9]);
        short.held(&rows()).breaks(&[I4]);
        town.read(BOB, ALICE).before(8).more().shows(&[m7, m8]);
        town.held(&rows()).breaks(&[I4]);
    }

    #[test]
    fn nodes_that_differ_are_caught() {
        let mut town = four();
        town.hold("n1", (ALICE, BOB), &rows());
        town.hold("n2", (ALICE, BOB), &rows());
        let mut same = town.clone();
        town.hold("n3", (ALICE, BOB), &rows()[..3]);
        town.breaks(&[I4]);
        same.hold("n3", (ALICE, BOB), &rows());
        same.is_clean();
    }

    #[test]
    fn a_cursor_is_used_once_and_only_rises() {
        let [m5, m7, m8, m9] = rows();
        four().held(&[m7, m5, m8, m9]).breaks(&[I4]);
        let mut town = Town::new();
        town.send("m1", ALICE, BOB).unknown();
        town.send("m2", CAROL, BOB).unknown();
        town.clone().held(&[message("m1", ALICE, BOB, 5), message("m2", CAROL, BOB, 6)]).is_clean();
        town.held(&[message("m1", ALICE, BOB, 5), message("m2", CAROL, BOB, 5)]).breaks(&[I4]);
    }

    #[test]
    fn a_stale_page_sold_as_fresh_is_caught() {
        let mut town = four();
        town.read(BOB, ALICE).stale().shows(&rows()[..3]);
        town.read(BOB, ALICE).stale().shows(&[]);
        town.clone().held(&rows()).is_clean();
        let mut empty = town.clone();
        empty.read(BOB, ALICE).shows(&[]);
        empty.held(&rows()).breaks(&[I8]);
        town.read(BOB, ALICE).shows(&rows()[..3]);
        town.held(&rows()).breaks(&[I8]);
    }

    #[test]
    fn what_is_acknowledged_while_a_page_is_read_may_be_missing() {
        let mut town = Town::new();
        let [m5, m7, ..] = rows();
        town.send("m5", ALICE, BOB).stored(5);
        let read = town.read(BOB, ALICE).pending();
        town.send("m7", ALICE, BOB).stored(7);
        town.shown(read, (ALICE, BOB), std::slice::from_ref(&m5));
        town.held(&[m5, m7]).is_clean();
    }
}
