//! The deterministic simulation: real nodes and real clients in one thread, over a network, disks and a clock that the seed decides.
//!
//! One seed is one run, the same every time, to the byte of its trace. `cargo xtask sim` runs ranges of seeds, `cargo test` the first few.
//! A seed runs in a process of its own: some libraries count for the whole of a process, and a run that panics ends only itself.
//!
//! ```text
//! main ─▶ many: a process for each seed ─▶ one ─▶ run: found, talk, faults, heal, look at what is left ─▶ tests::checker
//! ```

mod arguments;
mod devices;
mod disk;
#[cfg(target_os = "linux")]
mod entropy;
mod faults;
mod machines;
mod many;
mod one;
mod run;
mod time;
mod trace;
mod weather;

use std::process::ExitCode;

use arguments::Wanted;

#[cfg(not(target_os = "linux"))]
compile_error!("the simulation takes the place of functions of Linux's C library");

#[expect(clippy::print_stderr, reason = "a program that people run")]
fn main() -> ExitCode {
    let done = match arguments::parse(std::env::args().skip(1)) {
        Ok(Wanted::Nothing) => Ok(true),
        Ok(Wanted::One { seed, trace, terse }) => one::run(seed, trace, terse),
        Ok(Wanted::Many(seeds)) => many::run(&seeds),
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
