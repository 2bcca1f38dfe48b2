//! The real client, as the app embeds it: with its outbox, its numbering and its failover.

use std::collections::VecDeque;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chat::Cursor;
use client::{Access, Client, Config};
use tempfile::TempDir;
use tests::Cluster;
use wire::Address;
use wire::message::To;
use wire::secret::ClusterSecret;

use crate::crowd;
use crate::loader::{Order, all_send, next_order, tell};
use crate::sender::Start;

/// How long a message may take until the run counts as broken.
const LIMIT: Duration = Duration::from_secs(60);

/// How many messages are read at once.
const PAGE: u32 = 500;

/// A new account, and its client in this profile.
pub(crate) async fn sign_up(nodes: &[Address], secret: &ClusterSecret, profile: &Path, name: &str) -> Client {
    let mut config = Config::new(profile.to_owned(), profile.join("no-nodes-here"));
    config.access = Access::from_secret(&secret.to_text()).expect("the secret is well formed");
    config.seeds = nodes.to_vec();
    config.mdns = false;
    config.deadline = LIMIT;
    let client = Client::open(config).expect("the client opens");
    client.create_account(name, "a password").await.expect("the account is created");
    client
}

/// As [`sign_up`], in a folder of this name.
pub(crate) async fn sign_up_at(cluster: &Cluster, profiles: &Path, name: &str) -> Client {
    sign_up(&crowd::addresses(cluster), &crowd::secret(cluster), &profiles.join(name), name).await
}

/// A folder for profiles that is not on the nodes' disk: in life they are on other machines.
pub(crate) fn profiles() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    folder.expect("a temporary folder can be made")
}

/// Sends, and returns once it is stored.
pub(crate) async fn send(client: &Client, to: &str, text: String) {
    let id = client.send(To::Name(to.to_owned()), text, None).await.expect("the outbox takes it");
    client.stored(id, LIMIT).await.expect("stored in time");
}

/// The whole conversation with this account, oldest first.
pub(crate) async fn texts(client: &Client, with: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut after = Some(Cursor::START);
    loop {
        let page = client.messages(To::Name(with.to_owned()), None, after, PAGE).await;
        let (_, page) = page.expect("the history can be read");
        after = page.items.last().map(|message| message.cursor).or(after);
        texts.extend(page.items.into_iter().map(|message| message.text));
        if !page.more {
            return texts;
        }
    }
}

/// Somebody who sends to themselves, and how much was acknowledged so far.
struct One {
    name: String,
    client: Client,
    sent: usize,
}

/// To be the process that sends by real clients: sends and reads back when it is told to, until nobody tells it anything any more.
pub(crate) fn run(start: &Start) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    runtime.block_on(async {
        let (nodes, secret) = start.where_to();
        let profiles = profiles();
        let mut all = Vec::new();
        for number in 0..start.clients {
            let name = format!("c.{number}");
            let client = sign_up(&nodes, &secret, &profiles.path().join(&name), &name).await;
            all.push(One { name, client, sent: 0 });
        }
        tell(&"ready");
        while let Some(order) = next_order().await {
            match order {
                Order::Send { ms } => {
                    let sent;
                    (all, sent) = all_send(all, ms, |one, until| send_for(one, start.window, until)).await;
                    tell(&sent);
                }
                Order::ReadBack => {
                    let mut whole = true;
                    for one in &all {
                        whole &= crowd::is_whole(&one.name, &texts(&one.client, &one.name).await, one.sent);
                    }
                    tell(&whole);
                }
            }
        }
    });
    ExitCode::SUCCESS
}

async fn send_for(mut one: One, window: usize, until: Instant) -> (One, Vec<Duration>) {
    let mut under_way = VecDeque::new();
    let mut taken = Vec::new();
    loop {
        while under_way.len() < window && Instant::now() < until {
            let (began, text) = (Instant::now(), crowd::text(&one.name, one.sent));
            one.sent += 1;
            let id = one.client.send(To::Name(one.name.clone()), text, None).await.expect("the outbox takes it");
            under_way.push_back((began, id));
        }
        // They are stored in the order in which they went into the outbox.
        let Some((began, id)) = under_way.pop_front() else { return (one, taken) };
        one.client.stored(id, LIMIT).await.expect("stored in time");
        taken.push(began.elapsed());
    }
}
