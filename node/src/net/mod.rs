//! Other nodes: who they are, where they may be, and what they are asked.
//!
//! [`Net`] opens streams, with the hello done, and keeps one pipelined line of requests to each peer;
//! [`accept`] takes the streams that others open; [`rendezvous`] keeps introducing this node to all
//! it has heard of. Nothing here decides what a request means: that is a [`accept::Host`]'s matter.

pub mod accept;
mod address_book;
mod answers;
mod cluster;
mod dialer;
pub mod gate;
pub mod health;
mod line;
pub mod member;
mod outcome;
pub mod rendezvous;
pub mod room;
pub mod runtime_files;
mod status;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use wire::hello::{self, HelloError, Identity, Welcome};
use wire::peer::{Candidate, KNOWN_MAX, PeerAnswer, PeerRequest, Standing, StoreId};
use wire::{Address, BoxStream, OpenError, PeerId, Protocol, Refusal, Target, Transport};

pub use self::address_book::AddressBook;
pub use self::cluster::Cluster;
use self::line::Line;

/// How this node introduces itself.
#[derive(Clone, Debug)]
pub struct Introduction {
    pub store: StoreId,
    pub name: String,
    pub name_chosen: bool,
    pub expect: u32,
    pub operator_key: Option<[u8; 32]>,
    pub standing: Standing,
}

/// The way to other nodes.
pub struct Net {
    transport: Arc<dyn Transport>,
    /// Changes once, when the node comes to belong to a cluster.
    identity: ArcSwap<Identity>,
    introduction: ArcSwap<Introduction>,
    book: Mutex<AddressBook>,
    lines: Mutex<BTreeMap<PeerId, Arc<Line>>>,
    /// Told when the book or a line changes, for whoever shows who can be reached.
    changed: Notify,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("local", &self.transport.local()).finish_non_exhaustive()
    }
}

/// A request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It was never asked.
    #[error("{0}")]
    Unreachable(String),
    /// The peer does not talk to this node, and says why.
    #[error("{0}")]
    Refused(Refusal),
    /// It may or may not have been carried out.
    #[error("the answer was lost")]
    Lost,
}

impl From<OpenError> for AskError {
    fn from(error: OpenError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl From<HelloError> for AskError {
    fn from(error: HelloError) -> Self {
        match error {
            HelloError::Refused(refusal) => Self::Refused(refusal),
            other => Self::Unreachable(other.to_string()),
        }
    }
}

impl Net {
    /// A net that knows the addresses in the book.
    pub fn new(
        transport: Arc<dyn Transport>,
        identity: Identity,
        introduction: Introduction,
        book: AddressBook,
    ) -> Arc<Self> {
        Arc::new(Self {
            transport,
            identity: ArcSwap::from_pointee(identity),
            introduction: ArcSwap::from_pointee(introduction),
            book: Mutex::new(book),
            lines: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Who this node is to others.
    pub fn local(&self) -> PeerId {
        self.transport.local()
    }

    /// Where this node may be reached.
    pub fn local_addresses(&self) -> Vec<Address> {
        self.transport.addresses()
    }

    pub(crate) fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// What this node proves on every stream.
    pub fn identity(&self) -> Arc<Identity> {
        self.identity.load_full()
    }

    /// What this node proves from now on.
    pub fn become_known_as(&self, identity: Identity) {
        self.identity.store(Arc::new(identity));
    }

    /// How this node introduces itself from now on.
    pub fn stand_as(&self, standing: Standing) {
        self.introduction.rcu(|before| Introduction { standing: standing.clone(), ..Introduction::clone(before) });
    }

    /// This node as others are told of it.
    pub fn candidate(&self) -> Candidate {
        let introduction = self.introduction.load();
        let mut knows = self.known();
        knows.truncate(KNOWN_MAX);
        Candidate {
            peer: self.local(),
            store: introduction.store,
            name: introduction.name.clone(),
            name_chosen: introduction.name_chosen,
            expect: introduction.expect,
            addresses: self.local_addresses(),
            standing: introduction.standing.clone(),
            operator_key: introduction.operator_key,
            knows,
        }
    }

    /// Takes in what a node says of itself and of others.
    pub fn learn_from(&self, candidate: &Candidate) {
        self.learn(candidate.peer, &candidate.addresses);
        for (peer, addresses) in candidate.knows.iter().take(KNOWN_MAX) {
            self.learn(*peer, addresses);
        }
    }

    /// Takes in where a peer may be.
    pub fn learn(&self, peer: PeerId, addresses: &[Address]) {
        if peer != self.local() && self.book().learn(peer, addresses) {
            self.changed.notify_waiters();
        }
    }

    /// Where the peer may be.
    pub fn hints(&self, peer: PeerId) -> Vec<Address> {
        self.book().addresses(peer)
    }

    /// All other nodes ever heard of.
    pub fn known(&self) -> Vec<(PeerId, Vec<Address>)> {
        self.book().all()
    }

    /// The book, to be remembered.
    pub fn address_book(&self) -> AddressBook {
        self.book().clone()
    }

    /// Whether a line to the peer is open.
    pub fn reaches(&self, peer: PeerId) -> bool {
        peer == self.local() || self.lines().get(&peer).is_some_and(|line| line.is_open())
    }

    /// Returns at the next change of who is known or reached.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Gives up the line to a peer that has stopped answering: it is reached no more, whatever its
    /// connection says. What was asked on it is lost.
    pub fn hang_up(&self, peer: PeerId) {
        if let Some(line) = self.lines().get(&peer) {
            line.close();
        }
        self.changed.notify_waiters();
    }

    /// Cuts off a peer that was removed.
    pub fn drop_peer(&self, peer: PeerId) {
        self.book().forget(peer);
        self.lines().remove(&peer);
        self.transport.disconnect(peer);
        self.changed.notify_waiters();
    }

    /// Asks a peer and waits for its answer, opening a line to it first if there is none.
    pub async fn ask(&self, peer: PeerId, request: &PeerRequest, within: Duration) -> Result<PeerAnswer, AskError> {
        let line = Arc::clone(self.lines().entry(peer).or_default());
        let deadline = tokio::time::Instant::now() + within;
        let caller = match tokio::time::timeout_at(deadline, line.caller(self, peer)).await {
            Ok(caller) => caller?,
            Err(_) => return Err(AskError::Unreachable(format!("no answer within {} ms", within.as_millis()))),
        };
        // Of proposals there are many, and they enter the log in their turn. How the cluster is must be known in time all the same.
        let answer = async {
            if matches!(request, PeerRequest::Propose(_)) {
                caller.call(request).await
            } else {
                caller.call_first(request).await
            }
        };
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(wire::rpc::CallError::TooLarge { .. })) => {
                Err(AskError::Unreachable("the request is too large".into()))
            }
            Ok(Err(wire::rpc::CallError::Lost)) => Err(AskError::Lost),
            Err(_) => Err(AskError::Lost),
        }
    }

    /// Finds out who answers at the address, and keeps the line.
    pub async fn call_at(&self, address: Address) -> Result<PeerId, AskError> {
        let target = Target { peer: None, addresses: vec![address.clone()] };
        let (peer, stream) = self.transport.open(target, Protocol::Peer).await?;
        if peer == self.local() {
            return Ok(peer);
        }
        let (stream, _) = self.greet(peer, stream, Protocol::Peer).await?;
        let line = Arc::clone(self.lines().entry(peer).or_default());
        line.adopt(stream);
        self.learn(peer, &[address]);
        self.changed.notify_waiters();
        Ok(peer)
    }

    /// Opens a stream and does the hello on it.
    pub(crate) async fn open(&self, peer: PeerId, protocol: Protocol) -> Result<(BoxStream, Welcome), AskError> {
        let target = Target { peer: Some(peer), addresses: self.hints(peer) };
        let (peer, stream) = self.transport.open(target, protocol).await?;
        self.greet(peer, stream, protocol).await
    }

    async fn greet(
        &self,
        peer: PeerId,
        mut stream: BoxStream,
        protocol: Protocol,
    ) -> Result<(BoxStream, Welcome), AskError> {
        let identity = self.identity();
        let welcome = hello::initiate(&mut stream, self.local(), peer, protocol, &identity).await?;
        Ok((stream, welcome))
    }

    fn book(&self) -> std::sync::MutexGuard<'_, AddressBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, BTreeMap<PeerId, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
