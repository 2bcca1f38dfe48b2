//! Forges histories, for the tests of the checker: a few people who talk, a line at a time.

mod asked;

use std::collections::BTreeSet;

use asked::Asked;

use super::{Invariant, Limits, check};
use crate::history::{
    Account, Answer, Call, Conversation, Event, From, Mark, Message, Op, Outcome, Place, Row, Stream, What,
};

pub(super) const ALICE: Account = 1;
pub(super) const BOB: Account = 2;
pub(super) const CAROL: Account = 3;

pub(super) const NODES: [&str; 3] = ["n1", "n2", "n3"];

type Pair = (Account, Account);

/// A history in the making. Each line comes a millisecond after the one before.
#[derive(Clone, Default)]
pub(super) struct Town {
    pub(super) events: Vec<Event>,
    at_ns: u64,
    numbers: u64,
}

/// A message between two, with the text that [`Town::send`] gives it.
pub(super) fn message(id: &str, from: Account, to: Account, cursor: Place) -> Message {
    Message { id: id.to_owned(), cursor, conversation: between((from, to)), from, to, text: text(id) }
}

pub(super) fn row(pair: Pair, length: u64, unread: u64, read_up_to: Place, last: Place) -> Row {
    Row { conversation: between(pair), length, unread, read_up_to, last }
}

pub(super) fn between(pair: Pair) -> Conversation {
    100 + 10 * pair.0.min(pair.1) + pair.0.max(pair.1)
}

fn text(id: &str) -> String {
    format!("the text of {id}")
}

impl Town {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn note(&mut self, what: What) -> &mut Self {
        self.at_ns += 1_000_000;
        self.events.push(Event { at_ns: self.at_ns, what });
        self
    }

    pub(super) fn later_ms(&mut self, ms: u64) -> &mut Self {
        self.at_ns += ms * 1_000_000;
        self
    }

    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// By the sender's only device.
    pub(super) fn send(&mut self, id: &str, from: Account, to: Account) -> Asked<'_> {
        self.ask(from, Call::Send { message: id.to_owned(), from, to, text: text(id) })
    }

    pub(super) fn read(&mut self, account: Account, with: Account) -> Asked<'_> {
        self.ask(account, Call::Read { account, with, before: None, after: None, limit: 100 })
    }

    pub(super) fn list(&mut self, account: Account) -> Asked<'_> {
        self.ask(account, Call::List { account })
    }

    pub(super) fn mark_read(&mut self, account: Account, pair: Pair, up_to: Place) -> Asked<'_> {
        self.ask(account, Call::MarkRead { account, conversation: between(pair), up_to })
    }

    pub(super) fn log_in(&mut self, account: Account) -> Asked<'_> {
        self.ask(account, Call::LogIn { account })
    }

    pub(super) fn delete(&mut self, account: Account) -> Asked<'_> {
        self.ask(account, Call::DeleteAccount { account })
    }

    fn ask(&mut self, account: Account, call: Call) -> Asked<'_> {
        Asked::new(self, format!("device of {account}"), call)
    }

    pub(super) fn invoke(&mut self, device: &str, call: Call) -> Op {
        let op = self.number();
        self.note(What::Invoked { op, device: device.to_owned(), call });
        op
    }

    pub(super) fn return_(&mut self, op: Op, outcome: Outcome) -> &mut Self {
        self.note(What::Returned { op, outcome })
    }

    pub(super) fn stored(&mut self, op: Op, pair: Pair, cursor: Place) -> &mut Self {
        self.return_(op, Outcome::Done(Answer::Stored { conversation: between(pair), cursor }))
    }

    pub(super) fn shown(&mut self, op: Op, pair: Pair, messages: &[Message]) -> &mut Self {
        let conversation = Some(between(pair));
        let answer = Answer::Messages { conversation, messages: messages.to_vec(), more: false, stale: false };
        self.return_(op, Outcome::Done(answer))
    }

    pub(super) fn follow(&mut self, device: &str, account: Account) -> Stream {
        self.follow_from(device, account, From::Kept)
    }

    pub(super) fn follow_from(&mut self, device: &str, account: Account, from: From) -> Stream {
        let stream = self.number();
        self.note(What::Following { stream, device: device.to_owned(), account, from });
        stream
    }

    pub(super) fn saw(&mut self, stream: Stream, message: &Message) -> &mut Self {
        self.note(What::Saw { stream, message: message.clone() })
    }

    pub(super) fn saw_mark(&mut self, stream: Stream, mark: Mark, pair: Pair, by: Account, up_to: Place) -> &mut Self {
        self.note(What::SawMark { stream, mark, conversation: between(pair), by, up_to })
    }

    /// At every node, whatever conversations these are of.
    pub(super) fn held(&mut self, messages: &[Message]) -> &mut Self {
        let conversations: BTreeSet<_> = messages.iter().map(|message| message.conversation).collect();
        for (node, conversation) in NODES.iter().flat_map(|node| conversations.iter().map(move |one| (node, *one))) {
            let of_it = messages.iter().filter(|message| message.conversation == conversation).cloned().collect();
            self.note(What::Held { node: (*node).to_owned(), conversation, messages: of_it });
        }
        self
    }

    pub(super) fn hold(&mut self, node: &str, pair: Pair, messages: &[Message]) -> &mut Self {
        let conversation = between(pair);
        self.note(What::Held { node: node.to_owned(), conversation, messages: messages.to_vec() })
    }

    pub(super) fn counted(&mut self, node: &str, account: Account, row: Row) -> &mut Self {
        self.note(What::Counted { node: node.to_owned(), account, row })
    }

    pub(super) fn digest(&mut self, node: &str, index: Place, digest: &str) -> &mut Self {
        self.note(What::Digest { node: node.to_owned(), index, digest: digest.to_owned() })
    }

    pub(super) fn healed(&mut self) -> &mut Self {
        self.note(What::Healed)
    }

    pub(super) fn recovered(&mut self, id: &str) -> &mut Self {
        self.note(What::Recovered { message: id.to_owned() })
    }

    pub(super) fn fault(&mut self, text: &str) -> &mut Self {
        self.note(What::Fault { text: text.to_owned() })
    }

    pub(super) fn complained(&mut self, process: &str, line: &str) -> &mut Self {
        self.note(What::Complained { process: process.to_owned(), line: line.to_owned() })
    }

    pub(super) fn used(&mut self, process: &str, memory_bytes: u64, files: u64) -> &mut Self {
        self.note(What::Used { process: process.to_owned(), memory_bytes, files })
    }

    pub(super) fn is_clean(&self) {
        self.breaks(&[]);
    }

    /// Exactly these invariants.
    pub(super) fn breaks(&self, expected: &[Invariant]) {
        let report = check(&self.events, &Limits::default());
        let broken: BTreeSet<_> = report.violations.iter().map(|violation| violation.invariant).collect();
        assert_eq!(broken, expected.iter().copied().collect(), "{report}");
    }
}
