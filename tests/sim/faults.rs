//! What goes wrong: faults that the seed draws, that overlap, and that end.

mod plots;

use std::ops::Range;
use std::time::Duration;

use node::net::room::LOW_BYTES;
use tests::chance::Chance;
use tests::history::{Recorder, What};
use tokio::time::{Instant, sleep_until};
use wire::PeerId;

use self::plots::TwoElections;
pub(crate) use self::plots::contest_founding;
use crate::devices::Device;
use crate::machines::{Machines, Number, peer};

/// How long it is until the next fault, in milliseconds.
const PAUSE_MS: Range<u64> = 100..2_500;

/// How long a fault lasts that ends, in milliseconds.
const LASTS_MS: Range<u64> = 300..6_000;

/// More machines than this are never added.
const MACHINES_MAX: usize = 7;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Crash,
    CrashLeader,
    CrashMany,
    CrashAll,
    StallAndCrash,
    TwoElections,
    Leave,
    Wipe,
    Add,
    Remove,
    HandOver,
    Isolate,
    IsolateLeader,
    Halves,
    Bridge,
    OneWay,
    Flap,
    Reset,
    Slow,
    Lossy,
    Stall,
    Fill,
    WrongClock,
    CrashDevice,
}

/// How often each is drawn.
const WEIGHTS: &[(Fault, u64)] = &[
    (Fault::Crash, 10),
    (Fault::CrashLeader, 8),
    (Fault::CrashMany, 3),
    (Fault::CrashAll, 2),
    (Fault::StallAndCrash, 6),
    (Fault::TwoElections, 6),
    (Fault::Leave, 3),
    (Fault::Wipe, 5),
    (Fault::Add, 2),
    (Fault::Remove, 3),
    (Fault::HandOver, 4),
    (Fault::Isolate, 4),
    (Fault::IsolateLeader, 6),
    (Fault::Halves, 4),
    (Fault::Bridge, 3),
    (Fault::OneWay, 6),
    (Fault::Flap, 3),
    (Fault::Reset, 8),
    (Fault::Slow, 5),
    (Fault::Lossy, 3),
    (Fault::Stall, 6),
    (Fault::Fill, 5),
    (Fault::WrongClock, 4),
    (Fault::CrashDevice, 5),
];

/// What undoes a fault.
#[derive(Clone, Debug)]
enum Undo {
    Launch(Vec<Number>),
    Crash(Vec<Number>),
    LaunchDevice(usize),
    HealNetwork,
    Calm(Vec<(PeerId, PeerId)>),
    NoLoss,
    Unstall(Number),
    MakeRoom(Vec<Number>),
    /// What is next in a plot.
    Plot(TwoElections),
}

/// Makes things go wrong, and right again.
pub(crate) struct Nemesis {
    chance: Chance,
    recorder: Recorder,
    /// What is still to be undone, and when.
    due: Vec<(Instant, Undo)>,
    /// What is under way.
    now: Option<Fault>,
    /// Nothing else is to come in between.
    plotting: bool,
    /// What there was.
    pub(crate) kinds: Vec<String>,
}

impl Nemesis {
    pub(crate) fn new(chance: Chance, recorder: Recorder) -> Self {
        Self { chance, recorder, due: Vec::new(), now: None, plotting: false, kinds: Vec::new() }
    }

    /// For so long.
    pub(crate) async fn rage(&mut self, machines: &mut Machines, devices: &mut [Device], duration: Duration) {
        let end = Instant::now() + duration;
        if self.chance.one_in(3) {
            self.now = Some(Fault::TwoElections);
            self.plot_two_elections(machines).await;
        }
        let mut next = Instant::now() + self.chance.ms(PAUSE_MS);
        while Instant::now() < end {
            let first_due = self.due.iter().map(|(at, _)| *at).min();
            let strikes = if self.plotting { end } else { next };
            sleep_until(first_due.into_iter().fold(strikes, Instant::min).min(end)).await;
            machines.bury();
            while let Some(at) = self.due.iter().position(|(at, _)| *at <= Instant::now()) {
                let (_, undo) = self.due.remove(at);
                self.undo(undo, machines, devices).await;
            }
            if Instant::now() >= next && !self.plotting {
                self.strike(machines, devices).await;
                next = Instant::now() + self.chance.ms(PAUSE_MS);
            }
        }
    }

    /// Undoes everything.
    pub(crate) async fn relent(&mut self, machines: &mut Machines, devices: &mut [Device]) {
        // Undoing may leave something to be undone: what loses its power is to be started again.
        while let Some((_, undo)) = self.due.pop() {
            self.undo(undo, machines, devices).await;
        }
        machines.bury();
        machines.network.heal();
        machines.weather.calm();
        self.recorder.note(What::Healed);
    }

    fn tell(&mut self, text: String) {
        self.kinds.extend(self.now.map(|fault| format!("{fault:?}")));
        tracing::info!("fault: {text}");
        self.recorder.note(What::Fault { text });
    }

    fn later(&mut self, undo: Undo) {
        let at = Instant::now() + self.chance.ms(LASTS_MS);
        self.due.push((at, undo));
    }

    async fn strike(&mut self, machines: &mut Machines, devices: &mut [Device]) {
        let running = machines.running();
        let any = self.chance.pick(&running);
        let Some(fault) = self.chance.weighted(WEIGHTS) else { return };
        self.now = Some(fault);
        match (fault, any) {
            (Fault::CrashDevice, _) => self.crash_device(devices),
            (Fault::Lossy, _) => {
                let times = self.chance.number(3..60);
                self.tell(format!("one piece in {times} is lost, everywhere"));
                machines.weather.lose_one_in(Some(times));
                self.later(Undo::NoLoss);
            }
            (Fault::Add, _) if machines.all().len() < MACHINES_MAX && machines.may_add() => {
                let number = machines.add();
                self.tell(format!("machine {number} is added"));
            }
            (_, None) => {}
            (Fault::Crash, Some(number)) => self.crash(machines, vec![number]).await,
            (Fault::CrashLeader, Some(any)) => {
                let leader = machines.leader().filter(|leader| running.contains(leader));
                self.crash(machines, vec![leader.unwrap_or(any)]).await;
            }
            (Fault::CrashMany, Some(_)) => {
                let some = self.some_of(&running);
                self.crash(machines, some).await;
            }
            (Fault::CrashAll, Some(_)) => self.crash(machines, running).await,
            (Fault::StallAndCrash, Some(_)) => {
                // Whatever is told before it is on a disk is told now, and gone then.
                let some = self.some_of(&running);
                self.tell(format!("the disks of {} stall, until their power fails", named(&some)));
                for number in &some {
                    machines.stall(*number, true);
                }
                self.due.push((Instant::now() + self.chance.ms(50..2_000), Undo::Crash(some)));
            }
            (Fault::Fill, Some(_)) => {
                let some = self.some_of(&machines.all());
                let left = self.chance.number(0..LOW_BYTES);
                self.tell(format!("the disks of {} fill up but for {left} bytes", named(&some)));
                for number in &some {
                    machines.leave_room(*number, left);
                }
                self.later(Undo::MakeRoom(some));
            }
            (Fault::TwoElections, Some(_)) => self.plot_two_elections(machines).await,
            (Fault::Leave, Some(number)) => {
                self.tell(format!("machine {number} is shut down in good order"));
                machines.leave(number).await;
                self.later(Undo::Launch(vec![number]));
            }
            (Fault::Wipe, Some(number)) => self.wipe(machines, number).await,
            (Fault::Remove, Some(number)) => self.remove(machines, number).await,
            (Fault::HandOver, Some(number)) => {
                if let Some(cluster) = machines.cluster(number) {
                    self.tell(format!("machine {number} is asked that another node leads"));
                    tokio::spawn(async move { cluster.transfer_leader(None).await });
                }
            }
            (fault, Some(number)) => self.strike_network(fault, machines, number),
        }
    }

    fn some_of(&self, numbers: &[Number]) -> Vec<Number> {
        let count = self.chance.number(1..numbers.len() as u64 + 1);
        self.chance.shuffled(numbers).into_iter().take(usize::try_from(count).unwrap_or(1)).collect()
    }

    async fn crash(&mut self, machines: &mut Machines, numbers: Vec<Number>) {
        self.tell(format!("power fails on {}", named(&numbers)));
        for number in &numbers {
            machines.crash(*number).await;
        }
        for number in numbers {
            self.later(Undo::Launch(vec![number]));
        }
    }

    /// A machine is lost for good, and a new one takes its place: only while all the others are well, since a majority must be left that
    /// has what was stored.
    async fn wipe(&mut self, machines: &mut Machines, number: Number) {
        let all_run = machines.all() == machines.running();
        let is_well = match machines.leader().and_then(|leader| machines.cluster(leader)) {
            Some(cluster) => {
                let status = tokio::time::timeout(Duration::from_secs(2), cluster.status()).await;
                status.is_ok_and(|status| {
                    status.voters >= 3 && status.can_lose >= 1 && status.reachable_voters == status.voters
                })
            }
            None => false,
        };
        if !all_run || !is_well || !machines.may_add() {
            return;
        }
        let keeps_key = self.chance.one_in(2);
        if keeps_key {
            machines.empty_but_for_key(number).await;
        } else {
            machines.destroy(number).await;
        }
        let new = machines.add();
        let kept = if keeps_key { " but for its key" } else { "" };
        self.tell(format!(
            "machine {number} is lost with all that was on it{kept}, and machine {new} is put in its place"
        ));
    }

    async fn remove(&mut self, machines: &mut Machines, number: Number) {
        if machines.all().len() < 5 || machines.all() != machines.running() {
            return;
        }
        let name = machines.name(number);
        let Some(cluster) = machines.leader().and_then(|leader| machines.cluster(leader)) else { return };
        self.tell(format!("{name} (machine {number}) is removed from the cluster"));
        tokio::spawn(async move { cluster.remove_node(&name).await });
    }

    fn crash_device(&mut self, devices: &mut [Device]) {
        let running: Vec<_> = (0..devices.len()).filter(|at| devices[*at].is_running()).collect();
        let Some(at) = self.chance.pick(&running) else { return };
        self.tell(format!("the program on {} is killed", devices[at].name));
        devices[at].crash();
        self.later(Undo::LaunchDevice(at));
    }

    fn strike_network(&mut self, fault: Fault, machines: &Machines, number: Number) {
        let (all, network) = (machines.all(), &machines.network);
        let leader = machines.leader().unwrap_or(number);
        let order = self.chance.shuffled(&all);
        let (half, other_half) = order.split_at(order.len() / 2);
        let Some(other) = self.chance.pick(&without(&all, number)) else { return };
        match fault {
            Fault::Isolate | Fault::IsolateLeader | Fault::Flap => {
                let alone = if fault == Fault::IsolateLeader { leader } else { number };
                self.tell(format!("machine {alone} is cut off from the others"));
                network.partition(&[peer(alone)], &peers(&without(&all, alone)));
                if fault == Fault::Flap {
                    for _ in 0..3 {
                        self.later(Undo::HealNetwork);
                    }
                }
                self.later(Undo::HealNetwork);
            }
            Fault::Halves => {
                self.tell(format!("{} and {} no longer hear each other", named(half), named(other_half)));
                network.partition(&peers(half), &peers(other_half));
                self.later(Undo::HealNetwork);
            }
            Fault::Bridge => {
                let others = without(&order, number);
                let (half, other_half) = others.split_at(others.len() / 2);
                self.tell(format!("{} and {} hear only machine {number}", named(half), named(other_half)));
                network.partition(&peers(half), &peers(other_half));
                self.later(Undo::HealNetwork);
            }
            Fault::OneWay => {
                self.tell(format!("machine {other} no longer hears machine {number}"));
                network.cut(peer(number), peer(other));
                self.later(Undo::HealNetwork);
            }
            Fault::Reset => {
                self.tell(format!("machine {number} takes its connections with machine {other} for lost"));
                network.reset(peer(number), peer(other));
            }
            Fault::Slow => {
                let slowest = self.chance.number(20..600);
                self.tell(format!("what machine {number} says takes up to {slowest} ms longer"));
                let ways: Vec<_> = without(&all, number).into_iter().map(|to| (peer(number), peer(to))).collect();
                for (from, to) in &ways {
                    machines.weather.slow(*from, *to, Some(slowest / 4..slowest));
                }
                self.later(Undo::Calm(ways));
            }
            Fault::Stall => {
                self.tell(format!("the disk of machine {number} stalls"));
                machines.stall(number, true);
                self.later(Undo::Unstall(number));
            }
            Fault::WrongClock => {
                let days = i64::try_from(self.chance.number(0..11)).unwrap_or(0) - 5;
                self.tell(format!("the clock of machine {number} is {days} days wrong"));
                machines.set_clock_wrong(number, days * 86_400_000);
            }
            _ => {}
        }
    }

    async fn undo(&mut self, undo: Undo, machines: &mut Machines, devices: &mut [Device]) {
        match undo {
            Undo::Launch(numbers) => numbers.into_iter().for_each(|number| machines.launch(number)),
            Undo::Crash(numbers) => {
                self.now = None;
                self.crash(machines, numbers).await;
            }
            Undo::LaunchDevice(at) => devices[at].launch().await,
            Undo::HealNetwork => machines.network.heal(),
            Undo::Calm(ways) => ways.iter().for_each(|(from, to)| machines.weather.slow(*from, *to, None)),
            Undo::NoLoss => machines.weather.lose_one_in(None),
            Undo::Unstall(number) => machines.stall(number, false),
            Undo::Plot(plot) => {
                self.now = None;
                self.plot_on(plot, machines).await;
            }
            Undo::MakeRoom(numbers) => numbers.iter().for_each(|number| machines.leave_room(*number, u64::MAX)),
        }
    }
}

fn without(all: &[Number], one: Number) -> Vec<Number> {
    all.iter().copied().filter(|number| *number != one).collect()
}

pub(crate) fn peers(numbers: &[Number]) -> Vec<PeerId> {
    numbers.iter().map(|number| peer(*number)).collect()
}

fn named(numbers: &[Number]) -> String {
    let names: Vec<_> = numbers.iter().map(|number| format!("machine {number}")).collect();
    names.join(", ")
}
