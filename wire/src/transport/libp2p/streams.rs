//! Streams in and out, as a libp2p behaviour.
//!
//! In the place of libp2p-stream, which drops streams that arrive together, can wait for ever for a
//! dial, and never forgets a closed connection. Here a request that cannot be answered is dropped,
//! and so tells whoever waits for it; an incoming stream goes straight to the queue of its protocol,
//! and a protocol whose queue is full is not offered to the peer.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::iter::Flatten;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use ::libp2p::core::transport::PortUse;
use ::libp2p::core::upgrade::UpgradeInfo;
use ::libp2p::core::{Endpoint, Multiaddr};
use ::libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use ::libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use ::libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use ::libp2p::{InboundUpgrade, OutboundUpgrade, PeerId as Libp2pPeerId, Stream, StreamProtocol};
use tokio::sync::{mpsc, oneshot};
use tokio_util::compat::FuturesAsyncReadCompatExt;

use crate::PeerId;
use crate::transport::{ACCEPT_QUEUE_MAX, Incoming, OPEN_TIMEOUT, Protocol};

/// Why a connection gave no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenFailure {
    /// The peer does not take streams of this protocol now.
    Unsupported,
    /// The connection is gone, or does not answer.
    Lost,
}

/// Takes the stream that was asked for.
pub(super) type StreamReply = oneshot::Sender<Result<Stream, OpenFailure>>;

/// Asks a connection for a stream.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) protocol: Protocol,
    pub(super) reply: StreamReply,
}

/// Where incoming streams go: the queues of the protocols that somebody accepts.
#[derive(Debug, Default)]
pub(super) struct Doors(Mutex<HashMap<Protocol, mpsc::Sender<Incoming>>>);

type ProtocolNames = Flatten<std::array::IntoIter<Option<StreamProtocol>, { Protocol::ALL.len() }>>;

impl Doors {
    /// Opens the door of a protocol; whoever opened it before gets no more.
    pub(super) fn open(&self, protocol: Protocol) -> mpsc::Receiver<Incoming> {
        // Full: the protocol is not offered to peers until there is room.
        let (door, incoming) = mpsc::channel(ACCEPT_QUEUE_MAX);
        self.lock().insert(protocol, door);
        incoming
    }

    /// The protocols that can take a stream now.
    fn offered(&self) -> ProtocolNames {
        let doors = self.lock();
        let has_room = |door: &mpsc::Sender<Incoming>| !door.is_closed() && door.capacity() > 0;
        let name = |protocol: Protocol| {
            doors.get(&protocol).is_some_and(has_room).then(|| StreamProtocol::new(protocol.name()))
        };
        Protocol::ALL.map(name).into_iter().flatten()
    }

    /// Takes a stream in, or drops it, if others were faster: the peer sees it end.
    fn admit(&self, peer: PeerId, name: &StreamProtocol, stream: Stream) {
        let protocol = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name.as_ref());
        let doors = self.lock();
        let Some(door) = protocol.and_then(|protocol| doors.get(&protocol)) else { return };
        if door.try_send(Incoming { peer, stream: Box::pin(stream.compat()) }).is_err() {
            tracing::debug!(%peer, %name, "dropped a stream that there was no more room for");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Protocol, mpsc::Sender<Incoming>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Knows the connections, and passes requests to them.
pub(super) struct Behaviour {
    doors: Arc<Doors>,
    /// Oldest first.
    connections: HashMap<Libp2pPeerId, Vec<ConnectionId>>,
    /// What the swarm has yet to do. Holds what one command or event made, until the next poll.
    queue: VecDeque<ToSwarm<Infallible, Request>>,
}

impl Behaviour {
    pub(super) fn new(doors: Arc<Doors>) -> Self {
        Self { doors, connections: HashMap::new(), queue: VecDeque::new() }
    }

    /// Asks this connection with the peer, or else the newest, for a stream. Without any connection the
    /// request is lost at once.
    pub(super) fn request(&mut self, peer_id: Libp2pPeerId, connection: Option<ConnectionId>, request: Request) {
        let newest = || self.connections.get(&peer_id).and_then(|connections| connections.last().copied());
        match connection.or_else(newest) {
            Some(id) => {
                self.queue.push_back(ToSwarm::NotifyHandler {
                    peer_id,
                    handler: NotifyHandler::One(id),
                    event: request,
                });
            }
            None => {
                let _ = request.reply.send(Err(OpenFailure::Lost));
            }
        }
    }

    fn handler(&self, peer: Libp2pPeerId) -> Result<Handler, ConnectionDenied> {
        let peer = PeerId::from_libp2p(&peer).ok_or_else(|| ConnectionDenied::new("its key is not Ed25519"))?;
        Ok(Handler { peer, doors: Arc::clone(&self.doors), requests: VecDeque::new(), silent: false })
    }

    fn forget(&mut self, peer: Libp2pPeerId, connection: ConnectionId) {
        if let Some(connections) = self.connections.get_mut(&peer) {
            connections.retain(|&id| id != connection);
            if connections.is_empty() {
                self.connections.remove(&peer);
            }
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Libp2pPeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(peer)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Libp2pPeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(peer)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, .. }) => {
                self.connections.entry(peer_id).or_default().push(connection_id);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                self.forget(peer_id, connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer_id: Libp2pPeerId,
        connection_id: ConnectionId,
        Silent: THandlerOutEvent<Self>,
    ) {
        tracing::debug!(%peer_id, "closed a connection on which nobody answers");
        self.forget(peer_id, connection_id);
        let connection = CloseConnection::One(connection_id);
        self.queue.push_back(ToSwarm::CloseConnection { peer_id, connection });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // Nobody is woken when the queue is filled: that happens in the swarm's own task, which polls next.
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// The streams of one connection.
pub(super) struct Handler {
    peer: PeerId,
    doors: Arc<Doors>,
    /// To be passed on at the next poll.
    requests: VecDeque<Request>,
    /// The peer has not answered a request in time.
    silent: bool,
}

/// Nobody answers on this connection.
#[derive(Debug)]
pub(super) struct Silent;

/// Offers what the doors take.
pub(super) struct Offer(Arc<Doors>);

/// Asks for one protocol.
pub(super) struct Demand(StreamProtocol);

impl ConnectionHandler for Handler {
    type FromBehaviour = Request;
    type ToBehaviour = Silent;
    type InboundProtocol = Offer;
    type OutboundProtocol = Demand;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = StreamReply;

    fn listen_protocol(&self) -> SubstreamProtocol<Offer> {
        SubstreamProtocol::new(Offer(Arc::clone(&self.doors)), ())
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Demand, StreamReply, Silent>> {
        if std::mem::take(&mut self.silent) {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Silent));
        }
        let Some(Request { protocol, reply }) = self.requests.pop_front() else { return Poll::Pending };
        let demand = Demand(StreamProtocol::new(protocol.name()));
        let protocol = SubstreamProtocol::new(demand, reply).with_timeout(OPEN_TIMEOUT);
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_behaviour_event(&mut self, request: Request) {
        self.requests.push_back(request);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offer, Demand, (), StreamReply>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: (stream, name), .. }) => {
                self.doors.admit(self.peer, &name, stream);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, info: reply }) => {
                // Whoever asked may have given up; then the stream ends here.
                let _ = reply.send(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: reply, error }) => {
                self.silent |= matches!(error, StreamUpgradeError::Timeout);
                let unsupported = matches!(error, StreamUpgradeError::NegotiationFailed);
                let failure = if unsupported { OpenFailure::Unsupported } else { OpenFailure::Lost };
                let _ = reply.send(Err(failure));
            }
            _ => {}
        }
    }
}

impl UpgradeInfo for Offer {
    type Info = StreamProtocol;
    type InfoIter = ProtocolNames;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.offered()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        ready(Ok((stream, name)))
    }
}

impl UpgradeInfo for Demand {
    type Info = StreamProtocol;
    type InfoIter = std::iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once(self.0.clone())
    }
}

impl OutboundUpgrade<Stream> for Demand {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}
