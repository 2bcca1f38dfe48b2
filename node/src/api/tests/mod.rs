//! Whole sessions over in-memory streams, with a cluster of one that applies at once.

mod feed;
mod guest;
mod messages;
mod passwords;
mod protocol;
mod search;
mod sessions;
mod twin;
