//! The commands, one module for each noun.

pub(super) mod account;
pub(super) mod cluster;
pub(super) mod completion;
pub(super) mod config;
pub(super) mod export;
mod follow;
pub(super) mod message;
mod page;
mod send;
