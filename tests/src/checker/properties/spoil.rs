//! Ways to spoil a history that is right. Each must make it wrong for certain, or say that it cannot.

#![expect(clippy::ptr_arg, reason = "they have one signature, and some add or take away lines")]

use std::collections::HashMap;

use crate::history::{Answer, Call, Event, Message, Outcome, Place, Stream, What};

type Spoil = fn(&mut Vec<Event>, usize) -> Option<()>;

pub(super) const SPOILERS: &[(&str, Spoil)] = &[
    ("an acknowledged message is lost", lose),
    ("two messages change places at every node", swap),
    ("a message is doubled at every node", double),
    ("a node lacks the last message", forget),
    ("a text is garbled at every node", garble),
    ("a message that nobody sent is held", forge),
    ("an acknowledgement names another place", mislead),
    ("what is held was refused", deny),
    ("a feed skips a row", skip),
    ("a feed repeats a row", repeat),
    ("a page has a hole", pierce),
    ("a stale page is sold as fresh", outdate),
    ("an unread message is counted twice", miscount),
    ("a digest differs", diverge),
    ("nothing shows the recovery", stall),
    ("a call returns twice", echo),
    ("the clock goes back", rewind),
    ("a process panics", panic),
];

fn lose(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let id = choose(&acknowledged(events), pick)?.0.clone();
    held(events).for_each(|messages| messages.retain(|message| message.id != id));
    Some(())
}

fn swap(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let conversation = choose_held(events, pick, 2)?;
    in_held(events, conversation, |messages| messages.swap(0, 1));
    Some(())
}

fn double(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let conversation = choose_held(events, pick, 1)?;
    in_held(events, conversation, |messages| messages.insert(0, messages[0].clone()));
    Some(())
}

fn forget(events: &mut Vec<Event>, _: usize) -> Option<()> {
    held(events).last()?.pop().map(|_| ())
}

fn garble(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let conversation = choose_held(events, pick, 1)?;
    in_held(events, conversation, |messages| messages[0].text.push('?'));
    Some(())
}

fn forge(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let conversation = choose_held(events, pick, 1)?;
    in_held(events, conversation, |messages| {
        let mut forged = messages[messages.len() - 1].clone();
        forged.id = "forged".to_owned();
        forged.cursor += 1_000;
        messages.push(forged);
    });
    Some(())
}

fn mislead(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let (_, _, line) = *choose(&acknowledged(events), pick)?;
    if let What::Returned { outcome: Outcome::Done(Answer::Stored { cursor, .. }), .. } = &mut events[line].what {
        *cursor += 1_000;
    }
    Some(())
}

/// The last one, which was sent only once.
fn deny(events: &mut Vec<Event>, _: usize) -> Option<()> {
    let (_, _, line) = *acknowledged(events).last()?;
    if let What::Returned { outcome, .. } = &mut events[line].what {
        *outcome = Outcome::Refused { code: "no".to_owned() };
    }
    Some(())
}

fn skip(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let mut seen: HashMap<Stream, Vec<usize>> = HashMap::new();
    for (line, event) in events.iter().enumerate() {
        if let What::Saw { stream, .. } = event.what {
            seen.entry(stream).or_default().push(line);
        }
    }
    let mut inner: Vec<_> =
        seen.values().filter(|lines| lines.len() > 2).flat_map(|lines| lines[1..lines.len() - 1].to_vec()).collect();
    inner.sort_unstable();
    events.remove(*choose(&inner, pick)?);
    Some(())
}

fn repeat(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let line = *choose(&lines(events, |what| matches!(what, What::Saw { .. })), pick)?;
    events.insert(line, events[line].clone());
    // The first row of a stream may be the last of the one before, but not three times.
    events.insert(line, events[line].clone());
    Some(())
}

fn pierce(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let line = *choose(&lines(events, |what| page(what).is_some_and(|messages| messages.len() > 2)), pick)?;
    if let What::Returned { outcome: Outcome::Done(Answer::Messages { messages, .. }), .. } = &mut events[line].what {
        messages.remove(1);
    }
    Some(())
}

fn outdate(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let (id, cursor, _) = choose(&acknowledged(events), pick)?.clone();
    let line = lines(events, |what| matches!(what, What::Held { .. })).first().copied()?;
    let all = held(events).find(|messages| messages.iter().any(|message| message.id == id))?.clone();
    let (account, with) = all.first().map(|message| (message.from, message.to))?;
    let messages: Vec<_> = all.into_iter().filter(|message| message.cursor < cursor).collect();
    let conversation = messages.first().map(|message| message.conversation);
    let op = u64::MAX;
    let call = Call::Read { account, with, before: None, after: None, limit: 1_000 };
    let answer = Answer::Messages { conversation, messages, more: false, stale: false };
    insert(events, line, What::Returned { op, outcome: Outcome::Done(answer) });
    insert(events, line, What::Invoked { op, device: "a new one".to_owned(), call });
    Some(())
}

fn miscount(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let line = *choose(&lines(events, |what| matches!(what, What::Counted { .. })), pick)?;
    if let What::Counted { row, .. } = &mut events[line].what {
        row.unread += 1;
    }
    Some(())
}

fn diverge(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let line = *choose(&lines(events, |what| matches!(what, What::Digest { .. })), pick)?;
    if let What::Digest { digest, .. } = &mut events[line].what {
        digest.push('?');
    }
    Some(())
}

fn stall(events: &mut Vec<Event>, _: usize) -> Option<()> {
    events.retain(|event| !matches!(event.what, What::Recovered { .. }));
    Some(())
}

fn echo(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let line = *choose(&lines(events, |what| matches!(what, What::Returned { .. })), pick)?;
    events.insert(line, events[line].clone());
    Some(())
}

fn rewind(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let line = pick % (events.len() - 1) + 1;
    events[line].at_ns = 0;
    Some(())
}

fn panic(events: &mut Vec<Event>, pick: usize) -> Option<()> {
    let line = pick % events.len();
    insert(events, line, What::Complained { process: "n1".to_owned(), line: "panicked".to_owned() });
    Some(())
}

fn insert(events: &mut Vec<Event>, line: usize, what: What) {
    let at_ns = events[line].at_ns;
    events.insert(line, Event { at_ns, what });
}

/// The first acknowledgement of each message: its id, its place, and the line.
fn acknowledged(events: &[Event]) -> Vec<(String, Place, usize)> {
    let mut ids = HashMap::new();
    let mut found: Vec<(String, Place, usize)> = Vec::new();
    for (line, event) in events.iter().enumerate() {
        match &event.what {
            What::Invoked { op, call: Call::Send { message, .. }, .. } => {
                ids.insert(*op, message.clone());
            }
            What::Returned { op, outcome: Outcome::Done(Answer::Stored { cursor, .. }) } => {
                found.extend(ids.get(op).map(|id| (id.clone(), *cursor, line)));
            }
            _ => {}
        }
    }
    found
}

fn held(events: &mut [Event]) -> impl Iterator<Item = &mut Vec<Message>> {
    events.iter_mut().filter_map(|event| match &mut event.what {
        What::Held { messages, .. } => Some(messages),
        _ => None,
    })
}

fn in_held(events: &mut [Event], conversation: u64, change: impl Fn(&mut Vec<Message>)) {
    held(events).filter(|messages| messages[0].conversation == conversation).for_each(change);
}

/// A conversation with so many messages at least.
fn choose_held(events: &mut [Event], pick: usize, least: usize) -> Option<u64> {
    let all: Vec<_> =
        held(events).filter(|messages| messages.len() >= least).map(|messages| messages[0].conversation).collect();
    choose(&all, pick).copied()
}

fn page(what: &What) -> Option<&[Message]> {
    match what {
        What::Returned { outcome: Outcome::Done(Answer::Messages { messages, .. }), .. } => Some(messages),
        _ => None,
    }
}

fn lines(events: &[Event], is: impl Fn(&What) -> bool) -> Vec<usize> {
    events.iter().enumerate().filter(|(_, event)| is(&event.what)).map(|(line, _)| line).collect()
}

fn choose<T>(all: &[T], pick: usize) -> Option<&T> {
    all.get(pick.checked_rem(all.len())?)
}
