//! Keeps introducing this node to every other that it has heard of, through all of its life: while it
//! looks for a cluster several times a second, and as a member now and then, so that addresses travel.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use wire::blocking::beside_the_runtime;
use wire::peer::{Candidate, PeerAnswer, PeerRequest};
use wire::secret::ClusterId;
use wire::{Address, PeerId, Refusal};

use super::runtime_files::RuntimeFolder;
use super::{AskError, Net};

/// How long an introduction may take; a peer that has not answered by then is not reached.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The longest pause before a peer that did not answer is tried again.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What came of an introduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encounter {
    Met(Candidate),
    /// It does not answer any more.
    Lost(PeerId),
    /// It answers, but wants nothing to do with this node.
    Refused {
        by: PeerId,
        refusal: Refusal,
    },
}

/// Where others are looked for.
#[derive(Debug)]
pub struct Sources {
    pub cluster: ClusterId,
    /// Addresses given by a person, without a peer.
    pub seeds: Vec<Address>,
    pub runtime: Option<RuntimeFolder>,
}

/// Introduces this node until it is dropped. An encounter that does not fit the channel is left out: the
/// next round brings it again.
pub async fn run(net: Arc<Net>, sources: Sources, pace: watch::Receiver<Duration>, met: mpsc::Sender<Encounter>) {
    let mut round = Round { net, sources, met, contacts: BTreeMap::new(), visits: JoinSet::new() };
    loop {
        let pace = *pace.borrow();
        round.look_around().await;
        round.visit_due(pace);
        let pause = tokio::time::sleep(pace);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                Some(visit) = round.visits.join_next() => if let Ok((whom, outcome)) = visit { round.note(whom, outcome, pace) },
            }
        }
    }
}

/// Whom to visit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    Peer(PeerId),
    /// Whoever answers there.
    Address(Address),
}

#[derive(Debug)]
struct Contact {
    under_way: bool,
    failures: u32,
    next: Instant,
}

type Visit = (Whom, Result<Option<Candidate>, AskError>);

struct Round {
    net: Arc<Net>,
    sources: Sources,
    met: mpsc::Sender<Encounter>,
    contacts: BTreeMap<Whom, Contact>,
    visits: JoinSet<Visit>,
}

impl Round {
    /// Takes in what the network and this machine say of who else is there.
    async fn look_around(&mut self) {
        let discovered = self.net.transport().discovered().borrow().clone();
        for (peer, addresses) in discovered {
            self.net.learn(peer, &addresses);
        }
        let Some(runtime) = self.sources.runtime.clone() else { return };
        let cluster = self.sources.cluster;
        let announced = beside_the_runtime(move || runtime.announced(cluster)).await;
        for (peer, addresses) in announced.unwrap_or_default() {
            self.net.learn(peer, &addresses);
        }
    }

    fn visit_due(&mut self, pace: Duration) {
        let now = Instant::now();
        let peers = self.net.known().into_iter().map(|(peer, _)| Whom::Peer(peer));
        let seeds = self.sources.seeds.iter().cloned().map(Whom::Address);
        for whom in peers.chain(seeds).collect::<Vec<_>>() {
            let fresh = Contact { under_way: false, failures: 0, next: now };
            let contact = self.contacts.entry(whom.clone()).or_insert(fresh);
            if contact.under_way || contact.next > now {
                continue;
            }
            contact.under_way = true;
            contact.next = now + pace;
            self.visits.spawn(visit(Arc::clone(&self.net), whom));
        }
    }

    fn note(&mut self, whom: Whom, outcome: Result<Option<Candidate>, AskError>, pace: Duration) {
        let Some(contact) = self.contacts.get_mut(&whom) else { return };
        contact.under_way = false;
        let encounter = match outcome {
            Ok(candidate) => {
                contact.failures = 0;
                candidate.map(Encounter::Met)
            }
            Err(error) => {
                contact.failures += 1;
                contact.next = Instant::now() + pause_after(contact.failures, pace);
                failed(whom, error)
            }
        };
        if let Some(encounter) = encounter {
            if let Encounter::Met(candidate) = &encounter {
                self.net.learn_from(candidate);
            }
            let _ = self.met.try_send(encounter);
        }
    }
}

fn failed(whom: Whom, error: AskError) -> Option<Encounter> {
    match (whom, error) {
        (Whom::Peer(by), AskError::Refused(refusal)) => Some(Encounter::Refused { by, refusal }),
        (Whom::Peer(peer), _) => Some(Encounter::Lost(peer)),
        (Whom::Address(_), _) => None,
    }
}

/// Doubles with each failure, from the pace to the longest pause.
fn pause_after(failures: u32, pace: Duration) -> Duration {
    pace.saturating_mul(1 << failures.min(10)).min(PAUSE_MAX.max(pace))
}

async fn visit(net: Arc<Net>, whom: Whom) -> Visit {
    let outcome = match &whom {
        Whom::Peer(peer) => introduce(&net, *peer).await.map(Some),
        // Who answered is a peer from here on, and visited as one.
        Whom::Address(address) => {
            let known = net.known().iter().any(|(peer, at)| at.contains(address) && net.reaches(*peer));
            if known { Ok(None) } else { net.call_at(address.clone()).await.map(|_| None) }
        }
    };
    (whom, outcome)
}

async fn introduce(net: &Net, peer: PeerId) -> Result<Candidate, AskError> {
    match net.ask(peer, &PeerRequest::Gather(net.candidate()), ANSWER_WITHIN).await {
        // It must be the peer itself that speaks.
        Ok(PeerAnswer::Candidate(candidate)) if candidate.peer == peer => Ok(candidate),
        Ok(PeerAnswer::Refused(refusal)) => Err(AskError::Refused(refusal)),
        Ok(_) => Err(AskError::Lost),
        Err(error) => {
            if error == AskError::Lost {
                net.hang_up(peer);
            }
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_peer_is_tried_less_and_less_often_but_never_given_up() {
        let pace = Duration::from_millis(300);
        let pauses: Vec<_> = [1, 2, 3, 4, 5, 100].map(|failures| pause_after(failures, pace).as_millis()).into();
        assert_eq!(pauses, [600, 1200, 2400, 4800, 5000, 5000]);
    }
}
