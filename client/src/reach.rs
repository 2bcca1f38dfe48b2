//! The rim around [`crate::failover`]: keeps the clock, dials, runs the links, and publishes which one is live.
//!
//! One task owns all of this. It never waits for a node: what takes time runs beside it and reports back.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::Either;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::AbortOnDropHandle;
use wire::blocking::beside_the_runtime;
use wire::hello::Welcome;
use wire::message::{Answer, ClusterHealth, ClusterStatus, NodeHint, Push, Request};
use wire::secret::OperatorKey;
use wire::{Address, BoxStream, Code, PeerId, Refusal, Transport};

use crate::blocking::off_the_runtime;
use crate::dial::{self, Dialled, NotThere};
use crate::failover::{self, Action, Candidate, Event, LinkId, State};
use crate::find::{self, Book};
use crate::hub::Hub;
use crate::link::{Horizon, Link, Said};
use crate::profile::{KnownNode, Profile};
use crate::update::{LinkState, Update};

/// How long a node that could not commit may take to say whether it can again.
const ASK_MAX: Duration = Duration::from_secs(4);

/// And one that is to take over for it. One that takes longer has fallen silent, or is no better.
const ASK_WARM_MAX: Duration = Duration::from_secs(1);

/// How often this machine's node files are read while a link is missing, and a node that could not commit is asked whether it can
/// again.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// What links and calls may have to say before the task has taken it in; beyond it they wait, for the task never waits for them.
const SAID_MAX: usize = 256;

/// What it takes to begin.
pub(crate) struct Start {
    pub(crate) profile: Arc<Profile>,
    pub(crate) operator: Option<OperatorKey>,
    pub(crate) runtime_dir: PathBuf,
    pub(crate) seeds: Vec<Address>,
    pub(crate) mdns: bool,
    pub(crate) transport: Option<Arc<dyn Transport>>,
    pub(crate) hub: Hub,
}

/// How the rest of the client sees the links.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    pub(crate) live: watch::Receiver<Option<Link>>,
    pub(crate) state: watch::Receiver<LinkState>,
    pub(crate) cluster: watch::Receiver<ClusterHealth>,
    told: mpsc::Sender<Told>,
}

/// What calls found out about a node.
#[derive(Debug)]
enum Told {
    Unwritable(LinkId),
    Writable(LinkId),
    Behind(LinkId),
}

impl Reach {
    /// Begins to look for nodes. The task ends with the handle.
    pub(crate) fn begin(start: Start) -> (Self, AbortOnDropHandle<()>) {
        let (live, live_seen) = watch::channel(None);
        let (state, state_seen) = watch::channel(LinkState::Searching { trouble: None });
        let (cluster, cluster_seen) = watch::channel(ClusterHealth::default());
        let (told, told_here) = mpsc::channel(SAID_MAX);
        let publish = Publish { live, state, cluster, hub: start.hub.clone() };
        let task = tokio::spawn(run(start, publish, told_here));
        let reach = Self { live: live_seen, state: state_seen, cluster: cluster_seen, told };
        (reach, AbortOnDropHandle::new(task))
    }

    /// The live link, as soon as there is one.
    pub(crate) async fn link(&self) -> Link {
        let mut live = self.live.clone();
        let there = |link: &Option<Link>| link.as_ref().is_some_and(|link| !link.is_lost());
        let found = live.wait_for(there).await.ok().and_then(|link| link.clone());
        match found {
            Some(link) => link,
            // The task has ended, so there will never be one; whoever waits has a deadline.
            None => std::future::pending().await,
        }
    }

    /// Ends when this link is no longer the live one.
    pub(crate) async fn moved_from(&self, link: &Link) {
        let mut live = self.live.clone();
        let moved = live.wait_for(|now| now.as_ref().is_none_or(|now| now.id != link.id));
        tokio::select! {
            _ = moved => {}
            () = link.lost() => {}
        }
    }

    /// The node could not commit. Another is preferred for a while. A report that finds the queue full is dropped: it is one of many.
    pub(crate) fn tell_unwritable(&self, link: &Link) {
        let _ = self.told.try_send(Told::Unwritable(link.id));
    }

    /// The node is behind the others. As for [`Self::tell_unwritable`], another is preferred.
    pub(crate) fn tell_behind(&self, link: &Link) {
        let _ = self.told.try_send(Told::Behind(link.id));
    }

    /// The node could.
    pub(crate) fn tell_writable(&self, link: &Link) {
        if matches!(&*self.state.borrow(), LinkState::Live { writable: false, .. }) {
            let _ = self.told.try_send(Told::Writable(link.id));
        }
    }
}

/// Where the task publishes what it knows.
struct Publish {
    live: watch::Sender<Option<Link>>,
    state: watch::Sender<LinkState>,
    cluster: watch::Sender<ClusterHealth>,
    hub: Hub,
}

async fn run(mut start: Start, publish: Publish, told: mpsc::Receiver<Told>) {
    match transport_for(&mut start).await {
        Ok(transport) => Driver::new(start, publish, transport).run(told).await,
        Err(trouble) => {
            publish.state.send_replace(LinkState::Searching { trouble: Some(trouble) });
        }
    }
}

async fn transport_for(start: &mut Start) -> Result<Arc<dyn Transport>, Refusal> {
    use wire::transport::libp2p::{Config, Libp2p, Limits};
    if let Some(given) = start.transport.take() {
        return Ok(given);
    }
    let config = Config {
        seed: *start.profile.seed(),
        listen: Vec::new(),
        port_first: None,
        mdns: start.mdns,
        limits: Limits::default(),
    };
    let started = Libp2p::start(config).await;
    let transport = started.map_err(|error| Refusal::new(Code::NoNode, format!("No network: {error}.")))?;
    Ok(transport)
}

/// A link, and what its node last said of the cluster.
struct Held {
    link: Link,
    health: Option<ClusterHealth>,
    /// Its node is to say that it is there; one at a time.
    challenge: Option<AbortOnDropHandle<()>>,
}

struct Driver {
    profile: Arc<Profile>,
    operator: Option<OperatorKey>,
    runtime_dir: PathBuf,
    transport: Arc<dyn Transport>,
    publish: Publish,
    book: Book,
    /// What the profile knows of the nodes, so that it is written only when something is new. One entry a node.
    remembered: Vec<KnownNode>,
    state: State,
    links: HashMap<LinkId, Held>,
    next_link: u64,
    horizon: Horizon,
    began: Instant,
    wake_at_ms: Option<u64>,
    dials: JoinSet<Dialled>,
    connections: JoinSet<()>,
    asking: JoinSet<Option<(LinkId, ClusterStatus)>>,
    asking_warm: JoinSet<(LinkId, Option<ClusterStatus>)>,
    said: mpsc::Sender<(LinkId, Said)>,
    said_here: Option<mpsc::Receiver<(LinkId, Said)>>,
    trouble: Option<Refusal>,
    writable: bool,
}

impl Driver {
    fn new(start: Start, publish: Publish, transport: Arc<dyn Transport>) -> Self {
        let (said, said_here) = mpsc::channel(SAID_MAX);
        Self {
            profile: start.profile,
            operator: start.operator,
            runtime_dir: start.runtime_dir,
            transport,
            publish,
            book: Book::new(start.seeds),
            remembered: Vec::new(),
            state: State::default(),
            links: HashMap::new(),
            next_link: 0,
            horizon: Horizon::default(),
            began: Instant::now(),
            wake_at_ms: None,
            dials: JoinSet::new(),
            connections: JoinSet::new(),
            asking: JoinSet::new(),
            asking_warm: JoinSet::new(),
            said,
            said_here: Some(said_here),
            trouble: None,
            writable: true,
        }
    }

    async fn run(mut self, mut told: mpsc::Receiver<Told>) {
        let Some(mut said) = self.said_here.take() else { return };
        let mut discovered = self.transport.discovered();
        // Whoever was seen before now is news as well.
        discovered.mark_changed();
        let mut discovering = true;
        let mut look = tokio::time::interval(LOOK_AROUND);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.recall().await;
        loop {
            let wake = match self.wake_at_ms {
                Some(at_ms) => Either::Left(tokio::time::sleep_until(self.began + Duration::from_millis(at_ms))),
                None => Either::Right(std::future::pending()),
            };
            tokio::select! {
                Some((link, said)) = said.recv() => self.take_in(link, said).await,
                Some(Ok(dialled)) = self.dials.join_next() => self.dialled(dialled).await,
                Some(told) = told.recv() => self.told(told),
                Some(Ok(answer)) = self.asking.join_next() => self.status(answer).await,
                Some(Ok((link, status))) = self.asking_warm.join_next() => match status {
                    Some(status) => self.health(link, health_of(status)).await,
                    None => self.can_write(link, false),
                },
                Some(_) = self.connections.join_next() => {}
                changed = discovered.changed(), if discovering => {
                    discovering = changed.is_ok();
                    let seen = discovered.borrow_and_update().clone();
                    self.learn(&seen, false);
                }
                _ = look.tick() => self.look_around().await,
                () = wake => self.step(Event::Tick),
            }
        }
    }

    /// What the profile remembers from before.
    async fn recall(&mut self) {
        match off_the_runtime(&self.profile, |profile| profile.nodes()).await {
            Ok(nodes) => {
                self.remembered = nodes.clone();
                self.learn(&known(nodes), true);
            }
            Err(error) => tracing::warn!(%error, "the profile's nodes cannot be read"),
        }
    }

    async fn look_around(&mut self) {
        if !self.writable {
            self.ask_whether_writable();
        }
        if self.state.live().is_some() && self.state.warm().is_some() {
            return;
        }
        let (folder, cluster) = (self.runtime_dir.clone(), self.profile.cluster().id);
        let found = beside_the_runtime(move || find::nodes_of_this_machine(&folder, cluster)).await;
        self.learn(&known(found.unwrap_or_default()), true);
    }

    /// Asks the live node whether it can commit. It says so unasked when that changes, but it may have been right all along, and what
    /// could not be committed was one request.
    fn ask_whether_writable(&mut self) {
        let Some(link) = self.live().cloned() else { return };
        if !self.asking.is_empty() {
            return;
        }
        self.asking.spawn(async move { status_of(&link, ASK_MAX).await.map(|status| (link.id, status)) });
    }

    async fn status(&mut self, answer: Option<(LinkId, ClusterStatus)>) {
        if let Some((link, status)) = answer {
            self.health(link, health_of(status)).await;
        }
    }

    fn learn(&mut self, nodes: &[(PeerId, Vec<Address>)], vouched: bool) {
        for (peer, addresses) in nodes {
            self.book.learn(*peer, addresses, vouched);
        }
        self.step(Event::Known(self.book.candidates()));
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Unwritable(link) => self.can_write(link, false),
            Told::Writable(link) => self.can_write(link, true),
            Told::Behind(link) => self.step(Event::Behind { link }),
        }
    }

    fn can_write(&mut self, link: LinkId, writable: bool) {
        if self.state.live() == Some(link) {
            self.writable = writable;
        }
        self.step(if writable { Event::Writable { link } } else { Event::Unwritable { link } });
    }

    async fn take_in(&mut self, link: LinkId, said: Said) {
        match said {
            Said::Lost => {
                self.links.remove(&link);
                self.step(Event::Lost { link });
            }
            Said::Pushed(Push::Leaving) => self.step(Event::Leaving { link }),
            Said::Pushed(Push::Cluster(health)) => {
                // What was asked before may be answered as it was then; whatever changes from here on is told.
                self.asking = JoinSet::new();
                self.challenge_others(link);
                self.health(link, health).await;
            }
            Said::Pushed(Push::Account { account, change }) => {
                self.publish.hub.note(Update::Account { account, change });
            }
            // The feed's own, and what ends it, which the link sees to itself.
            Said::Pushed(Push::Feed { .. } | Push::CaughtUp { .. } | Push::SessionEnded) => {}
        }
    }

    /// Something happened to the cluster, by what this link's node says. Perhaps it happened to another link's node, which then says nothing.
    fn challenge_others(&mut self, link: LinkId) {
        let others = self.links.values_mut().filter(|held| held.link.id != link);
        for held in others.filter(|held| held.challenge.as_ref().is_none_or(|challenge| challenge.is_finished())) {
            let other = held.link.clone();
            held.challenge = Some(AbortOnDropHandle::new(tokio::spawn(async move { other.challenge().await })));
        }
    }

    async fn health(&mut self, link: LinkId, health: ClusterHealth) {
        let nodes: Vec<_> = health.nodes.iter().map(|node| (node.peer, node.addresses.clone())).collect();
        self.learn(&nodes, true);
        // Before it is told: a link that goes live for this is as its node says.
        if let Some(held) = self.links.get_mut(&link) {
            held.health = Some(health.clone());
        }
        self.can_write(link, health.writable);
        self.remember(&health).await;
        self.publish_cluster();
    }

    /// The cluster as the live node sees it.
    fn publish_cluster(&self) {
        let seen = self.state.live().and_then(|live| self.links.get(&live)?.health.clone());
        if let Some(health) = seen
            && *self.publish.cluster.borrow() != health
        {
            self.publish.cluster.send_replace(health.clone());
            self.publish.hub.note(Update::Cluster(health));
        }
    }

    /// Keeps what is new about the nodes for the next run.
    async fn remember(&mut self, health: &ClusterHealth) {
        let nodes = health.nodes.iter().map(|node| KnownNode {
            peer: node.peer,
            name: node.name.clone(),
            addresses: node.addresses.clone(),
        });
        let nodes: Vec<KnownNode> = nodes.filter(|node| !self.remembered.contains(node)).collect();
        if nodes.is_empty() {
            return;
        }
        self.remembered.retain(|old| !nodes.iter().any(|new| new.peer == old.peer));
        self.remembered.extend(nodes.iter().cloned());
        let now_ms = crate::clock::now_ms();
        let kept = off_the_runtime(&self.profile, move |profile| profile.remember_nodes(&nodes, now_ms)).await;
        if let Err(error) = kept {
            tracing::warn!(%error, "the profile cannot remember the nodes");
        }
    }

    fn step(&mut self, event: Event) {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let state = std::mem::take(&mut self.state);
        let (state, actions) = failover::step(state, event, now_ms, rand::random());
        self.state = state;
        self.wake_at_ms = None;
        for action in actions {
            self.act(action);
        }
        self.publish_state();
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Dial(candidate) => self.dial(candidate),
            Action::GoLive(id) => {
                self.trouble = None;
                let held = self.links.get(&id);
                self.writable = held.and_then(|held| held.health.as_ref()).is_none_or(|health| health.writable);
                self.publish.live.send_replace(held.map(|held| held.link.clone()));
                self.publish_cluster();
            }
            Action::Search => {
                self.publish.live.send_replace(None);
            }
            // Whoever still waits for an answer holds a clone; the link ends with the last.
            Action::Close(link) => {
                self.links.remove(&link);
            }
            Action::Ask(id) => {
                if let Some(held) = self.links.get(&id) {
                    let link = held.link.clone();
                    self.asking_warm.spawn(async move { (link.id, status_of(&link, ASK_WARM_MAX).await) });
                }
            }
            Action::WakeAt(at_ms) => self.wake_at_ms = Some(at_ms),
        }
    }

    fn dial(&mut self, candidate: Candidate) {
        let target = self.book.target(&candidate);
        let (transport, profile) = (self.transport.clone(), self.profile.clone());
        self.dials.spawn(dial::dial(candidate, target, transport, profile, self.operator.clone()));
    }

    async fn dialled(&mut self, dialled: Dialled) {
        let Dialled { candidate, result } = dialled;
        match result {
            Ok((peer, welcome, stream)) => self.connected(candidate, peer, welcome, stream),
            Err(NotThere { refusal, refused }) => {
                tracing::debug!(?candidate, %refusal, "not connected");
                let about_us = self.book.is_vouched(&candidate) && refusal.code != Code::NoNode;
                if about_us || dial::says_something_of_us(refusal.code) {
                    self.trouble = Some(refusal);
                }
                self.step(if refused { Event::Refused { candidate } } else { Event::Failed { candidate } });
            }
        }
    }

    fn connected(&mut self, candidate: Candidate, peer: PeerId, welcome: Welcome, stream: BoxStream) {
        let id = LinkId(self.next_link);
        self.next_link += 1;
        let (link, connection) = Link::new(id, peer, welcome.node, stream, self.horizon.clone(), self.said.clone());
        self.connections.spawn(connection);
        self.links.insert(id, Held { link, health: None, challenge: None });
        self.step(Event::Connected { candidate, peer, link: id });
    }

    fn live(&self) -> Option<&Link> {
        self.state.live().and_then(|live| self.links.get(&live)).map(|held| &held.link)
    }

    fn publish_state(&mut self) {
        let name = |link: LinkId| self.links.get(&link).map(|held| held.link.node.clone());
        let state = match self.live() {
            Some(link) => LinkState::Live {
                node: link.node.clone(),
                peer: link.peer,
                warm: self.state.warm().and_then(name),
                writable: self.writable,
            },
            None => LinkState::Searching { trouble: self.trouble.clone() },
        };
        if *self.publish.state.borrow() != state {
            self.publish.state.send_replace(state.clone());
            self.publish.hub.note(Update::Link(state));
        }
    }
}

/// What the node says of the cluster, if it says so in time.
async fn status_of(link: &Link, within: Duration) -> Option<ClusterStatus> {
    match tokio::time::timeout(within, link.ask(Request::ClusterStatus)).await {
        Ok(Ok((Answer::ClusterStatus(status), _))) => Some(status),
        _ => None,
    }
}

fn known(nodes: Vec<KnownNode>) -> Vec<(PeerId, Vec<Address>)> {
    nodes.into_iter().map(|node| (node.peer, node.addresses)).collect()
}

fn health_of(status: ClusterStatus) -> ClusterHealth {
    let nodes = status.nodes.into_iter().map(|node| NodeHint {
        name: node.name,
        peer: node.peer,
        addresses: node.addresses,
        reachable: node.reachable,
    });
    ClusterHealth { leader: status.leader, writable: status.writable, nodes: nodes.collect() }
}
