//! Settings, wherever they are written: whoever wins wins, what is taken is sound, and a secret is never repeated.

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use node::cli::{CliError, reported};
use node::config::{ClientSettings, DaemonConfig, Flags, Format, Origin, Paths, Setting, Sources};
use wire::invite::{Grant, Invite};
use wire::secret::ClusterSecret;
use wire::{Address, PeerId};

use super::draw::Draw;
use super::samples::behind;
use super::{Target, terminal};

pub(super) const TARGET: Target = Target {
    name: "config",
    run,
    seeds,
    words: &[
        b"expect = ",
        b"name = \"",
        b"join = \"",
        b"timeout = \"10s\"",
        b"peer = [\"",
        b"listen = ",
        b"mdns = true",
        b"format = \"json\"",
        b"\0",
        b"\n",
        b"/ip4/127.0.0.1/tcp/1",
        b"heartbeat_ms = ",
        b"18446744073709551615",
        b"as = \"",
        b"[table]",
        b"\"\"\"",
        b"\\u001b",
        b"name\x02",
        b"join\x02",
        b"../",
        b".",
        b"-",
        b"/",
        b"\x01",
    ],
};

/// Between two variables or flags, and between the name of one and its value.
const NEXT: u8 = 1;
const IS: u8 = 2;

/// The shortest text behind `join` that could be taken for a secret.
const SECRET_LENGTH_MIN: usize = 12;

/// One byte says what the rest is: all places where settings may stand, or the text of one thing.
fn run(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    match kind % 4 {
        0 => settle(Draw(bytes)),
        1 => same_again::<Invite>(&text),
        2 => same_again::<Address>(&text),
        _ => same_again::<PeerId>(&text),
    }
}

/// What is read is read again from how it is shown.
fn same_again<T: FromStr<Err: ToString> + ToString + PartialEq>(text: &str) {
    match text.parse::<T>() {
        Ok(found) => {
            let again = found.to_string().parse::<T>();
            assert!(again.is_ok_and(|again| again == found), "{text:?} changes when it is shown");
        }
        Err(error) => assert!(!error.to_string().is_empty(), "nothing is said"),
    }
}

/// The user's file, the file that is named, variables, flags.
fn settle(mut draw: Draw<'_>) {
    thread_local! { static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() } }
    let (user, named) = (draw.field(), draw.field());
    let (variables, flags) = (pairs(draw.field()), pairs(draw.field()));
    let (paths, file) = FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| {
            let folder = tempfile::tempdir().expect("room for two small files");
            let user_file = Paths::under(folder.path()).config_file();
            fs::create_dir_all(user_file.parent().expect("a file has a folder")).expect("a new folder");
            folder
        });
        (Paths::under(folder.path()), folder.path().join("named.toml"))
    });
    fs::write(paths.config_file(), user).expect("room for a small file");
    fs::write(&file, named).expect("room for a small file");
    let environment = |name: &str| {
        let of_name =
            |(key, value): &(String, String)| (format!("FIVE9S_{}", key.to_uppercase()) == name).then(|| value.clone());
        variables.iter().find_map(of_name)
    };
    let mut typed = Flags::new();
    for (key, value) in &flags {
        typed.extend(Setting::of_key(key).map(|setting| (setting, vec![value.clone()])));
    }
    let secrets = secrets(&[&String::from_utf8_lossy(user), &String::from_utf8_lossy(named)], &[&variables, &flags]);
    match Sources::gather(typed.clone(), Some(&file), &paths, &environment) {
        Ok(sources) => {
            assert_the_strongest_wins(&sources, &typed, &environment, &file);
            look_at_daemon(DaemonConfig::resolve(paths.clone(), &sources), &secrets);
            look_at_client(ClientSettings::resolve(paths, &sources), &secrets);
        }
        Err(error) => assert_said_well(&error.into(), &secrets),
    }
}

fn pairs(field: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let pair = |pair: &[u8]| {
        let at = pair.iter().position(|byte| *byte == IS)?;
        Some((text(&pair[..at]), text(&pair[at + 1..])))
    };
    field.split(|byte| *byte == NEXT).filter_map(pair).collect()
}

/// What stands behind `join` somewhere and is long enough to let somebody in.
fn secrets(files: &[&str], pairs: &[&[(String, String)]]) -> Vec<String> {
    let in_line = |line: &str| {
        let value = line.trim().strip_prefix("join")?.trim_start().strip_prefix('=')?.trim();
        Some(value.trim_matches(['"', '\'']).to_owned())
    };
    let in_files = files.iter().flat_map(|file| file.lines()).filter_map(in_line);
    let in_pairs =
        pairs.iter().flat_map(|pairs| pairs.iter()).filter(|(key, _)| key == "join").map(|(_, value)| value.clone());
    let all = in_files.chain(in_pairs);
    let is_long =
        |text: &String| text.len() >= SECRET_LENGTH_MIN && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    all.filter(is_long).collect()
}

fn assert_the_strongest_wins(
    sources: &Sources,
    flags: &Flags,
    environment: &dyn Fn(&str) -> Option<String>,
    named: &PathBuf,
) {
    for setting in Setting::ALL {
        let found = sources.find(*setting);
        let origin = found.as_ref().map(|found| found.origin.clone());
        if let Some(values) = flags.get(setting) {
            assert_eq!(origin, Some(Origin::Flag), "a flag is passed over");
            assert_eq!(found.map(|found| found.value), Some(values.as_slice()));
        } else if environment(&setting.variable()).is_some_and(|text| !text.is_empty()) {
            assert_eq!(origin, Some(Origin::Environment), "a variable is passed over");
        } else if let Some(Origin::File(file)) = &origin {
            let is_in_named = || {
                let text = fs::read_to_string(named).unwrap_or_default();
                text.parse::<toml::Table>().is_ok_and(|table| table.contains_key(setting.key()))
            };
            assert!(file == named || !is_in_named(), "the file that was named is passed over");
        }
    }
}

fn look_at_daemon(config: Result<DaemonConfig, node::config::ConfigError>, secrets: &[String]) {
    match config {
        Ok(config) => {
            if let Some(name) = &config.name {
                assert!(!name.is_empty() && name.chars().count() <= 32, "the name {name:?}");
                assert!(
                    !name.starts_with(['.', '-']) && !name.contains(['/', '\\', '\0']),
                    "the name {name:?} leaves its folder"
                );
                assert!(
                    !["client", "client-code", "cluster-secret", "runtime"].contains(&name.as_str()),
                    "a taken name"
                );
            }
            assert!((1..=15).contains(&config.expect), "expects {} nodes", config.expect);
            let timing = config.timing;
            let figures = [
                timing.heartbeat_ms,
                timing.election_min_ms,
                timing.election_max_ms,
                timing.snapshot_after_entries,
                timing.keep_log_entries,
                timing.promote_after_ms,
            ];
            assert!(!figures.contains(&Some(0)), "a time or a count of nothing");
            assert!(config.max_state_bytes.is_none_or(|bytes| bytes >= 80 << 20), "no room for anything");
        }
        Err(error) => assert_said_well(&error.into(), secrets),
    }
}

fn look_at_client(settings: Result<ClientSettings, node::config::ConfigError>, secrets: &[String]) {
    match settings {
        Ok(settings) => assert!(!settings.timeout.value.is_zero(), "no time at all"),
        Err(error) => assert_said_well(&error.into(), secrets),
    }
}

/// An error has a sentence, in which there is no secret and nothing that a terminal obeys; and the user can mend it.
fn assert_said_well(error: &CliError, secrets: &[String]) {
    assert_eq!(error.exit_code(), 2, "{error}");
    for format in [Format::Text, Format::Json] {
        let said = reported(format, error).expect("an error of the user's is told");
        for secret in secrets {
            assert!(!said.contains(secret), "a secret is repeated: {said}");
        }
        if format == Format::Text {
            assert!(!said.is_empty());
            said.lines().for_each(terminal::assert_harmless);
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let secret = ClusterSecret::generate(&mut |bytes| bytes.fill(7));
    let addresses = vec!["192.0.2.7:12340".parse().expect("an address")];
    let node =
        Invite { cluster: secret.cluster_id(), addresses: addresses.clone(), grant: Grant::Node(secret.node_secret()) };
    let client =
        Invite { cluster: secret.cluster_id(), addresses, grant: Grant::Client(secret.node_secret().client_secret()) };
    let everything = "name = \"n1\"\ndata_dir = \"/tmp/d\"\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\npeer = \"10.0.0.1:1, 10.0.0.2:2\"\n\
        expect = 5\nlog_format = \"json\"\nheartbeat_ms = 80\nelection_min_ms = 300\nelection_max_ms = 600\nmdns = false\n\
        as = \"bob\"\npassword_file = \"f\"\nformat = \"json\"\ntimeout = \"500ms\"\n";
    let mut seeds = vec![
        behind(0, everything),
        behind(0, format!("\0{everything}")),
        behind(0, format!("join = \"{node}\"\n\0as = \"named\"")),
        behind(0, "join = \"five9s-client-abcdefghijkl\"\n"),
        behind(0, "join = five9s-client-abcdefghijkl\n"),
        behind(0, "expect = 0\n\0tiemout = \"3s\""),
        behind(
            0,
            "timeout = \"5m\"\0\0expect\x023\x01listen\x0210.0.0.3:3, 10.0.0.4:4\x01mdns\x02yes\0name\x02n2\x01timeout\x022m",
        ),
        behind(0, "\0\0join\x02five9s-client-abcdefghijkl\0join\x02five9s-node-abcdefghijkl"),
    ];
    seeds.extend([behind(1, node.to_string()), behind(1, client.to_string())]);
    let addresses = ["192.0.2.7:12340", "/ip4/127.0.0.1/tcp/1", "[::1]:9", "/ip6/::1/tcp/9", "/dns4/host/tcp/9"];
    seeds.extend(addresses.iter().map(|address| behind(2, address)));
    // Each setting by itself, where a change is most likely to be one of its value.
    seeds.extend(everything.lines().map(|line| behind(0, format!("{line}\n"))));
    // The base point of Ed25519: any valid public key does.
    seeds.push(behind(3, PeerId([0x58; 32]).to_string()));
    seeds
}
