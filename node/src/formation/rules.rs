//! The rules of formation, as one function from what happens to what to do.

use std::collections::BTreeSet;

use wire::peer::{Candidate, FoundingRecord, Incarnation, PeerAnswer, Standing};
use wire::{Code, PeerId, Refusal};

use super::founding;
use super::kept::Membership;
use super::state::{Action, AnswerId, Event, Phase, State};

/// How many records a node refuses for ever; beyond it a record is neither promised nor refused, which a
/// cluster that is started with its nodes in sight of each other does not come near.
const REFUSED_MAX: usize = 1024;

/// What follows from the event.
pub fn step(state: &mut State, event: Event) -> Vec<Action> {
    match event {
        Event::Tick => on_tick(state),
        Event::Heard(candidate) => on_seen(state, candidate),
        Event::Met(candidate) => {
            state.met.insert(candidate.peer);
            on_seen(state, candidate)
        }
        Event::Lost(peer) => {
            state.seen.remove(&peer);
            state.met.remove(&peer);
            Vec::new()
        }
        Event::PromiseAsked { from, record, answer } => on_promise_asked(state, from, record, answer),
        Event::PromiseGiven { by, incarnation } => match &state.phase {
            Phase::Promised { record, .. } if record.incarnation == incarnation => on_promised(state, by),
            // Of a record that was given up meanwhile it means nothing.
            _ => Vec::new(),
        },
        Event::PromiseRefused { by, incarnation, for_ever: true } => on_refused_for_ever(state, by, incarnation),
        Event::PromiseRefused { .. } => Vec::new(),
        Event::FoundTold { record, answer } => on_found_told(state, &record, answer),
        Event::Admitted { node_id, founding } => match state.phase {
            Phase::Gathering => belong(state, Membership { node_id, founding }),
            // Promised or a member meanwhile: that came first, and holds.
            _ => Vec::new(),
        },
        Event::AdmissionRefused { by, refusal } => on_admission_refused(state, by, refusal),
    }
}

fn on_tick(state: &mut State) -> Vec<Action> {
    match &state.phase {
        Phase::Gathering => gather(state),
        Phase::Promised { record, by } => {
            let missing = record.founders.iter().filter(|founder| !by.contains(&founder.peer));
            let asks = missing.map(|founder| Action::AskPromise { of: founder.peer, record: record.clone() });
            let asks: Vec<_> = asks.collect();
            // A promise alone makes a cluster of one.
            if asks.is_empty() { found(state) } else { asks }
        }
        Phase::Belongs(_) => Vec::new(),
    }
}

fn on_seen(state: &mut State, candidate: Candidate) -> Vec<Action> {
    let peer = candidate.peer;
    let shared = shares_promise(state, &candidate);
    let mut actions = match candidate.standing {
        Standing::Fresh if candidate.expect != state.me.expect => disagreement(state, &candidate),
        _ => Vec::new(),
    };
    state.seen.insert(peer, candidate);
    actions.extend(match (&state.phase, shared) {
        (Phase::Promised { .. }, Shared::Promised) => on_promised(state, peer),
        (Phase::Promised { .. }, Shared::Founded) => found(state),
        (Phase::Promised { record, .. }, Shared::Impossible) => {
            let incarnation = record.incarnation;
            release(state, peer, incarnation)
        }
        _ => Vec::new(),
    });
    actions
}

/// What another node's standing says about the record that we have promised.
enum Shared {
    Nothing,
    Promised,
    /// It initialised, which takes the promises of all.
    Founded,
    /// One of the founders belongs to another cluster, for good.
    Impossible,
}

fn shares_promise(state: &State, candidate: &Candidate) -> Shared {
    let Phase::Promised { record, .. } = &state.phase else { return Shared::Nothing };
    let founder = record.founders.iter().any(|founder| founder.peer == candidate.peer);
    match &candidate.standing {
        Standing::Promised(theirs) if theirs == record => Shared::Promised,
        Standing::Member { incarnation, .. } if *incarnation == record.incarnation => Shared::Founded,
        Standing::Member { .. } if founder => Shared::Impossible,
        _ => Shared::Nothing,
    }
}

fn disagreement(state: &mut State, other: &Candidate) -> Vec<Action> {
    let (theirs, ours) = (other.expect, state.me.expect);
    let known = state.seen.get(&other.peer).is_some_and(|before| before.expect == theirs);
    if known {
        return Vec::new();
    }
    let sentence = format!(
        "{} ({}) expects {theirs} founding nodes and this node {ours}: they do not found a cluster together",
        other.name, other.peer
    );
    state.say_once(sentence)
}

/// Proposes, asks for admission, or waits for more to come.
fn gather(state: &mut State) -> Vec<Action> {
    let members: Vec<PeerId> = with_standing(state, |s| matches!(s, Standing::Member { .. }));
    if !members.is_empty() {
        return ask_admission(state, &members);
    }
    if !with_standing(state, |s| matches!(s, Standing::Promised(_))).is_empty() {
        return state.say_once("other nodes are founding a cluster; this node joins it afterwards".into());
    }
    let mine = state.me_as_candidate();
    let lowest = lowest_fresh(state, &mine);
    let enough = usize::try_from(state.me.expect).is_ok_and(|expect| lowest.len() == expect);
    if !enough {
        let sentence = format!("{} of {} founding nodes have found each other", lowest.len(), state.me.expect);
        return state.say_once(sentence);
    }
    let all_met = lowest.iter().all(|other| other.peer == state.me.peer || state.met.contains(&other.peer));
    if lowest.first().map(|first| first.peer) != Some(state.me.peer) || !all_met {
        return Vec::new();
    }
    let Some(operator_key) = lowest.iter().find_map(|candidate| candidate.operator_key) else {
        return state.say_once("no founding node holds the cluster secret itself; start one that does".into());
    };
    let record = founding::record(&state.draft.numbered(state.proposed), operator_key, &lowest);
    propose(state, record)
}

/// As many as the cluster needs, the lowest first, of those who would found it with us.
fn lowest_fresh<'a>(state: &'a State, mine: &'a Candidate) -> Vec<&'a Candidate> {
    let fresh = |candidate: &&Candidate| {
        candidate.standing == Standing::Fresh && candidate.expect == state.me.expect && candidate.peer != mine.peer
    };
    let mut all: Vec<&Candidate> = state.seen.values().filter(fresh).chain([mine]).collect();
    all.sort_by_key(|candidate| candidate.peer);
    all.truncate(usize::try_from(state.me.expect).unwrap_or(usize::MAX));
    all
}

fn with_standing(state: &State, wanted: impl Fn(&Standing) -> bool) -> Vec<PeerId> {
    state.seen.values().filter(|candidate| wanted(&candidate.standing)).map(|candidate| candidate.peer).collect()
}

fn propose(state: &mut State, record: FoundingRecord) -> Vec<Action> {
    // Our own promise comes first: whoever asks others has given it.
    state.proposed += 1;
    state.phase = Phase::Promised { record, by: BTreeSet::from([state.me.peer]) };
    with(vec![Action::WritePromise(state.promise())], on_tick(state))
}

fn ask_admission(state: &mut State, members: &[PeerId]) -> Vec<Action> {
    let via = members[state.asked % members.len()];
    state.asked += 1;
    vec![Action::AskAdmission { via }]
}

fn on_promise_asked(state: &mut State, from: PeerId, record: FoundingRecord, answer: AnswerId) -> Vec<Action> {
    match &state.phase {
        Phase::Gathering if may_promise(state, from, &record) => {
            state.phase = Phase::Promised { record, by: BTreeSet::from([state.me.peer]) };
            // On the disk before the answer: a promise that a crash could undo is none.
            let actions = vec![Action::WritePromise(state.promise()), Action::Answer(answer, PeerAnswer::Done)];
            with(actions, on_promised(state, from))
        }
        Phase::Promised { record: ours, .. } if *ours == record => {
            with(vec![Action::Answer(answer, PeerAnswer::Done)], on_promised(state, from))
        }
        Phase::Belongs(membership) if membership.founding == record => {
            vec![Action::Answer(answer, PeerAnswer::Done)]
        }
        _ => refuse_for_ever(state, record.incarnation, answer),
    }
}

/// So that a record which cannot be founded is known to be dead, and those who promised it are free
/// again. That holds only if it is never promised later, hence the disk.
fn refuse_for_ever(state: &mut State, incarnation: Incarnation, answer: AnswerId) -> Vec<Action> {
    if state.refused.len() >= REFUSED_MAX && !state.refused.contains(&incarnation) {
        let full = Refusal::new(Code::Busy, "the node has refused too many founding records");
        return vec![Action::Answer(answer, PeerAnswer::Refused(full))];
    }
    let refused = Action::Answer(answer, PeerAnswer::Refused(never()));
    if state.refused.insert(incarnation) { vec![Action::WritePromise(state.promise()), refused] } else { vec![refused] }
}

/// A record is promised only if it would have been proposed here: a candidate lower than one of its
/// founders that it leaves out has to come in, and beside a founded cluster there is nothing to found.
fn may_promise(state: &State, from: PeerId, record: &FoundingRecord) -> bool {
    let founds = |peer: PeerId| record.founders.iter().any(|founder| founder.peer == peer);
    let highest = record.founders.last().map(|founder| founder.peer);
    let speaks_against = |candidate: &Candidate| match &candidate.standing {
        Standing::Member { .. } => true,
        _ => candidate.expect == state.me.expect && Some(candidate.peer) < highest && !founds(candidate.peer),
    };
    founds(from)
        && founding::is_sound(record, &state.me)
        && !state.refused.contains(&record.incarnation)
        && !state.seen.values().any(speaks_against)
}

fn never() -> Refusal {
    Refusal::new(Code::MembershipRefused, "the node will not found that cluster")
}

fn on_promised(state: &mut State, peer: PeerId) -> Vec<Action> {
    let Phase::Promised { record, by } = &mut state.phase else { return Vec::new() };
    by.insert(peer);
    if record.founders.iter().all(|founder| by.contains(&founder.peer)) { found(state) } else { Vec::new() }
}

fn on_refused_for_ever(state: &mut State, by: PeerId, incarnation: Incarnation) -> Vec<Action> {
    match &state.phase {
        Phase::Promised { record, .. } if record.incarnation == incarnation => release(state, by, incarnation),
        _ => Vec::new(),
    }
}

/// The promised record can never be founded, so the promise binds no longer: but it is never given again.
fn release(state: &mut State, by: PeerId, incarnation: Incarnation) -> Vec<Action> {
    state.refused.insert(incarnation);
    state.phase = Phase::Gathering;
    let sentence = format!("{by} does not found that cluster; looking again");
    vec![Action::WritePromise(state.promise()), Action::Say(sentence)]
}

/// All have promised: the promised record is the founding of the cluster.
fn found(state: &mut State) -> Vec<Action> {
    let Phase::Promised { record, .. } = &state.phase else { return Vec::new() };
    let record = record.clone();
    let Some(me) = record.founders.iter().find(|founder| founder.peer == state.me.peer) else {
        let sentence = "this node's promise does not name it: its key is not the one that promised";
        return vec![Action::Stop(Refusal::new(Code::Damaged, sentence))];
    };
    let others = record.founders.iter().filter(|founder| founder.peer != me.peer);
    let tell: Vec<_> = others.map(|founder| Action::TellFound { to: founder.peer, record: record.clone() }).collect();
    let node_id = me.node_id;
    with(belong(state, Membership { node_id, founding: record }), tell)
}

fn on_found_told(state: &mut State, record: &FoundingRecord, answer: AnswerId) -> Vec<Action> {
    match &state.phase {
        Phase::Promised { record: ours, .. } if ours == record => {
            with(found(state), vec![Action::Answer(answer, PeerAnswer::Done)])
        }
        Phase::Belongs(membership) if membership.founding == *record => {
            vec![Action::Answer(answer, PeerAnswer::Done)]
        }
        // Without our promise there is no such cluster.
        _ => vec![Action::Answer(answer, PeerAnswer::Refused(never()))],
    }
}

fn belong(state: &mut State, membership: Membership) -> Vec<Action> {
    if matches!(state.phase, Phase::Belongs(_)) {
        return Vec::new();
    }
    state.phase = Phase::Belongs(membership.clone());
    vec![Action::WriteMembership(membership)]
}

fn on_admission_refused(state: &mut State, by: PeerId, refusal: Refusal) -> Vec<Action> {
    match refusal.code {
        Code::NotAMember | Code::MembershipRefused => vec![Action::Stop(refusal)],
        _ => state.say_once(format!("{by} cannot admit this node yet: {refusal}")),
    }
}

fn with(mut actions: Vec<Action>, more: Vec<Action>) -> Vec<Action> {
    actions.extend(more);
    actions
}
