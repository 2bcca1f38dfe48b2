//! How many messages are acknowledged each second, after how long, and what that costs, beside the floor.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::arguments::{Cluster as Wanted, Kind};
use crate::floor::Floor;
use crate::founded;
use crate::loader::{Loader, Order, Sent};
use crate::machine::{Disk, Used};
use crate::sender::Start;
use crate::statistics::Rounds;

/// How long everything is sent to before it counts, so that connections, caches and files are as they stay.
const WARM_UP: Duration = Duration::from_secs(1);

/// Measures and prints. False: something acknowledged is missing or doubled.
pub(crate) fn measure(wanted: &Wanted) -> bool {
    if !wanted.json {
        println!(
            "{} nodes, {} messages under way per client, {} rounds of {} s; median (least to most)",
            wanted.nodes,
            wanted.window,
            wanted.rounds,
            wanted.span.as_secs()
        );
    }
    wanted.clients.iter().fold(true, |whole, clients| whole & one(wanted, *clients))
}

/// What came of a round.
struct Round {
    sent: Sent,
    floor: Sent,
    used: Used,
}

fn one(wanted: &Wanted, clients: usize) -> bool {
    let mut cluster = founded(wanted.nodes);
    let names = cluster.running();
    let processes: Vec<_> = names.iter().map(|name| cluster.process(name)).collect();
    let start = serde_json::to_string(&Start::of(&cluster, clients, wanted.window)).expect("plain data");
    let loader = match wanted.client {
        Kind::Lean => "--loader",
        Kind::Real => "--real-loader",
    };
    let mut sender = Loader::start(&[loader.to_owned(), start]);
    // On the same disk.
    let folder = TempDir::new().expect("a temporary folder can be made");
    let floor = Floor::start(wanted.nodes, folder.path());
    let mut floor_sender = Loader::start(&[
        "--floor-loader".to_owned(),
        floor.address.to_string(),
        clients.to_string(),
        wanted.window.to_string(),
    ]);
    for loader in [&mut sender, &mut floor_sender] {
        loader.send(WARM_UP);
    }
    let mut rounds = Vec::new();
    for _ in 0..wanted.rounds {
        // In turns, since what the disk can do changes from minute to minute.
        let floor = floor_sender.send(wanted.span);
        let before = Used::by(&processes, cluster.home());
        let sent = sender.send(wanted.span);
        rounds.push(Round { sent, floor, used: Used::by(&processes, cluster.home()).since(before) });
    }
    let whole: bool = sender.order(Order::ReadBack);
    print(wanted, clients, &rounds, whole);
    whole
}

fn print(wanted: &Wanted, clients: usize, rounds: &[Round], whole: bool) {
    let figure = |of: fn(&Round) -> f64| Rounds::of(rounds.iter().map(of));
    let acknowledged = figure(|round| round.sent.per_second());
    let floor = figure(|round| round.floor.per_second());
    let ratio = figure(|round| round.sent.per_second() / round.floor.per_second());
    let [p50, p99, p999] =
        [figure(|round| round.sent.p50_ms), figure(|round| round.sent.p99_ms), figure(|round| round.sent.p999_ms)];
    let floor_p99 = figure(|round| round.floor.p99_ms);
    let cpu = figure(|round| round.used.cpu_seconds * 10_000.0 / round.sent.count as f64);
    let resident = figure(|round| round.used.resident_bytes as f64 / 1e6);
    let anonymous = figure(|round| round.used.anonymous_bytes as f64 / 1e6);
    let knows_disk = rounds.iter().all(|round| round.used.disk.is_some());
    let disk = |of: fn(&Round, Disk) -> f64| {
        knows_disk.then(|| Rounds::of(rounds.iter().filter_map(|round| Some(of(round, round.used.disk?)))).median)
    };
    let syncs = disk(|round, disk| disk.syncs as f64 / round.sent.seconds);
    let written = disk(|round, disk| disk.written_bytes as f64 / round.sent.count as f64);
    if wanted.json {
        let range = |rounds: Rounds| json!([rounded(rounds.least), rounded(rounds.most)]);
        let line = json!({
            "bench": "cluster",
            "mode": if wanted.window > 1 { "pipelined" } else { "closed" },
            "nodes": wanted.nodes,
            "clients": clients,
            "client": if wanted.client == Kind::Real { "real" } else { "lean" },
            "window": wanted.window,
            "rounds": rounds.len(),
            "acked_per_s": rounded(acknowledged.median),
            "acked_per_s_range": range(acknowledged),
            "p50_ms": rounded(p50.median),
            "p99_ms": rounded(p99.median),
            "p999_ms": rounded(p999.median),
            "baseline_per_s": rounded(floor.median),
            "baseline_p99_ms": rounded(floor_p99.median),
            "ratio": rounded(ratio.median),
            "ratio_range": range(ratio),
            "server_cpu_s_per_10000": rounded(cpu.median),
            "disk_syncs_per_s": syncs.map(rounded),
            "written_bytes_per_message": written.map(rounded),
            "resident_mb": rounded(resident.most),
            "anonymous_mb": rounded(anonymous.most),
            "read_back": whole,
        });
        return println!("{line}");
    }
    println!(
        "{clients:>4} clients: {:.0}/s ({:.0} to {:.0}), p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms; read back: {}",
        acknowledged.median,
        acknowledged.least,
        acknowledged.most,
        p50.median,
        p99.median,
        p999.median,
        if whole { "every one, once, in order" } else { "BROKEN" },
    );
    println!(
        "      the floor: {:.0}/s ({:.0} to {:.0}), p99 {:.1} ms; ratio {:.2} ({:.2} to {:.2})",
        floor.median, floor.least, floor.most, floor_p99.median, ratio.median, ratio.least, ratio.most
    );
    println!(
        "      all nodes: {:.2} s of CPU per 10,000 messages, {} syncs/s of the disk, {} bytes written to it per message; \
         {:.0} MB resident, {:.0} MB of it their own",
        cpu.median,
        syncs.map_or("?".to_owned(), |syncs| format!("{syncs:.0}")),
        written.map_or("?".to_owned(), |bytes| format!("{bytes:.0}")),
        resident.most,
        anonymous.most
    );
}

/// Three digits behind the point are more than any of these is good for.
fn rounded(figure: f64) -> Value {
    json!((figure * 1000.0).round() / 1000.0)
}
