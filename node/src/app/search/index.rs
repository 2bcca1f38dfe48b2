//! Which words are in which messages.

use chat::{ConversationId, Cursor, Message};

use super::words::words;
use crate::app::keys::{self, Key};
use crate::app::tables::Tables;
use crate::store::StoreError;
use crate::store::state::{StateStore, Table, Write};

/// The table. Its name says by which rules words were told apart; other rules, be it only other tables of Unicode in the libraries that
/// [`words`] calls, take another table, which is then made anew.
pub(in crate::app) const WORDS: Table = Table("words.1");

/// Longer words are cut to this, in bytes. A query's are as well, and what is found is looked at.
const WORD_SIZE_MAX_BYTES: usize = 48;

/// There once every message is in the index. No conversation has the number 0: ids are places in the log, which begins with 1.
const COMPLETE: [u8; 8] = [0; 8];

/// How many messages are taken into the index in one transaction.
const ADDED_AT_ONCE: usize = 2_000;

/// Takes a message in.
pub(in crate::app) fn add(to: &mut dyn Write, message: &Message) -> Result<(), StoreError> {
    let mut words = words(message.text.as_str());
    words.sort_unstable();
    words.dedup();
    words.iter().try_for_each(|word| to.put(WORDS, &key(message.conversation, word, message.cursor), &[]))
}

/// Takes in all messages of a state that was written before there was this index.
pub(in crate::app) fn complete(store: &dyn StateStore) -> Result<(), StoreError> {
    if store.read()?.get(WORDS, &COMPLETE)?.is_some() {
        return Ok(());
    }
    let mut from = Vec::new();
    let mut count = 0;
    loop {
        let messages = some_from(store, &from)?;
        count += messages.len();
        let last = messages.last().map(|message| Key::Message(message.conversation, message.cursor).bytes());
        store.write(&mut |to| {
            messages.iter().try_for_each(|message| add(to, message))?;
            if last.is_none() { to.put(WORDS, &COMPLETE, &[]) } else { Ok(()) }
        })?;
        match last {
            Some(last) => from = keys::above(&last),
            None => break,
        }
    }
    if count > 0 {
        tracing::info!(messages = count, "made the index for searching");
    }
    Ok(())
}

fn some_from(store: &dyn StateStore, from: &[u8]) -> Result<Vec<Message>, StoreError> {
    let mut messages = Vec::new();
    Tables(&*store.read()?).scan(keys::MESSAGES, from, None, |_, message| {
        messages.push(message);
        messages.len() < ADDED_AT_ONCE
    })?;
    Ok(messages)
}

/// Where it says that the word is in the message. No word has a zero in it.
pub(super) fn key(conversation: ConversationId, word: &str, at: Cursor) -> Vec<u8> {
    [&conversation.0.to_be_bytes()[..], cut(word).as_bytes(), &[0], &at.0.to_be_bytes()].concat()
}

/// From where on the words lie that begin so; and a key above all of these.
pub(super) fn beginning_with(conversation: ConversationId, beginning: &str) -> (Vec<u8>, Vec<u8>) {
    let from = [&conversation.0.to_be_bytes()[..], cut(beginning).as_bytes()].concat();
    // No text has this byte in it.
    let to = [&from[..], &[0xFF]].concat();
    (from, to)
}

/// A key above all places of the word, and below those of the next.
pub(super) fn after_word(conversation: ConversationId, word: &str) -> Vec<u8> {
    [&conversation.0.to_be_bytes()[..], word.as_bytes(), &[1]].concat()
}

/// The word that a key is about.
pub(super) fn word_of(key: &[u8]) -> Option<&str> {
    let word = key.get(8..key.len().checked_sub(9)?)?;
    std::str::from_utf8(word).ok()
}

fn cut(word: &str) -> &str {
    &word[..word.floor_char_boundary(WORD_SIZE_MAX_BYTES)]
}
