//! Finding messages by their words.
//!
//! ```text
//! changes ─▶ index: (conversation, word, cursor), in the transaction that stores the message
//! reads ─▶ find: for each conversation the newest message that has all words, the newest of these first
//! ```
//! The index is of each replica's own making: which words a text has depends on Unicode's tables, which no replica may hold another
//! to. So it is in no digest. It does travel in snapshots, because it costs more to make than to send.

mod find;
mod index;
mod words;

pub use find::SearchError;
pub use words::{Query, QueryError};

pub(super) use find::{Scope, find};
pub(super) use index::{WORDS, add, complete};
