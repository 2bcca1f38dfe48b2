//! openraft's way to the other members, over streams that the [`Dialer`] opens.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use openraft::RaftNetworkFactory;
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use tokio::sync::watch;
use tokio::time::timeout;
use wire::Protocol;

use super::append::{AppendLine, Session};
use super::control::ControlLine;
use super::holds::Holds;
use super::machine::{App, Rows};
use super::message::{Answer, Append, Appended, Ask, StreamAppendResult};
use super::snapshot::{self, RaftSnapshot};
use super::types::{LogId, TypeConfig, Vote};
use super::{Dialer, NodeId, Peer};

type RpcError = RPCError<TypeConfig>;

/// Makes the clients.
pub(super) struct Network {
    dialer: Arc<dyn Dialer>,
    app: App,
    applied: watch::Receiver<u64>,
    holds: Holds,
    /// How long a member may stay silent while it owes an answer. openraft's own figure for an append, three
    /// quarters of a heartbeat, is less than a disk may take to sync.
    patience: Duration,
    /// One control stream for each member, however many clients. Members are few and never come back under
    /// another id, so none is ever removed.
    lines: HashMap<NodeId, Arc<ControlLine>>,
}

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Replication,
    /// On the control stream, where bulk data does not delay it.
    Heartbeat,
}

/// A client of one member.
pub(super) struct Client {
    id: NodeId,
    peer: Peer,
    purpose: Purpose,
    dialer: Arc<dyn Dialer>,
    app: App,
    applied: watch::Receiver<u64>,
    holds: Holds,
    control: Arc<ControlLine>,
    /// Never locked, as a client has one owner; openraft wants it `Sync`, which a stream is not.
    append: Mutex<Option<AppendLine>>,
    patience: Duration,
}

impl Network {
    pub(super) fn new(
        dialer: Arc<dyn Dialer>,
        app: App,
        applied: watch::Receiver<u64>,
        holds: Holds,
        patience: Duration,
    ) -> Self {
        Self { dialer, app, applied, holds, patience, lines: HashMap::new() }
    }

    fn client(&mut self, id: NodeId, peer: Peer, purpose: Purpose) -> Client {
        Client {
            id,
            peer,
            purpose,
            dialer: self.dialer.clone(),
            app: self.app.clone(),
            applied: self.applied.clone(),
            holds: self.holds.clone(),
            control: self.line(id, peer),
            append: Mutex::new(None),
            patience: self.patience,
        }
    }

    fn line(&mut self, id: NodeId, peer: Peer) -> Arc<ControlLine> {
        let new = || Arc::new(ControlLine::new(id, peer, self.dialer.clone()));
        let line = self.lines.entry(id).or_insert_with(new);
        if *line.peer() != peer {
            *line = Arc::new(ControlLine::new(id, peer, self.dialer.clone()));
        }
        line.clone()
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: NodeId, node: &Peer) -> Client {
        self.client(target, *node, Purpose::Replication)
    }

    async fn new_heartbeat_client(&mut self, target: NodeId, node: &Peer) -> Client {
        self.client(target, *node, Purpose::Heartbeat)
    }
}

/// Whatever goes wrong, openraft is to wait a little before the next try: a member that answers nothing is
/// most likely dead, and one that answers wrongly will again.
fn unreachable(error: io::Error) -> Unreachable<TypeConfig> {
    Unreachable::from_string(error)
}

fn unexpected() -> RpcError {
    unreachable(io::ErrorKind::InvalidData.into()).into()
}

impl Client {
    /// Asks on the control stream, for at most as long as openraft waits.
    async fn ask(&self, ask: Ask, option: &RPCOption) -> Result<Answer, RpcError> {
        let answer = timeout(option.soft_ttl(), self.control.ask(ask)).await;
        answer.map_err(io::Error::from).flatten().map_err(|error| unreachable(error).into())
    }

    async fn ask_vote(&self, ask: Ask, option: &RPCOption) -> Result<VoteResponse<TypeConfig>, RpcError> {
        match self.ask(ask, option).await? {
            Answer::Voted { ballot, granted, last } => {
                Ok(VoteResponse::new(Vote::from(ballot), last.map(LogId::from), granted))
            }
            _ => Err(unexpected()),
        }
    }

    async fn ask_append(&self, append: Append, option: &RPCOption) -> Result<Appended, RpcError> {
        match self.ask(Ask::Append(append), option).await? {
            Answer::Appended(appended) => Ok(appended),
            _ => Err(unexpected()),
        }
    }

    /// Where the append stream is kept between two sessions.
    fn home(&mut self) -> &mut Option<AppendLine> {
        self.append.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// The append stream, as it was left, or a new one.
    async fn line(&mut self) -> Result<AppendLine, RpcError> {
        if let Some(mut line) = self.home().take()
            && line.is_quiet()
        {
            return Ok(line);
        }
        let opened = timeout(self.patience, self.dialer.open(self.id, &self.peer, Protocol::RaftAppend)).await;
        let stream = opened.map_err(io::Error::from).flatten().map_err(unreachable)?;
        Ok(AppendLine::new(stream))
    }

    async fn pipelined<S>(&mut self, mut requests: S) -> Result<Answers<'_>, RpcError>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        // Before the line is opened: where openraft waits between two tries it does so in here, and nowhere else. A member that is
        // dead would be dialled all the time.
        let Some(first) = requests.next().await else { return Ok(Box::pin(stream::empty())) };
        let line = self.line().await?;
        let requests = stream::iter([first]).chain(requests);
        let (id, holds, applied, patience) = (self.id, self.holds.clone(), self.applied.clone(), self.patience);
        let session = Session::new(self.home(), line, requests, patience);
        let answers = stream::unfold(session, |mut session| async move {
            let answer = session.next().await?;
            Some((answer.map_err(|error| unreachable(error).into()), session))
        });
        let answers = answers.inspect(move |answer: &Result<StreamAppendResult, RpcError>| {
            if let Ok(Ok(Some(matched))) = answer {
                holds.matched(id, matched.index, *applied.borrow());
            }
        });
        Ok(Box::pin(answers))
    }

    fn one_by_one<S>(&self, requests: S, option: RPCOption) -> Answers<'_>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        Box::pin(requests.then(move |request| {
            let option = option.clone();
            async move {
                let appended = self.ask_append(Append::from(&request), &option).await?;
                appended.into_result().ok_or_else(unexpected)
            }
        }))
    }
}

/// The answers to a stream of appends.
type Answers<'s> = BoxStream<'s, Result<StreamAppendResult, RpcError>>;

impl RaftNetworkV2<TypeConfig> for Client {
    type SnapshotData = Rows;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        Ok(self.ask_append(Append::from(&rpc), &option).await?.into_response())
    }

    fn stream_append<'s, S>(&'s mut self, input: S, option: RPCOption) -> BoxFuture<'s, Result<Answers<'s>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        Box::pin(async move {
            match self.purpose {
                Purpose::Replication => self.pipelined(input).await,
                Purpose::Heartbeat => Ok(self.one_by_one(input, option)),
            }
        })
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.ask_vote(Ask::Vote(rpc.into()), &option).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.ask_vote(Ask::PreVote(rpc.into()), &option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: RaftSnapshot,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let send = async {
            let stream = self.dialer.open(self.id, &self.peer, Protocol::RaftSnapshot).await?;
            let goes_to = snapshot.meta.last_log_id.map_or(0, |id| id.index);
            let sending = self.holds.begin(self.id, goes_to);
            let sent = snapshot::send(stream, &self.app, self.applied.clone(), vote, snapshot).await?;
            sending.arrived();
            Ok::<_, io::Error>(sent)
        };
        tokio::select! {
            biased;
            closed = cancel => Err(closed.into()),
            sent = send => sent.map_err(|error| unreachable(error).into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        match self.ask(Ask::from(&req), &option).await? {
            Answer::Transferred(result) => Ok(result.map_err(Into::into)),
            _ => Err(unexpected()),
        }
    }
}
