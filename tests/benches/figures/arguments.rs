//! What is asked of the program.

use std::iter::Peekable;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::failover::{self, Gone};
use crate::{fanout, history, idle, sender, stages};

/// See the module.
pub(crate) enum Wanted {
    Figures(Vec<Subject>),
    /// To be the process that sends.
    Loader(sender::Start),
    /// To be the process that sends by real clients.
    RealLoader(sender::Start),
    /// To be the process whose clients are idle.
    Idle(sender::Start),
    /// To be a process of the floor; without followers it is one itself.
    FloorNode {
        folder: PathBuf,
        followers: Vec<SocketAddr>,
    },
    /// To be the process that sends to the floor.
    FloorLoader {
        address: SocketAddr,
        clients: usize,
        window: usize,
    },
}

/// What is measured.
pub(crate) enum Subject {
    Cluster(Cluster),
    Failover { kills: usize, kinds: Vec<Gone> },
    Fanout { readers: usize },
    History { messages: Vec<usize> },
    Idle { clients: usize },
    Restart,
    Search,
    Stages { clients: Vec<usize> },
    Ui,
}

/// How a cluster is measured.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) nodes: usize,
    pub(crate) clients: Vec<usize>,
    /// How many messages each client has under way at once.
    pub(crate) window: usize,
    pub(crate) rounds: usize,
    /// How long a round takes.
    pub(crate) span: Duration,
    pub(crate) json: bool,
    pub(crate) client: Kind,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Clients as lean as the protocol allows: on a machine that has all of it, the cluster is measured and not they.
    Lean,
    /// The client that the app embeds.
    Real,
}

/// So many clients have one message under way each, unless others are asked for.
const CLOSED: &[usize] = &[1, 64, 512];

/// So many clients have many under way, and as many each.
const PIPELINED: usize = 16;
const WINDOW: usize = 256;

const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_secs(5);

const USAGE: &str = "usage: [cluster [--clients N,…] [--client lean|real] [--pipelined] [--seconds S] [--rounds R] [--nodes 3|5] [--format json|text]] \
                     [failover [KILLS] [--only killed|silent]] [fanout [READERS]] [history [MESSAGES,…]] [idle [CLIENTS]] [restart] [search] [stages [CLIENTS,…]] [ui]";

/// Understands the arguments, ours and the one that cargo gives to every benchmark.
pub(crate) fn parse(all: &[String]) -> Result<Wanted, String> {
    if let Some(role) = role(all)? {
        return Ok(role);
    }
    let mut subjects = Vec::new();
    let mut words = all.iter().map(String::as_str).filter(|word| *word != "--bench").peekable();
    while let Some(word) = words.next() {
        subjects.push(match word {
            "cluster" => {
                let mut options = Vec::new();
                while let Some(option) = words.next_if(|word| word.starts_with("--")) {
                    let value = if option == "--pipelined" { "" } else { words.next().ok_or(USAGE)? };
                    options.push((option, value));
                }
                Subject::Cluster(cluster(&options)?)
            }
            "failover" => {
                let kills = count(&mut words, failover::KILLS)?;
                let only = words.next_if(|word| *word == "--only").map(|_| kind(words.next())).transpose()?;
                Subject::Failover { kills, kinds: only.map_or(failover::ALL.to_vec(), |only| vec![only]) }
            }
            "fanout" => Subject::Fanout { readers: count(&mut words, fanout::READERS)? },
            "history" => {
                let messages = words.next_if(|word| begins_with_digit(word)).map(numbers).transpose()?;
                Subject::History { messages: messages.unwrap_or_else(|| history::MESSAGES.to_vec()) }
            }
            "idle" => Subject::Idle { clients: count(&mut words, idle::CLIENTS)? },
            "restart" => Subject::Restart,
            "search" => Subject::Search,
            "stages" => {
                let clients = words.next_if(|word| begins_with_digit(word)).map(numbers).transpose()?;
                Subject::Stages { clients: clients.unwrap_or_else(|| stages::CLIENTS.to_vec()) }
            }
            "ui" => Subject::Ui,
            other => return Err(format!("{other:?} is nothing that is measured; {USAGE}")),
        });
    }
    if subjects.is_empty() {
        // All that needs no desktop.
        let (closed, pipelined) = (cluster(&[])?, cluster(&[("--pipelined", "")])?);
        let failover = Subject::Failover { kills: failover::KILLS, kinds: failover::ALL.to_vec() };
        let (fanout, idle) = (Subject::Fanout { readers: fanout::READERS }, Subject::Idle { clients: idle::CLIENTS });
        let cluster = [Subject::Cluster(closed), Subject::Cluster(pipelined)];
        subjects = cluster.into_iter().chain([failover, fanout, idle, Subject::Restart, Subject::Search]).collect();
    }
    Ok(Wanted::Figures(subjects))
}

/// How many, if that comes next.
fn count<'a>(words: &mut Peekable<impl Iterator<Item = &'a str>>, otherwise: usize) -> Result<usize, String> {
    words.next_if(|word| begins_with_digit(word)).map_or(Ok(otherwise), number)
}

fn kind(word: Option<&str>) -> Result<Gone, String> {
    match word {
        Some("killed") => Ok(Gone::Killed),
        Some("silent") => Ok(Gone::Silent),
        _ => Err(format!("a leader is killed, or silent; {USAGE}")),
    }
}

fn begins_with_digit(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_digit())
}

fn numbers(text: &str) -> Result<Vec<usize>, String> {
    text.split(',').map(number).collect()
}

fn cluster(options: &[(&str, &str)]) -> Result<Cluster, String> {
    let mut wanted = Cluster {
        nodes: 3,
        clients: Vec::new(),
        window: 1,
        rounds: ROUNDS,
        span: SPAN,
        json: false,
        client: Kind::Lean,
    };
    for (option, value) in options {
        match *option {
            "--clients" => wanted.clients = numbers(value)?,
            "--client" if *value == "lean" => wanted.client = Kind::Lean,
            "--client" if *value == "real" => wanted.client = Kind::Real,
            "--pipelined" => wanted.window = WINDOW,
            "--seconds" => wanted.span = Duration::from_secs(number(value)? as u64),
            "--rounds" => wanted.rounds = number(value)?,
            "--nodes" => wanted.nodes = number(value)?,
            "--format" if ["json", "text"].contains(value) => wanted.json = *value == "json",
            _ => return Err(format!("{option} {value} is not understood; {USAGE}")),
        }
    }
    if wanted.clients.is_empty() {
        wanted.clients = if wanted.window > 1 { vec![PIPELINED] } else { CLOSED.to_vec() };
    }
    if ![3, 5].contains(&wanted.nodes) {
        return Err(format!("there are three nodes, or five; {USAGE}"));
    }
    Ok(wanted)
}

/// What this program is started as by itself.
fn role(all: &[String]) -> Result<Option<Wanted>, String> {
    let Some((role, rest)) = all.split_first() else { return Ok(None) };
    Ok(Some(match (role.as_str(), rest) {
        ("--loader", [start]) => Wanted::Loader(self::start(start)?),
        ("--real-loader", [start]) => Wanted::RealLoader(self::start(start)?),
        ("--idle", [start]) => Wanted::Idle(self::start(start)?),
        ("--floor-node", [folder, followers @ ..]) => Wanted::FloorNode {
            folder: folder.into(),
            followers: followers.iter().map(|follower| address(follower)).collect::<Result<_, _>>()?,
        },
        ("--floor-loader", [to, clients, window]) => {
            Wanted::FloorLoader { address: address(to)?, clients: number(clients)?, window: number(window)? }
        }
        _ => return Ok(None),
    }))
}

fn start(text: &str) -> Result<sender::Start, String> {
    serde_json::from_str(text).map_err(|error| format!("{text} is no start: {error}"))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address"))
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("{text:?} is no number; {USAGE}"))
}
