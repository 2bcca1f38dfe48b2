//! How often passwords may be tried. Pure: the time is passed in, in milliseconds of any clock that
//! does not jump.
//!
//! An attempt counts when it begins, not when it fails: with OPAQUE the client learns from the first
//! answer whether its guess was right, and need not come back to be counted. A success forgives. The
//! same budget covers the registrations of a name, whose first answers would serve a guesser just as
//! well.
//!
//! Limits are this node's own: with five nodes a guesser has five times the attempts.

use std::collections::HashMap;

use chat::{DeviceId, NameKey};

/// Attempts that cost nothing: people mistype.
const FREE_ATTEMPTS: u32 = 5;
/// The wait after the first attempt that is one too many; it doubles with each further one.
const WAIT_FIRST_MS: u64 = 1_000;
/// The longest wait: about 300 guesses a day, and a person locked out by a stranger gets in again. A
/// device with a session is never locked out, because resuming takes no password.
const WAIT_MAX_MS: u64 = 300_000;
/// Without an attempt for this long, a subject is as good as new.
const FORGIVEN_AFTER_MS: u64 = 3_600_000;
/// How many subjects are remembered. Beyond it the one with the fewest attempts is forgotten, so that
/// a flood of made-up names does not wash away the one that is under attack.
const SUBJECTS_MAX: usize = 4096;

/// Whose attempts are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// The account of that name, whether or not there is one.
    Account(NameKey),
    /// Whoever is at the other end, whichever names it tries.
    Device(DeviceId),
}

#[derive(Clone, Copy, Debug)]
struct Attempts {
    count: u32,
    last_ms: u64,
}

impl Attempts {
    fn wait_ms(self) -> u64 {
        match self.count.checked_sub(FREE_ATTEMPTS) {
            None => 0,
            Some(excess) => WAIT_FIRST_MS.checked_shl(excess.min(32)).map_or(WAIT_MAX_MS, |ms| ms.min(WAIT_MAX_MS)),
        }
    }

    fn left_ms(self, now_ms: u64) -> u64 {
        (self.last_ms + self.wait_ms()).saturating_sub(now_ms)
    }

    fn is_forgiven(self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.last_ms) >= FORGIVEN_AFTER_MS
    }
}

/// The attempts of late.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    attempts: HashMap<Subject, Attempts>,
}

impl Limiter {
    /// Counts an attempt against every subject, or says in how many milliseconds one may be made; an
    /// attempt that is refused counts against nobody.
    pub(super) fn attempt(&mut self, subjects: &[Subject], now_ms: u64) -> Result<(), u64> {
        let left_ms = subjects.iter().map(|subject| self.left_ms(subject, now_ms)).max().unwrap_or(0);
        if left_ms > 0 {
            return Err(left_ms);
        }
        for subject in subjects {
            self.count(subject, now_ms);
        }
        Ok(())
    }

    /// The password was right: the subjects start afresh.
    pub(super) fn forgive(&mut self, subjects: &[Subject]) {
        for subject in subjects {
            self.attempts.remove(subject);
        }
    }

    fn left_ms(&self, subject: &Subject, now_ms: u64) -> u64 {
        self.attempts.get(subject).map_or(0, |attempts| attempts.left_ms(now_ms))
    }

    fn count(&mut self, subject: &Subject, now_ms: u64) {
        let before = self.attempts.get(subject).filter(|attempts| !attempts.is_forgiven(now_ms)).map_or(0, |a| a.count);
        if before == 0 {
            self.make_room(now_ms);
        }
        self.attempts.insert(subject.clone(), Attempts { count: before.saturating_add(1), last_ms: now_ms });
    }

    fn make_room(&mut self, now_ms: u64) {
        if self.attempts.len() < SUBJECTS_MAX {
            return;
        }
        self.attempts.retain(|_, attempts| !attempts.is_forgiven(now_ms));
        if self.attempts.len() < SUBJECTS_MAX {
            return;
        }
        let fewest = self.attempts.iter().min_by_key(|(_, attempts)| (attempts.count, attempts.last_ms));
        if let Some(subject) = fewest.map(|(subject, _)| subject.clone()) {
            self.attempts.remove(&subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> Subject {
        Subject::Account(NameKey::fold(name))
    }

    fn exhaust(limiter: &mut Limiter, subject: &Subject) {
        for _ in 0..FREE_ATTEMPTS {
            limiter.attempt(std::slice::from_ref(subject), 0).expect("free");
        }
    }

    #[test]
    fn a_few_attempts_are_free_and_then_the_wait_doubles() {
        let (mut limiter, bob) = (Limiter::default(), [account("bob")]);
        exhaust(&mut limiter, &bob[0]);
        assert_eq!(limiter.attempt(&bob, 0), Err(1_000));
        assert_eq!(limiter.attempt(&bob, 600), Err(400));
        assert_eq!(limiter.attempt(&bob, 1_000), Ok(()));
        assert_eq!(limiter.attempt(&bob, 1_000), Err(2_000));
    }

    #[test]
    fn the_wait_has_an_end() {
        let (mut limiter, bob) = (Limiter::default(), [account("bob")]);
        let mut now_ms = 0;
        for _ in 0..100 {
            now_ms += limiter.attempt(&bob, now_ms).err().unwrap_or(0);
        }
        assert_eq!(limiter.attempts[&bob[0]].wait_ms(), WAIT_MAX_MS);
    }

    #[test]
    fn a_success_forgives() {
        let (mut limiter, bob) = (Limiter::default(), [account("bob")]);
        exhaust(&mut limiter, &bob[0]);
        limiter.forgive(&bob);
        assert_eq!(limiter.attempt(&bob, 0), Ok(()));
    }

    #[test]
    fn an_hour_of_rest_forgives() {
        let (mut limiter, bob) = (Limiter::default(), [account("bob")]);
        exhaust(&mut limiter, &bob[0]);
        limiter.attempt(&bob, FORGIVEN_AFTER_MS).expect("rested");
        assert_eq!(limiter.attempts[&bob[0]].count, 1);
    }

    #[test]
    fn names_are_guessed_by_one_device_no_faster_than_one_name() {
        let (mut limiter, device) = (Limiter::default(), Subject::Device(DeviceId([1; 32])));
        for n in 0..FREE_ATTEMPTS {
            limiter.attempt(&[account(&n.to_string()), device.clone()], 0).expect("free");
        }
        assert_eq!(limiter.attempt(&[account("another"), device], 0), Err(1_000));
        assert_eq!(limiter.attempt(&[account("another")], 0), Ok(()), "the refused attempt counted against nobody");
    }

    #[test]
    fn a_flood_of_names_takes_no_more_memory_and_hides_no_attack() {
        let (mut limiter, bob) = (Limiter::default(), account("bob"));
        exhaust(&mut limiter, &bob);
        for n in 0..2 * SUBJECTS_MAX {
            limiter.attempt(&[account(&format!("flood{n}"))], 1).expect("a new name");
        }
        assert_eq!(limiter.attempts.len(), SUBJECTS_MAX);
        assert!(limiter.attempt(&[bob], 1).is_err());
    }
}
