//! What a published checker of linearizability says of small pieces of a history: whether the checker itself overlooks something.
//!
//! A conversation is an object by itself here: a send appends and is told its position, a page of the newest messages tells how many
//! there are. The search for an order of these is that of Wing & Gong (1993) with Lowe's memory of what was tried (2017), from
//! `todc-utils`. Its price grows without bound with the number of calls in flight, so each history is cut where nothing of the
//! conversation is in flight: what returned before such a line comes before everything invoked after it in any order, so a piece
//! begins with as many messages as the pieces before it appended. A piece that is still too large is counted, and left alone.
//!
//! Positions are those of the final order. A send of unknown end that is not in it is left out. One that is in it may take effect
//! at any time after its invocation, up to the first call that returned a position at or after its own: later it cannot.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

use super::finals::Order;
use super::run::{Asked, Line, Run, Sent};
use super::{Report, Violation};
use crate::history::{Account, Answer, Call, Event, Message};

/// Beyond these a piece is not judged: the search could take for ever.
const IN_FLIGHT_MAX: usize = 10;
const CALLS_MAX: usize = 400;

/// What the other checker says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many pieces were judged.
    pub windows: usize,
    pub calls: usize,
    /// How many pieces were too large.
    pub too_large: usize,
    pub contradictions: Vec<Contradiction>,
}

/// A piece of a conversation that has no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    pub between: (Account, Account),
    /// The lines of its calls and their returns.
    pub events: Vec<usize>,
}

/// Fails where the history is malformed, with the first thing that is wrong with it.
pub fn second_opinion(events: &[Event]) -> Result<Verdict, Violation> {
    let mut report = Report::default();
    let run = Run::of(events, &mut report);
    if let Some(malformed) = report.violations.into_iter().find(|one| one.invariant == super::Invariant::Malformed) {
        return Err(malformed);
    }
    let mut verdict = Verdict::default();
    for (between, calls) in conversations(&run) {
        let mut appended = 0;
        for window in windows(calls, events.len()) {
            verdict.judge(between, &window, appended);
            appended += window.iter().filter(|timed| matches!(timed.step, Step::Append(_))).count();
        }
    }
    Ok(verdict)
}

/// What a call did to the conversation. None: nothing that could be, whatever the order.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It became the message of this position, counted from 1.
    Append(Option<usize>),
    /// There were so many.
    Read(Option<usize>),
}

#[derive(Clone, Copy, Debug)]
struct Timed {
    step: Step,
    invoked: Line,
    /// None: not known when it took effect at the latest.
    returned: Option<Line>,
}

/// A conversation, as far as its length goes: the positions say the rest.
struct Conversation;

impl Specification for Conversation {
    type State = usize;
    type Operation = Step;

    fn init() -> usize {
        0
    }

    fn apply(step: &Step, length: &usize) -> (bool, usize) {
        match *step {
            Step::Append(Some(position)) if position == length + 1 => (true, position),
            Step::Read(Some(seen)) => (seen == *length, *length),
            Step::Append(_) | Step::Read(None) => (false, *length),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { windows, calls, too_large, contradictions } = self;
        write!(
            f,
            "{} of {windows} pieces with {calls} calls have no order; {too_large} were too large",
            contradictions.len()
        )?;
        contradictions.iter().try_for_each(|one| write!(f, "\nbetween {:?}: lines {:?}", one.between, one.events))
    }
}

impl Verdict {
    fn judge(&mut self, between: (Account, Account), window: &[Timed], appended: usize) {
        let mut actions = Vec::new();
        for (process, timed) in window.iter().enumerate() {
            let step = timed.step.after(appended);
            let returned = timed.returned.unwrap_or(usize::MAX);
            actions.push((timed.invoked, false, (process, Action::Call(step))));
            actions.push((returned, true, (process, Action::Response(step))));
        }
        actions.sort_by_key(|(line, response, _)| (*line, *response));
        let mut in_flight = 0;
        let mut most = 0;
        for (_, response, _) in &actions {
            in_flight = if *response { in_flight - 1 } else { in_flight + 1 };
            most = most.max(in_flight);
        }
        if window.len() > CALLS_MAX || most > IN_FLIGHT_MAX {
            self.too_large += 1;
            return;
        }
        self.windows += 1;
        self.calls += window.len();
        let events = actions.iter().map(|(line, ..)| *line).filter(|line| *line != usize::MAX).collect();
        let history = History::from_actions(actions.into_iter().map(|(.., action)| action).collect());
        if !WGLChecker::<Conversation>::is_linearizable(history) {
            self.contradictions.push(Contradiction { between, events });
        }
    }
}

impl Step {
    fn position(self) -> Option<usize> {
        match self {
            Self::Append(position) | Self::Read(position) => position,
        }
    }

    /// Counted from where a piece begins.
    fn after(self, appended: usize) -> Self {
        let relative = |position: Option<usize>| position.and_then(|position| position.checked_sub(appended));
        match self {
            Self::Append(position) => Self::Append(relative(position)),
            Self::Read(seen) => Self::Read(relative(seen)),
        }
    }
}

fn conversations(run: &Run<'_>) -> BTreeMap<(Account, Account), Vec<Timed>> {
    let mut calls: BTreeMap<_, Vec<Timed>> = BTreeMap::new();
    let order = |one, other| run.finals.order(run.finals.conversation_of(one, other)?);
    for sent in &run.sent {
        let Some(first) = sent.effective.map(|attempt| &run.asked[attempt]) else { continue };
        let Some(content) = first.content() else { continue };
        let appended = append(run, sent, first, order(content.from, content.to));
        calls.entry((content.from.min(content.to), content.from.max(content.to))).or_default().extend(appended);
    }
    for (asked, line, answer) in run.pages() {
        let Call::Read { account, with, before: None, after: None, .. } = asked.call else { continue };
        let Answer::Messages { messages, stale: false, .. } = answer else { continue };
        let seen = position(order(*account, *with), messages);
        let read = Timed { step: Step::Read(seen), invoked: asked.invoked, returned: Some(line) };
        calls.entry((*account.min(with), *account.max(with))).or_default().push(read);
    }
    calls
}

fn append(run: &Run<'_>, sent: &Sent<'_>, first: &Asked<'_>, order: Option<&Order<'_>>) -> Option<Timed> {
    let stored = sent.attempts.iter().find_map(|attempt| run.asked[*attempt].stored());
    let cursor = match stored {
        Some((_, _, cursor)) => cursor,
        None => run.finals.with_id(sent.id).first()?.0.cursor,
    };
    let index = order.and_then(|order| order.index(cursor).filter(|index| is(order, *index, sent.id)));
    let step = Step::Append(index.map(|index| index + 1));
    Some(Timed { step, invoked: first.invoked, returned: stored.map(|(line, ..)| line) })
}

fn is(order: &Order<'_>, index: usize, id: &str) -> bool {
    order.get(index).is_some_and(|message| message.id == id)
}

/// Up to which position a page goes. None: it is no piece of the order.
fn position(order: Option<&Order<'_>>, messages: &[Message]) -> Option<usize> {
    let Some(first) = messages.first() else { return Some(0) };
    let order = order?;
    let begin = order.index(first.cursor)?;
    let unbroken = messages.iter().enumerate().all(|(offset, message)| order.get(begin + offset) == Some(message));
    unbroken.then_some(begin + messages.len())
}

/// The pieces between which nothing is in flight, in order.
fn windows(mut calls: Vec<Timed>, end: Line) -> Vec<Vec<Timed>> {
    close(&mut calls);
    calls.sort_by_key(|timed| timed.invoked);
    let mut windows: Vec<Vec<Timed>> = Vec::new();
    let mut reaches = 0;
    for timed in calls {
        match windows.last_mut().filter(|_| timed.invoked < reaches) {
            Some(window) => window.push(timed),
            None => windows.push(vec![timed]),
        }
        reaches = reaches.max(timed.returned.unwrap_or(end));
    }
    windows
}

/// Gives each send of unknown end the latest line at which it can have taken effect.
fn close(calls: &mut [Timed]) {
    calls.sort_by_key(|timed| timed.step.position());
    let mut earliest: Option<Line> = None;
    for timed in calls.iter_mut().rev().filter(|timed| timed.step.position().is_some()) {
        match timed.returned {
            Some(line) => earliest = Some(earliest.map_or(line, |known| known.min(line))),
            // Known before it was sent: it stays a moment after that call, and so contradicts it.
            None => timed.returned = earliest.map(|line| line.max(timed.invoked)),
        }
    }
}
