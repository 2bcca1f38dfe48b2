//! What the kernel says of a process; see proc(5). Nothing, of one that has ended.

use std::fs;
use std::time::Duration;

/// Its number on every kind of machine that has Linux's usual numbers.
pub const SIGTERM: i32 = 15;

/// A field of the process's status, such as `State:`.
pub fn status(process: u32, field: &str) -> Option<String> {
    line(process, "status", field)
}

/// A size of the process's status, such as `VmRSS:`.
pub fn memory_bytes(process: u32, field: &str) -> Option<u64> {
    bytes(&line(process, "status", field)?)
}

/// What the process has in memory, its share of what it shares with others included (PSS).
pub fn share_bytes(process: u32) -> Option<u64> {
    bytes(&line(process, "smaps_rollup", "Pss:")?)
}

/// How much time of a processor the process has had, with what the kernel did for it.
pub fn cpu_time(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name is in brackets, and may have anything in it. The unit is 10 ms on every kind of machine.
    let (_, numbers) = stat.rsplit_once(')')?;
    let ticks = numbers.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Some(Duration::from_millis(10 * ticks.sum::<u64>()))
}

/// Whether the process does something of its own when it is told to end: one that has just begun does not yet.
pub fn listens_to_sigterm(process: u32) -> bool {
    // A mask in hexadecimal; the first bit is signal 1.
    let caught = status(process, "SigCgt:").and_then(|mask| u64::from_str_radix(&mask, 16).ok());
    caught.is_some_and(|mask| mask >> (SIGTERM - 1) & 1 == 1)
}

fn line(process: u32, file: &str, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{process}/{file}")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(field))?;
    Some(value.trim().to_owned())
}

/// The kernel writes sizes as `123 kB`.
fn bytes(size: &str) -> Option<u64> {
    Some(1024 * size.split_whitespace().next()?.parse::<u64>().ok()?)
}
