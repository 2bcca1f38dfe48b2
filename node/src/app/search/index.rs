//! Which words are in which messages.
//!
//! ```text
//! conversation, word, 0, cursor of the first of some messages  ─▶  how far each next one is from the one before
//! 0                                                            ─▶  how far the index goes
//! 1                                                            ─▶  what is done of catching up (none: nothing is under way)
//! ```

use chat::{ConversationId, Cursor, Message};
use serde::{Deserialize, Serialize};

use super::words::words;
use crate::app::keys;
use crate::app::tables::Tables;
use crate::app::value;
use crate::store::StoreError;
use crate::store::state::{Table, Write};

/// The table. Its name says by which rules words were told apart and written down; other rules, be it only other tables of Unicode in
/// the libraries that [`words`] calls, take another table, which is then made anew.
pub(in crate::app) const WORDS: Table = Table("words.2");

/// Longer words are cut to this, in bytes. A query's are as well, and what is found is looked at.
const WORD_SIZE_MAX_BYTES: usize = 48;

/// Messages in one row. Each look at a word reads one row.
const MESSAGES_IN_A_ROW_MAX: usize = 128;

/// Keys of our own. No conversation's id is as short.
const UP_TO: &[u8] = &[0];
const PROGRESS: &[u8] = &[1];

/// How far the index goes, and what is done of what goes further.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::app) struct Extent {
    /// Every message up to this place is in the index.
    pub(in crate::app) up_to: Cursor,
    pub(in crate::app) progress: Option<Progress>,
}

/// Catching up goes from conversation to conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::app) struct Progress {
    /// Up to where it goes in each.
    pub(in crate::app) target: Cursor,
    /// All conversations before this one are done, and this one up to that place.
    pub(in crate::app) conversation: ConversationId,
    pub(in crate::app) done: Cursor,
}

impl Extent {
    pub(in crate::app) fn of(tables: Tables<'_>) -> Result<Self, StoreError> {
        let up_to = tables.0.get(WORDS, UP_TO)?.map(|bytes| decode(&bytes)).transpose()?;
        let progress = tables.0.get(WORDS, PROGRESS)?.map(|bytes| decode(&bytes)).transpose()?;
        Ok(Self { up_to: up_to.unwrap_or_default(), progress })
    }

    pub(in crate::app) fn write(self, to: &mut dyn Write) -> Result<(), StoreError> {
        to.put(WORDS, UP_TO, &value::encode(&self.up_to))?;
        match self.progress {
            Some(progress) => to.put(WORDS, PROGRESS, &value::encode(&progress)),
            None => to.delete(WORDS, PROGRESS),
        }
    }
}

/// The words of some messages. Each message goes into the index once, in one transaction with the [`Extent`] that says so.
pub(super) struct Postings(Vec<(ConversationId, String, Cursor)>);

impl Postings {
    pub(super) fn of(messages: &[Message]) -> Self {
        let mut all = Vec::new();
        for message in messages {
            let words = words(message.text.as_str()).into_iter();
            all.extend(words.map(|word| (message.conversation, cut(word), message.cursor)));
        }
        all.sort_unstable();
        all.dedup();
        Self(all)
    }

    /// In the order of the keys.
    pub(super) fn write(&self, to: &mut dyn Write) -> Result<(), StoreError> {
        let of_one_word = self.0.chunk_by(|one, next| (one.0, &one.1) == (next.0, &next.1));
        for row in of_one_word.flat_map(|word| word.chunks(MESSAGES_IN_A_ROW_MAX)) {
            let [(conversation, word, first), ..] = row else { continue };
            let steps: Vec<u64> = row.windows(2).map(|pair| pair[1].2.0 - pair[0].2.0).collect();
            to.put(WORDS, &key(*conversation, word, *first), &value::encode(&steps))?;
        }
        Ok(())
    }
}

/// The newest message of the conversation with this word, not after this place.
pub(super) fn newest(
    tables: Tables<'_>,
    conversation: ConversationId,
    word: &str,
    at: Cursor,
) -> Result<Option<Cursor>, StoreError> {
    let above = keys::above(&key(conversation, word, at));
    let row = tables.0.last(WORDS, &key(conversation, word, Cursor::START), &above)?;
    let Some((key, steps)) = row else { return Ok(None) };
    let mut newest = keys::last_number(&key).ok_or_else(damaged)?;
    for step in decode::<Vec<u64>>(&steps)? {
        let next = newest.checked_add(step).ok_or_else(damaged)?;
        if next > at.0 {
            break;
        }
        newest = next;
    }
    Ok(Some(Cursor(newest)))
}

/// The first word of the conversation that begins so, and comes after this one.
pub(super) fn next_word(
    tables: Tables<'_>,
    conversation: ConversationId,
    beginning: &str,
    after: Option<&str>,
) -> Result<Option<String>, StoreError> {
    let beginning = [&conversation.0.to_be_bytes()[..], cut_at(beginning).as_bytes()].concat();
    // No text has this byte in it.
    let to = [&beginning[..], &[0xFF]].concat();
    // Above all places of that word, and below those of the next.
    let from = after.map(|word| [&conversation.0.to_be_bytes()[..], word.as_bytes(), &[1]].concat());
    let mut found = None;
    tables.0.scan(WORDS, from.as_deref().unwrap_or(&beginning), Some(&to), &mut |key, _| {
        found = Some(word_of(key).map(str::to_owned).ok_or_else(damaged));
        false
    })?;
    found.transpose()
}

/// No word has a zero in it.
fn key(conversation: ConversationId, word: &str, first: Cursor) -> Vec<u8> {
    [&conversation.0.to_be_bytes()[..], cut_at(word).as_bytes(), &[0], &first.0.to_be_bytes()].concat()
}

fn word_of(key: &[u8]) -> Option<&str> {
    let word = key.get(8..key.len().checked_sub(9)?)?;
    std::str::from_utf8(word).ok()
}

fn cut(mut word: String) -> String {
    word.truncate(cut_at(&word).len());
    word
}

fn cut_at(word: &str) -> &str {
    &word[..word.floor_char_boundary(WORD_SIZE_MAX_BYTES)]
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    value::decode(bytes, "the state", "a row of the index of words")
}

fn damaged() -> StoreError {
    value::damaged("the state", "a row of the index of words")
}
