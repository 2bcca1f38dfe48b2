//! The rules of formation as tables and stories, without a network.

use std::collections::{BTreeMap, BTreeSet};

use wire::peer::{Candidate, FoundingRecord, Incarnation, PeerAnswer, Standing, StoreId};
use wire::{Code, PeerId, Refusal};

use super::founding::{Draft, name_founders};
use super::kept::{Membership, Promise};
use super::rules::step;
use super::state::{Action, AnswerId, Event, Me, State};

const ASKED: AnswerId = AnswerId(1);

fn peer(number: u8) -> PeerId {
    PeerId([number; 32])
}

fn me(number: u8, expect: u32) -> Me {
    Me {
        peer: peer(number),
        store: StoreId([number; 16]),
        name: "n1".into(),
        name_chosen: false,
        expect,
        operator_key: Some([9; 32]),
    }
}

fn fresh(number: u8, expect: u32) -> State {
    woken(number, expect, None)
}

fn woken(number: u8, expect: u32, promise: Option<FoundingRecord>) -> State {
    let draft = Draft { incarnation: Incarnation([number; 16]), opaque_setup: vec![number] };
    State::new(me(number, expect), draft, Promise { given: promise, ..Promise::default() })
}

fn candidate(number: u8, expect: u32, standing: Standing) -> Candidate {
    let me = me(number, expect);
    Candidate {
        peer: me.peer,
        store: me.store,
        name: me.name,
        name_chosen: me.name_chosen,
        expect,
        addresses: Vec::new(),
        standing,
        operator_key: me.operator_key,
        knows: Vec::new(),
    }
}

fn met(number: u8) -> Event {
    Event::Met(candidate(number, 3, Standing::Fresh))
}

fn heard(number: u8) -> Event {
    Event::Heard(candidate(number, 3, Standing::Fresh))
}

/// What node 1 would propose with these others.
fn record(numbers: &[u8]) -> FoundingRecord {
    let mut proposer = fresh(numbers[0], u32::try_from(numbers.len()).unwrap());
    let expect = u32::try_from(numbers.len()).unwrap();
    for number in &numbers[1..] {
        step(&mut proposer, Event::Met(candidate(*number, expect, Standing::Fresh)));
    }
    promised(&step(&mut proposer, Event::Tick)).expect("the lowest of all proposes").clone()
}

fn promised(actions: &[Action]) -> Option<&FoundingRecord> {
    actions.iter().find_map(|action| match action {
        Action::WritePromise(promise) => promise.given.as_ref(),
        _ => None,
    })
}

fn membership(actions: &[Action]) -> Option<&Membership> {
    actions.iter().find_map(|action| match action {
        Action::WriteMembership(membership) => Some(membership),
        _ => None,
    })
}

fn answer(actions: &[Action]) -> Option<&PeerAnswer> {
    actions.iter().find_map(|action| match action {
        Action::Answer(_, answer) => Some(answer),
        _ => None,
    })
}

fn said(actions: &[Action]) -> Vec<&str> {
    let said = actions.iter().filter_map(|action| match action {
        Action::Say(sentence) => Some(sentence.as_str()),
        _ => None,
    });
    said.collect()
}

fn refused_with(actions: &[Action], code: Code) -> bool {
    matches!(answer(actions), Some(PeerAnswer::Refused(refusal)) if refusal.code == code)
}

fn asked(from: u8, record: &FoundingRecord) -> Event {
    Event::PromiseAsked { from: peer(from), record: record.clone(), answer: ASKED }
}

#[test]
fn a_cluster_of_one_is_founded_at_once() {
    let actions = step(&mut fresh(1, 1), Event::Tick);
    assert_eq!(membership(&actions).unwrap().node_id, 1);
    assert!(matches!(actions[0], Action::WritePromise(_)), "even alone, the promise comes first");
}

#[test]
fn the_lowest_proposes_once_it_has_met_enough() {
    let mut lowest = fresh(1, 3);
    step(&mut lowest, met(3));
    assert_eq!(promised(&step(&mut lowest, Event::Tick)), None);
    step(&mut lowest, heard(2));
    assert_eq!(promised(&step(&mut lowest, Event::Tick)), None, "2 may not have heard of us");
    step(&mut lowest, met(2));
    let actions = step(&mut lowest, Event::Tick);
    let record = promised(&actions).unwrap();
    let founders: Vec<_> = record.founders.iter().map(|founder| (founder.node_id, founder.peer)).collect();
    assert_eq!(founders, [(1, peer(1)), (2, peer(2)), (3, peer(3))]);
    assert!(matches!(actions[0], Action::WritePromise(_)), "it asks only for what it has given itself");
    let asks: Vec<_> = actions[1..].iter().map(|action| matches!(action, Action::AskPromise { .. })).collect();
    assert_eq!(asks, [true, true]);
}

#[test]
fn nobody_else_proposes() {
    for (number, others) in [(2, [1, 3]), (3, [1, 2])] {
        let mut state = fresh(number, 3);
        for other in others {
            step(&mut state, met(other));
        }
        assert_eq!(promised(&step(&mut state, Event::Tick)), None);
    }
}

#[test]
fn of_six_the_three_lowest_found() {
    let mut first = fresh(1, 3);
    for event in [heard(6), heard(5), met(2), met(3)] {
        step(&mut first, event);
    }
    let actions = step(&mut first, Event::Tick);
    let founders: Vec<_> = promised(&actions).unwrap().founders.iter().map(|founder| founder.peer).collect();
    assert_eq!(founders, [peer(1), peer(2), peer(3)]);
}

#[test]
fn a_promise_is_on_the_disk_before_it_is_given() {
    let actions = step(&mut fresh(2, 3), asked(1, &record(&[1, 2, 3])));
    let promise = Promise { given: Some(record(&[1, 2, 3])), ..Promise::default() };
    let wanted = [Action::WritePromise(promise), Action::Answer(ASKED, PeerAnswer::Done)];
    assert_eq!(actions, wanted, "in this order");
}

#[test]
fn a_node_is_bound_by_one_promise() {
    let (first, second) = (record(&[1, 2, 3]), record(&[2, 3, 4]));
    let mut state = fresh(3, 3);
    step(&mut state, asked(1, &first));
    let again = step(&mut state, asked(2, &first));
    assert_eq!(answer(&again), Some(&PeerAnswer::Done), "the same record, whoever asks");
    let mut state = woken(3, 3, Some(first.clone()));
    let other = step(&mut state, asked(2, &second));
    let refused = Promise { given: Some(first), refused: [second.incarnation].into() };
    assert_eq!(other[0], Action::WritePromise(refused), "that it never will is on the disk first");
    assert!(refused_with(&other, Code::MembershipRefused));
}

#[test]
fn what_was_refused_is_never_promised() {
    let record = record(&[1, 2, 3]);
    let mut state = fresh(2, 3);
    let elsewhere = Standing::Member { node_id: 1, incarnation: Incarnation([7; 16]) };
    step(&mut state, Event::Met(candidate(9, 3, elsewhere)));
    assert!(refused_with(&step(&mut state, asked(1, &record)), Code::MembershipRefused));
    step(&mut state, Event::Lost(peer(9)));
    assert!(refused_with(&step(&mut state, asked(1, &record)), Code::MembershipRefused));
    let promise = Promise { given: None, refused: [record.incarnation].into() };
    let draft = Draft { incarnation: Incarnation([2; 16]), opaque_setup: Vec::new() };
    let mut woken = State::new(me(2, 3), draft, promise);
    assert!(refused_with(&step(&mut woken, asked(1, &record)), Code::MembershipRefused), "nor in another life");
}

#[test]
fn a_record_that_leaves_out_a_lower_candidate_is_refused() {
    let mut state = fresh(4, 3);
    step(&mut state, heard(2));
    assert!(refused_with(&step(&mut state, asked(3, &record(&[3, 4, 5]))), Code::MembershipRefused));
}

#[test]
fn a_dead_record_sets_its_founders_free() {
    let mut proposer = fresh(1, 3);
    step(&mut proposer, met(2));
    step(&mut proposer, met(3));
    let first = promised(&step(&mut proposer, Event::Tick)).unwrap().clone();
    let passing = Event::PromiseRefused { by: peer(2), incarnation: first.incarnation, for_ever: false };
    assert_eq!(step(&mut proposer, passing), [], "that will pass");
    let refused = Event::PromiseRefused { by: peer(2), incarnation: first.incarnation, for_ever: true };
    let actions = step(&mut proposer, refused.clone());
    assert_eq!(actions[0], Action::WritePromise(Promise { given: None, refused: [first.incarnation].into() }));
    let second = promised(&step(&mut proposer, Event::Tick)).unwrap().clone();
    assert_ne!(first.incarnation, second.incarnation);
    assert_eq!(step(&mut proposer, refused), [], "a late word of the first does not touch the second");
    let late = Event::PromiseGiven { by: peer(2), incarnation: first.incarnation };
    step(&mut proposer, late);
    let given = Event::PromiseGiven { by: peer(3), incarnation: second.incarnation };
    assert_eq!(membership(&step(&mut proposer, given)), None, "2 has not promised the second");
}

#[test]
fn a_founder_that_joined_another_cluster_sets_the_others_free() {
    let mut state = woken(2, 3, Some(record(&[1, 2, 3])));
    let elsewhere = Standing::Member { node_id: 1, incarnation: Incarnation([7; 16]) };
    let actions = step(&mut state, Event::Met(candidate(1, 3, elsewhere)));
    assert_eq!(promised(&actions), None);
    assert_eq!(state.standing(), Standing::Fresh);
    assert_eq!(step(&mut state, Event::Tick), [Action::AskAdmission { via: peer(1) }]);
}

#[test]
fn a_record_that_is_not_sound_is_never_promised() {
    let good = record(&[1, 2, 3]);
    let mut unsound = vec![record(&[1, 3, 4]), record(&[1, 2])];
    let mut change = |change: &dyn Fn(&mut FoundingRecord)| {
        let mut bad = good.clone();
        change(&mut bad);
        unsound.push(bad);
    };
    change(&|record| record.founders.swap(0, 1));
    change(&|record| record.founders[1].store = StoreId([7; 16]));
    change(&|record| record.founders[2].node_id = 2);
    change(&|record| record.founders[2].name = record.founders[0].name.clone());
    for record in unsound {
        let actions = step(&mut fresh(2, 3), asked(1, &record));
        assert!(refused_with(&actions, Code::MembershipRefused), "{record:?}");
        assert_eq!(promised(&actions), None);
    }
    let stranger = step(&mut fresh(2, 3), asked(9, &good));
    assert!(refused_with(&stranger, Code::MembershipRefused), "only a founder asks");
}

#[test]
fn all_have_to_promise_before_anyone_founds() {
    let mut proposer = fresh(1, 3);
    step(&mut proposer, met(2));
    step(&mut proposer, met(3));
    let incarnation = promised(&step(&mut proposer, Event::Tick)).unwrap().incarnation;
    assert_eq!(membership(&step(&mut proposer, Event::PromiseGiven { by: peer(2), incarnation })), None);
    let actions = step(&mut proposer, Event::PromiseGiven { by: peer(3), incarnation });
    assert_eq!(membership(&actions).unwrap().node_id, 1);
    let told: Vec<_> = actions.iter().filter(|action| matches!(action, Action::TellFound { .. })).collect();
    assert_eq!(told.len(), 2);
}

#[test]
fn whoever_has_promised_carries_the_record_on() {
    let record = record(&[1, 2, 3]);
    let mut state = woken(2, 3, Some(record.clone()));
    let actions = step(&mut state, Event::Tick);
    let asks = [1, 3].map(|of| Action::AskPromise { of: peer(of), record: record.clone() });
    assert_eq!(actions, asks);
    step(&mut state, Event::Met(candidate(1, 3, Standing::Promised(record.clone()))));
    let given = Event::PromiseGiven { by: peer(3), incarnation: record.incarnation };
    let actions = step(&mut state, given);
    assert_eq!(membership(&actions), Some(&Membership { node_id: 2, founding: record }));
}

#[test]
fn whoever_sees_its_record_founded_founds_as_well() {
    let record = record(&[1, 2, 3]);
    let mut state = woken(3, 3, Some(record.clone()));
    let founded = Standing::Member { node_id: 1, incarnation: record.incarnation };
    let actions = step(&mut state, Event::Met(candidate(1, 3, founded)));
    assert_eq!(membership(&actions).unwrap().node_id, 3);
}

#[test]
fn nobody_founds_what_it_has_not_promised() {
    let told = Event::FoundTold { record: record(&[1, 2, 3]), answer: ASKED };
    let actions = step(&mut fresh(2, 3), told.clone());
    assert!(refused_with(&actions, Code::MembershipRefused));
    assert_eq!(membership(&actions), None);
    let actions = step(&mut woken(2, 3, Some(record(&[1, 2, 3]))), told);
    assert_eq!(membership(&actions).unwrap().node_id, 2);
    assert_eq!(answer(&actions), Some(&PeerAnswer::Done));
}

#[test]
fn nodes_that_expect_other_numbers_do_not_found_together_and_say_so_once() {
    let mut state = fresh(1, 3);
    step(&mut state, met(2));
    let other = Event::Met(candidate(3, 5, Standing::Fresh));
    let actions = step(&mut state, other.clone());
    assert_eq!(promised(&step(&mut state, Event::Tick)), None);
    assert!(said(&actions)[0].contains("expects 5"), "{actions:?}");
    assert_eq!(said(&step(&mut state, other)), [""; 0]);
}

#[test]
fn a_node_that_sees_a_cluster_asks_to_be_admitted() {
    let mut state = fresh(1, 3);
    step(&mut state, met(2));
    let member = Standing::Member { node_id: 4, incarnation: Incarnation([7; 16]) };
    step(&mut state, Event::Met(candidate(8, 3, member.clone())));
    step(&mut state, Event::Met(candidate(9, 3, member)));
    step(&mut state, met(3));
    assert_eq!(step(&mut state, Event::Tick), [Action::AskAdmission { via: peer(8) }]);
    assert_eq!(step(&mut state, Event::Tick), [Action::AskAdmission { via: peer(9) }], "another one next time");
    let founding = record(&[2, 8, 9]);
    let actions = step(&mut state, Event::Admitted { node_id: 40, founding: founding.clone() });
    assert_eq!(actions, [Action::WriteMembership(Membership { node_id: 40, founding })]);
}

#[test]
fn a_promise_holds_whatever_else_is_offered() {
    let mut state = woken(2, 3, Some(record(&[1, 2, 3])));
    let actions = step(&mut state, Event::Admitted { node_id: 40, founding: record(&[7, 8, 9]) });
    assert_eq!(membership(&actions), None);
}

#[test]
fn a_removed_node_stops_and_a_busy_cluster_is_asked_again() {
    let refused = |code| Event::AdmissionRefused { by: peer(8), refusal: Refusal::new(code, "no") };
    assert!(matches!(step(&mut fresh(1, 3), refused(Code::NotAMember))[..], [Action::Stop(_)]));
    assert!(matches!(step(&mut fresh(1, 3), refused(Code::NoQuorum))[..], [Action::Say(_)]));
}

#[test]
fn only_whoever_knows_the_operators_key_makes_a_record() {
    let without = |number| {
        let mut candidate = candidate(number, 3, Standing::Fresh);
        candidate.operator_key = None;
        Event::Met(candidate)
    };
    let mut mine = me(1, 3);
    mine.operator_key = None;
    let draft = Draft { incarnation: Incarnation([1; 16]), opaque_setup: Vec::new() };
    let mut state = State::new(mine, draft, Promise::default());
    step(&mut state, without(2));
    step(&mut state, without(3));
    assert_eq!(promised(&step(&mut state, Event::Tick)), None);
    step(&mut state, met(3));
    let actions = step(&mut state, Event::Tick);
    assert_eq!(promised(&actions).unwrap().operator_key, [9; 32], "another founder knows it");
}

#[test]
fn chosen_names_are_kept_and_default_ones_do_not_clash() {
    let named = |number, name: &str, chosen| {
        let mut candidate = candidate(number, 3, Standing::Fresh);
        (candidate.name, candidate.name_chosen) = (name.to_owned(), chosen);
        candidate
    };
    type Given = &'static [(&'static str, bool)];
    let table: &[(Given, &[&str])] = &[
        (&[("n1", false), ("n1", false), ("n1", false)], &["n1", "n2", "n3"]),
        (&[("n3", false), ("n1", false), ("n2", false)], &["n3", "n1", "n2"]),
        (&[("n1", false), ("n1", true), ("ada", true)], &["n2", "n1", "ada"]),
        (&[("n2", false), ("N1", true), ("n1", false)], &["n2", "N1", "n3"]),
        (&[("ada", true), ("ada", true)], &["ada", "ada-1"]),
    ];
    for (given, wanted) in table {
        let candidates: Vec<_> =
            (1..).zip(*given).map(|(number, (name, chosen))| named(number, name, *chosen)).collect();
        assert_eq!(name_founders(&candidates.iter().collect::<Vec<_>>()), *wanted, "{given:?}");
    }
}

/// A network of states: what they say arrives in an order that a seed chooses, and some never does.
struct World {
    nodes: BTreeMap<u8, State>,
    under_way: Vec<(u8, Event)>,
    /// Who asked what, by the id of the answer.
    questions: Vec<(u8, Incarnation)>,
    disks: BTreeMap<u8, Promise>,
    members: BTreeMap<u8, Membership>,
    seed: u64,
}

impl World {
    fn new(count: u8, seed: u64) -> Self {
        let nodes = (1..=count).map(|number| (number, fresh(number, 3))).collect();
        let (disks, members) = (BTreeMap::new(), BTreeMap::new());
        Self { nodes, under_way: Vec::new(), questions: Vec::new(), disks, members, seed }
    }

    fn chance(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.seed >> 33).unwrap() % below
    }

    fn any_node(&mut self) -> u8 {
        u8::try_from(self.chance(self.nodes.len())).unwrap() + 1
    }

    /// An introduction arrives; its answer is under way.
    fn introduce(&mut self, from: u8, to: u8) {
        let told = candidate(from, 3, self.nodes[&from].standing());
        self.handle(to, Event::Heard(told));
        let answer = candidate(to, 3, self.nodes[&to].standing());
        self.under_way.push((from, Event::Met(answer)));
    }

    /// The process dies and starts again with what is on its disk.
    fn crash(&mut self, node: u8) {
        if !self.members.contains_key(&node) {
            let incarnation = Incarnation([u8::try_from(self.chance(256)).unwrap(); 16]);
            let draft = Draft { incarnation, opaque_setup: vec![node] };
            let promise = self.disks.get(&node).cloned().unwrap_or_default();
            self.nodes.insert(node, State::new(me(node, 3), draft, promise));
            self.under_way.retain(|(to, _)| *to != node);
        }
    }

    fn handle(&mut self, node: u8, event: Event) {
        for action in step(self.nodes.get_mut(&node).unwrap(), event) {
            match action {
                Action::WritePromise(promise) => {
                    self.disks.insert(node, promise);
                }
                Action::WriteMembership(membership) => {
                    self.members.insert(node, membership);
                }
                Action::AskPromise { of, record } => {
                    let answer = AnswerId(self.questions.len() as u64);
                    self.questions.push((node, record.incarnation));
                    self.under_way.push((of.0[0], Event::PromiseAsked { from: peer(node), record, answer }));
                }
                Action::Answer(AnswerId(question), answer) => self.answered(node, question, &answer),
                Action::AskAdmission { via } => self.admit(node, via.0[0]),
                Action::TellFound { .. } | Action::Say(_) => {}
                Action::Stop(refusal) => panic!("{node} stopped: {refusal}"),
            }
        }
    }

    fn answered(&mut self, by: u8, question: u64, answer: &PeerAnswer) {
        let (asker, incarnation) = self.questions[usize::try_from(question).unwrap()];
        let by = peer(by);
        let event = match answer {
            PeerAnswer::Done => Event::PromiseGiven { by, incarnation },
            _ => Event::PromiseRefused { by, incarnation, for_ever: true },
        };
        self.under_way.push((asker, event));
    }

    fn admit(&mut self, node: u8, via: u8) {
        if let Some(member) = self.members.get(&via).cloned() {
            let node_id = 100 + u64::from(node);
            self.under_way.push((node, Event::Admitted { node_id, founding: member.founding }));
        }
    }

    fn run(&mut self, steps: u32, crashes: bool) {
        for _ in 0..steps {
            match self.chance(20) {
                0..4 => {
                    let (from, to) = (self.any_node(), self.any_node());
                    if from != to {
                        self.introduce(from, to);
                    }
                }
                4..8 => {
                    let node = self.any_node();
                    self.handle(node, Event::Tick);
                }
                8 if crashes => {
                    let node = self.any_node();
                    self.crash(node);
                }
                _ if self.under_way.is_empty() => {}
                _ => {
                    let at = self.chance(self.under_way.len());
                    let (node, event) = self.under_way.swap_remove(at);
                    self.handle(node, event);
                }
            }
        }
    }

    fn founded(&self) -> BTreeSet<Incarnation> {
        self.members.values().map(|member| member.founding.incarnation).collect()
    }
}

#[test]
fn six_nodes_end_up_in_one_cluster_in_whatever_order_they_meet() {
    for seed in 0..100 {
        let mut world = World::new(6, seed);
        world.run(6_000, false);
        assert_eq!(world.founded().len(), 1, "seed {seed}: {:?}", world.members);
        assert_eq!(world.members.len(), 6, "seed {seed}");
        let founders = world.members.values().filter(|member| member.is_founder()).count();
        assert_eq!(founders, 3, "seed {seed}");
    }
}

#[test]
fn crashes_in_between_neither_stop_nor_split_it() {
    for seed in 0..100 {
        let mut world = World::new(5, seed);
        world.run(3_000, true);
        world.run(6_000, false);
        assert_eq!(world.founded().len(), 1, "seed {seed}: {:?}", world.members);
        assert_eq!(world.members.len(), 5, "seed {seed}");
    }
}
