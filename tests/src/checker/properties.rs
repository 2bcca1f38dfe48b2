//! Random runs of a chat that is right are found clean, and each of them with one thing spoiled is not.

mod model;
mod spoil;

use proptest::prelude::*;

use super::second_opinion::second_opinion;
use super::town::{Town, message};
use super::{Limits, check};
use crate::history::Account;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_run_that_is_right_is_clean(script in model::script()) {
        let events = model::run(&script);
        let report = check(&events, &Limits::default());
        prop_assert!(report.is_clean(), "{report}");
        let verdict = second_opinion(&events).expect("it is well formed");
        prop_assert_eq!(verdict.contradictions, vec![]);
    }

    #[test]
    fn a_run_with_one_thing_spoiled_is_not_clean(script in model::script(), spoiler in 0..spoil::SPOILERS.len(), pick in any::<usize>()) {
        let mut events = model::run(&script);
        let (name, spoil) = spoil::SPOILERS[spoiler];
        prop_assume!(spoil(&mut events, pick).is_some());
        let report = check(&events, &Limits::default());
        prop_assert!(!report.is_clean(), "nothing is found after: {}", name);
    }
}

/// Or a spoiler that never finds anything to spoil would look like one that is always found out.
#[test]
fn every_spoiler_is_found_out_in_a_long_run() {
    let steps = (0u32..600).map(|step| step.wrapping_mul(2_654_435_761));
    let script: Vec<_> =
        steps.map(|hash| ((hash >> 8) as u8 % 12, (hash >> 16) as usize % 4, (hash >> 24) as u8)).collect();
    for (name, spoil) in spoil::SPOILERS {
        let mut events = model::run(&script);
        assert!(check(&events, &Limits::default()).is_clean());
        assert!(spoil(&mut events, script.len()).is_some(), "nothing to spoil: {name}");
        assert!(!check(&events, &Limits::default()).is_clean(), "nothing is found after: {name}");
        if name.contains("stale") {
            let verdict = second_opinion(&events).expect("it is well formed");
            assert!(!verdict.contradictions.is_empty(), "{verdict}");
        }
    }
}

/// Or a whole night could be recorded and never judged.
#[test]
fn a_hundred_thousand_messages_of_fifty_devices_are_judged() {
    const DEVICES: u64 = 50;
    let mut town = Town::new();
    let mut held = Vec::new();
    let mut streams: Vec<_> =
        (0..DEVICES).map(|one| (town.follow(&format!("device {one}"), one + 1), one + 1)).collect();
    for round in 0..100_000 / DEVICES {
        let sends: Vec<_> = (0..DEVICES)
            .map(|one| {
                let (from, to): (Account, Account) = (one + 1, (one + 1 + round % 7) % DEVICES + 1);
                let message = message(&format!("m{}", round * DEVICES + one), from, to, 10 + round * DEVICES + one);
                (town.send(&message.id, from, to).pending(), message)
            })
            .collect();
        for (op, message) in sends {
            town.stored(op, (message.from, message.to), message.cursor);
            for (stream, _) in streams.iter().filter(|(_, account)| [message.from, message.to].contains(account)) {
                town.saw(*stream, &message);
            }
            held.push(message);
        }
        if round % 100 == 0 {
            let account = round / 100 % DEVICES + 1;
            streams.retain(|(_, one)| *one != account);
            streams.push((town.follow(&format!("device {}", account - 1), account), account));
        }
    }
    town.held(&held).is_clean();
}
