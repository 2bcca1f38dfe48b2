//! What somebody knew at each line: the real time that the order has to keep to.
//!
//! A place is known once anyone was told of it: by an acknowledgement, a page, a list or a feed. Even a stale answer counts, since it
//! shows only what was stored.

use std::collections::HashMap;

use super::finals::Finals;
use super::run::{Asked, Line};
use crate::history::{Account, Answer, Call, Conversation, Event, Mark, Outcome, Place, Row, What};

#[derive(Default)]
pub(super) struct Known {
    anywhere: Rising,
    conversations: HashMap<Conversation, Rising>,
    /// How far an account is known to have read.
    read: HashMap<(Account, Conversation), Rising>,
}

/// The highest place known, from each line on at which it rose.
#[derive(Default)]
struct Rising {
    steps: Vec<(Line, Place)>,
}

impl Rising {
    fn learn(&mut self, line: Line, place: Place) {
        if self.steps.last().is_none_or(|(_, highest)| place > *highest) {
            self.steps.push((line, place));
        }
    }

    fn before(&self, line: Line) -> Option<(Line, Place)> {
        let earlier = self.steps.partition_point(|(step, _)| *step < line);
        earlier.checked_sub(1).map(|index| self.steps[index])
    }
}

impl Known {
    pub(super) fn of(events: &[Event], asked: &[Asked<'_>], finals: &Finals<'_>) -> Self {
        let mut known = Self::default();
        let returns = asked.iter().filter_map(|asked| asked.done().map(|line| (line, asked)));
        let mut returns: HashMap<Line, &Asked<'_>> = returns.collect();
        for (line, event) in events.iter().enumerate() {
            match &event.what {
                What::Returned { .. } => {
                    if let Some(asked) = returns.remove(&line) {
                        known.answered(line, asked, finals);
                    }
                }
                What::Saw { message, .. } => known.place(line, message.conversation, message.cursor, finals),
                What::SawMark { mark, conversation, by, up_to, .. } => {
                    known.place(line, *conversation, *up_to, finals);
                    if *mark == Mark::Read {
                        known.mark(line, *by, *conversation, *up_to, finals);
                    }
                }
                _ => {}
            }
        }
        known
    }

    /// The highest place that anybody knew before the line, and where that was learnt.
    pub(super) fn before(&self, line: Line) -> Option<(Line, Place)> {
        self.anywhere.before(line)
    }

    /// The same of one conversation.
    pub(super) fn of_conversation(&self, conversation: Conversation, line: Line) -> Option<(Line, Place)> {
        self.conversations.get(&conversation)?.before(line)
    }

    /// How far the account was known to have read, before the line.
    pub(super) fn read_by(&self, account: Account, conversation: Conversation, line: Line) -> Option<(Line, Place)> {
        self.read.get(&(account, conversation))?.before(line)
    }

    fn answered(&mut self, line: Line, asked: &Asked<'_>, finals: &Finals<'_>) {
        let Some((_, Outcome::Done(answer))) = asked.returned else { return };
        match (asked.call, answer) {
            (_, Answer::Stored { conversation, cursor }) => self.place(line, *conversation, *cursor, finals),
            (_, Answer::Messages { messages, .. }) => {
                for message in messages {
                    self.place(line, message.conversation, message.cursor, finals);
                }
            }
            (Call::List { account }, Answer::Conversations { rows, .. }) => {
                for row in rows {
                    self.row(line, *account, row, finals);
                }
            }
            (Call::MarkRead { account, conversation, up_to }, _) => {
                // The mark is put at a message that exists; those that were known before it was asked for surely do.
                let existing = self.of_conversation(*conversation, asked.invoked).map_or(0, |(_, place)| place);
                let order = finals.order(*conversation);
                let last = order.and_then(|order| order.get(order.up_to(existing.min(*up_to)).checked_sub(1)?));
                if let Some(last) = last {
                    self.mark(line, *account, *conversation, last.cursor, finals);
                }
            }
            _ => {}
        }
    }

    fn row(&mut self, line: Line, account: Account, row: &Row, finals: &Finals<'_>) {
        self.place(line, row.conversation, row.last, finals);
        self.mark(line, account, row.conversation, row.read_up_to, finals);
    }

    fn place(&mut self, line: Line, conversation: Conversation, cursor: Place, finals: &Finals<'_>) {
        if finals.has(conversation, cursor) {
            self.anywhere.learn(line, cursor);
            self.conversations.entry(conversation).or_default().learn(line, cursor);
        }
    }

    fn mark(&mut self, line: Line, account: Account, conversation: Conversation, up_to: Place, finals: &Finals<'_>) {
        if finals.has(conversation, up_to) {
            self.read.entry((account, conversation)).or_default().learn(line, up_to);
        }
    }
}
