//! Which moments are tried, and what is left in each: all that a seed draws.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use tests::disk::{Kind, Left, Recording};

use crate::scenario::STARTED_AGAIN;

/// Between the states of two seeds.
const SEED_STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

/// A moment at which the power fails everywhere, and what it leaves.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) number: u64,
    /// All that was noted before this has been done.
    pub(crate) point: u64,
    /// For each folder, in the order in which they are made.
    pub(crate) left: Vec<Left>,
    /// For the rest.
    pub(crate) chance: u64,
}

/// The moments of a recording that are looked at more often than others.
pub(crate) struct Moments {
    end: u64,
    /// Where names change, folders are synced, and files are cut, by which name it is: one that changes twice is as interesting as one
    /// that does all the time.
    names: BTreeMap<String, Vec<u64>>,
    /// Where each chapter begins, and its name.
    chapters: Vec<(u64, String)>,
    /// Where messages were acknowledged first after a daemon that was killed had been started again: that may rest on what it found, and
    /// the next sync makes good whatever was wrong with it.
    acknowledged_again: Vec<u64>,
}

/// So many of them after each start.
const ACKNOWLEDGED_AGAIN: usize = 4;

impl Moments {
    pub(crate) fn of(recording: &Recording) -> Self {
        let is_write = |kind| matches!(kind, Kind::Write | Kind::WriteSynced | Kind::Sync);
        let mut names: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for op in recording.ops.iter().filter(|op| !is_write(op.head.kind)) {
            let path = op.path();
            let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
            names.entry(name).or_default().push(op.head.stamp);
        }
        let chapter = |said: &tests::disk::Said| Some((said.stamp, said.line.strip_prefix("chapter ")?.to_owned()));
        let chapters = recording.said.iter().filter_map(chapter).collect();
        let starts = recording.said.iter().enumerate().filter(|(_, said)| said.line == STARTED_AGAIN);
        let acknowledged_after = |(at, _): (usize, &tests::disk::Said)| {
            let later = recording.said[at..].iter().filter(|said| said.line.starts_with("stored "));
            later.map(|said| said.stamp + 1).take(ACKNOWLEDGED_AGAIN).collect::<Vec<_>>()
        };
        let acknowledged_again = starts.flat_map(acknowledged_after).collect();
        Self { end: recording.end(), names, chapters, acknowledged_again }
    }

    /// What was going on.
    pub(crate) fn chapter(&self, point: u64) -> &str {
        let begun = self.chapters.iter().rev().find(|(from, _)| *from < point);
        begun.map_or("before anything", |(_, name)| name)
    }

    /// The state of this number.
    pub(crate) fn draw(&self, seed: u64, number: u64) -> State {
        let mut chance = StdRng::seed_from_u64(seed.wrapping_mul(SEED_STRIDE) ^ number);
        let point = match chance.gen_range(0..10) {
            0..4 => {
                let which = chance.gen_range(0..self.names.len().max(1));
                let stamps = self.names.values().nth(which).map_or(&[][..], Vec::as_slice);
                let name = stamps.choose(&mut chance).copied().unwrap_or(0);
                (name + chance.gen_range(0..4)).min(self.end)
            }
            4..8 => {
                let chapter = chance.gen_range(0..self.chapters.len().max(1));
                let begin = self.chapters.get(chapter).map_or(0, |(from, _)| *from);
                let end = self.chapters.get(chapter + 1).map_or(self.end, |(from, _)| *from);
                chance.gen_range(begin..=end)
            }
            8 if !self.acknowledged_again.is_empty() => {
                self.acknowledged_again.choose(&mut chance).copied().unwrap_or(self.end)
            }
            _ => chance.gen_range(0..=self.end),
        };
        let one = left(&mut chance);
        let alike = chance.gen_bool(0.5);
        let left = (0..16).map(|_| if alike { one } else { left(&mut chance) }).collect();
        State { number, point, left, chance: chance.r#gen() }
    }
}

fn left(chance: &mut StdRng) -> Left {
    match chance.gen_range(0..8) {
        0 => Left::Nothing,
        1 => Left::Everything,
        2 => Left::Oldest,
        3 => Left::Newest,
        4 => Left::Sectors(10),
        5 => Left::Sectors(50),
        6 => Left::Sectors(90),
        _ => Left::Pages(50),
    }
}
