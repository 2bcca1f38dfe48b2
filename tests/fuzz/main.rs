//! Fuzzing on a stable compiler, as a part of `cargo test`: every target of `tests::fuzz`, for some seconds each.
//!
//! Inputs are made of committed ones and of what the real encoders write, changed as the seed says. Whoever builds with
//! `cargo xtask fuzz` has the code of the workspace count where it runs: then an input that gets somewhere new is kept, and changed in its
//! turn. Without that the same inputs follow from the same seed on every machine.
//!
//! ```text
//! main ─▶ many: a process for each target ─▶ one: corpus, mutation, coverage ─▶ tests::fuzz
//! ```
//! A target runs in a process of its own, because memory and coverage are counted for the whole of a process, and because some defects
//! end it. The input of the moment is in a file, where it outlives even that.

mod arguments;
mod chance;
mod corpus;
mod coverage;
mod many;
mod mutate;
mod one;

use std::process::ExitCode;

use arguments::Wanted;

#[global_allocator]
static MEMORY: tests::fuzz::memory::Counting = tests::fuzz::memory::Counting;

#[expect(clippy::print_stderr, reason = "a program that people run")]
fn main() -> ExitCode {
    let done = match arguments::parse(std::env::args().skip(1)) {
        Ok(Wanted::Nothing) => Ok(true),
        Ok(Wanted::Many(all)) => many::run(&all),
        Ok(Wanted::One(hunt)) => one::run(&hunt),
        Ok(Wanted::Replay { target, input }) => one::replay(target, &input),
        Ok(Wanted::Seeds(folder)) => corpus::write_seeds(&folder),
        Err(error) => Err(error),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
