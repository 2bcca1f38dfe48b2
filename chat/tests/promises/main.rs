//! What the rules promise, told through the one door that replicas use: commands in, replies and
//! records out. Nothing here reaches inside the crate.
#![cfg(test)]

mod accounts;
mod deletion;
mod marks;
mod presence;
mod random;
mod sending;
mod sessions;
mod town;
mod typed;
