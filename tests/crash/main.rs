//! What a power cut leaves of real disks, tried at thousands of moments.
//!
//! Three real daemons and a few real clients run for some seconds, and every write and sync of theirs is recorded. Then the disks are
//! rebuilt as a power cut of everything at once may have left them, at moments and in ways that a seed draws, and what is left is opened
//! with the real code. `cargo xtask crash` does it thousands of times, `cargo test` a few hundred times.
//!
//! ```text
//! main ─▶ scenario: processes (this program again) under interpose ─▶ notes
//!     ├─▶ workers (this program again) ─▶ states: a moment, and what is left ─▶ tests::disk ─▶ checks
//!     └─▶ revivals: some of these states, started as clusters
//! ```
//! First of all the same is done with syncing turned off: a harness that does not find that is good for nothing.

mod arguments;
mod checks;
mod damage;
mod interpose;
mod kills;
mod processes;
mod profiles;
mod revivals;
mod scenario;
mod states;
mod workers;

use std::process::ExitCode;

use arguments::Wanted;

#[cfg(not(target_os = "linux"))]
compile_error!("the recorder takes the place of functions of Linux's C library");

#[expect(clippy::print_stderr, reason = "a program that people run")]
fn main() -> ExitCode {
    let done = match arguments::parse(std::env::args().skip(1)) {
        Ok(Wanted::Nothing) => Ok(true),
        Ok(Wanted::Process(role)) => processes::run(role).map(|()| true),
        Ok(Wanted::Worker(share)) => workers::work(&share).map(|()| true),
        Ok(Wanted::All(trial)) => workers::run(&trial),
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
