//! One client's connection to one of the test's nodes.

use std::sync::Arc;
use std::time::Duration;

use chat::{
    AccountId, Command, Cursor, MessageId, Name, NameKey, Recipient, Reply, Seq, SessionId, Text, Timestamp, View,
};
use opaque_ke::rand::rngs::OsRng;
use opaque_ke::{
    CredentialFinalization, CredentialRequest, RegistrationRequest, RegistrationUpload, ServerLogin,
    ServerLoginParameters, ServerRegistration,
};
use tokio::sync::Mutex;
use wire::codec::{FrameReader, FrameWriter};
use wire::hello::{self, Expected, Identity, Keys};
use wire::message::{
    Answer, Answered, Ask, CLIENT_FRAME_SIZE_MAX_BYTES, ClusterStatus, FromNode, Push, Request, To, Token,
};
use wire::opaque::{CONTEXT, Suite};
use wire::{Code, Incoming, PeerId, Protocol, Refusal};

use super::{Fault, Shared};

type Writer = Arc<Mutex<FrameWriter<tokio::io::WriteHalf<wire::BoxStream>>>>;

/// What the node knows of whoever is at the other end.
struct Guest {
    shared: Arc<Shared>,
    node: PeerId,
    peer: PeerId,
    session: Option<(SessionId, AccountId)>,
    login: Option<(ServerLogin<Suite>, Option<AccountId>)>,
    /// Messages that `Shuffles` has not let go on yet.
    held: Vec<(u64, Request)>,
}

/// As the real node, this one lets go of whoever says nothing for so long.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// How long `Shuffles` waits for more messages to shuffle.
const HELD_FOR: Duration = Duration::from_millis(2);

/// Serves the connection until it ends.
pub(super) async fn serve(shared: Arc<Shared>, node: PeerId, incoming: Incoming) {
    let Incoming { peer, mut stream } = incoming;
    let incarnation = Some(shared.state().incarnation);
    let identity = Identity {
        keys: Keys::Node { secret: shared.node_secret.clone(), operator: None },
        incarnation,
        store: None,
        node_id: None,
        name: format!("n{}", node.0[0]),
    };
    let expected = Expected { incarnation, operator_key: None };
    let heard = hello::respond(&mut stream, node, peer, Protocol::Client, &identity, &expected, |_| Ok(())).await;
    if heard.is_err() {
        return;
    }
    let guest = Guest { shared, node, peer, session: None, login: None, held: Vec::new() };
    guest.listen(stream).await;
}

impl Guest {
    async fn listen(mut self, stream: wire::BoxStream) {
        let (read, write) = tokio::io::split(stream);
        let mut reader = FrameReader::new(read, CLIENT_FRAME_SIZE_MAX_BYTES);
        let writer: Writer = Arc::new(Mutex::new(FrameWriter::new(write)));
        let health = tell_how_the_cluster_is(self.shared.clone(), self.node, writer.clone());
        let _health = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(health));
        let mut feed = None;
        loop {
            let read = tokio::select! {
                read = reader.next::<Ask>() => read,
                () = tokio::time::sleep(SILENCE_MAX), if self.held.is_empty() => break,
                () = tokio::time::sleep(HELD_FOR), if !self.held.is_empty() => {
                    self.let_go(&writer).await;
                    continue;
                }
            };
            let Ok(Some(Ask { id, request, .. })) = read else { break };
            match (self.fault(), &request) {
                (Some(Fault::Hangs), request) => {
                    let is_a_look = matches!(request, Request::Ping | Request::ClusterStatus);
                    self.shared.state().unanswered += u64::from(!is_a_look);
                    continue;
                }
                (Some(Fault::Shuffles), Request::Send { .. }) => {
                    self.held.push((id, request));
                    continue;
                }
                _ => {}
            }
            if let Some(Fault::IsFull(late)) = self.fault() {
                tokio::time::sleep(late).await;
            }
            let subscribes = match &request {
                Request::Subscribe { after, .. } => Some(*after),
                _ => None,
            };
            let sends = matches!(request, Request::Send { .. });
            if let (Some(Fault::TellsStatusLate(late)), Request::ClusterStatus) = (self.fault(), &request) {
                let result = self.answer(request);
                let (writer, applied) = (writer.clone(), *self.shared.applied.borrow());
                tokio::spawn(async move {
                    tokio::time::sleep(late).await;
                    write_frame(&writer, FromNode::Answered(Answered { id, result, applied, stale: false })).await;
                });
                continue;
            }
            let result = self.answer(request);
            if sends && self.loses_this_answer() {
                return;
            }
            let applied = *self.shared.applied.borrow();
            self.say(&writer, id, result).await;
            if let (Some(after), Some((_, account))) = (subscribes, self.session) {
                let repeats = self.fault() == Some(Fault::Repeats);
                let after = if repeats { Cursor::START } else { after.unwrap_or(applied) };
                let task = push_feed(self.shared.clone(), writer.clone(), account, after);
                feed = Some(tokio_util::task::AbortOnDropHandle::new(tokio::spawn(task)));
            }
        }
        drop(feed);
    }

    async fn say(&self, writer: &Writer, id: u64, result: Result<Answer, Refusal>) {
        let applied = *self.shared.applied.borrow();
        let stale = matches!(self.fault(), Some(Fault::NoQuorum | Fault::IsBehind));
        write_frame(writer, FromNode::Answered(Answered { id, result, applied, stale })).await;
    }

    /// Lets the messages go on that were held, and some of those that were kept for later.
    async fn let_go(&mut self, writer: &Writer) {
        let late: Vec<Command> = {
            let mut state = self.shared.state();
            let kept = std::mem::take(&mut state.late);
            let (now, later) = kept.into_iter().partition(|_| state.by_chance(2));
            state.late = later;
            now
        };
        for command in late {
            self.propose(command);
        }
        let held = std::mem::take(&mut self.held);
        let held = self.shared.state().shuffle(held);
        let answers: Vec<_> = held.into_iter().map(|(id, request)| (id, self.answer_or_keep(request))).collect();
        let answers = self.shared.state().shuffle(answers);
        for (id, answer) in answers {
            self.say(writer, id, answer).await;
        }
    }

    fn answer_or_keep(&mut self, request: Request) -> Result<Answer, Refusal> {
        let keep = self.shared.state().by_chance(32);
        match (self.session, request) {
            (Some((session, _)), Request::Send { seq, follows, id, to, text }) if keep => {
                let command = send(session, seq, follows, id, to, text);
                self.shared.state().late.push(command);
                Err(Refusal::new(Code::Timeout, "The node does not know what became of it."))
            }
            (_, request) => self.answer(request),
        }
    }

    fn fault(&self) -> Option<Fault> {
        self.shared.state().faults.get(&self.node).copied()
    }

    fn loses_this_answer(&self) -> bool {
        let mut state = self.shared.state();
        match state.faults.get_mut(&self.node) {
            Some(Fault::LosesAnswers(times)) if *times > 0 => {
                *times -= 1;
                true
            }
            _ => false,
        }
    }

    fn loses_leader(&self) -> bool {
        match self.shared.state().faults.get_mut(&self.node) {
            Some(Fault::LosesLeader(times)) if *times > 0 => {
                *times -= 1;
                true
            }
            _ => false,
        }
    }

    fn answer(&mut self, request: Request) -> Result<Answer, Refusal> {
        let cut_off = self.fault() == Some(Fault::NoQuorum);
        let needs_majority = !matches!(
            request,
            Request::Ping
                | Request::ClusterStatus
                | Request::Resume { .. }
                | Request::Accounts { .. }
                | Request::Subscribe { .. }
        );
        if self.fault() == Some(Fault::IsBusy) && request != Request::Ping {
            return Err(Refusal::new(Code::Busy, "Too many ask at once."));
        }
        if matches!(self.fault(), Some(Fault::IsFull(_))) && needs_majority {
            return Err(Refusal::retry_after(Code::StorageFull, "There is no room.", 1_000));
        }
        if self.fault() == Some(Fault::IsDamaged) && !matches!(request, Request::Ping | Request::ClusterStatus) {
            return Err(Refusal::new(Code::Damaged, "This node cannot read its disk; another node can answer."));
        }
        if (needs_majority || matches!(request, Request::Accounts { .. })) && self.loses_leader() {
            return Err(Refusal::retry_after(Code::Timeout, "The leader was lost before it answered.", 0));
        }
        if cut_off && needs_majority {
            return Err(Refusal::new(Code::NoQuorum, "A majority of nodes cannot be reached from here."));
        }
        match request {
            Request::Ping | Request::Leave => Ok(Answer::Done),
            Request::ClusterStatus => {
                self.shared.state().status_asked += 1;
                let writable = self.shared.health.borrow().writable && !cut_off;
                Ok(Answer::ClusterStatus(self.status(writable)))
            }
            Request::Accounts { .. } => Ok(Answer::Accounts { accounts: Vec::new(), more: false }),
            Request::RegisterStart { name, registration } => Ok(self.register_start(&name, &registration)),
            Request::RegisterFinish { creation, name, upload, token } => {
                self.register_finish(creation, &name, &upload, &token)
            }
            Request::LoginStart { name, credential } => Ok(self.login_start(&name, &credential)),
            Request::LoginFinish { finalization, token } => self.login_finish(&finalization, &token),
            Request::Resume { session, token } => self.resume(session, &token),
            request => self.answer_session(request),
        }
    }

    fn answer_session(&mut self, request: Request) -> Result<Answer, Refusal> {
        let (session, account) = self.session.ok_or_else(|| Refusal::new(Code::NotLoggedIn, "Log in first."))?;
        match request {
            Request::Send { seq, follows, id, to, text } => {
                self.shared.state().sends += 1;
                if text == "refused by the node" {
                    return Err(Refusal::new(Code::TextTooLong, "Too long."));
                }
                Ok(Answer::Sent(self.propose(send(session, seq, follows, id, to, text))))
            }
            Request::Subscribe { after, .. } => {
                Ok(Answer::Subscribed { from: after.unwrap_or(*self.shared.applied.borrow()) })
            }
            Request::Delivered { marks } => {
                self.propose(Command::MarkDelivered { session, marks });
                Ok(Answer::Done)
            }
            Request::MessageById { id } => {
                let state = self.shared.state();
                let place = state.memory.message_place(account, id);
                Ok(Answer::Message(place.and_then(|(conversation, cursor)| state.message(conversation, cursor))))
            }
            Request::LogOut => {
                self.propose(Command::CloseSession { session });
                self.session = None;
                Ok(Answer::Done)
            }
            other => panic!("no test asks this yet: {other:?}"),
        }
    }

    fn status(&self, writable: bool) -> ClusterStatus {
        ClusterStatus {
            nodes: Vec::new(),
            leader: None,
            voters: 3,
            reachable_voters: 3,
            can_lose: 1,
            writable,
            epoch: 1,
            answered_by: String::new(),
        }
    }

    fn register_start(&self, name: &str, registration: &[u8]) -> Answer {
        let request = RegistrationRequest::deserialize(registration).expect("a registration");
        let key = NameKey::fold(name);
        let started = ServerRegistration::<Suite>::start(&self.shared.setup, request, key.as_str().as_bytes());
        Answer::RegisterStart { registration: started.expect("started").message.serialize().to_vec() }
    }

    fn register_finish(
        &mut self,
        creation: chat::CreationId,
        name: &str,
        upload: &[u8],
        token: &Token,
    ) -> Result<Answer, Refusal> {
        let upload = RegistrationUpload::<Suite>::deserialize(upload).expect("an upload");
        let reply = self.propose(Command::CreateAccount {
            creation,
            name: Name::parse(name).expect("a name"),
            credentials: ServerRegistration::finish(upload).serialize().to_vec(),
            device: self.peer.device(),
            token_hash: token.hash(),
            at: Timestamp(1),
        });
        match reply {
            Reply::AccountCreated { session, .. } => Ok(self.speak_for(session)),
            _ => Err(Refusal::new(Code::NameTaken, "The name is taken.")),
        }
    }

    fn login_start(&mut self, name: &str, credential: &[u8]) -> Answer {
        let request = CredentialRequest::deserialize(credential).expect("a request");
        let key = NameKey::fold(name);
        let state = self.shared.state();
        let account = state.memory.account_named(&key).and_then(|id| state.memory.account(id));
        drop(state);
        let record = account.as_ref().map(|account| {
            ServerRegistration::<Suite>::deserialize(&account.credentials).expect("what was registered")
        });
        let identifier = key.as_str().as_bytes();
        let started = ServerLogin::start(&mut OsRng, &self.shared.setup, record, request, identifier, parameters());
        let started = started.expect("started");
        self.login = Some((started.state, account.map(|account| account.id)));
        Answer::LoginStart { credential: started.message.serialize().to_vec() }
    }

    fn login_finish(&mut self, finalization: &[u8], token: &Token) -> Result<Answer, Refusal> {
        let failed = || Refusal::new(Code::LoginFailed, "Wrong name or password.");
        let (login, account) = self.login.take().ok_or_else(failed)?;
        let finalization = CredentialFinalization::deserialize(finalization).map_err(|_| failed())?;
        login.finish(finalization, parameters()).map_err(|_| failed())?;
        let reply = self.propose(Command::OpenSession {
            account: account.ok_or_else(failed)?,
            device: self.peer.device(),
            token_hash: token.hash(),
            at: Timestamp(1),
        });
        match reply {
            Reply::SessionOpened { session, .. } => Ok(self.speak_for(session)),
            _ => Err(failed()),
        }
    }

    fn resume(&mut self, session: SessionId, token: &Token) -> Result<Answer, Refusal> {
        let known = self.shared.state().memory.session(session);
        match known {
            Some(known) if known.token_hash == token.hash() => Ok(self.speak_for(session)),
            _ => Err(Refusal::new(Code::SessionInvalid, "This session has ended; log in again.")),
        }
    }

    fn speak_for(&mut self, session: SessionId) -> Answer {
        let state = self.shared.state();
        let known = state.memory.session(session).expect("a session of the log");
        self.session = Some((session, known.account));
        Answer::Session { session, account: state.account(known.account), numbering: known.numbering }
    }

    fn propose(&self, command: Command) -> Reply {
        self.shared.propose(&command)
    }
}

/// Pushes where the nodes are, and whenever that changes.
async fn tell_how_the_cluster_is(shared: Arc<Shared>, node: PeerId, writer: Writer) {
    let mut health = shared.health.subscribe();
    loop {
        let mut now = health.borrow_and_update().clone();
        now.writable &= shared.state().faults.get(&node) != Some(&Fault::NoQuorum);
        write_frame(&writer, FromNode::Push(Push::Cluster(now))).await;
        if health.changed().await.is_err() {
            return;
        }
    }
}

/// Pushes the account's rows after the cursor, and goes on as they come.
async fn push_feed(shared: Arc<Shared>, writer: Writer, account: AccountId, after: Cursor) {
    let mut applied = shared.applied.subscribe();
    let mut seen = after;
    loop {
        let now = *applied.borrow_and_update();
        let rows: Vec<_> = {
            let state = shared.state();
            let rows = state.feed.range((account, Cursor(seen.0 + 1))..=(account, Cursor(now.0.max(seen.0 + 1))));
            let events = rows.filter_map(|((_, cursor), row)| Some((*cursor, state.event(*cursor, row)?)));
            events.collect()
        };
        for (cursor, event) in rows {
            write_frame(&writer, FromNode::Push(Push::Feed { cursor, event })).await;
        }
        write_frame(&writer, FromNode::Push(Push::CaughtUp { cursor: now })).await;
        seen = seen.max(now);
        if applied.changed().await.is_err() {
            return;
        }
    }
}

fn send(session: SessionId, seq: Seq, follows: Option<MessageId>, id: MessageId, to: To, text: String) -> Command {
    let to = match to {
        To::Name(name) => Recipient::Name(NameKey::fold(&name)),
        To::Account(account) => Recipient::Account(account),
    };
    let text = Text::parse(text).expect("the client sends only what is a text");
    Command::Send { session, seq, follows, id, to, text, at: Timestamp(1) }
}

async fn write_frame(writer: &Writer, frame: FromNode) {
    let mut writer = writer.lock().await;
    writer.push(&frame);
    // The reader notices that the client is gone.
    let _ = writer.flush().await;
}

fn parameters() -> ServerLoginParameters<'static, 'static> {
    ServerLoginParameters { context: Some(CONTEXT), ..Default::default() }
}
