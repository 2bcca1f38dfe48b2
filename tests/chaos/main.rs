//! Chaos: real daemons and real clients on a network and on disks that are made for them, while things go wrong that a seed draws.
//!
//! `cargo xtask chaos --minutes M --seed S` runs it, `cargo test` three minutes of it. It all happens in namespaces of its own, for
//! network, mounts and processes: nothing reaches any other machine, and nothing is left when it ends. As root each machine has a disk
//! of its own, too, whose power can be cut; otherwise it says which faults it leaves out.
//!
//! ```text
//! main ─▶ namespaces ─▶ rounds ─▶ course: found, talk, faults, heal, look at what is left ─▶ tests::checker
//!                                   ├─ lan, switch, tap      a network that delays, loses, doubles, and parts
//!                                   ├─ machines, disk        daemons, and file systems whose power fails
//!                                   └─ devices ─▶ device     clients, each a process of its own
//! ```

mod arguments;
mod clock;
mod course;
mod device;
mod devices;
mod disk;
mod faults;
mod histories;
mod lan;
mod machines;
mod namespaces;
mod rounds;
mod switch;
mod tap;
mod watch;

use std::process::ExitCode;

use arguments::Wanted;

#[cfg(not(target_os = "linux"))]
compile_error!("networks and disks of one's own are made by Linux");

#[expect(clippy::print_stderr, reason = "a program that people run")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments::parse(&arguments) {
        Ok(Wanted::Nothing) => Ok(true),
        Ok(Wanted::Device(start)) => device::run(&start).map(|()| true),
        Ok(Wanted::Chaos(chaos)) if chaos.inside => rounds::run(&chaos),
        Ok(Wanted::Chaos(chaos)) => namespaces::enter(&arguments, chaos.may_skip),
        Err(error) => Err(error),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error}");
            ExitCode::from(2)
        }
    }
}
