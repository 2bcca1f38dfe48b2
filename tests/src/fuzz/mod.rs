//! Fuzz targets: each a plain function of bytes that panics on a defect.
//!
//! What hands them bytes is elsewhere: `tests/fuzz`, which needs nothing but a stable compiler and is a part of `cargo test`, and the
//! package in `fuzz/`, for `cargo fuzz`. A target holds a property, not only that nothing panics: what decodes is the same however often
//! it is written and read, what is refused is refused with the documented error, and nothing takes memory because a length promises it.

mod cli_grammar;
mod client_frames;
mod commands;
mod config;
mod draw;
mod first_frame;
mod frames;
mod log_entries;
pub mod memory;
mod raft_frames;
mod requests;
mod rows;
mod samples;
mod snapshot_stream;
mod terminal;

/// Something that bytes from outside reach.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    /// Panics on a defect.
    pub run: fn(&[u8]),
    /// Inputs that go deep, made by the real encoders.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// What is worth writing into an input.
    pub words: &'static [&'static [u8]],
}

/// Every target there is.
pub const TARGETS: &[Target] = &[
    client_frames::TARGET,
    requests::TARGET,
    raft_frames::TARGET,
    first_frame::TARGET,
    log_entries::TARGET,
    snapshot_stream::TARGET,
    cli_grammar::TARGET,
    config::TARGET,
    commands::TARGET,
    terminal::TARGET,
];

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
