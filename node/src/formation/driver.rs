//! Gives the rules of formation a disk, a network and the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use tracing::info;
use wire::blocking::beside_the_runtime;
use wire::peer::{FoundingRecord, PeerAnswer, PeerRequest};
use wire::{Code, PeerId, Refusal};

use super::Draft;
use super::kept::{MEMBERSHIP, Membership, PROMISE, Promise, Records, load, save};
use super::rules::step;
use super::state::{Action, AnswerId, Event, Me, State};
use crate::net::rendezvous::Encounter;
use crate::net::{AskError, Net};
use crate::store::StoreError;

/// How long another founder may take to promise: it has to sync its disk.
const PROMISE_WITHIN: Duration = Duration::from_secs(3);

/// How long a member may take to admit: its entry has to be committed.
const ADMIT_WITHIN: Duration = Duration::from_secs(10);

/// A request of another node's that the rules have to answer.
#[derive(Debug)]
pub struct Call {
    pub from: PeerId,
    pub request: PeerRequest,
    pub answer: oneshot::Sender<PeerAnswer>,
}

/// Why a node came to belong to no cluster.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FormationError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Refused(Refusal),
    /// Everyone who could have brought news is gone: the node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

/// What formation works with.
pub struct Formation {
    pub net: Arc<Net>,
    pub records: Arc<dyn Records>,
    pub me: Me,
    pub draft: Draft,
    /// How often what is missing is asked for again.
    pub tick: Duration,
    /// Owns what goes on after the node has become a member: telling the others.
    pub tasks: TaskTracker,
    pub calls: mpsc::Receiver<Call>,
    pub encounters: mpsc::Receiver<Encounter>,
}

impl std::fmt::Debug for Formation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Formation").field("me", &self.me).finish_non_exhaustive()
    }
}

/// What a node belongs to from an earlier life, if it does.
pub fn membership(records: &dyn Records) -> Result<Option<Membership>, StoreError> {
    // The promise has done its work once there is a membership. A disk that damaged it is not to be trusted
    // with the rest.
    load::<Promise>(records, PROMISE)?;
    load(records, MEMBERSHIP)
}

/// Runs until the node belongs to a cluster, and says so on the disk. Hands the encounters back.
pub async fn run(formation: Formation) -> Result<(Membership, mpsc::Receiver<Encounter>), FormationError> {
    let promise: Promise = load(&*formation.records, PROMISE)?.unwrap_or_default();
    let state = State::new(formation.me.clone(), formation.draft.clone(), promise);
    formation.net.stand_as(state.standing());
    let mut driver = Driver {
        formation,
        state,
        answers: BTreeMap::new(),
        next_answer: 0,
        asks: JoinSet::new(),
        asking: BTreeSet::new(),
    };
    let mut tick = tokio::time::interval(driver.formation.tick);
    loop {
        let event = tokio::select! {
            _ = tick.tick() => Some(Event::Tick),
            Some(call) = driver.formation.calls.recv() => driver.take_call(call),
            Some(encounter) = driver.formation.encounters.recv() => Some(met(encounter)),
            Some(asked) = driver.asks.join_next() => driver.take_answer(asked),
            else => return Err(FormationError::Stopping),
        };
        if let Some(event) = event {
            let actions = step(&mut driver.state, event);
            driver.perform(actions).await?;
        }
        if let Some(membership) = driver.state.membership() {
            return Ok((membership.clone(), driver.formation.encounters));
        }
    }
}

fn met(encounter: Encounter) -> Event {
    match encounter {
        Encounter::Met(candidate) => Event::Met(candidate),
        // A member that knows this node as removed, or with another data folder: it would not let it in, either.
        Encounter::Refused { by, refusal } if matches!(refusal.code, Code::NotAMember | Code::MembershipRefused) => {
            Event::AdmissionRefused { by, refusal }
        }
        Encounter::Lost(peer) | Encounter::Refused { by: peer, .. } => Event::Lost(peer),
    }
}

type Asked = (PeerId, Option<Event>);

struct Driver {
    formation: Formation,
    state: State,
    answers: BTreeMap<AnswerId, oneshot::Sender<PeerAnswer>>,
    next_answer: u64,
    asks: JoinSet<Asked>,
    /// Who has been asked something and has not answered yet; not asked again until then.
    asking: BTreeSet<PeerId>,
}

impl Driver {
    fn take_call(&mut self, call: Call) -> Option<Event> {
        let Call { from, request, answer } = call;
        match request {
            PeerRequest::Gather(candidate) if candidate.peer == from => {
                self.formation.net.learn_from(&candidate);
                let _ = answer.send(PeerAnswer::Candidate(self.formation.net.candidate()));
                Some(Event::Heard(candidate))
            }
            PeerRequest::Promise(record) => {
                let answer = self.remember(answer);
                Some(Event::PromiseAsked { from, record, answer })
            }
            PeerRequest::Found(record) => {
                let answer = self.remember(answer);
                Some(Event::FoundTold { record, answer })
            }
            _ => {
                let _ = answer.send(PeerAnswer::Refused(not_founded()));
                None
            }
        }
    }

    fn remember(&mut self, answer: oneshot::Sender<PeerAnswer>) -> AnswerId {
        let id = AnswerId(self.next_answer);
        self.next_answer += 1;
        self.answers.insert(id, answer);
        id
    }

    fn take_answer(&mut self, asked: Result<Asked, tokio::task::JoinError>) -> Option<Event> {
        let (peer, event) = asked.ok()?;
        self.asking.remove(&peer);
        event
    }

    /// In order: what is written is on the disk before what follows is said.
    async fn perform(&mut self, actions: Vec<Action>) -> Result<(), FormationError> {
        for action in actions {
            match action {
                Action::WritePromise(promise) => {
                    self.write(PROMISE, promise).await?;
                    self.formation.net.stand_as(self.state.standing());
                }
                Action::WriteMembership(membership) => {
                    self.write(MEMBERSHIP, membership).await?;
                    self.formation.net.stand_as(self.state.standing());
                }
                Action::Answer(id, answer) => {
                    if let Some(waiting) = self.answers.remove(&id) {
                        // Whoever asked may have gone; it asks again.
                        let _ = waiting.send(answer);
                    }
                }
                Action::AskPromise { of, record } => self.ask_promise(of, record),
                Action::TellFound { to, record } => self.tell_found(to, record),
                Action::AskAdmission { via } => self.ask_admission(via),
                Action::Say(sentence) => info!("{sentence}"),
                Action::Stop(refusal) => return Err(FormationError::Refused(refusal)),
            }
        }
        Ok(())
    }

    async fn write<T: serde::Serialize + Send + 'static>(
        &self,
        name: &'static str,
        record: T,
    ) -> Result<(), StoreError> {
        let records = Arc::clone(&self.formation.records);
        let written = beside_the_runtime(move || save(&*records, name, &record)).await;
        written.expect("writing a record does not panic")
    }

    fn ask_promise(&mut self, of: PeerId, record: FoundingRecord) {
        let incarnation = record.incarnation;
        self.ask(of, PeerRequest::Promise(record), PROMISE_WITHIN, move |answer| match answer {
            PeerAnswer::Done => Some(Event::PromiseGiven { by: of, incarnation }),
            PeerAnswer::Refused(refusal) => {
                let for_ever = refusal.code == Code::MembershipRefused;
                Some(Event::PromiseRefused { by: of, incarnation, for_ever })
            }
            _ => None,
        });
    }

    /// A help, not a need: whoever misses it sees our standing, and founds as well.
    fn tell_found(&self, to: PeerId, record: FoundingRecord) {
        let net = Arc::clone(&self.formation.net);
        self.formation.tasks.spawn(async move { net.ask(to, &PeerRequest::Found(record), PROMISE_WITHIN).await });
    }

    fn ask_admission(&mut self, via: PeerId) {
        let me = &self.formation.me;
        let request =
            PeerRequest::Admit { peer: me.peer, store: me.store, name: me.name.clone(), name_chosen: me.name_chosen };
        self.ask(via, request, ADMIT_WITHIN, move |answer| match answer {
            PeerAnswer::Admitted { node_id, founding } => Some(Event::Admitted { node_id, founding }),
            PeerAnswer::Refused(refusal) => Some(Event::AdmissionRefused { by: via, refusal }),
            _ => None,
        });
    }

    fn ask(
        &mut self,
        peer: PeerId,
        request: PeerRequest,
        within: Duration,
        event: impl FnOnce(PeerAnswer) -> Option<Event> + Send + 'static,
    ) {
        if !self.asking.insert(peer) {
            return;
        }
        let net = Arc::clone(&self.formation.net);
        self.asks.spawn(async move {
            let answer: Result<PeerAnswer, AskError> = net.ask(peer, &request, within).await;
            (peer, answer.ok().and_then(event))
        });
    }
}

/// What a node says to whoever wants a cluster of it before there is one.
pub fn not_founded() -> Refusal {
    let sentence = "the cluster is not founded yet: this node is still looking for the others";
    Refusal::retry_after(Code::NotFounded, sentence, 500)
}
