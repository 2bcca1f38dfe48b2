//! One round: a cluster is founded, people talk while things go wrong, everything heals, and what is left is judged.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat::AccountId;
use node::app::{self, App};
use node::store::lmdb::LmdbState;
use tests::chance::Chance;
use tests::checker::second_opinion::{Verdict, second_opinion};
use tests::checker::{self, Limits, Report};
use tests::complaints;
use tests::history::{Recorder, What};
use tests::rest::{look_at, note_digest};
use wire::secret::ClusterSecret;

use crate::clock::Clock;
use crate::device::{Role, Start};
use crate::devices::Device;
use crate::faults::{Fault, Nemesis, World};
use crate::histories;
use crate::lan::Lan;
use crate::machines::Machines;
use crate::switch::Port;
use crate::watch::Watch;

/// The largest cluster: so many places the network has for nodes.
pub(crate) const NODES_MAX: usize = 5;

/// Places for clients.
pub(crate) const CLIENTS: usize = 2;

/// How long a cluster may take to come about, discovery included.
const FOUNDED_WITHIN: Duration = Duration::from_secs(60);

/// How long it may take until all nodes hold the same again. The checker is stricter; this only ends the run.
const HEALED_WITHIN: Duration = Duration::from_secs(90);

/// What a round is to be.
pub(crate) struct Round {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) rage: Duration,
    /// Where everything of it lies.
    pub(crate) home: PathBuf,
    pub(crate) has_disks: bool,
    pub(crate) only: Option<Vec<Fault>>,
}

/// What came of it.
pub(crate) struct Came {
    pub(crate) report: Report,
    pub(crate) second: Verdict,
    pub(crate) faults: Vec<Fault>,
    pub(crate) recovery: Option<Duration>,
}

impl Came {
    pub(crate) fn is_clean(&self) -> bool {
        self.report.is_clean() && self.second.contradictions.is_empty()
    }
}

impl Round {
    pub(crate) fn run(&self, lan: &Lan) -> Result<Came, String> {
        let clock = Clock::begin();
        let recorder = Recorder::to_file(Box::new(move || clock.ns()), &self.home.join("run.jsonl"));
        // Far from the numbers of devices.
        let recorder = recorder.map_err(|error| format!("the history cannot be written: {error}"))?.numbered_from(0);
        let chance = Chance::new(self.seed);
        let secret = ClusterSecret::generate(&mut |bytes| bytes.fill_with(|| chance.number(0..256) as u8)).to_text();
        fs::write(self.home.join("secret"), &secret)
            .map_err(|error| format!("the secret cannot be written: {error}"))?;

        let mut machines = Machines::start(&self.home, &secret, self.nodes, self.has_disks, recorder.clone())?;
        let watch = Watch::begin(&self.home, &secret)?;
        let founded = watch.until(FOUNDED_WITHIN, |status| {
            status.writable && usize::try_from(status.reachable_voters).is_ok_and(|voters| voters == self.nodes)
        });
        founded.ok_or("the cluster is not founded")?;
        let mut devices = self.move_in(clock, &recorder)?;

        let mut nemesis = Nemesis::new(chance, recorder.clone(), self.has_disks, self.only.as_deref());
        let mut world = World { machines: &mut machines, devices: &mut devices, switch: &lan.switch, watch: &watch };
        nemesis.rage(&mut world, self.rage)?;
        nemesis.relent(&mut world)?;
        let recovery = recover(&mut world, &recorder)?;
        for device in world.devices.iter_mut() {
            for order in ["rest", "settle"] {
                if let Err(line) = device.order(order) {
                    device.complain(&line);
                }
            }
        }
        look_at_all(&mut world, &recorder)?;
        drop((machines, devices));
        let events = histories::merged(&self.home)?;
        let report = checker::check(&events, &Limits::default());
        // What is malformed the report says.
        let second = second_opinion(&events).unwrap_or_default();
        Ok(Came { report, second, faults: nemesis.kinds, recovery })
    }

    fn move_in(&self, clock: Clock, recorder: &Recorder) -> Result<Vec<Device>, String> {
        let start = |number: u64, user: &str, role| Start {
            number,
            life: 0,
            home: self.home.clone(),
            began_ns: clock.beginning_ns(),
            seed: self.seed,
            user: user.to_owned(),
            role,
        };
        let place = |at: usize| -> Port { NODES_MAX + at % CLIENTS };
        let mut devices = Vec::new();
        for (number, user) in [(1, "alice"), (2, "bob"), (3, "carol")] {
            let start = start(number, user, Role::SignUp);
            devices.push(Device::move_in(start, place(devices.len()), recorder.clone())?);
        }
        let again = start(4, "alice", Role::LogIn(devices[0].account()));
        devices.push(Device::move_in(again, place(devices.len()), recorder.clone())?);
        let accounts: Vec<_> = devices.iter().take(3).map(Device::account).collect();
        for device in &mut devices {
            device.talk_to(&accounts)?;
        }
        Ok(devices)
    }
}

/// A message sent now is soon to be read at every node. How long that took.
fn recover(world: &mut World<'_>, recorder: &Recorder) -> Result<Option<Duration>, String> {
    let healed = Instant::now();
    let to = world.devices[1].account();
    let answer = match world.devices[0].order(&format!("send {to} everything works again")) {
        Ok(answer) => answer,
        Err(line) => {
            world.devices[0].complain(&line);
            return Ok(None);
        }
    };
    let Some((message, cursor)) = answer.strip_prefix("stored ").and_then(|stored| stored.split_once(' ')) else {
        return Ok(None);
    };
    let cursor: u64 = cursor.parse().map_err(|_| format!("{answer:?} has no cursor"))?;
    while healed.elapsed() < HEALED_WITHIN {
        // One that was about to end for its disk's sake has ended by now.
        world.machines.bury();
        for number in world.machines.all() {
            world.machines.launch(number)?;
        }
        let names = names(world.machines);
        let has_it = |status: &wire::message::ClusterStatus| {
            names.iter().all(|name| {
                let node = status.nodes.iter().find(|node| node.name == *name);
                node.is_some_and(|node| node.progress.as_ref().is_some_and(|at| at.applied >= cursor))
            })
        };
        if world.watch.until(Duration::from_millis(500), has_it).is_some() {
            recorder.note(What::Recovered { message: message.to_owned() });
            return Ok(Some(healed.elapsed()));
        }
    }
    Ok(None)
}

/// What every node holds, once all of them have applied the same.
fn look_at_all(world: &mut World<'_>, recorder: &Recorder) -> Result<(), String> {
    let names = names(world.machines);
    let began = Instant::now();
    let mut before = None;
    let level = loop {
        let applied = world.watch.status().map(|status| {
            let of = |name: &String| {
                status.nodes.iter().find(|node| node.name == *name)?.progress.as_ref().map(|at| at.applied)
            };
            names.iter().map(of).collect::<Vec<_>>()
        });
        let is_level =
            applied.as_ref().is_some_and(|applied| applied.iter().all(|at| at.is_some() && *at == applied[0]));
        if is_level && applied == before {
            break true;
        }
        if began.elapsed() > HEALED_WITHIN {
            break false;
        }
        before = applied;
        std::thread::sleep(Duration::from_millis(500));
    };
    let complain = |line: String| recorder.note(What::Complained { process: "cluster".to_owned(), line });
    if !level {
        complain("the nodes do not come to hold the same".to_owned());
    }
    match world.watch.compare() {
        // A machine that was lost keeps its place until it is removed.
        Ok((index, digests)) => digests
            .into_iter()
            .filter(|of| names.contains(&of.name))
            .for_each(|of| note_digest(recorder, of.name, index, of.digest)),
        Err(error) => complain(format!("the nodes cannot be compared: {error}")),
    }
    world.machines.bury();
    let accounts: BTreeSet<_> = world.devices.iter().map(|device| AccountId(device.account())).collect();
    for number in world.machines.running() {
        world.machines.terminate(number);
        if let Err(line) = look(&world.machines.data_dir(number), &format!("n{number}"), &accounts, recorder) {
            world.machines.complain(number, &line);
        }
    }
    for machine in &world.machines.machines {
        for line in complaints::in_log(&world.machines.log(machine.number), |line| machine.may_have_logged(line)) {
            world.machines.complain(machine.number, &line);
        }
    }
    Ok(())
}

/// Reads what a node left on its disk.
fn look(folder: &Path, node: &str, accounts: &BTreeSet<AccountId>, recorder: &Recorder) -> Result<(), String> {
    let state = LmdbState::open(&folder.join("state"), app::TABLES).map_err(|error| error.to_string())?;
    let app: Arc<App> = App::open(state).map_err(|error| error.to_string())?;
    look_at(&app, node, accounts, recorder)
}

fn names(machines: &Machines) -> Vec<String> {
    machines.all().into_iter().map(|number| format!("n{number}")).collect()
}
