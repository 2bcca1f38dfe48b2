//! What is asked of the program.

use std::time::Duration;

use crate::device::Start;
use crate::faults::Fault;

/// How long `cargo test` has it go on.
const USUAL: Duration = Duration::from_secs(180);

/// See the module.
pub(crate) enum Wanted {
    /// `cargo test` was asked for other tests.
    Nothing,
    /// To be one of the run's devices.
    Device(Start),
    Chaos(Chaos),
}

/// A run.
pub(crate) struct Chaos {
    pub(crate) rage: Duration,
    pub(crate) seed: u64,
    /// None: three and five in turn.
    pub(crate) nodes: Option<usize>,
    /// The faults there may be. None: all.
    pub(crate) only: Option<Vec<Fault>>,
    /// This process has a network of its own already.
    pub(crate) inside: bool,
    /// What cannot be done here may be left out.
    pub(crate) may_skip: bool,
}

const USAGE: &str = "usage: [--minutes M | --seconds S] [--seed N] [--nodes 3|5] [--only FAULT,…]";

/// Understands the arguments, ours and those that `cargo test` gives to every test.
pub(crate) fn parse(all: &[String]) -> Result<Wanted, String> {
    if let Some(start) = Start::from_arguments(all) {
        return Ok(Wanted::Device(start));
    }
    let (mut rage, mut seed, mut nodes, mut only, mut inside, mut is_for_us) = (None, None, None, None, false, true);
    let mut arguments = all.iter();
    while let Some(argument) = arguments.next() {
        let mut text = || arguments.next().ok_or_else(|| format!("{argument} needs a value; {USAGE}"));
        let mut value = || {
            let text = text()?;
            text.parse::<u64>().map_err(|_| format!("{text:?} is no number; {USAGE}"))
        };
        match argument.as_str() {
            "--minutes" => rage = Some(Duration::from_secs(60 * value()?)),
            "--seconds" => rage = Some(Duration::from_secs(value()?)),
            "--seed" => seed = Some(value()?),
            "--nodes" => {
                nodes = Some(value().and_then(|count| match count {
                    3 => Ok(3),
                    5 => Ok(5),
                    _ => Err(format!("there are three nodes, or five; {USAGE}")),
                })?);
            }
            "--only" => only = Some(text()?.split(',').map(fault).collect::<Result<_, _>>()?),
            "--inside" => inside = true,
            "--list" => is_for_us = false,
            // An option of libtest's; those with a value use `=`, or do not matter here.
            option if option.starts_with("--") => {}
            filter => is_for_us = "chaos".contains(filter),
        }
    }
    if !is_for_us {
        return Ok(Wanted::Nothing);
    }
    let may_skip = rage.is_none();
    Ok(Wanted::Chaos(Chaos { rage: rage.unwrap_or(USUAL), seed: seed.unwrap_or(0), nodes, only, inside, may_skip }))
}

fn fault(name: &str) -> Result<Fault, String> {
    Fault::all().find(|fault| fault.to_string() == name).ok_or_else(|| {
        let names: Vec<_> = Fault::all().map(|fault| fault.to_string()).collect();
        format!("{name:?} is no fault; there are {}", names.join(", "))
    })
}
