//! Several faults one after the other, for what chance alone hardly ever brings about.

use std::time::Duration;

use tests::chance::Chance;
use tests::history::{Recorder, What};
use tokio::time::{Instant, sleep};

use super::{Nemesis, Undo, named, peers, without};
use crate::machines::{Machines, Number, peer};

/// How long two pairs contest for the machine between them.
const CONTESTED_FOR: Duration = Duration::from_secs(15);

/// How often it is looked whether one of them has a cluster.
const LOOK: Duration = Duration::from_millis(1);

/// Two elections, each by one half of the others together with the machine between them. Its power fails after the first, in which its
/// disk was no use. If it had voted all the same, both halves might have a leader of the same term.
#[derive(Clone, Debug)]
pub(super) struct TwoElections {
    between: Number,
    second: Vec<Number>,
    first: Vec<Number>,
    /// How far it has come.
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    First,
    Second,
    Over,
}

impl Nemesis {
    /// Begins where all is well, and nothing else is going on.
    pub(super) async fn plot_two_elections(&mut self, machines: &mut Machines) {
        let all = machines.all();
        let Some(between) = machines.leader().filter(|leader| all.contains(leader)) else { return };
        let others = self.chance.shuffled(&without(&all, between));
        if !self.due.is_empty() || machines.running() != all || others.len() < 2 || !others.len().is_multiple_of(2) {
            return;
        }
        let (first, second) = others.split_at(others.len() / 2);
        let plot = TwoElections { between, first: first.to_vec(), second: second.to_vec(), step: Step::First };
        self.plot_on(plot, machines).await;
    }

    /// The next step of it.
    pub(super) async fn plot_on(&mut self, plot: TwoElections, machines: &mut Machines) {
        let TwoElections { between, ref first, ref second, step } = plot;
        let (alone, next) = match step {
            Step::First => (second, Step::Second),
            Step::Second => (first, Step::Over),
            Step::Over => {
                machines.network.heal();
                machines.stall(between, false);
                self.plotting = false;
                return;
            }
        };
        self.plotting = true;
        let rest = machines.all().into_iter().filter(|number| !alone.contains(number)).collect::<Vec<_>>();
        machines.network.heal();
        machines.network.partition(&peers(alone), &peers(&rest));
        machines.crash(between).await;
        machines.launch(between);
        machines.stall(between, step == Step::First);
        let disk = if step == Step::First { ", on a disk that stalls" } else { "" };
        let alone = named(alone);
        self.tell(format!("power fails on machine {between}, which starts again{disk}; {alone} is cut off"));
        let at = Instant::now() + self.chance.ms(1_500..4_000);
        self.due.push((at, Undo::Plot(TwoElections { step: next, ..plot })));
    }
}

/// Five machines found a cluster of three: two pairs that do not hear each other, and one between them, which both need, at the end of a
/// slow network. As soon as one pair has a cluster its power fails, and from then on it hears the other pair only: were it to forget what
/// it promised, it might found another cluster with them.
pub(crate) async fn contest_founding(machines: &mut Machines, chance: &Chance, recorder: &Recorder) {
    let tell = |text: String| recorder.note(What::Fault { text: format!("before there is a cluster, {text}") });
    while machines.all().len() < 5 {
        machines.add();
    }
    let order = chance.shuffled(&machines.all());
    let [between, pairs @ ..] = &order[..] else { return };
    let (one, other) = pairs.split_at(pairs.len() / 2);
    machines.network.partition(&peers(one), &peers(other));
    let slowest = chance.number(20..400);
    for number in pairs {
        machines.weather.slow(peer(*number), peer(*between), Some(slowest / 4..slowest));
        machines.weather.slow(peer(*between), peer(*number), Some(slowest / 4..slowest));
    }
    tell(format!("{} and {} hear only machine {between}, up to {slowest} ms late", named(one), named(other)));
    let until = Instant::now() + CONTESTED_FOR;
    let is_in =
        |machines: &Machines, numbers: &[Number]| numbers.iter().any(|number| machines.cluster(*number).is_some());
    while !is_in(machines, pairs) && Instant::now() < until {
        sleep(LOOK).await;
    }
    if !is_in(machines, &[*between]) {
        let founders = if is_in(machines, one) { one } else { other };
        machines.network.partition(&peers(&[*between]), &peers(founders));
        tell(format!("power fails on machine {between}, which starts again and no longer hears {}", named(founders)));
        machines.crash(*between).await;
        machines.launch(*between);
        sleep(chance.ms(2_000..10_000)).await;
    }
    machines.weather.calm();
    machines.network.heal();
}
