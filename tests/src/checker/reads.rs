//! I4 and I8 of pages: each is an unbroken piece of the final order, begins and ends where it must, and, unless it is stale, shows what
//! was known before it was asked for.

#[cfg(test)]
mod tests;

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
