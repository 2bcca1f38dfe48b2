//! How long each stage of a message's way takes, as the nodes say themselves: median and 99th percentile, in milliseconds.

use std::collections::BTreeMap;
use std::time::Duration;

use node::stages;
use serde_json::Value;
use tests::Cluster;

use crate::founded_by;
use crate::loader::{Loader, Order};
use crate::sender::Start;
use crate::statistics::Rounds;

/// With so many clients, unless told otherwise.
pub(crate) const CLIENTS: &[usize] = &[1, 64, 512];

const WARM_UP: Duration = Duration::from_secs(1);

/// The nodes write a line each second.
const SPAN: Duration = Duration::from_secs(6);

/// Measures and prints. False: something acknowledged is missing or doubled.
pub(crate) fn measure(clients: &[usize]) -> bool {
    clients.iter().fold(true, |whole, clients| whole & one(*clients))
}

fn one(clients: usize) -> bool {
    let mut cluster = Cluster::unstarted(3, "");
    for name in ["n1", "n2", "n3"] {
        let mut command = cluster.command(name);
        command.env("RUST_LOG", format!("info,{}=debug", stages::TARGET));
        cluster.launch_command(name, command);
    }
    founded_by(&cluster);
    let start = serde_json::to_string(&Start::of(&cluster, clients, 1)).expect("plain data");
    let mut sender = Loader::start(&["--loader".to_owned(), start]);
    sender.send(WARM_UP);
    let names = cluster.running();
    let before: Vec<_> = names.iter().map(|name| cluster.log(name).len()).collect();
    let sent = sender.send(SPAN);
    println!(
        "{clients:>4} clients: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms at the clients",
        sent.per_second(),
        sent.p50_ms,
        sent.p99_ms
    );
    let leader = cluster.leader();
    for (name, before) in names.iter().zip(before) {
        let said = Said::of(&cluster.log(name)[before..]);
        let stages: Vec<_> =
            stages::names().filter_map(|stage| Some(format!("{stage} {}", said.0.get(stage)?.told()))).collect();
        let role = if *name == leader { "leads" } else { "follows" };
        println!("      {name} {role}: {}", stages.join(" · "));
    }
    sender.order(Order::ReadBack)
}

/// What a node said of each stage.
#[derive(Default)]
struct Said(BTreeMap<&'static str, Lines>);

/// The median and the 99th percentile of each second, in microseconds.
#[derive(Default)]
struct Lines {
    medians: Vec<f64>,
    p99s: Vec<f64>,
}

impl Said {
    fn of(log: &str) -> Self {
        let mut said = Self::default();
        for line in log.lines() {
            let Some((_, line)) = line.split_once("DEBUG ") else { continue };
            let Ok(Value::Object(line)) = serde_json::from_str(line) else { continue };
            for (stage, figures) in stages::names().filter_map(|stage| Some((stage, line.get(stage)?))) {
                let lines = said.0.entry(stage).or_default();
                lines.medians.extend(figures["p50_us"].as_f64());
                lines.p99s.extend(figures["p99_us"].as_f64());
            }
        }
        said
    }
}

impl Lines {
    /// The median and the 99th percentile of the middle second, in milliseconds.
    fn told(&self) -> String {
        let middle = |figures: &[f64]| Rounds::of(figures.iter().copied()).median / 1000.0;
        format!("{:.2}/{:.2}", middle(&self.medians), middle(&self.p99s))
    }
}
