//! Finding messages by their words.
//!
//! ```text
//! applying ─▶ indexer, behind it ─▶ index: (conversation, word) ─▶ cursors, and how far it goes
//! reads ─▶ find: the texts of what is not in the index yet; then for each conversation the newest message
//!                that has all words, the newest of these first
//! ```
//! Both halves of a search are of one moment, so that no message is missed on its way into the index.
//!
//! The index is of each replica's own making: which words a text has depends on Unicode's tables, which no replica may hold another
//! to. So it is in no digest. It does travel in snapshots, because it costs more to make than to send.

mod find;
mod index;
mod indexer;
mod words;

pub use find::SearchError;
pub use words::{Query, QueryError};

pub(super) use find::{Scope, find};
pub(super) use index::WORDS;
#[cfg(test)]
pub(super) use index::{Extent, Progress};
pub(super) use indexer::{Indexer, Stored};
