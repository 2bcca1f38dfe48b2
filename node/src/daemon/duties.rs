//! What a member does all the time, whoever leads: shows its view, reports its listeners, remembers
//! where the others are, and looks whether it may stay.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{info, warn};
use wire::Code;
use wire::blocking::beside_the_runtime;
use wire::hello::Identity;

use super::DaemonError;
use super::host::Seat;
use super::leading;
use super::node::Run;
use super::quarantine;
use crate::formation::{PEERS, save};
use crate::net::health;
use crate::net::member::{Member, Report};
use crate::net::rendezvous::Encounter;

/// How often a node reports who listens at it.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// How often addresses are written down, at most.
const REMEMBER_EVERY: Duration = Duration::from_secs(5);

/// Starts all of it, as tasks of the node's.
pub(super) fn start(
    run: &Arc<Run>,
    seat: &Arc<Seat>,
    reported: mpsc::Receiver<Report>,
    encounters: mpsc::Receiver<Encounter>,
) {
    let member = &seat.member;
    run.spawn(health::keep(Arc::clone(member)));
    run.spawn(health::keep_measuring(Arc::clone(member)));
    run.spawn(report(Arc::clone(seat)));
    run.spawn(tell_leaders(Arc::clone(member)));
    run.spawn(remember(Arc::clone(run)));
    run.spawn(heed_refusals(Arc::clone(run), encounters));
    run.spawn(watch_over(Arc::clone(run), Arc::clone(seat)));
    run.spawn(leading::greet(Arc::clone(member)));
    run.spawn(leading::steer(Arc::clone(member), run.parts.timing));
    run.spawn(leading::compare_states(Arc::clone(member), run.parts.timing));
    run.spawn(leading::keep_presence(Arc::clone(member), reported, run.parts.timing));
}

/// Tells the leader who listens here. One that leaves two reports unanswered is held to be out of reach, so
/// that clients are told.
async fn report(seat: Arc<Seat>) {
    let mut unanswered = 0;
    let mut due = tokio::time::interval(REPORT_EVERY);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let sessions = seat.api.listening.sessions();
        match seat.member.report(sessions, REPORT_EVERY).await {
            Ok(()) => unanswered = 0,
            Err(leader) => {
                unanswered += 1;
                if unanswered >= 2 {
                    seat.member.net().hang_up(leader);
                }
            }
        }
    }
}

/// One line at each change of leader.
async fn tell_leaders(member: Arc<Member>) {
    let mut states = member.raft().watch();
    let mut told = None;
    loop {
        let (leader, term) = {
            let state = states.borrow_and_update();
            (state.leader, state.term)
        };
        if leader != told {
            match leader {
                Some(leader) => info!(term, "{} leads", member.name_of(leader).unwrap_or_else(|| leader.to_string())),
                None => info!(term, "nobody leads"),
            }
            told = leader;
        }
        if states.changed().await.is_err() {
            return;
        }
    }
}

/// Writes down where the others are, for the next start.
async fn remember(run: Arc<Run>) {
    let mut written = None;
    loop {
        let book = run.net.address_book();
        if written.as_ref() != Some(&book) {
            let (records, page) = (Arc::clone(&run.parts.records), book.clone());
            match beside_the_runtime(move || save(&*records, PEERS, &page)).await {
                Ok(Ok(())) => written = Some(book),
                Ok(Err(error)) => warn!("cannot remember where other nodes are: {error}"),
                Err(_) => return,
            }
        }
        tokio::time::sleep(REMEMBER_EVERY).await;
    }
}

/// A node that was removed while it was away hears of it from those that stayed.
async fn heed_refusals(run: Arc<Run>, mut encounters: mpsc::Receiver<Encounter>) {
    while let Some(encounter) = encounters.recv().await {
        if let Encounter::Refused { refusal, .. } = encounter
            && refusal.code == Code::NotAMember
        {
            run.end(DaemonError::not_a_member(refusal.message));
        }
    }
}

/// Ends the node when its storage or its Raft fails, or when it was removed.
async fn watch_over(run: Arc<Run>, seat: Arc<Seat>) {
    let fatal = seat.member.raft().fatal();
    let damaged = seat.api.damaged();
    let found_damaged = seat.member.app().damaged();
    let unreadable = seat.member.damaged();
    tokio::pin!(fatal, damaged, found_damaged, unreadable);
    let mut applied = seat.member.app().applied();
    loop {
        tokio::select! {
            reason = &mut fatal => return match seat.member.raft().store_failure() {
                Some(error) => quarantine::end(run, error).await,
                None => run.end(DaemonError::damaged(reason)),
            },
            error = &mut damaged => return quarantine::end(run, error).await,
            error = &mut unreadable => return quarantine::end(run, error).await,
            error = &mut found_damaged => return quarantine::end(run, error).await,
            () = tokio::time::sleep(run.parts.timing.look) => {}
        }
        // The roster changes with what is applied, and only then.
        if applied.has_changed().unwrap_or(false) {
            applied.mark_unchanged();
            if let Some(refusal) = seat.member.removal() {
                return run.end(DaemonError::not_a_member(refusal.message));
            }
            take_name(&seat.member);
        }
    }
}

/// Whoever was admitted has the name that the log gave it, which may not be the one it came with.
fn take_name(member: &Member) {
    let (name, identity) = (member.name(), member.net().identity());
    if identity.name != name {
        member.net().become_known_as(Identity { name, ..Identity::clone(&identity) });
    }
}
