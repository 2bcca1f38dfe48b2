//! Which nodes vote: decided on the leader, one change at a time, as a pure function of what it sees.
//!
//! Voters stay odd: a fourth voter makes a cluster no safer, and its majority larger. Nodes are taken
//! on in pairs (1 → 3 → 5) once they have caught up and been well for a while; a voter that has been
//! dead for long is replaced by a learner in one joint change; nothing here ever goes below three by
//! itself. A removed node leaves Raft's members, whatever that does to the number.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::RosterNode;
use crate::raft::{NodeId, Peer};

/// When the autopilot acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A learner further behind than this many entries is not promoted.
    pub lag_max: u64,
    /// How long a learner has to have been well before it is promoted.
    pub well_ms: u64,
    /// How long a voter has to have been dead before it is replaced.
    pub dead_ms: u64,
    /// More would make every write wait for more disks, and hardly ever survive more.
    pub voters_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { lag_max: 250, well_ms: 10_000, dead_ms: 60_000, voters_max: 5 }
    }
}

/// What the leader sees.
#[derive(Clone, Debug)]
pub struct View {
    pub me: NodeId,
    pub voters: BTreeSet<NodeId>,
    /// A change of voters was left half done.
    pub joint: bool,
    pub members: BTreeMap<NodeId, Peer>,
    pub roster: Vec<RosterNode>,
    /// How many entries each member is behind; a member that is missing has not said.
    pub lag: BTreeMap<NodeId, u64>,
    pub condition: BTreeMap<NodeId, Condition>,
    /// The members with little room on their disks.
    pub low: BTreeSet<NodeId>,
}

/// How a member is, and for how long, as the leader has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Well { for_ms: u64 },
    Dead { for_ms: u64 },
}

/// One change of Raft's members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    AddLearner(NodeId, Peer),
    /// In one joint change; whoever voted and is not in the set stays as a learner.
    SetVoters(BTreeSet<NodeId>),
    Remove(BTreeSet<NodeId>),
    /// The leader itself is removed, or has no room: another has to lead (None: whoever is most up to date).
    HandOver(Option<NodeId>),
}

/// The next change, if any is due.
pub fn decide(view: &View, limits: &Limits) -> Option<Action> {
    finish_joint(view, limits)
        .or_else(|| retire(view, limits))
        .or_else(|| enlist(view))
        .or_else(|| promote(view, limits))
        .or_else(|| replace(view, limits))
        .or_else(|| give_way(view, limits))
}

/// A change that a former leader began: nothing else can be done before it is over.
fn finish_joint(view: &View, limits: &Limits) -> Option<Action> {
    if !view.joint {
        return None;
    }
    let removed = removed_members(view);
    let staying = view.voters.difference(&removed).copied().collect();
    Some(Action::SetVoters(made_odd(view, staying, limits)))
}

/// Whoever the roster says is removed leaves Raft's members: its vote first.
fn retire(view: &View, limits: &Limits) -> Option<Action> {
    let removed = removed_members(view);
    if removed.is_empty() {
        return None;
    }
    if removed.contains(&view.me) {
        return Some(Action::HandOver(None));
    }
    let staying: BTreeSet<_> = view.voters.difference(&removed).copied().collect();
    if staying.len() == view.voters.len() {
        return Some(Action::Remove(removed));
    }
    let missing = view.voters.len() - staying.len();
    let filled = staying.into_iter().chain(ready_learners(view, limits).take(missing)).collect();
    Some(Action::SetVoters(made_odd(view, filled, limits)))
}

/// Whoever was admitted becomes a member: a learner, at first.
fn enlist(view: &View) -> Option<Action> {
    let admitted = view.roster.iter().find(|node| !node.removed && !view.members.contains_key(&node.node_id))?;
    Some(Action::AddLearner(admitted.node_id, Peer { peer: admitted.peer, store: admitted.store }))
}

fn promote(view: &View, limits: &Limits) -> Option<Action> {
    let ready: Vec<_> = ready_learners(view, limits).collect();
    let target = odd_at_most((view.voters.len() + ready.len()).min(limits.voters_max));
    let missing = target.checked_sub(view.voters.len()).filter(|missing| *missing > 0)?;
    Some(Action::SetVoters(view.voters.iter().copied().chain(ready.into_iter().take(missing)).collect()))
}

fn replace(view: &View, limits: &Limits) -> Option<Action> {
    let dead = |id: &NodeId| matches!(condition(view, *id), Condition::Dead { for_ms } if for_ms >= limits.dead_ms);
    let pairs: Vec<_> =
        view.voters.iter().copied().filter(dead).zip(ready_learners(view, limits).collect::<Vec<_>>()).collect();
    if pairs.is_empty() {
        return None;
    }
    let mut voters = view.voters.clone();
    for (dead, spare) in pairs {
        voters.remove(&dead);
        voters.insert(spare);
    }
    Some(Action::SetVoters(voters))
}

/// A leader without room could store nothing while others can.
fn give_way(view: &View, limits: &Limits) -> Option<Action> {
    let may_lead = |id: &&NodeId| {
        let well = matches!(condition(view, **id), Condition::Well { .. });
        let caught_up = view.lag.get(*id).is_some_and(|lag| *lag <= limits.lag_max);
        well && caught_up && !view.low.contains(*id)
    };
    let to = view.voters.iter().filter(|id| **id != view.me).find(may_lead).filter(|_| view.low.contains(&view.me))?;
    Some(Action::HandOver(Some(*to)))
}

/// Learners that may be given a vote, the oldest first.
fn ready_learners<'a>(view: &'a View, limits: &'a Limits) -> impl Iterator<Item = NodeId> + 'a {
    let learners = view.members.keys().copied().filter(|id| !view.voters.contains(id));
    let removed = removed_members(view);
    learners.filter(move |id| {
        let well = matches!(condition(view, *id), Condition::Well { for_ms } if for_ms >= limits.well_ms);
        let caught_up = view.lag.get(id).is_some_and(|lag| *lag <= limits.lag_max);
        well && caught_up && !removed.contains(id) && !view.low.contains(id)
    })
}

/// A member that nothing is known of yet is neither well nor dead for any time.
fn condition(view: &View, id: NodeId) -> Condition {
    view.condition.get(&id).copied().unwrap_or(Condition::Dead { for_ms: 0 })
}

fn removed_members(view: &View) -> BTreeSet<NodeId> {
    let removed = view.roster.iter().filter(|node| node.removed).map(|node| node.node_id);
    removed.filter(|id| view.members.contains_key(id)).collect()
}

/// Leaves out one of an even number above two, the dead before the living, never the leader. Of two
/// voters both stay: one alone would keep no second copy.
fn made_odd(view: &View, mut voters: BTreeSet<NodeId>, limits: &Limits) -> BTreeSet<NodeId> {
    while voters.len() > limits.voters_max || (voters.len() > 2 && voters.len().is_multiple_of(2)) {
        let alive = |id: &NodeId| matches!(condition(view, *id), Condition::Well { .. });
        let others = voters.iter().copied().filter(|id| *id != view.me);
        let Some(spared) = others.min_by_key(|id| (alive(id), std::cmp::Reverse(*id))) else { break };
        voters.remove(&spared);
    }
    voters
}

fn odd_at_most(number: usize) -> usize {
    if number.is_multiple_of(2) { number.saturating_sub(1) } else { number }
}

/// How long each member has been as it is. Only the leader looks, so it starts anew with each leader.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    since: BTreeMap<NodeId, (bool, u64)>,
}

impl Conditions {
    /// Takes in who answered just now, and forgets who is no member any more.
    pub fn observe(&mut self, now_ms: u64, answered: &BTreeMap<NodeId, bool>) {
        self.since.retain(|id, _| answered.contains_key(id));
        for (id, well) in answered {
            let entry = self.since.entry(*id).or_insert((*well, now_ms));
            if entry.0 != *well {
                *entry = (*well, now_ms);
            }
        }
    }

    /// How everyone is, and for how long.
    pub fn at(&self, now_ms: u64) -> BTreeMap<NodeId, Condition> {
        let for_how_long = |(id, (well, since)): (&NodeId, &(bool, u64))| {
            let for_ms = now_ms.saturating_sub(*since);
            (*id, if *well { Condition::Well { for_ms } } else { Condition::Dead { for_ms } })
        };
        self.since.iter().map(for_how_long).collect()
    }
}

#[cfg(test)]
mod tests {
    use wire::PeerId;
    use wire::peer::StoreId;

    use super::*;

    const WELL: Condition = Condition::Well { for_ms: 10_000 };
    const DEAD: Condition = Condition::Dead { for_ms: 60_000 };

    fn peer(id: NodeId) -> Peer {
        let byte = u8::try_from(id).unwrap();
        Peer { peer: PeerId([byte; 32]), store: StoreId([byte; 16]) }
    }

    fn set(ids: &[NodeId]) -> BTreeSet<NodeId> {
        ids.iter().copied().collect()
    }

    /// A cluster that node 1 leads, with nobody behind and everyone well.
    fn cluster(voters: &[NodeId], learners: &[NodeId]) -> View {
        let ids: Vec<_> = voters.iter().chain(learners).copied().collect();
        View {
            me: 1,
            voters: set(voters),
            joint: false,
            members: ids.iter().map(|id| (*id, peer(*id))).collect(),
            roster: ids.iter().map(|id| node(*id)).collect(),
            lag: ids.iter().map(|id| (*id, 0)).collect(),
            condition: ids.iter().map(|id| (*id, WELL)).collect(),
            low: BTreeSet::new(),
        }
    }

    fn node(id: NodeId) -> RosterNode {
        let Peer { peer, store } = peer(id);
        RosterNode { node_id: id, peer, store, name: format!("n{id}"), removed: false }
    }

    fn remove(view: &mut View, id: NodeId) {
        view.roster.iter_mut().find(|node| node.node_id == id).unwrap().removed = true;
    }

    fn decided(view: &View) -> Option<Action> {
        decide(view, &Limits::default())
    }

    #[test]
    fn voters_stay_odd_as_nodes_come() {
        type Ids = &'static [NodeId];
        let table: &[(Ids, Ids, Option<Ids>)] = &[
            (&[1], &[], None),
            (&[1], &[2], None),
            (&[1], &[2, 3], Some(&[1, 2, 3])),
            (&[1], &[2, 3, 4], Some(&[1, 2, 3])),
            (&[1, 2], &[3], Some(&[1, 2, 3])),
            (&[1, 2, 3], &[], None),
            (&[1, 2, 3], &[4], None),
            (&[1, 2, 3], &[4, 5], Some(&[1, 2, 3, 4, 5])),
            (&[1, 2, 3], &[4, 5, 6], Some(&[1, 2, 3, 4, 5])),
            (&[1, 2, 3, 4, 5], &[6, 7], None),
        ];
        for (voters, learners, wanted) in table {
            let action = decided(&cluster(voters, learners));
            assert_eq!(action, wanted.map(|ids| Action::SetVoters(set(ids))), "{voters:?} and {learners:?}");
        }
    }

    #[test]
    fn a_learner_gets_no_vote_before_it_has_caught_up_and_been_well_for_a_while() {
        for (lag, condition) in [
            (Some(251), WELL),
            (None, WELL),
            (Some(0), Condition::Well { for_ms: 9_999 }),
            (Some(0), Condition::Dead { for_ms: 0 }),
        ] {
            let mut view = cluster(&[1, 2, 3], &[4, 5]);
            view.condition.insert(5, condition);
            view.lag.remove(&5);
            view.lag.extend(lag.map(|lag| (5, lag)));
            assert_eq!(decided(&view), None, "{lag:?} {condition:?}");
        }
    }

    #[test]
    fn a_voter_that_stays_dead_is_replaced_in_one_change() {
        let mut view = cluster(&[1, 2, 3], &[4]);
        view.condition.insert(3, Condition::Dead { for_ms: 59_999 });
        assert_eq!(decided(&view), None, "it may come back");
        view.condition.insert(3, DEAD);
        assert_eq!(decided(&view), Some(Action::SetVoters(set(&[1, 2, 4]))));
    }

    #[test]
    fn without_a_spare_nobody_loses_the_vote() {
        let mut view = cluster(&[1, 2, 3, 4, 5], &[]);
        view.condition.insert(4, DEAD);
        view.condition.insert(5, DEAD);
        assert_eq!(decided(&view), None);
        let mut view = cluster(&[1, 2, 3], &[]);
        view.condition.insert(3, DEAD);
        assert_eq!(decided(&view), None);
    }

    #[test]
    fn a_change_left_half_done_is_finished_before_anything_else() {
        let mut view = cluster(&[1, 2, 3, 4], &[5]);
        view.joint = true;
        view.condition.insert(2, DEAD);
        assert_eq!(decided(&view), Some(Action::SetVoters(set(&[1, 3, 4]))));
    }

    #[test]
    fn whoever_was_admitted_becomes_a_learner() {
        let mut view = cluster(&[1, 2, 3], &[]);
        view.roster.push(node(20));
        assert_eq!(decided(&view), Some(Action::AddLearner(20, peer(20))));
    }

    #[test]
    fn a_removed_node_loses_its_vote_and_then_its_place() {
        let mut view = cluster(&[1, 2, 3], &[4]);
        remove(&mut view, 3);
        assert_eq!(decided(&view), Some(Action::SetVoters(set(&[1, 2, 4]))), "the spare takes its place");
        view.voters = set(&[1, 2, 4]);
        assert_eq!(decided(&view), Some(Action::Remove(set(&[3]))));
        view.members.remove(&3);
        assert_eq!(decided(&view), None);
    }

    #[test]
    fn a_removal_without_a_spare_leaves_an_odd_number_or_two() {
        let mut five = cluster(&[1, 2, 3, 4, 5], &[]);
        five.condition.insert(2, Condition::Dead { for_ms: 1 });
        remove(&mut five, 5);
        assert_eq!(decided(&five), Some(Action::SetVoters(set(&[1, 3, 4]))), "the dead one goes first");
        let mut three = cluster(&[1, 2, 3], &[]);
        remove(&mut three, 3);
        assert_eq!(decided(&three), Some(Action::SetVoters(set(&[1, 2]))));
    }

    #[test]
    fn a_leader_that_is_removed_hands_over() {
        let mut view = cluster(&[1, 2, 3], &[]);
        remove(&mut view, 1);
        assert_eq!(decided(&view), Some(Action::HandOver(None)));
    }

    #[test]
    fn a_leader_without_room_hands_over_to_a_voter_that_has_some() {
        let with = |low: &[NodeId]| View { low: set(low), ..cluster(&[1, 2, 3], &[4]) };
        assert_eq!(decided(&with(&[2])), None, "the leader has room");
        assert_eq!(decided(&with(&[1])), Some(Action::HandOver(Some(2))));
        assert_eq!(decided(&with(&[1, 2])), Some(Action::HandOver(Some(3))), "a learner cannot lead");
        assert_eq!(decided(&with(&[1, 2, 3])), None, "it would be no better there");
        let mut dead = with(&[1]);
        dead.condition.insert(2, Condition::Dead { for_ms: 1 });
        dead.lag.insert(3, 251);
        assert_eq!(decided(&dead), None, "neither is up to it");
    }

    #[test]
    fn a_learner_without_room_gets_no_vote() {
        let view = View { low: set(&[3]), ..cluster(&[1], &[2, 3, 4]) };
        assert_eq!(decided(&view), Some(Action::SetVoters(set(&[1, 2, 4]))));
    }

    #[test]
    fn a_removed_learner_is_never_promoted() {
        let mut view = cluster(&[1], &[2, 3]);
        remove(&mut view, 3);
        assert_eq!(decided(&view), Some(Action::Remove(set(&[3]))));
    }

    #[test]
    fn being_well_starts_anew_after_each_silence() {
        let mut conditions = Conditions::default();
        conditions.observe(0, &BTreeMap::from([(2, true), (3, false)]));
        conditions.observe(500, &BTreeMap::from([(2, true), (3, false)]));
        assert_eq!(conditions.at(700)[&2], Condition::Well { for_ms: 700 });
        assert_eq!(conditions.at(700)[&3], Condition::Dead { for_ms: 700 });
        conditions.observe(1000, &BTreeMap::from([(2, false)]));
        conditions.observe(1500, &BTreeMap::from([(2, true)]));
        assert_eq!(conditions.at(1600), BTreeMap::from([(2, Condition::Well { for_ms: 100 })]));
    }
}
