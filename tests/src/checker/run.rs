//! A history with its ends tied together: calls with their returns, sends with their retries, streams with who follows them.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use super::finals::Finals;
use super::known::Known;
use super::{Invariant, Report};
use crate::history::{Account, Answer, Call, Conversation, Event, From, Message, Op, Outcome, Place, Stream, What};

/// The index of an event: the time that everything here is compared by.
pub(super) type Line = usize;

pub(super) struct Run<'a> {
    pub(super) events: &'a [Event],
    /// By invocation.
    pub(super) asked: Vec<Asked<'a>>,
    /// By the first attempt.
    pub(super) sent: Vec<Sent<'a>>,
    pub(super) streams: HashMap<Stream, Followed<'a>>,
    pub(super) finals: Finals<'a>,
    pub(super) known: Known,
    sent_by_id: HashMap<&'a str, usize>,
}

/// A call, and how it ended.
pub(super) struct Asked<'a> {
    pub(super) device: &'a str,
    pub(super) call: &'a Call,
    pub(super) invoked: Line,
    pub(super) returned: Option<(Line, &'a Outcome)>,
}

/// A message, by all calls that tried to send it.
pub(super) struct Sent<'a> {
    pub(super) id: &'a str,
    /// Indexes of calls.
    pub(super) attempts: Vec<usize>,
    /// The first of them that was not refused, hence the first that can have stored it.
    pub(super) effective: Option<usize>,
}

pub(super) struct Followed<'a> {
    pub(super) device: &'a str,
    pub(super) account: Account,
    pub(super) from: From,
}

/// What was given to send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Content<'a> {
    pub(super) from: Account,
    pub(super) to: Account,
    pub(super) text: &'a str,
}

impl<'a> Run<'a> {
    pub(super) fn of(events: &'a [Event], report: &mut Report) -> Self {
        let asked = calls(events, report);
        let streams = streams(events, report);
        times_rise(events, report);
        let sent = messages(&asked);
        let sent_by_id = sent.iter().enumerate().map(|(index, sent)| (sent.id, index)).collect();
        let finals = Finals::of(events, report);
        let known = Known::of(events, &asked, &finals);
        Self { events, asked, sent, streams, finals, known, sent_by_id }
    }

    pub(super) fn sent(&self, id: &str) -> Option<&Sent<'a>> {
        self.sent_by_id.get(id).map(|index| &self.sent[*index])
    }

    /// Whether somebody sent this, and was not refused.
    pub(super) fn was_sent(&self, message: &Message) -> bool {
        let content = Content::of(message);
        self.sent(&message.id).is_some_and(|sent| {
            sent.attempts.iter().any(|attempt| {
                let attempt = &self.asked[*attempt];
                !attempt.is_refused() && attempt.content() == Some(content)
            })
        })
    }

    /// When the message can have been stored at the earliest.
    pub(super) fn first_sent(&self, sent: &Sent<'_>) -> Option<Line> {
        sent.effective.map(|attempt| self.asked[attempt].invoked)
    }

    /// Every answer that was a page of messages, with the line that it came at.
    pub(super) fn pages(&self) -> impl Iterator<Item = (&Asked<'a>, Line, &'a Answer)> {
        self.asked.iter().filter_map(|asked| match (asked.call, asked.returned) {
            (Call::Read { .. }, Some((line, Outcome::Done(answer)))) => Some((asked, line, answer)),
            _ => None,
        })
    }
}

impl<'a> Asked<'a> {
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.returned, Some((_, Outcome::Refused { .. })))
    }

    /// When it was done.
    pub(super) fn done(&self) -> Option<Line> {
        match self.returned {
            Some((line, Outcome::Done(_))) => Some(line),
            _ => None,
        }
    }

    /// Where its message was said to be stored.
    pub(super) fn stored(&self) -> Option<(Line, Conversation, Place)> {
        match self.returned {
            Some((line, Outcome::Done(Answer::Stored { conversation, cursor }))) => {
                Some((line, *conversation, *cursor))
            }
            _ => None,
        }
    }

    pub(super) fn content(&self) -> Option<Content<'a>> {
        match self.call {
            Call::Send { from, to, text, .. } => Some(Content { from: *from, to: *to, text }),
            _ => None,
        }
    }
}

impl<'a> Content<'a> {
    pub(super) fn of(message: &'a Message) -> Self {
        Self { from: message.from, to: message.to, text: &message.text }
    }
}

fn times_rise(events: &[Event], report: &mut Report) {
    for (line, pair) in events.windows(2).enumerate() {
        if pair[1].at_ns < pair[0].at_ns {
            let what = format!("the time falls from {} ns to {} ns", pair[0].at_ns, pair[1].at_ns);
            report.add(Invariant::Malformed, &[line, line + 1], what);
        }
    }
}

fn calls<'a>(events: &'a [Event], report: &mut Report) -> Vec<Asked<'a>> {
    let mut asked: Vec<Asked<'a>> = Vec::new();
    let mut by_op: HashMap<Op, usize> = HashMap::new();
    for (line, event) in events.iter().enumerate() {
        match &event.what {
            What::Invoked { op, device, call } => {
                if let Some(earlier) = by_op.insert(*op, asked.len()) {
                    let what = format!("call {op} is invoked twice");
                    report.add(Invariant::Malformed, &[asked[earlier].invoked, line], what);
                }
                asked.push(Asked { device, call, invoked: line, returned: None });
            }
            What::Returned { op, outcome } => {
                let Some(call) = by_op.get(op).map(|index| &mut asked[*index]) else {
                    report.add(Invariant::Malformed, &[line], format!("call {op} returned and was never invoked"));
                    continue;
                };
                if let Some((earlier, _)) = call.returned {
                    report.add(Invariant::Malformed, &[earlier, line], format!("call {op} returned twice"));
                } else if answers(call.call, outcome) {
                    call.returned = Some((line, outcome));
                } else {
                    let what = format!("call {op} has the answer to some other kind of call");
                    report.add(Invariant::Malformed, &[call.invoked, line], what);
                }
            }
            _ => {}
        }
    }
    asked
}

fn answers(call: &Call, outcome: &Outcome) -> bool {
    let Outcome::Done(answer) = outcome else { return true };
    match call {
        Call::Send { .. } => matches!(answer, Answer::Stored { .. }),
        Call::Read { .. } => matches!(answer, Answer::Messages { .. }),
        Call::List { .. } => matches!(answer, Answer::Conversations { .. }),
        Call::CreateAccount { .. } | Call::LogIn { .. } | Call::DeleteAccount { .. } | Call::MarkRead { .. } => {
            matches!(answer, Answer::Done | Answer::Account(_))
        }
    }
}

fn streams<'a>(events: &'a [Event], report: &mut Report) -> HashMap<Stream, Followed<'a>> {
    let mut streams = HashMap::new();
    let mut strange = HashSet::new();
    for (line, event) in events.iter().enumerate() {
        match &event.what {
            What::Following { stream, device, account, from } => {
                if streams.contains_key(stream) {
                    report.add(Invariant::Malformed, &[line], format!("stream {stream} is followed twice"));
                } else {
                    streams.insert(*stream, Followed { device, account: *account, from: *from });
                }
            }
            What::Saw { stream, .. } | What::SawMark { stream, .. }
                if !streams.contains_key(stream) && strange.insert(*stream) =>
            {
                let what = format!("something came by stream {stream}, which nobody follows");
                report.add(Invariant::Malformed, &[line], what);
            }
            _ => {}
        }
    }
    streams
}

fn messages<'a>(asked: &[Asked<'a>]) -> Vec<Sent<'a>> {
    let mut sent: Vec<Sent<'a>> = Vec::new();
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (index, attempt) in asked.iter().enumerate() {
        let Call::Send { message, .. } = attempt.call else { continue };
        let place = *by_id.entry(message).or_insert(sent.len());
        if place == sent.len() {
            sent.push(Sent { id: message, attempts: Vec::new(), effective: None });
        }
        sent[place].attempts.push(index);
        if !attempt.is_refused() {
            sent[place].effective.get_or_insert(index);
        }
    }
    sent
}
