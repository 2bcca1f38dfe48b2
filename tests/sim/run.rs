//! One run: a cluster is founded, people talk while things go wrong, everything heals, and what is left is judged.

use std::path::Path;
use std::time::Duration;

use tests::chance::Chance;
use tests::history::{Event, Recorder, What};
use tests::people::Town;
use tests::rest::{look_at, note_digest};
use tokio::time::{Instant, sleep, timeout};
use wire::Code;

use crate::devices::{Device, Place};
use crate::faults::{Nemesis, contest_founding, peers};
use crate::machines::Machines;
use crate::time::Elapsed;

/// How long a cluster may take to come about where nothing is wrong.
const FOUNDED_WITHIN: Duration = Duration::from_secs(30);

/// How long it may take until all nodes hold the same again. The checker is stricter; this only ends the run.
const HEALED_WITHIN: Duration = Duration::from_secs(120);

/// How long after the end of all faults the nodes may still fail to reach each other.
const WRITABLE_WITHIN: Duration = Duration::from_secs(10);

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) events: Vec<Event>,
    pub(crate) seconds: f64,
    /// The kinds of those there were.
    pub(crate) faults: Vec<String>,
}

/// Runs the seed, with the profiles of its clients in the folder.
pub(crate) async fn run(seed: u64, folder: &Path) -> Result<Ran, String> {
    let elapsed = Elapsed::begin();
    let recorder = Recorder::new(Box::new(move || elapsed.ns()));
    let chance = Chance::new(seed);
    let count = if chance.one_in(3) { 5 } else { 3 };
    let mut machines = Machines::start(seed, count, elapsed, chance.clone(), recorder.clone());
    match chance.number(0..6) {
        0..3 => disturb_founding(&mut machines, &chance, &recorder).await,
        3 if count == 3 => contest_founding(&mut machines, &chance, &recorder).await,
        _ => {}
    }
    founded(&machines).await?;

    let place = Place::new(&machines.network, &machines.secret, folder.to_owned());
    let town = Town::new(chance.clone(), recorder.clone());
    let mut devices =
        move_in(&place, &town).await.map_err(|error| format!("nobody can sign up where nothing is wrong: {error}"))?;

    let mut nemesis = Nemesis::new(chance.clone(), recorder.clone());
    let duration = chance.ms(10_000..40_000);
    nemesis.rage(&mut machines, &mut devices, duration).await;
    nemesis.relent(&mut machines, &mut devices).await;

    recover(&mut machines, &devices, &recorder).await;
    devices.iter().for_each(Device::rest);
    for device in &devices {
        device.settle().await;
    }
    look_at_all(&mut machines, &devices, &recorder).await;
    Ok(Ran { events: recorder.events(), seconds: elapsed.seconds(), faults: nemesis.kinds })
}

/// Power fails here and there, and machines do not hear each other, while the nodes find each other and promise; and one machine more
/// is there than was asked for, so that not all of them have to found the same cluster.
async fn disturb_founding(machines: &mut Machines, chance: &Chance, recorder: &Recorder) {
    let tell = |text: String| recorder.note(What::Fault { text: format!("before there is a cluster, {text}") });
    if chance.one_in(2) {
        let number = machines.add();
        tell(format!("machine {number} is there, too"));
    }
    for _ in 0..chance.number(1..8) {
        sleep(chance.ms(20..1_000)).await;
        let order = chance.shuffled(&machines.all());
        match chance.number(0..4) {
            0 => {
                let alone = &order[..1];
                tell(format!("machine {} is cut off", alone[0]));
                machines.network.partition(&peers(alone), &peers(&order[1..]));
            }
            1 => machines.network.heal(),
            2 => order.into_iter().for_each(|number| machines.launch(number)),
            _ => {
                let running = machines.running();
                let count = usize::try_from(chance.number(0..running.len() as u64 + 1)).unwrap_or(0);
                for number in order.into_iter().filter(|number| running.contains(number)).take(count) {
                    tell(format!("power fails on machine {number}"));
                    machines.crash(number).await;
                }
            }
        }
    }
    machines.network.heal();
    for number in machines.all() {
        machines.launch(number);
    }
}

async fn founded(machines: &Machines) -> Result<(), String> {
    let all_know_a_leader = async {
        while !machines
            .all()
            .iter()
            .all(|number| machines.cluster(*number).is_some_and(|at| at.health().borrow().writable))
        {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(FOUNDED_WITHIN, all_know_a_leader).await.map_err(|_| "the cluster is not founded".to_owned())
}

async fn move_in(place: &Place, town: &Town) -> Result<Vec<Device>, client::ClientError> {
    let mut devices = Vec::new();
    for (number, user) in [(1, "alice"), (2, "bob"), (3, "carol")] {
        devices.push(Device::sign_up(place, town, number, user, false).await?);
    }
    let again = Device::log_in(place, town, 4, &devices[0]).await?;
    devices.push(again);
    if town.chance.one_in(3) {
        // Gone before the end, while another device may still send.
        let leaver = Device::sign_up(place, town, 5, "dave", true).await?;
        match Device::log_in(place, town, 6, &leaver).await {
            Ok(again) => devices.push(again),
            // Gone already.
            Err(_) if leaver.may_be_gone() => {}
            Err(error) => return Err(error),
        }
        devices.push(leaver);
    }
    Ok(devices)
}

/// A message sent now is soon to be read at every node.
async fn recover(machines: &mut Machines, devices: &[Device], recorder: &Recorder) {
    let [first, second, ..] = devices else { return };
    let Some(message) = first.send_now(second.account(), "everything works again").await else { return };
    let read_everywhere = async {
        while !machines.running().iter().all(|number| {
            let found = machines.app(*number).map(|app| app.message_by_id(first.account(), message.id));
            matches!(found, Some(Ok(Some(_))))
        }) {
            sleep(Duration::from_millis(20)).await;
            // One that may not come back may have heard of it just now.
            machines.bury();
        }
    };
    if timeout(HEALED_WITHIN, read_everywhere).await.is_ok() {
        recorder.note(What::Recovered { message: message.id.to_string() });
    }
}

/// What every node holds, once all of them have applied the same.
async fn look_at_all(machines: &mut Machines, devices: &[Device], recorder: &Recorder) {
    let level = async {
        loop {
            let applied =
                machines.running().into_iter().map(|number| machines.app(number).map(|app| *app.applied().borrow()));
            let applied: Vec<_> = applied.collect();
            sleep(Duration::from_millis(500)).await;
            machines.bury();
            if applied.iter().all(|at| at.is_some() && *at == applied[0]) {
                return;
            }
        }
    };
    if timeout(HEALED_WITHIN, level).await.is_err() {
        let line = "the nodes do not come to hold the same".to_owned();
        recorder.note(What::Complained { process: "cluster".to_owned(), line });
    }
    machines.bury();
    compare(machines, recorder).await;
    // What somebody said to an account that is gone is looked at as theirs.
    let accounts = devices.iter().filter(|device| !device.may_be_gone()).map(Device::account).collect();
    for number in machines.running() {
        let looked = match machines.app(number) {
            Some(app) => look_at(&app, &format!("machine {number}"), &accounts, recorder),
            None => Err("it is no member at the end".to_owned()),
        };
        if let Err(line) = looked {
            recorder.note(What::Complained { process: format!("machine {number}"), line });
        }
    }
}

async fn compare(machines: &Machines, recorder: &Recorder) {
    let Some(cluster) = machines.running().first().and_then(|number| machines.cluster(*number)) else { return };
    let here: Vec<_> = machines.running().into_iter().map(|number| machines.name(number)).collect();
    let began = Instant::now();
    let mut checked = cluster.check().await;
    // What was lost before the network healed is said again only now, and holds up the heartbeats behind it. Whoever asks for this
    // asks again.
    while matches!(&checked, Err(refusal) if refusal.code == Code::NoQuorum) && began.elapsed() < WRITABLE_WITHIN {
        sleep(Duration::from_millis(100)).await;
        checked = cluster.check().await;
    }
    match checked {
        Ok((index, digests)) => {
            for of in digests {
                if !here.contains(&of.name) {
                    // Of a machine that was lost; the cluster keeps its place until it is removed.
                    continue;
                }
                note_digest(recorder, of.name, index.0, of.digest);
            }
        }
        Err(error) => {
            let line = format!("the nodes cannot be compared: {error}");
            recorder.note(What::Complained { process: "cluster".to_owned(), line });
        }
    }
}
