//! What goes wrong: faults that the seed draws, that overlap, and that end.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use node::net::room::LOW_BYTES;
use tests::chance::Chance;
use tests::history::{Recorder, What};

use crate::devices::Device;
use crate::machines::{Machines, Number};
use crate::switch::{Port, Switch, Way};
use crate::watch::Watch;

/// How long it is until the next fault, in milliseconds.
const PAUSE_MS: Range<u64> = 300..4_000;

/// How long a fault lasts that ends, in milliseconds.
const LASTS_MS: Range<u64> = 300..8_000;

/// How often it is noted what processes use.
const USE: Duration = Duration::from_secs(2);

/// How long an operator tries to remove a machine that is lost.
const REMOVED_WITHIN: Duration = Duration::from_secs(60);

/// Room that is left on a disk that fills up, in bytes.
const ROOM_BYTES: Range<u64> = 0..300_000;

/// Room that is left on disks that run low: some of it enough for a node to lead, some not even for what a leader sends.
const LITTLE_ROOM_BYTES: Range<u64> = 8 << 20..LOW_BYTES;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Kill,
    KillLeader,
    KillMany,
    KillAll,
    KillDevice,
    Pause,
    PauseLeader,
    PauseDevice,
    Terminate,
    PowerOne,
    PowerMany,
    PowerAll,
    DiskHangs,
    DiskGone,
    DiskFull,
    DisksLow,
    Lose,
    HandOver,
    StartTwice,
    Isolate,
    IsolateLeader,
    Halves,
    Bridge,
    OneWay,
    Flap,
    Slow,
    Lossy,
}

/// How often each is drawn.
const WEIGHTS: &[(Fault, u64)] = &[
    (Fault::Kill, 8),
    (Fault::KillLeader, 8),
    (Fault::KillMany, 3),
    (Fault::KillAll, 2),
    (Fault::KillDevice, 5),
    (Fault::Pause, 5),
    (Fault::PauseLeader, 5),
    (Fault::PauseDevice, 2),
    (Fault::Terminate, 4),
    (Fault::PowerOne, 5),
    (Fault::PowerMany, 4),
    (Fault::PowerAll, 4),
    (Fault::DiskHangs, 5),
    (Fault::DiskGone, 3),
    (Fault::DiskFull, 3),
    (Fault::DisksLow, 5),
    (Fault::Lose, 2),
    (Fault::HandOver, 3),
    (Fault::StartTwice, 1),
    (Fault::Isolate, 4),
    (Fault::IsolateLeader, 6),
    (Fault::Halves, 4),
    (Fault::Bridge, 3),
    (Fault::OneWay, 6),
    (Fault::Flap, 3),
    (Fault::Slow, 5),
    (Fault::Lossy, 4),
];

impl Fault {
    fn needs_disks(self) -> bool {
        use Fault::{DiskFull, DiskGone, DiskHangs, DisksLow, PowerAll, PowerMany, PowerOne};
        matches!(self, PowerOne | PowerMany | PowerAll | DiskHangs | DiskGone | DiskFull | DisksLow)
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        WEIGHTS.iter().map(|(fault, _)| *fault)
    }

    /// Those that need disks of one's own.
    pub(crate) fn of_disks() -> Vec<Self> {
        Self::all().filter(|fault| fault.needs_disks()).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, to)
    }
}

/// What undoes a fault.
#[derive(Clone, Debug)]
enum Undo {
    Launch(Number),
    LaunchDevice(usize),
    Continue(Number),
    ContinueDevice(usize),
    Thaw(Number),
    Restore(Number),
    MakeRoom(Number),
    MakeMoreRoom(Vec<Number>),
    Heal,
    CalmWays,
}

/// All that things go wrong with.
pub(crate) struct World<'a> {
    pub(crate) machines: &'a mut Machines,
    pub(crate) devices: &'a mut [Device],
    pub(crate) switch: &'a Switch,
    pub(crate) watch: &'a Watch,
}

/// Makes things go wrong, and right again.
pub(crate) struct Nemesis {
    chance: Chance,
    recorder: Recorder,
    possible: Vec<(Fault, u64)>,
    due: Vec<(Instant, Undo)>,
    began: Instant,
    now: Option<Fault>,
    /// What there was.
    pub(crate) kinds: Vec<Fault>,
}

impl Nemesis {
    /// Of the faults that may be, those happen that can.
    pub(crate) fn new(chance: Chance, recorder: Recorder, has_disks: bool, only: Option<&[Fault]>) -> Self {
        let may_be = |fault: Fault| only.is_none_or(|only| only.contains(&fault));
        let can_be = |fault: Fault| has_disks || !fault.needs_disks();
        let possible = WEIGHTS.iter().copied().filter(|(fault, _)| may_be(*fault) && can_be(*fault)).collect();
        let (due, began, now, kinds) = (Vec::new(), Instant::now(), None, Vec::new());
        Self { chance, recorder, possible, due, began, now, kinds }
    }

    /// For so long.
    pub(crate) fn rage(&mut self, world: &mut World<'_>, duration: Duration) -> Result<(), String> {
        let end = Instant::now() + duration;
        let mut next = Instant::now() + self.chance.ms(PAUSE_MS);
        let mut next_use = Instant::now();
        while Instant::now() < end {
            let first_due = self.due.iter().map(|(at, _)| *at).min();
            let wake = first_due.into_iter().fold(next, Instant::min).min(end).min(next_use);
            std::thread::sleep(wake.saturating_duration_since(Instant::now()));
            world.machines.bury();
            if Instant::now() >= next_use {
                world.machines.note_use();
                next_use = Instant::now() + USE;
            }
            while let Some(at) = self.due.iter().position(|(at, _)| *at <= Instant::now()) {
                let (_, undo) = self.due.remove(at);
                self.undo(undo, world)?;
            }
            if Instant::now() >= next {
                self.strike(world)?;
                next = Instant::now() + self.chance.ms(PAUSE_MS);
            }
        }
        Ok(())
    }

    /// Undoes everything.
    pub(crate) fn relent(&mut self, world: &mut World<'_>) -> Result<(), String> {
        world.machines.bury();
        while let Some((_, undo)) = self.due.pop() {
            self.undo(undo, world)?;
        }
        world.switch.change(|_, _| true, |way| *way = Way::default());
        for number in world.machines.all() {
            world.machines.launch(number)?;
        }
        world.devices.iter_mut().for_each(Device::launch);
        self.recorder.note(What::Healed);
        Ok(())
    }

    #[expect(clippy::print_stdout, reason = "the schedule is printed")]
    fn tell(&mut self, text: String) {
        self.kinds.extend(self.now);
        println!("  {:6.1} s  {text}", self.began.elapsed().as_secs_f64());
        self.recorder.note(What::Fault { text });
    }

    fn later(&mut self, undo: Undo) {
        let at = Instant::now() + self.chance.ms(LASTS_MS);
        self.due.push((at, undo));
    }

    fn strike(&mut self, world: &mut World<'_>) -> Result<(), String> {
        let running = world.machines.running();
        let Some(fault) = self.chance.weighted(&self.possible) else { return Ok(()) };
        self.now = Some(fault);
        if matches!(fault, Fault::KillDevice | Fault::PauseDevice) {
            self.strike_device(fault, world.devices);
            return Ok(());
        }
        let Some(any) = self.chance.pick(&running) else { return Ok(()) };
        let leader = || leader(world.watch).filter(|leader| running.contains(leader)).unwrap_or(any);
        match fault {
            Fault::Kill => self.kill(world.machines, &[any]),
            Fault::KillLeader => {
                let leader = leader();
                self.kill(world.machines, &[leader]);
            }
            Fault::KillMany => {
                let some = self.some(&running);
                self.kill(world.machines, &some);
            }
            Fault::KillAll => self.kill(world.machines, &running),
            Fault::Pause => self.pause(world.machines, any),
            Fault::PauseLeader => {
                let leader = leader();
                self.pause(world.machines, leader);
            }
            Fault::Terminate => {
                if world
                    .machines
                    .get(any)
                    .is_some_and(|machine| !machine.paused && !machine.frozen && !machine.disk_fails)
                {
                    self.tell(format!("n{any} is told to end"));
                    world.machines.terminate(any);
                    self.later(Undo::Launch(any));
                }
            }
            Fault::PowerOne => self.cut_power(world.machines, &[any])?,
            Fault::PowerMany => {
                let some = self.some(&running);
                self.cut_power(world.machines, &some)?;
            }
            // What a daemon wrote that has been killed since may be lost with it, too.
            Fault::PowerAll => {
                let all = world.machines.all();
                self.cut_power(world.machines, &all)?;
            }
            Fault::DiskHangs => {
                if let Some(machine) = world.machines.get(any).filter(|machine| !machine.frozen && !machine.disk_fails)
                {
                    machine.freeze()?;
                    self.tell(format!("the disk of n{any} hangs"));
                    self.later(Undo::Thaw(any));
                }
            }
            Fault::DiskGone => {
                if let Some(machine) = world.machines.get(any).filter(|machine| !machine.frozen && !machine.disk_fails)
                {
                    machine.disk_fails_now();
                    let cut = machine.disk.as_ref().map_or(Ok(()), crate::disk::Disk::cut_power);
                    cut.map_err(|error| format!("the disk of n{any} cannot be cut off: {error}"))?;
                    self.tell(format!("the disk of n{any} is gone"));
                    self.later(Undo::Restore(any));
                }
            }
            Fault::DiskFull => {
                let room = self.chance.number(ROOM_BYTES);
                if let Some(machine) = world.machines.get(any).filter(|machine| !machine.frozen && !machine.disk_fails)
                {
                    machine.disk_fails_now();
                    let filled = machine.disk.as_ref().map_or(Ok(()), |disk| disk.fill(room));
                    filled.map_err(|error| format!("the disk of n{any} cannot be filled: {error}"))?;
                    self.tell(format!("the disk of n{any} is full but for {room} bytes"));
                    self.later(Undo::MakeRoom(any));
                }
            }
            Fault::DisksLow => {
                let works = |number: &Number| {
                    world.machines.get(*number).is_some_and(|machine| !machine.frozen && !machine.disk_fails)
                };
                let some: Vec<_> = self.some(&running).into_iter().filter(works).collect();
                let room = self.chance.number(LITTLE_ROOM_BYTES);
                for number in &some {
                    let disk = world.machines.get(*number).and_then(|machine| machine.disk.as_ref());
                    let filled = disk.map_or(Ok(()), |disk| disk.fill(room));
                    filled.map_err(|error| format!("the disk of n{number} cannot be filled: {error}"))?;
                }
                // Nobody is excused for it: the nodes have to see it coming.
                self.tell(format!("the disks of {} fill up but for {room} bytes", named(&some)));
                self.later(Undo::MakeMoreRoom(some));
            }
            Fault::Lose => self.lose(world, any)?,
            Fault::HandOver => {
                self.tell("the leader is asked that another leads".to_owned());
                world.watch.hand_over();
            }
            Fault::StartTwice => {
                if world.machines.get(any).is_some_and(|machine| !machine.frozen && !machine.disk_fails) {
                    self.tell(format!("a second daemon is started on the folder of n{any}"));
                    world.machines.start_twice(any);
                }
            }
            fault => {
                let leader = if fault == Fault::IsolateLeader { leader() } else { any };
                self.strike_network(fault, world, leader);
            }
        }
        Ok(())
    }

    /// One at least, all at most.
    fn some(&self, of: &[Number]) -> Vec<Number> {
        let count = self.chance.number(1..of.len() as u64 + 1);
        self.chance.shuffled(of).into_iter().take(usize::try_from(count).unwrap_or(1)).collect()
    }

    fn kill(&mut self, machines: &mut Machines, numbers: &[Number]) {
        self.tell(format!("kill -9 of {}", named(numbers)));
        for number in numbers {
            machines.kill(*number);
            self.later(Undo::Launch(*number));
        }
    }

    fn pause(&mut self, machines: &mut Machines, number: Number) {
        self.tell(format!("n{number} stands still"));
        machines.pause(number, true);
        self.later(Undo::Continue(number));
    }

    fn cut_power(&mut self, machines: &mut Machines, numbers: &[Number]) -> Result<(), String> {
        self.tell(format!("power fails on {}", named(numbers)));
        machines.cut_power(numbers)?;
        for number in numbers {
            self.later(Undo::Launch(*number));
        }
        Ok(())
    }

    /// A machine is lost for good, and a new one takes its place: only while all the others are well, since a majority must be left that
    /// has what was stored.
    fn lose(&mut self, world: &mut World<'_>, number: Number) -> Result<(), String> {
        let all_run = world.machines.all() == world.machines.running() && self.due.is_empty();
        let is_well = world.watch.status().is_some_and(|status| {
            status.voters >= 3 && status.can_lose >= 1 && status.reachable_voters == status.voters
        });
        let Some(port) = world.machines.port(number).filter(|_| all_run && is_well) else { return Ok(()) };
        world.machines.lose(number);
        let new = world.machines.add(port)?;
        self.tell(format!("n{number} is lost with all that was on it, and n{new} is put in its place"));
        world.watch.remove(format!("n{number}"), REMOVED_WITHIN);
        Ok(())
    }

    fn strike_device(&mut self, fault: Fault, devices: &mut [Device]) {
        let running: Vec<_> = (0..devices.len()).filter(|at| devices[*at].is_running()).collect();
        let Some(at) = self.chance.pick(&running) else { return };
        let name = devices[at].name();
        if fault == Fault::KillDevice {
            self.tell(format!("kill -9 of the client on {name}"));
            devices[at].kill();
            self.later(Undo::LaunchDevice(at));
        } else {
            self.tell(format!("the client on {name} stands still"));
            devices[at].pause(true);
            self.later(Undo::ContinueDevice(at));
        }
    }

    fn strike_network(&mut self, fault: Fault, world: &World<'_>, number: Number) {
        let all = world.machines.all();
        let ports = |numbers: &[Number]| -> BTreeSet<Port> {
            numbers.iter().filter_map(|number| world.machines.port(*number)).collect()
        };
        let Some(port) = world.machines.port(number) else { return };
        let order = self.chance.shuffled(&all);
        let (half, other_half) = order.split_at(order.len() / 2);
        let Some(other) = self.chance.pick(&without(&all, number)) else { return };
        let part = |one: &BTreeSet<Port>, other: &BTreeSet<Port>| {
            let apart =
                |from, to| (one.contains(&from) && other.contains(&to)) || (other.contains(&from) && one.contains(&to));
            world.switch.change(apart, |way| way.cut = true);
        };
        match fault {
            Fault::Isolate | Fault::IsolateLeader | Fault::Flap => {
                self.tell(format!("n{number} is cut off from the other nodes"));
                part(&ports(&[number]), &ports(&without(&all, number)));
                // Some clients are on its side.
                if self.chance.one_in(2) {
                    world
                        .switch
                        .change(|from, to| from.max(to) > all.len() && from.min(to) == port, |way| way.cut = true);
                }
                if fault == Fault::Flap {
                    for _ in 0..3 {
                        self.later(Undo::Heal);
                    }
                }
            }
            Fault::Halves => {
                self.tell(format!("{} and {} no longer hear each other", named(half), named(other_half)));
                part(&ports(half), &ports(other_half));
            }
            Fault::Bridge => {
                let others = without(&order, number);
                let (half, other_half) = others.split_at(others.len() / 2);
                self.tell(format!("{} and {} hear only n{number}", named(half), named(other_half)));
                part(&ports(half), &ports(other_half));
            }
            Fault::OneWay => {
                self.tell(format!("n{other} no longer hears n{number}"));
                let deaf = world.machines.port(other);
                world.switch.change(|from, to| from == port && Some(to) == deaf, |way| way.cut = true);
            }
            Fault::Slow => {
                let most = self.chance.number(20..400);
                self.tell(format!("what n{number} says takes up to {most} ms longer"));
                world.switch.change(|from, _| from == port, |way| way.later_ms = Some((most / 4, most)));
                self.later(Undo::CalmWays);
                return;
            }
            _ => {
                let (lost, twice) = (self.chance.number(5..100), self.chance.number(5..100));
                self.tell(format!("one frame in {lost} is lost and one in {twice} comes twice, everywhere"));
                let change = |way: &mut Way| (way.lost_one_in, way.twice_one_in) = (Some(lost), Some(twice));
                world.switch.change(|_, _| true, change);
                self.later(Undo::CalmWays);
                return;
            }
        }
        self.later(Undo::Heal);
    }

    fn undo(&mut self, undo: Undo, world: &mut World<'_>) -> Result<(), String> {
        let machines = &mut *world.machines;
        match undo {
            Undo::Launch(number) => machines.launch(number)?,
            Undo::LaunchDevice(at) => world.devices[at].launch(),
            Undo::Continue(number) => machines.pause(number, false),
            Undo::ContinueDevice(at) => world.devices[at].pause(false),
            Undo::Thaw(number) => {
                if let Some(machine) = machines.get(number) {
                    machine.thaw();
                }
            }
            Undo::Restore(number) => {
                // Its power may have failed meanwhile, and the disk is there again since then.
                if machines.get(number).is_some_and(|machine| machine.disk_fails) {
                    machines.kill(number);
                    machines.restore(number)?;
                }
                machines.launch(number)?;
            }
            Undo::MakeRoom(number) => {
                machines.bury();
                if let Some(machine) = machines.get(number) {
                    machine.disk_works();
                    // What fills it was not synced: a power cut may have made room already.
                    let _ = machine.disk.as_ref().map(crate::disk::Disk::empty);
                }
                machines.launch(number)?;
            }
            Undo::MakeMoreRoom(numbers) => {
                for number in numbers {
                    let Some(machine) = machines.get(number) else { continue };
                    // A disk that hangs since then would have this wait for ever, too.
                    machine.thaw();
                    // As above; and a machine may be lost with its disk.
                    let _ = machine.disk.as_ref().map(crate::disk::Disk::empty);
                }
            }
            Undo::Heal => world.switch.change(|_, _| true, |way| way.cut = false),
            Undo::CalmWays => world.switch.change(|_, _| true, |way| *way = Way { cut: way.cut, ..Way::default() }),
        }
        Ok(())
    }
}

/// Whoever leads, as far as anybody knows.
fn leader(watch: &Watch) -> Option<Number> {
    watch.leader()?.strip_prefix('n')?.parse().ok()
}

fn without(all: &[Number], one: Number) -> Vec<Number> {
    all.iter().copied().filter(|number| *number != one).collect()
}

fn named(numbers: &[Number]) -> String {
    let names: Vec<_> = numbers.iter().map(|number| format!("n{number}")).collect();
    names.join(", ")
}
