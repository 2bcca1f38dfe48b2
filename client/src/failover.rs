//! Whom to be connected to, and when to try whom: one live link, and a warm second one to a different node, which
//! takes over the moment that the live one is lost.
//!
//! [`step`] is a plain function of what is known and what happened; it neither connects nor reads a clock, and what it wants
//! done it says in [`Action`]s. The time in milliseconds and the chance for jitter are passed in. The rim that does it all is `reach`.

use std::collections::BTreeMap;

use wire::{Address, PeerId};

/// How many attempts may be under way at once while there is no link. A dead candidate holds one of these for some
/// seconds; with as many as this the live ones still get their turn in time.
pub(crate) const DIALS_MAX: usize = 16;

/// How many attempts may be under way at once for the warm link alone: nobody waits for it.
const WARM_DIALS_MAX: usize = 2;

/// How long after the live link the warm one is looked for, so that a short command costs one connection.
const WARM_AFTER_MS: u64 = 500;

/// The pause after a first failure; it doubles with each, up to the longest. Up to half of it again is added by chance.
const PAUSE_MIN_MS: u64 = 200;
const PAUSE_MAX_MS: u64 = 2_000;

/// The pause after a refusal: a stranger does not become a friend within seconds, but may be taken in.
const REFUSED_PAUSE_MS: u64 = 15_000;

/// How long a node that could not commit, that is behind, or that said it leaves, is not preferred.
const SHUN_MS: u64 = 3_000;

/// How long a node counts as one that can commit after it said so. Where one leader has fallen silent all nodes cannot for a moment, and
/// to flee to the silent one would be to wait until it is given up.
const VOUCHED_MS: u64 = 300;

/// A link that was made; the numbers are the rim's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkId(pub(crate) u64);

/// Somewhere to try.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Candidate {
    /// This node, wherever the address book says it may be.
    Node(PeerId),
    /// Whoever answers there.
    At(Address),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// These are all the candidates there are now.
    Known(Vec<Candidate>),
    Connected {
        candidate: Candidate,
        peer: PeerId,
        link: LinkId,
    },
    Failed {
        candidate: Candidate,
    },
    /// Somebody is there, but not for us: another cluster's node, for one.
    Refused {
        candidate: Candidate,
    },
    Lost {
        link: LinkId,
    },
    /// The node says that it is about to stop.
    Leaving {
        link: LinkId,
    },
    /// The node could not commit.
    Unwritable {
        link: LinkId,
    },
    /// The node could.
    Writable {
        link: LinkId,
    },
    /// The node does not know yet what the others do.
    Behind {
        link: LinkId,
    },
    /// The time asked for by `WakeAt` has come.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Dial(Candidate),
    /// This link is the live one from here on.
    GoLive(LinkId),
    /// There is no live link.
    Search,
    /// Nobody needs this link.
    Close(LinkId),
    /// Ask the node whether it can commit; what it says, or that it says nothing, is to be told.
    Ask(LinkId),
    /// Send a `Tick` then, unless something happens before.
    WakeAt(u64),
}

/// What is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    candidates: BTreeMap<Candidate, Standing>,
    live: Option<Held>,
    warm: Option<Held>,
    /// The warm link, while its node is asked whether it can commit.
    asked: Option<LinkId>,
    live_since_ms: u64,
    /// Until when a node is not preferred.
    shunned: BTreeMap<PeerId, u64>,
}

/// How it went with a candidate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Standing {
    dialling: bool,
    failures: u32,
    retry_at_ms: u64,
    /// Who answered, last time.
    peer: Option<PeerId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    link: LinkId,
    peer: PeerId,
    /// When the node last said that it can commit; a new link is trusted.
    vouched_at_ms: u64,
}

impl State {
    /// The link that takes over if the live one is lost.
    pub(crate) fn warm(&self) -> Option<LinkId> {
        self.warm.map(|held| held.link)
    }

    /// The link in use.
    pub(crate) fn live(&self) -> Option<LinkId> {
        self.live.map(|held| held.link)
    }

    fn holds(&self, peer: PeerId) -> bool {
        [self.live, self.warm].into_iter().flatten().any(|held| held.peer == peer)
    }

    fn is_shunned(&self, peer: PeerId, now_ms: u64) -> bool {
        self.shunned.get(&peer).is_some_and(|until| *until > now_ms)
    }

    fn peer_of(&self, link: LinkId) -> Option<PeerId> {
        [self.live, self.warm].into_iter().flatten().find(|held| held.link == link).map(|held| held.peer)
    }
}

/// What follows from an event.
pub(crate) fn step(state: State, event: Event, now_ms: u64, chance: u64) -> (State, Vec<Action>) {
    let was_live = state.live();
    let mut next = state;
    let mut actions = Vec::new();
    take_in(&mut next, event, now_ms, chance, &mut actions);
    choose_live(&mut next, now_ms, &mut actions);
    if next.live() != was_live {
        next.live_since_ms = now_ms;
        actions.push(next.live().map_or(Action::Search, Action::GoLive));
    }
    dial(&mut next, now_ms, chance, &mut actions);
    actions.extend(wake_at(&next, now_ms).map(Action::WakeAt));
    (next, actions)
}

fn take_in(state: &mut State, event: Event, now_ms: u64, chance: u64, actions: &mut Vec<Action>) {
    match event {
        Event::Known(candidates) => know(state, candidates),
        Event::Connected { candidate, peer, link } => {
            connected(state, candidate, Held { link, peer, vouched_at_ms: now_ms }, now_ms, actions);
        }
        Event::Failed { candidate } => put_off(state, &candidate, |failures| now_ms + pause_ms(failures, chance)),
        Event::Refused { candidate } => put_off(state, &candidate, |_| now_ms + REFUSED_PAUSE_MS),
        Event::Lost { link } => lost(state, link, now_ms, chance),
        Event::Leaving { link } => {
            shun(state, link, now_ms);
            release_warm(state, link, actions);
        }
        Event::Unwritable { link } => {
            state.asked.take_if(|asked| *asked == link);
            shun(state, link, now_ms);
        }
        Event::Writable { link } => {
            state.asked.take_if(|asked| *asked == link);
            if let Some(peer) = state.peer_of(link) {
                state.shunned.remove(&peer);
            }
            for held in [&mut state.live, &mut state.warm].into_iter().flatten().filter(|held| held.link == link) {
                held.vouched_at_ms = now_ms;
            }
        }
        Event::Behind { link } => shun(state, link, now_ms),
        Event::Tick => state.shunned.retain(|_, until| *until > now_ms),
    }
}

/// Attempts under way go on although their candidate is no longer known; their end is then of no interest.
fn know(state: &mut State, candidates: Vec<Candidate>) {
    let mut before = std::mem::take(&mut state.candidates);
    for candidate in candidates {
        let standing = before.remove(&candidate).unwrap_or_default();
        state.candidates.insert(candidate, standing);
    }
    before.retain(|_, standing| standing.dialling);
    state.candidates.append(&mut before);
}

fn connected(state: &mut State, candidate: Candidate, held: Held, now_ms: u64, actions: &mut Vec<Action>) {
    let standing = state.candidates.entry(candidate).or_default();
    *standing = Standing { peer: Some(held.peer), ..Standing::default() };
    if state.holds(held.peer) {
        actions.push(Action::Close(held.link));
        return;
    }
    match (state.live, state.warm) {
        (None, _) => state.live = Some(held),
        (Some(_), None) => state.warm = Some(held),
        (Some(live), Some(warm)) if [live, warm].iter().all(|old| state.is_shunned(old.peer, now_ms)) => {
            state.warm = Some(held);
            actions.push(Action::Close(warm.link));
        }
        (Some(_), Some(_)) => actions.push(Action::Close(held.link)),
    }
}

fn put_off(state: &mut State, candidate: &Candidate, until_ms: impl Fn(u32) -> u64) {
    if let Some(standing) = state.candidates.get_mut(candidate) {
        standing.dialling = false;
        standing.failures = standing.failures.saturating_add(1);
        standing.retry_at_ms = until_ms(standing.failures);
    }
}

fn pause_ms(failures: u32, chance: u64) -> u64 {
    let doubled = PAUSE_MIN_MS << failures.saturating_sub(1).min(10);
    let pause = doubled.min(PAUSE_MAX_MS);
    pause + chance % (pause / 2)
}

fn lost(state: &mut State, link: LinkId, now_ms: u64, chance: u64) {
    let Some(peer) = state.peer_of(link) else { return };
    if state.live() == Some(link) {
        state.live = None;
    } else {
        state.warm = None;
    }
    let alone = state.live.is_none() && state.warm.is_none();
    for (candidate, standing) in &mut state.candidates {
        if *candidate == Candidate::Node(peer) || standing.peer == Some(peer) {
            standing.failures = standing.failures.saturating_add(1);
            standing.retry_at_ms = now_ms + pause_ms(standing.failures, chance);
        } else if alone {
            // Whoever failed a while ago may be all that is left.
            standing.retry_at_ms = now_ms;
        }
    }
}

fn shun(state: &mut State, link: LinkId, now_ms: u64) {
    if let Some(peer) = state.peer_of(link) {
        state.shunned.insert(peer, now_ms + SHUN_MS);
    }
}

/// A node that leaves is no reserve.
fn release_warm(state: &mut State, link: LinkId, actions: &mut Vec<Action>) {
    if state.warm() == Some(link) {
        state.warm = None;
        actions.push(Action::Close(link));
    }
}

/// The warm link steps in for a live one that is lost, and for one that is shunned if its own node says that it can commit; two that are
/// shunned make room for another.
fn choose_live(state: &mut State, now_ms: u64, actions: &mut Vec<Action>) {
    if state.live.is_none() {
        state.live = state.warm.take();
    }
    let (Some(live), Some(warm)) = (state.live, state.warm) else { return };
    if !state.is_shunned(live.peer, now_ms) {
        return;
    }
    if !state.is_shunned(warm.peer, now_ms) {
        if now_ms <= warm.vouched_at_ms + VOUCHED_MS {
            (state.live, state.warm) = (Some(warm), Some(live));
        } else if state.asked != Some(warm.link) {
            state.asked = Some(warm.link);
            actions.push(Action::Ask(warm.link));
        }
    } else if due(state, now_ms, 0).next().is_some() {
        state.warm = None;
        actions.push(Action::Close(warm.link));
    }
}

fn dial(state: &mut State, now_ms: u64, chance: u64, actions: &mut Vec<Action>) {
    let under_way = state.candidates.values().filter(|standing| standing.dialling).count();
    let free = dials_wanted(state, now_ms).saturating_sub(under_way);
    let chosen: Vec<Candidate> = due(state, now_ms, chance).take(free).collect();
    for candidate in chosen {
        if let Some(standing) = state.candidates.get_mut(&candidate) {
            standing.dialling = true;
        }
        actions.push(Action::Dial(candidate));
    }
}

fn dials_wanted(state: &State, now_ms: u64) -> usize {
    match (state.live, state.warm) {
        (None, _) => DIALS_MAX,
        (Some(live), None) if now_ms >= state.live_since_ms + WARM_AFTER_MS || state.is_shunned(live.peer, now_ms) => {
            WARM_DIALS_MAX
        }
        _ => 0,
    }
}

/// Whom to try now: those that failed least first, chance deciding among equals so that not all clients go to
/// one node. While there is a link, a shunned node is not worth a second one.
fn due(state: &State, now_ms: u64, chance: u64) -> impl Iterator<Item = Candidate> {
    let mut ready: Vec<(u32, u64, &Candidate)> = state
        .candidates
        .iter()
        .filter(|(candidate, standing)| can_try(state, candidate, standing, now_ms))
        .filter(|(_, standing)| standing.retry_at_ms <= now_ms)
        .zip(0u32..)
        .map(|((candidate, standing), place)| (standing.failures, chance.rotate_left(place * 7) % 1_009, candidate))
        .collect();
    ready.sort_unstable();
    ready.into_iter().map(|(.., candidate)| candidate.clone()).collect::<Vec<_>>().into_iter()
}

fn can_try(state: &State, candidate: &Candidate, standing: &Standing, now_ms: u64) -> bool {
    let peer = match candidate {
        Candidate::Node(peer) => Some(*peer),
        Candidate::At(_) => standing.peer,
    };
    let spare = peer.is_none_or(|peer| !state.holds(peer));
    let welcome = state.live.is_none() || peer.is_none_or(|peer| !state.is_shunned(peer, now_ms));
    !standing.dialling && spare && welcome
}

/// When there is something to do again, if nothing happens before.
fn wake_at(state: &State, now_ms: u64) -> Option<u64> {
    if state.live.is_some() && state.warm.is_some() {
        return None;
    }
    let warm_at = state.live.map(|_| state.live_since_ms + WARM_AFTER_MS);
    let retry_at = state
        .candidates
        .values()
        .filter(|standing| !standing.dialling && !standing.peer.is_some_and(|peer| state.holds(peer)))
        .map(|standing| standing.retry_at_ms)
        .chain(state.shunned.values().copied());
    warm_at.into_iter().chain(retry_at).filter(|at| *at > now_ms).min()
}

#[cfg(test)]
mod tests;
