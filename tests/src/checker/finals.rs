//! The final order: what all nodes hold at rest, hence what everything else is compared with.

use std::collections::{BTreeMap, HashMap};

use super::run::Line;
use super::{Invariant, Report};
use crate::history::{Account, Answer, Conversation, Event, Message, Outcome, Place, What};

#[derive(Default)]
pub(super) struct Finals<'a> {
    orders: BTreeMap<Conversation, Order<'a>>,
    /// All that was held with an id, as often as it was held, with a line that shows it.
    by_id: HashMap<&'a str, Vec<(&'a Message, Line)>>,
    pairs: HashMap<(Account, Account), Conversation>,
    of_account: HashMap<Account, Vec<&'a Message>>,
    of_members: HashMap<Account, Vec<Conversation>>,
}

/// The messages of a conversation, by their cursors.
pub(super) struct Order<'a> {
    messages: Vec<&'a Message>,
    /// The cursors of each sender.
    senders: HashMap<Account, Vec<Place>>,
    /// Where it was held.
    pub(super) line: Line,
}

/// What a node held of a conversation.
struct Holding<'a> {
    node: &'a str,
    line: Line,
    messages: &'a [Message],
}

impl<'a> Finals<'a> {
    pub(super) fn of(events: &'a [Event], report: &mut Report) -> Self {
        let holdings = holdings(events, report);
        if holdings.is_empty() && has_messages(events) {
            let what = "no node says what it holds at rest, so there is nothing to judge by".to_owned();
            report.add(Invariant::Malformed, &[], what);
        }
        let nodes: BTreeMap<&str, Line> =
            holdings.values().flatten().map(|holding| (holding.node, holding.line)).collect();
        let mut finals = Self::default();
        let mut places = HashMap::new();
        for (conversation, held) in holdings {
            let reference = most_held(&held);
            agree(conversation, reference, &held, &nodes, report);
            for message in reference.messages {
                finals.take(conversation, message, reference.line, &mut places, report);
            }
            finals.orders.insert(conversation, Order::of(conversation, reference, report));
        }
        finals.of_account.values_mut().for_each(|messages| messages.sort_by_key(|message| message.cursor));
        finals
    }

    fn take(
        &mut self,
        conversation: Conversation,
        message: &'a Message,
        line: Line,
        places: &mut HashMap<Place, (Conversation, Line)>,
        report: &mut Report,
    ) {
        self.by_id.entry(&message.id).or_default().push((message, line));
        let known = self.pairs.insert(pair(message.from, message.to), conversation);
        if known != Some(conversation) {
            self.of_members.entry(message.from).or_default().push(conversation);
            self.of_members.entry(message.to).or_default().push(conversation);
        }
        self.of_account.entry(message.from).or_default().push(message);
        if message.to != message.from {
            self.of_account.entry(message.to).or_default().push(message);
        }
        if let Some((other, earlier)) = places.insert(message.cursor, (conversation, line))
            && other != conversation
        {
            let what = format!("cursor {} is used in conversation {other} and in {conversation}", message.cursor);
            report.add(Invariant::I4, &[earlier, line], what);
        }
    }

    pub(super) fn conversations(&self) -> impl Iterator<Item = (Conversation, &Order<'a>)> {
        self.orders.iter().map(|(conversation, order)| (*conversation, order))
    }

    pub(super) fn order(&self, conversation: Conversation) -> Option<&Order<'a>> {
        self.orders.get(&conversation)
    }

    pub(super) fn with_id(&self, id: &str) -> &[(&'a Message, Line)] {
        self.by_id.get(id).map_or(&[], Vec::as_slice)
    }

    pub(super) fn conversation_of(&self, one: Account, other: Account) -> Option<Conversation> {
        self.pairs.get(&pair(one, other)).copied()
    }

    /// Everything that the account sent or was sent, by cursor.
    pub(super) fn of_account(&self, account: Account) -> &[&'a Message] {
        self.of_account.get(&account).map_or(&[], Vec::as_slice)
    }

    /// The conversations of the account.
    pub(super) fn of_members(&self, account: Account) -> &[Conversation] {
        self.of_members.get(&account).map_or(&[], Vec::as_slice)
    }

    pub(super) fn has(&self, conversation: Conversation, cursor: Place) -> bool {
        self.order(conversation).is_some_and(|order| order.index(cursor).is_some())
    }
}

impl<'a> Order<'a> {
    fn of(conversation: Conversation, held: &Holding<'a>, report: &mut Report) -> Self {
        for pair in held.messages.windows(2).filter(|pair| pair[1].cursor <= pair[0].cursor) {
            let (earlier, later) = (&pair[0], &pair[1]);
            let what = format!(
                "in conversation {conversation} {} at {} is held before {} at {}",
                earlier.id, earlier.cursor, later.id, later.cursor
            );
            report.add(Invariant::I4, &[held.line], what);
        }
        for message in held.messages.iter().filter(|message| message.conversation != conversation) {
            let what = format!("{} of conversation {} is held in {conversation}", message.id, message.conversation);
            report.add(Invariant::I4, &[held.line], what);
        }
        let mut messages: Vec<&Message> = held.messages.iter().collect();
        messages.sort_by_key(|message| message.cursor);
        messages.dedup_by_key(|message| message.cursor);
        let mut senders: HashMap<Account, Vec<Place>> = HashMap::new();
        for message in &messages {
            senders.entry(message.from).or_default().push(message.cursor);
        }
        Self { messages, senders, line: held.line }
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&'a Message> {
        self.messages.get(index).copied()
    }

    pub(super) fn last(&self) -> Place {
        self.messages.last().map_or(0, |message| message.cursor)
    }

    pub(super) fn index(&self, cursor: Place) -> Option<usize> {
        self.messages.binary_search_by_key(&cursor, |message| message.cursor).ok()
    }

    /// How many messages have a cursor up to this one.
    pub(super) fn up_to(&self, cursor: Place) -> usize {
        self.messages.partition_point(|message| message.cursor <= cursor)
    }

    /// How many messages after the one place and up to the other are of others than the account.
    pub(super) fn of_others(&self, account: Account, after: Place, up_to: Place) -> usize {
        let own = self.senders.get(&account).map_or(&[][..], Vec::as_slice);
        let own_up_to = |place: Place| own.partition_point(|cursor| *cursor <= place);
        let up_to = up_to.max(after);
        (self.up_to(up_to) - self.up_to(after)) - (own_up_to(up_to) - own_up_to(after))
    }
}

fn pair(one: Account, other: Account) -> (Account, Account) {
    (one.min(other), one.max(other))
}

fn has_messages(events: &[Event]) -> bool {
    events.iter().any(|event| match &event.what {
        What::Returned { outcome: Outcome::Done(answer), .. } => matches!(answer, Answer::Stored { .. }),
        What::Saw { .. } => true,
        _ => false,
    })
}

fn holdings<'a>(events: &'a [Event], report: &mut Report) -> BTreeMap<Conversation, Vec<Holding<'a>>> {
    let mut holdings: BTreeMap<Conversation, Vec<Holding<'a>>> = BTreeMap::new();
    for (line, event) in events.iter().enumerate() {
        let What::Held { node, conversation, messages } = &event.what else { continue };
        let held = holdings.entry(*conversation).or_default();
        if let Some(earlier) = held.iter().find(|held| held.node == node) {
            let what = format!("node {node} says twice what it holds of conversation {conversation}");
            report.add(Invariant::Malformed, &[earlier.line, line], what);
        } else {
            held.push(Holding { node, line, messages });
        }
    }
    holdings
}

/// What most nodes held, so that one that differs is told once, and not by every message that it lacks. Of equals the longer.
fn most_held<'h, 'a>(held: &'h [Holding<'a>]) -> &'h Holding<'a> {
    let likeness = |holding: &&Holding<'a>| {
        let alike = held.iter().filter(|other| other.messages == holding.messages).count();
        (alike, holding.messages.len())
    };
    held.iter().max_by_key(likeness).expect("a conversation is known because somebody held it")
}

fn agree(
    conversation: Conversation,
    reference: &Holding<'_>,
    held: &[Holding<'_>],
    nodes: &BTreeMap<&str, Line>,
    report: &mut Report,
) {
    for (node, line) in nodes {
        let holding = held.iter().find(|held| held.node == *node);
        let (line, messages) = holding.map_or((*line, &[][..]), |held| (held.line, held.messages));
        if messages == reference.messages {
            continue;
        }
        let same = messages.iter().zip(reference.messages).take_while(|(one, other)| one == other).count();
        let what = format!(
            "of conversation {conversation} node {node} holds at position {same} {}, and node {} {}",
            named(messages.get(same)),
            reference.node,
            named(reference.messages.get(same))
        );
        report.add(Invariant::I4, &[line, reference.line], what);
    }
}

fn named(message: Option<&Message>) -> String {
    message.map_or_else(|| "nothing".to_owned(), |message| format!("{} at {}", message.id, message.cursor))
}
