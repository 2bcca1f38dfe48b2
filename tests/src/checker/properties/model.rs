//! A chat that is right by construction: one log, and devices that talk to it, a random step at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::checker::town::{ALICE, BOB, CAROL, NODES, Town, between, message};
use crate::history::{
    Account, Answer, Call, Conversation, Event, From, Mark, Message, Op, Outcome, Place, Row, Stream, What,
};

/// What is done, by which device, and a number to choose the rest by.
type Step = (u8, usize, u8);

const PEOPLE: [Account; 3] = [ALICE, BOB, CAROL];
const DEVICES: [(&str, Account); 4] =
    [("alice's", ALICE), ("alice's other", ALICE), ("bob's", BOB), ("carol's", CAROL)];

pub(super) fn script() -> impl Strategy<Value = Vec<Step>> {
    vec((0u8..12, 0..DEVICES.len(), any::<u8>()), 20..160)
}

pub(super) fn run(script: &[Step]) -> Vec<Event> {
    let mut model = Model { devices: DEVICES.map(|(name, account)| Device::new(name, account)), ..Model::default() };
    for (kind, device, pick) in script {
        match kind {
            0..=2 => model.send(*device, *pick),
            3..=5 => model.apply(*device, *pick),
            6 | 7 => model.end(*device, *pick),
            8 => model.read(*device, *pick),
            9 => model.list(*device, *pick),
            10 => model.mark(*device, *pick),
            _ => model.follow(*device, *pick),
        }
    }
    model.rest();
    model.town.events
}

#[derive(Default)]
struct Model {
    town: Town,
    log: Vec<Message>,
    cursor: Place,
    sent: u64,
    read: BTreeMap<(Account, Conversation), Place>,
    devices: [Device; DEVICES.len()],
}

#[derive(Default)]
struct Device {
    name: &'static str,
    account: Account,
    asked: VecDeque<(Op, Doing)>,
    last: Option<Message>,
    stream: Option<Stream>,
    /// How many rows of the feed it has been handed.
    seen: usize,
}

enum Doing {
    /// Cursor 0: not in the log yet.
    Send(Message),
    Answered(Answer),
}

impl Device {
    fn new(name: &'static str, account: Account) -> Self {
        Self { name, account, ..Self::default() }
    }
}

impl Model {
    /// A new message, or, if all earlier ones came to an end, perhaps the last one again.
    fn send(&mut self, device: usize, pick: u8) {
        let sender = &self.devices[device];
        let again = sender.last.clone().filter(|_| sender.asked.is_empty() && pick.is_multiple_of(4));
        let message = again.unwrap_or_else(|| {
            let others: Vec<_> = PEOPLE.into_iter().filter(|account| *account != sender.account).collect();
            self.sent += 1;
            message(&format!("m{}", self.sent), sender.account, others[usize::from(pick) % others.len()], 0)
        });
        let (id, from, to) = (message.id.clone(), message.from, message.to);
        let op = self.town.invoke(sender.name, Call::Send { message: id, from, to, text: message.text.clone() });
        self.devices[device].last = Some(message.clone());
        self.devices[device].asked.push_back((op, Doing::Send(message)));
    }

    /// The first message of the device that is not in the log gets there, unless it is there from an earlier attempt.
    fn apply(&mut self, device: usize, pick: u8) {
        let sends = self.devices[device].asked.iter_mut().filter_map(|(_, doing)| match doing {
            Doing::Send(message) if message.cursor == 0 => Some(message),
            _ => None,
        });
        let Some(message) = sends.into_iter().next() else { return };
        if let Some(earlier) = self.log.iter().find(|earlier| earlier.id == message.id) {
            message.cursor = earlier.cursor;
        } else {
            self.cursor += 1 + u64::from(pick % 3);
            message.cursor = self.cursor;
            self.log.push(message.clone());
        }
    }

    /// The oldest call of the device ends. What is not in the log by then never gets there.
    fn end(&mut self, device: usize, pick: u8) {
        let Some((op, doing)) = self.devices[device].asked.pop_front() else { return };
        let lost = Outcome::Unknown { code: "lost".to_owned() };
        let outcome = match doing {
            _ if pick.is_multiple_of(4) => lost,
            Doing::Answered(answer) => Outcome::Done(answer),
            Doing::Send(Message { cursor: 0, .. }) => Outcome::Refused { code: "no".to_owned() },
            Doing::Send(Message { conversation, cursor, .. }) => Outcome::Done(Answer::Stored { conversation, cursor }),
        };
        self.town.return_(op, outcome);
    }

    fn ask(&mut self, device: usize, call: Call, answer: Answer) {
        let op = self.town.invoke(self.devices[device].name, call);
        self.devices[device].asked.push_back((op, Doing::Answered(answer)));
    }

    fn read(&mut self, device: usize, pick: u8) {
        let account = self.devices[device].account;
        let with = PEOPLE[(account as usize) % PEOPLE.len()];
        let stale = pick.is_multiple_of(5);
        let log = self.up_to_now(stale, pick);
        let limit = u32::from(pick % 6) + 1;
        let place = self.cursor * u64::from(pick) / 256;
        let (before, after) = match pick % 3 {
            0 => (None, None),
            1 => (Some(place), None),
            _ => (None, Some(place)),
        };
        let all: Vec<_> = log
            .iter()
            .filter(|message| message.conversation == between((account, with)))
            .filter(|message| before.is_none_or(|place| message.cursor < place))
            .filter(|message| after.is_none_or(|place| message.cursor > place))
            .cloned()
            .collect();
        let more = all.len() > limit as usize;
        let beyond = all.len().saturating_sub(limit as usize);
        let messages = if after.is_some() { all[..all.len() - beyond].to_vec() } else { all[beyond..].to_vec() };
        let conversation = (!messages.is_empty()).then(|| between((account, with)));
        let call = Call::Read { account, with, before, after, limit };
        self.ask(device, call, Answer::Messages { conversation, messages, more, stale });
    }

    fn list(&mut self, device: usize, pick: u8) {
        let account = self.devices[device].account;
        let stale = pick.is_multiple_of(5);
        let log = self.up_to_now(stale, pick);
        let rows = self.rows(account, log);
        self.ask(device, Call::List { account }, Answer::Conversations { rows, stale });
    }

    /// What a node that is behind has of the log, and one that is not.
    fn up_to_now(&self, stale: bool, pick: u8) -> &[Message] {
        let behind = if stale { usize::from(pick) % (self.log.len() + 1) } else { 0 };
        &self.log[..self.log.len() - behind]
    }

    fn rows(&self, account: Account, log: &[Message]) -> Vec<Row> {
        let own: Vec<_> = log.iter().filter(|message| message.from == account || message.to == account).collect();
        let conversations: BTreeSet<_> = own.iter().map(|message| message.conversation).collect();
        let row = |conversation| {
            let all: Vec<_> = own.iter().filter(|message| message.conversation == conversation).collect();
            let last = all.last().map_or(0, |message| message.cursor);
            let read_up_to = self.read.get(&(account, conversation)).copied().unwrap_or(0).min(last);
            let unread = all.iter().filter(|message| message.from != account && message.cursor > read_up_to).count();
            Row { conversation, length: all.len() as u64, unread: unread as u64, read_up_to, last }
        };
        conversations.into_iter().map(row).collect()
    }

    fn mark(&mut self, device: usize, pick: u8) {
        let account = self.devices[device].account;
        let up_to = self.cursor * u64::from(pick) / 200;
        let conversation = between((account, PEOPLE[(account as usize) % PEOPLE.len()]));
        let reached = |message: &&Message| message.conversation == conversation && message.cursor <= up_to;
        let Some(message) = self.log.iter().rev().find(reached) else { return };
        let mark = self.read.entry((account, conversation)).or_default();
        *mark = message.cursor.max(*mark);
        self.ask(device, Call::MarkRead { account, conversation, up_to }, Answer::Done);
    }

    /// The device is handed some rows, or begins to follow anew, perhaps with the row that it had last.
    fn follow(&mut self, device: usize, pick: u8) {
        let Device { name, account, stream, seen, .. } = self.devices[device];
        let feed: Vec<_> =
            self.log.iter().filter(|message| message.from == account || message.to == account).cloned().collect();
        let (stream, from) = match stream.filter(|_| !pick.is_multiple_of(4)) {
            Some(stream) => (stream, seen),
            None => {
                let again = usize::from(pick.is_multiple_of(8));
                (self.town.follow_from(name, account, From::Kept), seen.saturating_sub(again))
            }
        };
        let until = feed.len().min(from + 1 + usize::from(pick % 4)).max(seen);
        for row in &feed[from..until] {
            self.town.saw(stream, row);
        }
        for ((by, conversation), up_to) in &self.read {
            if *by == account {
                self.town.note(What::SawMark {
                    stream,
                    mark: Mark::Read,
                    conversation: *conversation,
                    by: *by,
                    up_to: *up_to,
                });
            }
        }
        self.devices[device].stream = Some(stream);
        self.devices[device].seen = until;
    }

    /// All faults end, a last message goes round, and every node tells what it has.
    fn rest(&mut self) {
        self.town.fault("everything was torn").healed();
        self.town.send("last", ALICE, BOB).stored(self.cursor + 1);
        self.log.push(message("last", ALICE, BOB, self.cursor + 1));
        self.town.recovered("last");
        let log = std::mem::take(&mut self.log);
        self.town.held(&log);
        for node in NODES {
            self.town.digest(node, self.cursor + 1, "the same");
            for account in PEOPLE {
                for row in self.rows(account, &log) {
                    self.town.counted(node, account, row);
                }
            }
        }
    }
}
