//! Looking in the index, and at the texts that are not in it yet.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use chat::{ConversationId, Cursor, Message};
use wire::message::MessageInfo;

use super::index::{self, Extent};
use super::words::Query;
use crate::app::infos::message_info;
use crate::app::keys::{self, Key};
use crate::app::pages::Taken;
use crate::app::tables::Tables;
use crate::store::StoreError;

/// What one search may cost, in looks into the tables: a second of a core at the very most. A beginning of one letter in a
/// thousand long conversations would cost more.
const LOOKS_MAX: u32 = 100_000;

/// How much text costs as much as a look: telling its words apart takes that long.
const TEXT_A_LOOK_BYTES: usize = 64;

/// What looking at the texts may cost that are not in the index yet: twice of what waits there at most when nobody is behind.
const LOOKS_NOT_INDEXED_MAX: u32 = 200_000;

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchError {
    /// It would take too long.
    TooBroad,
    /// Too much is not in the index yet.
    NotIndexed,
    Store(StoreError),
}

impl From<StoreError> for SearchError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Where to look, and for how much.
pub(in crate::app) struct Scope {
    pub(in crate::app) conversations: Vec<ConversationId>,
    pub(in crate::app) before: Option<Cursor>,
    pub(in crate::app) limit: usize,
}

/// Messages that match, the newest first, and whether there may be more.
pub(in crate::app) fn find(
    tables: Tables<'_>,
    query: &Query,
    scope: Scope,
) -> Result<(Vec<MessageInfo>, bool), SearchError> {
    let Some(newest) = scope.before.map_or(u64::MAX, |before| before.0).checked_sub(1).map(Cursor) else {
        return Ok((Vec::new(), false));
    };
    let up_to = Extent::of(tables)?.up_to;
    let mut taken = Taken::up_to(scope.limit);
    if newest > up_to {
        let looks = Looks { tables, left: Cell::new(LOOKS_NOT_INDEXED_MAX) };
        let not_indexed = not_indexed(&looks, &scope.conversations, query, (up_to, newest))?;
        // Whatever the index finds is older.
        if !not_indexed.into_iter().all(|message| taken.take(message)) {
            return infos(tables, taken);
        }
    }
    let looks = Looks { tables, left: Cell::new(LOOKS_MAX) };
    in_index(&looks, &scope.conversations, query, newest.min(up_to), &mut taken)?;
    infos(tables, taken)
}

fn infos(tables: Tables<'_>, taken: Taken) -> Result<(Vec<MessageInfo>, bool), SearchError> {
    let infos = taken.messages.into_iter().map(|message| message_info(tables, message));
    Ok((infos.collect::<Result<_, _>>()?, taken.more))
}

/// Matches after the first place and up to the second, by a look at each text. The newest first.
fn not_indexed(
    looks: &Looks<'_>,
    conversations: &[ConversationId],
    query: &Query,
    (after, newest): (Cursor, Cursor),
) -> Result<Vec<Message>, SearchError> {
    let mut found = Vec::new();
    for conversation in conversations {
        let mut spent = looks.spend(1);
        let from = keys::above(&Key::Message(*conversation, after).bytes());
        let to = keys::above(&Key::Message(*conversation, newest).bytes());
        looks.tables.scan(keys::MESSAGES, &from, Some(&to), |_, message: Message| {
            spent = spent.and(looks.spend_on(&message));
            if spent.is_ok() && query.matches(message.text.as_str()) {
                found.push(message);
            }
            spent.is_ok()
        })?;
        spent.map_err(|TooBroad| SearchError::NotIndexed)?;
    }
    found.sort_unstable_by_key(|message| Reverse(message.cursor));
    Ok(found)
}

/// Takes matches up to this place, which the index reaches; the newest first.
fn in_index(
    looks: &Looks<'_>,
    conversations: &[ConversationId],
    query: &Query,
    newest: Cursor,
    taken: &mut Taken,
) -> Result<(), SearchError> {
    let mut streams = Vec::new();
    let mut heads = BinaryHeap::new();
    for conversation in conversations {
        let Some(mut stream) = Stream::of(looks, *conversation, query, newest)? else { continue };
        if let Some(at) = stream.at_or_before(looks, newest)? {
            // Two conversations have no place in common.
            heads.push((at, streams.len()));
            streams.push(stream);
        }
    }
    while let Some((at, place)) = heads.pop() {
        let stream = &mut streams[place];
        match next(looks, stream, query, at, taken) {
            Ok(Next::At(next)) => heads.push((next, place)),
            Ok(Next::End) => {}
            Ok(Next::Full) => break,
            // What was found is in order; whoever wants more asks for what is before it.
            Err(SearchError::TooBroad) if !taken.messages.is_empty() => {
                taken.more = true;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What came of a head.
enum Next {
    /// The next one of its conversation.
    At(Cursor),
    /// There are no more in its conversation.
    End,
    /// No more are wanted.
    Full,
}

fn next(
    looks: &Looks<'_>,
    stream: &mut Stream<'_>,
    query: &Query,
    at: Cursor,
    taken: &mut Taken,
) -> Result<Next, SearchError> {
    let message = looks.tables.message(stream.conversation, at)?;
    message.as_ref().map_or(Ok(()), |message| looks.spend_on(message))?;
    if let Some(message) = message.filter(|message| query.matches(message.text.as_str()))
        && !taken.take(message)
    {
        return Ok(Next::Full);
    }
    let Some(before) = at.0.checked_sub(1) else { return Ok(Next::End) };
    Ok(stream.at_or_before(looks, Cursor(before))?.map_or(Next::End, Next::At))
}

/// The tables, and how often they may still be looked into.
struct Looks<'a> {
    tables: Tables<'a>,
    left: Cell<u32>,
}

/// Nothing is left to spend.
#[derive(Clone, Copy)]
struct TooBroad;

impl From<TooBroad> for SearchError {
    fn from(TooBroad: TooBroad) -> Self {
        Self::TooBroad
    }
}

impl Looks<'_> {
    fn spend(&self, looks: usize) -> Result<(), TooBroad> {
        let looks = u32::try_from(looks).unwrap_or(u32::MAX);
        self.left.set(self.left.get().checked_sub(looks).ok_or(TooBroad)?);
        Ok(())
    }

    /// For reading the message, and telling its words apart.
    fn spend_on(&self, message: &Message) -> Result<(), TooBroad> {
        self.spend(1 + message.text.as_str().len() / TEXT_A_LOOK_BYTES)
    }

    /// The newest message of the conversation with this word, not after this place.
    fn with_word(&self, conversation: ConversationId, word: &str, at: Cursor) -> Result<Option<Cursor>, SearchError> {
        self.spend(1)?;
        Ok(index::newest(self.tables, conversation, word, at)?)
    }

    /// The words of the conversation that begin so.
    fn words(&self, conversation: ConversationId, beginning: &str) -> Result<Vec<String>, SearchError> {
        let mut words: Vec<String> = Vec::new();
        loop {
            self.spend(1)?;
            let last = words.last().map(String::as_str);
            let Some(word) = index::next_word(self.tables, conversation, beginning, last)? else { return Ok(words) };
            words.push(word);
        }
    }
}

/// The messages of one conversation that have all the words, from the newest backwards.
struct Stream<'q> {
    conversation: ConversationId,
    whole: Vec<&'q str>,
    any: Option<AnyOf>,
}

/// Messages that have at least one of these words: of each word the newest place not yet passed, the newest first.
struct AnyOf {
    words: Vec<String>,
    places: BinaryHeap<(Cursor, Reverse<usize>)>,
}

impl<'q> Stream<'q> {
    /// None: no message of the conversation has them.
    fn of(
        looks: &Looks<'_>,
        conversation: ConversationId,
        query: &'q Query,
        newest: Cursor,
    ) -> Result<Option<Self>, SearchError> {
        let whole = query.whole();
        // The cheap question first: most conversations end here.
        for word in &whole {
            if looks.with_word(conversation, word, newest)?.is_none() {
                return Ok(None);
            }
        }
        let Some(beginning) = query.beginning() else { return Ok(Some(Self { conversation, whole, any: None })) };
        let words = looks.words(conversation, beginning)?;
        let mut places = BinaryHeap::new();
        for (number, word) in words.iter().enumerate() {
            places.extend(looks.with_word(conversation, word, newest)?.map(|at| (at, Reverse(number))));
        }
        let any = Some(AnyOf { words, places });
        Ok(Some(Self { conversation, whole, any }))
    }

    /// The newest one not after this place; to be asked for ever older ones.
    fn at_or_before(&mut self, looks: &Looks<'_>, at: Cursor) -> Result<Option<Cursor>, SearchError> {
        let mut at = at;
        loop {
            let asked = at;
            for word in &self.whole {
                match looks.with_word(self.conversation, word, at)? {
                    Some(found) => at = found,
                    None => return Ok(None),
                }
            }
            if let Some(any) = &mut self.any {
                match any.at_or_before(looks, self.conversation, at)? {
                    Some(found) => at = found,
                    None => return Ok(None),
                }
            }
            // All agree where the round has gone nowhere.
            if at == asked {
                return Ok(Some(at));
            }
        }
    }
}

impl AnyOf {
    fn at_or_before(
        &mut self,
        looks: &Looks<'_>,
        conversation: ConversationId,
        at: Cursor,
    ) -> Result<Option<Cursor>, SearchError> {
        while let Some(&(newest, Reverse(number))) = self.places.peek() {
            if newest <= at {
                return Ok(Some(newest));
            }
            self.places.pop();
            let earlier = looks.with_word(conversation, &self.words[number], at)?;
            self.places.extend(earlier.map(|earlier| (earlier, Reverse(number))));
        }
        Ok(None)
    }
}
