//! What a node and a client are set to, and where their files lie.
//!
//! A setting comes from a flag, else from `FIVE9S_*` in the environment, else from the file that
//! `--config` names, else from the user's file, else it has a default. All of them are read as text
//! here and become types here, so that a bad value gets the same sentence wherever it was written.
//! Nothing in here touches a file other than the configuration.

mod setting;
mod sources;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use wire::Address;
use wire::invite::Invite;

pub use client::Paths;
pub use setting::Setting;
pub use sources::{Flags, Found, Origin, Sources};

/// Names in the data folder that are not a node's.
const NODE_NAMES_RESERVED: [&str; 4] = ["client", "client-code", "cluster-secret", "runtime"];

/// The longest name of a node, in characters.
const NODE_NAME_LENGTH_MAX: usize = 32;

/// How many founders `--expect` may ask for.
const EXPECT_MAX: u32 = 15;

/// The least that `max_state_mib` may be: some room for messages beside what a node keeps free.
pub const STATE_SIZE_MIN_MIB: u64 = 80;

/// Why the settings cannot be used. The user can mend all of these, but for a disk that fails.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("There is no home folder to keep files in; set HOME, or FIVE9S_HOME to a folder for everything.")]
    NoHome,
    #[error("The configuration file {} cannot be read: {why}.", file.display())]
    Unreadable { file: PathBuf, why: std::io::Error },
    /// The line itself is not repeated: it may hold the code of a cluster.
    #[error("The configuration file {} is not TOML: line {line}: {why}.", file.display())]
    NotToml { file: PathBuf, line: usize, why: String },
    #[error("The configuration file {} has an unknown key: {key}.", file.display())]
    UnknownKey { file: PathBuf, key: String },
    #[error("{key}, from {origin}, is {value:?}: {why}.")]
    Invalid { key: &'static str, origin: Origin, value: String, why: String },
}

impl ConfigError {
    /// Whether it is the machine's doing, and nothing that was written or asked for is wrong.
    pub fn is_of_the_disk(&self) -> bool {
        use std::io::ErrorKind::{InvalidData, IsADirectory, NotADirectory, NotFound, PermissionDenied};
        let Self::Unreadable { why, .. } = self else { return false };
        !matches!(why.kind(), NotFound | PermissionDenied | IsADirectory | NotADirectory | InvalidData)
    }
}

/// All that the daemon is told.
#[derive(Clone, Debug)]
pub struct DaemonConfig {
    pub paths: Paths,
    /// The node's name; None takes the next free one of n1, n2, n3….
    pub name: Option<String>,
    /// The node's own folder; None puts it in the data folder, under the name.
    pub data_dir: Option<PathBuf>,
    /// Empty: the next free port from 12340 on, on every interface.
    pub listen: Vec<Address>,
    /// Where other nodes may be; hints only.
    pub peers: Vec<Address>,
    /// How many nodes found the first cluster.
    pub expect: u32,
    /// The code of a cluster on other machines, to join it.
    pub join: Option<Invite>,
    /// Whether to look for others by multicast on the local network.
    pub mdns: bool,
    pub log_format: LogFormat,
    pub timing: TimingOverrides,
    /// How many bytes the accounts and messages may take, with all that is looked up in; None: as many as the disk has room for.
    pub max_state_bytes: Option<u64>,
    /// Whether to stop once stdin ends. Said on the command line only: it is about whoever started this process.
    pub until_eof: bool,
}

/// What replaces the defaults of Raft's timing and log keeping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimingOverrides {
    pub heartbeat_ms: Option<u64>,
    pub election_min_ms: Option<u64>,
    pub election_max_ms: Option<u64>,
    pub snapshot_after_entries: Option<u64>,
    pub keep_log_entries: Option<u64>,
    /// How long a new node has to have kept up before it votes.
    pub promote_after_ms: Option<u64>,
}

/// How the daemon logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// All that `node --cli` is set to, but for its command.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    pub paths: Paths,
    /// Where to begin looking; the client learns the other nodes.
    pub nodes: Vec<Address>,
    /// The code of a cluster on other machines; remembered once used.
    pub join: Option<Invite>,
    /// Whether to look for nodes by multicast on the local network.
    pub mdns: bool,
    /// Whom to act as.
    pub account: Option<String>,
    /// A file with the password, and whether a flag named it.
    pub password_file: Option<Found<PathBuf>>,
    pub format: Format,
    /// How long a command may take as a whole, and whether a flag said so.
    pub timeout: Found<Duration>,
}

/// How `node --cli` writes what it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl DaemonConfig {
    /// Reads the daemon's settings.
    pub fn resolve(paths: Paths, sources: &Sources) -> Result<Self, ConfigError> {
        Ok(Self {
            paths,
            name: sources.parse_with(Setting::Name, node_name)?,
            data_dir: sources.parse(Setting::DataDir)?,
            listen: sources.parse_all(Setting::Listen)?,
            peers: sources.parse_all(Setting::Peer)?,
            expect: sources.parse_with(Setting::Expect, expect)?.unwrap_or(3),
            join: sources.parse(Setting::Join)?,
            mdns: sources.parse_with(Setting::Mdns, yes_or_no)?.unwrap_or(true),
            log_format: sources.parse(Setting::LogFormat)?.unwrap_or_default(),
            timing: TimingOverrides::resolve(sources)?,
            max_state_bytes: sources.parse_with(Setting::MaxStateMib, state_size)?,
            until_eof: false,
        })
    }
}

impl TimingOverrides {
    fn resolve(sources: &Sources) -> Result<Self, ConfigError> {
        let read = |setting| sources.parse_with(setting, positive);
        Ok(Self {
            heartbeat_ms: read(Setting::HeartbeatMs)?,
            election_min_ms: read(Setting::ElectionMinMs)?,
            election_max_ms: read(Setting::ElectionMaxMs)?,
            snapshot_after_entries: read(Setting::SnapshotAfterEntries)?,
            keep_log_entries: read(Setting::KeepLogEntries)?,
            promote_after_ms: read(Setting::PromoteAfterMs)?,
        })
    }
}

impl ClientSettings {
    /// Reads the client's settings.
    pub fn resolve(paths: Paths, sources: &Sources) -> Result<Self, ConfigError> {
        Ok(Self {
            paths,
            nodes: sources.parse_all(Setting::Node)?,
            join: sources.parse(Setting::Join)?,
            mdns: sources.parse_with(Setting::Mdns, yes_or_no)?.unwrap_or(true),
            account: sources.parse(Setting::As)?,
            password_file: sources.locate(Setting::PasswordFile, plain)?,
            format: sources.parse(Setting::Format)?.unwrap_or_default(),
            timeout: sources
                .locate(Setting::Timeout, duration)?
                .unwrap_or(Found { value: Duration::from_secs(10), origin: Origin::Default }),
        })
    }
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("write text or json"),
        }
    }
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("write text or json"),
        }
    }
}

/// Reads `10s`, `500ms`, `2m` or `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write a time such as 500ms, 10s or 2m";
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or(FORM)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| FORM)?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(FORM.into()),
    };
    match number.checked_mul(unit_ms) {
        Some(0) | None => Err("it has to be more than nothing, and end some day".into()),
        Some(ms) => Ok(Duration::from_millis(ms)),
    }
}

/// A node's name is a folder's name as well, so it has to be a plain one.
fn node_name(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if text.is_empty() || !plain || text.starts_with(['.', '-']) {
        return Err("a node's name has letters, digits and _ . - only, and begins with a letter or digit".into());
    }
    if text.chars().count() > NODE_NAME_LENGTH_MAX {
        return Err(format!("a node's name has at most {NODE_NAME_LENGTH_MAX} characters"));
    }
    if NODE_NAMES_RESERVED.contains(&text) {
        return Err("that name is taken by a folder of another use".into());
    }
    Ok(text.to_owned())
}

fn expect(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=EXPECT_MAX).contains(number));
    number.ok_or_else(|| format!("write a number from 1 to {EXPECT_MAX}"))
}

/// In bytes.
fn state_size(text: &str) -> Result<u64, String> {
    let size =
        text.parse::<u64>().ok().filter(|mib| *mib >= STATE_SIZE_MIN_MIB).and_then(|mib| mib.checked_mul(1 << 20));
    size.ok_or_else(|| format!("write how many MiB, {STATE_SIZE_MIN_MIB} at least"))
}

fn positive(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "write a whole number above zero".into())
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "write true or false".into())
}

fn plain<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|why: T::Err| why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_a_length() {
        for (text, ms) in [("10s", 10_000), ("500ms", 500), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "10", "s", "0s", "-1s", "1.5s", "10 s", "99999999999999999999s", "18446744073709551615m"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_state_has_room_for_something() {
        assert_eq!(state_size("80"), Ok(80 << 20));
        for text in ["", "0", "79", "-1", "80 MiB", "1.5", "18446744073709551615"] {
            assert!(state_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_node_name_never_leaves_the_data_folder() {
        for name in ["n1", "büro", "a.b-c_d"] {
            assert_eq!(node_name(name), Ok(name.to_owned()));
        }
        for name in
            ["", ".", "..", "../x", "a/b", "-x", ".hidden", "client", "client-code", "cluster-secret", "runtime"]
        {
            assert!(node_name(name).is_err(), "{name}");
        }
    }
}
