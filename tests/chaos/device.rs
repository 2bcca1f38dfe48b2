//! A device that is a process of its own: a client with a person at it, told what to do on standard input.
//!
//! Each line there is an order, each line on standard output the answer to one; the history goes to a file, every line at once, so that
//! nothing of it is lost when the process is killed.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use chat::{AccountId, MessageId};
use client::{Access, Client, ClientError, Config};
use tests::chance::Chance;
use tests::history::{self, Call, Outcome, Recorder, What};
use tests::people::{DEADLINE, Open, Person, Town};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::task::JoinHandle;

use crate::clock::Clock;

/// How long the first call of a new device is tried.
const MOVES_IN_WITHIN: Duration = Duration::from_secs(60);

/// What a device is started with, as arguments of its process.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) number: u64,
    /// How often it has been started.
    pub(crate) life: u64,
    /// The folder of the run.
    pub(crate) home: PathBuf,
    pub(crate) began_ns: u64,
    pub(crate) seed: u64,
    pub(crate) user: String,
    pub(crate) role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    SignUp,
    LogIn(u64),
    Resume(u64),
}

impl Start {
    pub(crate) fn name(&self) -> String {
        format!("d{}", self.number)
    }

    /// Where a life writes its history.
    pub(crate) fn history(&self, life: u64) -> PathBuf {
        self.home.join(format!("d{}-{life}.jsonl", self.number))
    }

    pub(crate) fn to_arguments(&self) -> Vec<String> {
        let role = match self.role {
            Role::SignUp => "sign-up".to_owned(),
            Role::LogIn(account) => format!("log-in={account}"),
            Role::Resume(account) => format!("resume={account}"),
        };
        let numbers = [self.number, self.life, self.began_ns, self.seed].map(|number| number.to_string());
        let mut all = vec!["--device".to_owned(), self.home.display().to_string(), self.user.clone(), role];
        all.extend(numbers);
        all
    }

    /// None: that is something else.
    pub(crate) fn from_arguments(arguments: &[String]) -> Option<Self> {
        let [device, home, user, role, number, life, began_ns, seed] = arguments else { return None };
        let role = match role.split_once('=') {
            None => Role::SignUp,
            Some(("log-in", account)) => Role::LogIn(account.parse().ok()?),
            Some((_, account)) => Role::Resume(account.parse().ok()?),
        };
        (device == "--device").then_some(())?;
        Some(Self {
            number: number.parse().ok()?,
            life: life.parse().ok()?,
            home: home.into(),
            began_ns: began_ns.parse().ok()?,
            seed: seed.parse().ok()?,
            user: user.clone(),
            role,
        })
    }
}

/// Lives until standard input ends.
pub(crate) fn run(start: &Start) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("there is no runtime: {error}"))?;
    runtime.block_on(live(start))
}

async fn live(start: &Start) -> Result<(), String> {
    let clock = Clock::began_at(start.began_ns);
    // No two lives of any device give the same numbers.
    let first = (start.number << 48) | (start.life << 32);
    let recorder = Recorder::to_file(Box::new(move || clock.ns()), &start.history(start.life));
    let recorder = recorder.map_err(|error| format!("its history cannot be written: {error}"))?.numbered_from(first);
    let town = Town::new(Chance::new(start.seed ^ first), recorder.clone());
    let client = open(start).map_err(|error| error.to_string())?;
    let account = move_in(start, &town, &client).await.map_err(|error| error.to_string())?;
    answer(&format!("account {}", account.0))?;

    let (device, open) = (start.name(), Open::default());
    if let Ok(mut open) = open.lock() {
        open.extend(unheard_of(start)?);
    }
    let person = Person { town: town.clone(), device, account, client, open, leaves: false };
    let following = tokio::spawn(person.clone().follow());
    let mut living: Option<JoinHandle<()>> = None;
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(order)) = orders.next_line().await {
        let (verb, rest) = order.split_once(' ').unwrap_or((&order, ""));
        match verb {
            "talk-to" => {
                rest.split(' ')
                    .filter_map(|account| account.parse().ok())
                    .for_each(|account| town.add(AccountId(account)));
                living = Some(tokio::spawn(person.clone().live()));
                answer("talking")?;
            }
            "rest" => {
                if let Some(living) = living.take() {
                    living.abort();
                }
                answer("resting")?;
            }
            "settle" => {
                forget_unsent(&person).await;
                person.settle().await;
                answer("settled")?;
            }
            "send" => {
                let (to, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let to = to.parse().map_err(|_| format!("{order:?} is no order"))?;
                match person.send_now(AccountId(to), text).await {
                    Some(message) => answer(&format!("stored {} {}", message.id, message.cursor.0))?,
                    None => answer("not stored")?,
                }
            }
            _ => return Err(format!("{order:?} is no order")),
        }
    }
    following.abort();
    Ok(())
}

fn open(start: &Start) -> Result<Client, ClientError> {
    let secret = std::fs::read_to_string(start.home.join("secret")).unwrap_or_default();
    // Nodes are found as on any network: by mDNS.
    let mut config = Config::new(start.home.join(start.name()), start.home.join("nowhere"));
    config.access = Access::from_secret(&secret)?;
    config.deadline = DEADLINE;
    Client::open(config)
}

async fn move_in(start: &Start, town: &Town, client: &Client) -> Result<AccountId, ClientError> {
    let patient = client.with_deadline(MOVES_IN_WITHIN);
    match start.role {
        Role::SignUp => town.sign_up(&patient, &start.name(), &start.user).await,
        Role::LogIn(account) => {
            town.log_in(&patient, &start.name(), &start.user, AccountId(account)).await.map(|()| AccountId(account))
        }
        // It need not be online for that: the profile knows enough.
        Role::Resume(account) => client.resume(&start.user).await.map(|_| AccountId(account)),
    }
}

/// What earlier lives sent, and have not heard of.
fn unheard_of(start: &Start) -> Result<Vec<(MessageId, history::Op)>, String> {
    let mut open = std::collections::BTreeMap::new();
    for life in 0..start.life {
        for event in crate::histories::of_killed(&start.history(life))? {
            match event.what {
                What::Invoked { op, call: Call::Send { message, .. }, .. } => {
                    let id: MessageId = message.parse().map_err(|_| format!("{message} is no id"))?;
                    open.insert(op, id);
                }
                What::Returned { op, .. } => {
                    open.remove(&op);
                }
                _ => {}
            }
        }
    }
    Ok(open.into_iter().map(|(op, id)| (id, op)).collect())
}

/// A process may have been killed before a message was in its outbox: that one was never sent, and nobody waits for it.
async fn forget_unsent(person: &Person) {
    let Ok(pending) = person.client.pending().await else { return };
    let open: Vec<_> = person.open.lock().map(|open| open.keys().copied().collect()).unwrap_or_default();
    for id in open {
        let is_queued = pending.iter().any(|message| message.id == id);
        if is_queued || !matches!(person.client.message(id).await, Ok(None)) {
            continue;
        }
        if let Some(op) = person.open.lock().ok().and_then(|mut open| open.remove(&id)) {
            person.town.recorder.returned(op, Outcome::Unknown { code: "killed".to_owned() });
        }
    }
}

fn answer(line: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| format!("nobody listens: {error}"))
}
