//! One client's connection to one of the test's nodes.

use std::sync::Arc;

use chat::{AccountId, Command, Cursor, Name, NameKey, Recipient, Reply, SessionId, Text, Timestamp, View};
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
}

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
    let guest = Guest { shared, node, peer, session: None, login: None };
    guest.listen(stream).await;
}

impl Guest {
    async fn listen(mut self, stream: wire::BoxStream) {
        let (read, write) = tokio::io::split(stream);
        let mut reader = FrameReader::new(read, CLIENT_FRAME_SIZE_MAX_BYTES);
        let writer: Writer = Arc::new(Mutex::new(FrameWriter::new(write)));
        let mut feed = None;
        while let Ok(Some(Ask { id, request, .. })) = reader.next::<Ask>().await {
            if self.fault() == Some(Fault::Hangs) {
                std::future::pending::<()>().await;
            }
            let subscribes = match &request {
                Request::Subscribe { after, .. } => Some(*after),
                _ => None,
            };
            let sends = matches!(request, Request::Send { .. });
            let result = self.answer(request);
            if sends && self.loses_this_answer() {
                return;
            }
            let applied = *self.shared.applied.borrow();
            let stale = self.fault() == Some(Fault::NoQuorum);
            write_frame(&writer, FromNode::Answered(Answered { id, result, applied, stale })).await;
            if let (Some(after), Some((_, account))) = (subscribes, self.session) {
                let repeats = self.fault() == Some(Fault::Repeats);
                let after = if repeats { Cursor::START } else { after.unwrap_or(applied) };
                let task = push_feed(self.shared.clone(), writer.clone(), account, after);
                feed = Some(tokio_util::task::AbortOnDropHandle::new(tokio::spawn(task)));
            }
        }
        drop(feed);
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
        if cut_off && needs_majority {
            return Err(Refusal::new(Code::NoQuorum, "A majority of nodes cannot be reached from here."));
        }
        match request {
            Request::Ping | Request::Leave => Ok(Answer::Done),
            Request::ClusterStatus => Ok(Answer::ClusterStatus(self.status(!cut_off))),
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
            Request::Send { seq, id, to, text } => {
                self.shared.state().sends += 1;
                if text == "refused by the node" {
                    return Err(Refusal::new(Code::TextTooLong, "Too long."));
                }
                let to = match to {
                    To::Name(name) => Recipient::Name(NameKey::fold(&name)),
                    To::Account(account) => Recipient::Account(account),
                };
                let text = Text::parse(text).expect("the client sends only what is a text");
                Ok(Answer::Sent(self.propose(Command::Send { session, seq, id, to, text, at: Timestamp(1) })))
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
        Answer::Session { session, account: state.account(known.account), high_water: known.high_water }
    }

    fn propose(&self, command: Command) -> Reply {
        self.shared.propose(&command)
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

async fn write_frame(writer: &Writer, frame: FromNode) {
    let mut writer = writer.lock().await;
    writer.push(&frame);
    // The reader notices that the client is gone.
    let _ = writer.flush().await;
}

fn parameters() -> ServerLoginParameters<'static, 'static> {
    ServerLoginParameters { context: Some(CONTEXT), ..Default::default() }
}
