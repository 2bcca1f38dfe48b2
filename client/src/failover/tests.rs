//! The rules as a table: what happened, and what follows.

use super::*;

const CHANCE: u64 = 7;

fn peer(number: u8) -> PeerId {
    PeerId([number; 32])
}

fn node(number: u8) -> Candidate {
    Candidate::Node(peer(number))
}

fn connected(number: u8) -> Event {
    Event::Connected { candidate: node(number), peer: peer(number), link: LinkId(number.into()) }
}

fn lost(number: u8) -> Event {
    Event::Lost { link: LinkId(number.into()) }
}

/// Lets each event happen at its time and answers the last one's actions.
fn after(events: &[(u64, Event)]) -> (State, Vec<Action>) {
    let start = (State::default(), Vec::new());
    events.iter().fold(start, |(state, _), (at_ms, event)| step(state, event.clone(), *at_ms, CHANCE))
}

/// Three nodes, live at 1, warm at 2.
fn settled() -> Vec<(u64, Event)> {
    let all = Event::Known(vec![node(1), node(2), node(3)]);
    vec![(0, all), (1, connected(1)), (501, Event::Tick), (502, connected(2))]
}

fn and_then(more: &[(u64, Event)]) -> (State, Vec<Action>) {
    after(&[settled(), more.to_vec()].concat())
}

fn dials(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Dial(_))).count()
}

#[test]
fn all_candidates_are_tried_at_once() {
    let (_, actions) = after(&[(0, Event::Known(vec![node(1), node(2), node(3)]))]);
    assert_eq!(dials(&actions), 3);
}

#[test]
fn dials_are_bounded_and_a_failure_makes_room_for_the_next() {
    let many: Vec<Candidate> = (0..20).map(node).collect();
    let (state, actions) = after(&[(0, Event::Known(many))]);
    assert_eq!(dials(&actions), DIALS_MAX);
    let Some(Action::Dial(first)) = actions.first().cloned() else { panic!("{actions:?}") };
    let (_, actions) = step(state, Event::Failed { candidate: first.clone() }, 1, CHANCE);
    assert_eq!(dials(&actions), 1);
    assert!(!actions.contains(&Action::Dial(first)), "the one that failed waits for its turn");
}

#[test]
fn the_first_to_answer_is_live_and_the_second_is_warm() {
    let (state, actions) = after(&[(0, Event::Known(vec![node(1), node(2)])), (1, connected(2))]);
    assert!(actions.contains(&Action::GoLive(LinkId(2))));
    let (state, actions) = step(state, connected(1), 2, CHANCE);
    assert_eq!((state.live(), state.warm()), (Some(LinkId(2)), Some(LinkId(1))));
    assert_eq!(actions, vec![], "with both there is nothing left to do");
}

#[test]
fn a_third_link_and_a_second_to_the_same_node_are_closed() {
    let again = Event::Connected { candidate: node(1), peer: peer(1), link: LinkId(9) };
    for (event, link) in [(connected(3), 3), (again, 9)] {
        let (state, actions) = and_then(&[(600, event)]);
        assert_eq!(actions, vec![Action::Close(LinkId(link))]);
        assert_eq!((state.live(), state.warm()), (Some(LinkId(1)), Some(LinkId(2))));
    }
}

#[test]
fn a_short_command_costs_one_connection() {
    let one = Event::Known(vec![node(1)]);
    let (state, _) = after(&[(0, one), (1, connected(1))]);
    let (state, actions) = step(state, Event::Known(vec![node(1), node(2)]), 100, CHANCE);
    assert_eq!(actions, vec![Action::WakeAt(501)]);
    let (_, actions) = step(state, Event::Tick, 501, CHANCE);
    assert_eq!(actions, vec![Action::Dial(node(2))]);
}

#[test]
fn the_warm_link_is_live_at_once_when_the_live_one_is_lost() {
    let (state, actions) = and_then(&[(600, lost(1))]);
    assert_eq!(actions.first(), Some(&Action::GoLive(LinkId(2))));
    assert_eq!((state.live(), state.warm()), (Some(LinkId(2)), None));
}

#[test]
fn losing_the_warm_link_leaves_the_live_one_alone() {
    let (state, actions) = and_then(&[(2_000, lost(2))]);
    assert_eq!(state.live(), Some(LinkId(1)));
    assert!(!actions.iter().any(|action| matches!(action, Action::GoLive(_) | Action::Search)));
    assert!(wake_at(&state, 2_000).is_some() || dials(&actions) > 0, "another warm one is looked for");
}

#[test]
fn losing_both_searches_everywhere_without_a_pause() {
    let third_failed = Event::Failed { candidate: node(3) };
    let (_, actions) = and_then(&[(600, third_failed), (601, lost(2)), (602, lost(1))]);
    assert_eq!(actions.first(), Some(&Action::Search));
    assert!(actions.contains(&Action::Dial(node(3))), "it had failed, but may be all that is left: {actions:?}");
}

#[test]
fn a_candidate_that_fails_is_tried_again_later_and_later_up_to_a_bound() {
    let pauses: Vec<u64> = (1..=6).map(|failures| pause_ms(failures, 0)).collect();
    assert_eq!(pauses, [200, 400, 800, 1_600, 2_000, 2_000]);
    assert!((1..100).all(|chance| (200..300).contains(&pause_ms(1, chance))));
    let (state, actions) = after(&[(0, Event::Known(vec![node(1)])), (10, Event::Failed { candidate: node(1) })]);
    assert_eq!(actions, vec![Action::WakeAt(10 + pause_ms(1, CHANCE))]);
    let (_, actions) = step(state, Event::Tick, 10 + pause_ms(1, CHANCE), CHANCE);
    assert_eq!(dials(&actions), 1);
}

#[test]
fn a_node_that_cannot_commit_hands_over_to_the_warm_one() {
    let writable = Event::Writable { link: LinkId(2) };
    let (state, actions) = and_then(&[(9_000, writable), (9_001, Event::Unwritable { link: LinkId(1) })]);
    assert_eq!(actions, vec![Action::GoLive(LinkId(2))]);
    assert_eq!(state.warm(), Some(LinkId(1)));
}

#[test]
fn nobody_flees_to_a_node_that_may_have_fallen_silent() {
    let unwritable = |number| Event::Unwritable { link: LinkId(number) };
    let writable = |number| Event::Writable { link: LinkId(number) };
    let (state, actions) = and_then(&[(9_000, unwritable(1))]);
    assert_eq!(actions, vec![Action::Ask(LinkId(2))]);
    assert_eq!(state.live(), Some(LinkId(1)));
    let (_, actions) = step(state.clone(), unwritable(1), 9_010, CHANCE);
    assert_eq!(actions, vec![], "it is asked once");
    let (_, actions) = step(state.clone(), writable(2), 9_020, CHANCE);
    assert_eq!(actions, vec![Action::GoLive(LinkId(2))]);
    let (recovered, _) = step(state.clone(), writable(1), 9_020, CHANCE);
    let (recovered, _) = step(recovered, writable(2), 9_030, CHANCE);
    assert_eq!(recovered.live(), Some(LinkId(1)), "it came to itself before");
    let (state, _) = step(state, unwritable(2), 10_000, CHANCE);
    assert_eq!(state.live(), Some(LinkId(1)));
}

#[test]
fn with_no_other_node_the_one_that_cannot_commit_is_kept() {
    let known = Event::Known(vec![node(1)]);
    let (state, actions) = after(&[(0, known), (1, connected(1)), (600, Event::Unwritable { link: LinkId(1) })]);
    assert_eq!(state.live(), Some(LinkId(1)));
    assert_eq!(dials(&actions), 0);
}

#[test]
fn two_that_cannot_commit_make_room_for_a_third() {
    let unwritable = |number| Event::Unwritable { link: LinkId(number) };
    // The third may be on its way already, or be tried now.
    let under_way = and_then(&[(600, unwritable(1)), (601, unwritable(2))]);
    let failed = Event::Failed { candidate: node(3) };
    let tried_now = and_then(&[(10, failed), (600, unwritable(1)), (601, unwritable(2))]);
    assert!(tried_now.1.contains(&Action::Dial(node(3))), "{tried_now:?}");
    for (state, _) in [under_way, tried_now] {
        let (state, actions) = step(state, connected(3), 650, CHANCE);
        assert!(actions.contains(&Action::GoLive(LinkId(3))), "{actions:?}");
        assert_eq!(state.live(), Some(LinkId(3)));
    }
}

#[test]
fn a_node_that_leaves_is_left() {
    let leaving = |number| Event::Leaving { link: LinkId(number) };
    let (state, actions) = and_then(&[(600, leaving(1))]);
    assert_eq!(actions.first(), Some(&Action::GoLive(LinkId(2))));
    assert_eq!(state.live(), Some(LinkId(2)));
    let (state, actions) = and_then(&[(600, leaving(2))]);
    assert!(actions.contains(&Action::Close(LinkId(2))));
    assert_eq!(state.warm(), None);
}

#[test]
fn an_address_that_turned_out_to_be_a_node_in_use_is_not_tried_again() {
    let address: Address = "127.0.0.1:12340".parse().expect("an address");
    let at = Candidate::At(address);
    let answered = Event::Connected { candidate: at.clone(), peer: peer(1), link: LinkId(1) };
    let (_, actions) = after(&[(0, Event::Known(vec![at.clone(), node(1)])), (1, answered), (501, Event::Tick)]);
    assert!(!actions.contains(&Action::Dial(at)), "{actions:?}");
}
