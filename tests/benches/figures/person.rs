//! A client that is as lean as the protocol allows, so that the cluster is measured and not the client:
//! no outbox, no failover. (Failover is measured with the real client.)

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use argon2::{Algorithm, Argon2, Params, Version};
use chat::{CreationId, Cursor, MessageId, Reply, Seq};
use futures::FutureExt as _;
use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialResponse, RegistrationResponse,
};
use rand::RngCore;
use tokio::io::{ReadHalf, WriteHalf, split};
use tokio::time::{timeout, timeout_at};
use wire::codec::{FrameReader, FrameWriter};
use wire::hello::{Identity, Keys, initiate};
use wire::message::{Answer, Answered, Ask, CLIENT_FRAME_SIZE_MAX_BYTES, FromNode, Push, Request, To, Token};
use wire::opaque::{CONTEXT, Suite};
use wire::secret::ClusterSecret;
use wire::{Address, BoxStream, Protocol, Target, Transport};

/// How long an answer may take before the run counts as broken.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A real client that hears nothing for this long asks whether its node is there.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// And one that said nothing for this long says that it is there, however much it hears: silent clients are let go after 20 s.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// What stretches passwords here: as little as Argon2 can do. It is the clients' work, and not what is measured.
fn stretching() -> Argon2<'static> {
    let params = Params::new(Params::MIN_M_COST, Params::MIN_T_COST, 1, None).expect("the least that is allowed");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn new_token() -> Token {
    let mut token = [0; 32];
    rand::rngs::OsRng.fill_bytes(&mut token);
    Token(token)
}

/// A ULID, as real clients give: the time in milliseconds before what chance makes of the rest, and greater than the one before.
fn new_id(before: Option<MessageId>) -> MessageId {
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_millis();
    let chance = u128::from(rand::rngs::OsRng.next_u64()) << 16 | u128::from(rand::rngs::OsRng.next_u32() as u16);
    MessageId((ms << 80 | chance).max(before.map_or(0, |before| before.0 + 1)))
}

/// Somebody who is logged in over one stream.
pub(crate) struct Person {
    reader: FrameReader<ReadHalf<BoxStream>>,
    writer: FrameWriter<WriteHalf<BoxStream>>,
    asked: u64,
    said_at: Instant,
    seq: Seq,
    last: Option<MessageId>,
}

impl Person {
    /// Opens a stream to the node and creates the account.
    pub(crate) async fn create(transport: &dyn Transport, node: Address, secret: &ClusterSecret, name: &str) -> Self {
        let mut person = Self::connect(transport, node, secret).await;
        person.register(name).await;
        person
    }

    /// Opens a stream to the node and logs in to the account; one device has one session with it.
    pub(crate) async fn log_in(transport: &dyn Transport, node: Address, secret: &ClusterSecret, name: &str) -> Self {
        let mut person = Self::connect(transport, node, secret).await;
        let mut chance = rand::rngs::OsRng;
        let password = name.as_bytes();
        let start = ClientLogin::<Suite>::start(&mut chance, password).expect("any password can be blinded");
        let credential = start.message.serialize().to_vec();
        let answer = person.ask(Request::LoginStart { name: name.to_owned(), credential }).await;
        let Answer::LoginStart { credential } = answer else { panic!("not the answer: {answer:?}") };
        let response = CredentialResponse::deserialize(&credential).expect("the node's answer is well formed");
        let stretching = stretching();
        let parameters = ClientLoginFinishParameters::new(Some(CONTEXT), Default::default(), Some(&stretching));
        let finish = start.state.finish(&mut chance, password, response, parameters).expect("the password is right");
        let finalization = finish.message.serialize().to_vec();
        let answer = person.ask(Request::LoginFinish { finalization, token: new_token() }).await;
        assert!(matches!(answer, Answer::Session { .. }), "not logged in: {answer:?}");
        person
    }

    async fn connect(transport: &dyn Transport, node: Address, secret: &ClusterSecret) -> Self {
        let target = Target { peer: None, addresses: vec![node] };
        let (peer, mut stream) = transport.open(target, Protocol::Client).await.expect("the node answers");
        let node_secret = secret.node_secret();
        let keys = Keys::Client { cluster: secret.cluster_id(), secret: node_secret.client_secret(), operator: None };
        let identity = Identity { keys, incarnation: None, store: None, node_id: None, name: String::new() };
        initiate(&mut stream, transport.local(), peer, Protocol::Client, &identity).await.expect("the hello succeeds");
        let (read, write) = split(stream);
        Self {
            reader: FrameReader::new(read, CLIENT_FRAME_SIZE_MAX_BYTES),
            writer: FrameWriter::new(write),
            asked: 0,
            said_at: Instant::now(),
            seq: Seq(0),
            last: None,
        }
    }

    async fn register(&mut self, name: &str) {
        let mut chance = rand::rngs::OsRng;
        let password = name.as_bytes();
        let start = ClientRegistration::<Suite>::start(&mut chance, password).expect("any password can be blinded");
        let registration = start.message.serialize().to_vec();
        let answer = self.ask(Request::RegisterStart { name: name.to_owned(), registration }).await;
        let Answer::RegisterStart { registration } = answer else { panic!("not the answer: {answer:?}") };
        let response = RegistrationResponse::deserialize(&registration).expect("the node's answer is well formed");
        let stretching = stretching();
        let parameters = ClientRegistrationFinishParameters::new(Default::default(), Some(&stretching));
        let finish = start.state.finish(&mut chance, password, response, parameters).expect("the node's answer fits");
        let creation = CreationId(u128::from(chance.next_u64()) << 64 | u128::from(chance.next_u64()));
        let upload = finish.message.serialize().to_vec();
        let request = Request::RegisterFinish { creation, name: name.to_owned(), upload, token: new_token() };
        let answer = self.ask(request).await;
        assert!(matches!(answer, Answer::Session { .. }), "not logged in: {answer:?}");
    }

    /// Sends one message and waits until it is stored.
    pub(crate) async fn send(&mut self, to: &str, text: &str) {
        let request = self.next_message(to, text.to_owned());
        let answer = self.ask(request).await;
        assert!(matches!(answer, Answer::Sent(Reply::Stored { .. })), "not stored: {answer:?}");
    }

    /// Says that it is there, and waits for the answer.
    pub(crate) async fn ping(&mut self) {
        assert_eq!(self.ask(Request::Ping).await, Answer::Done);
    }

    /// Follows the account's feed, and is seen as there.
    pub(crate) async fn subscribe(&mut self) {
        let answer = self.ask(Request::Subscribe { after: None, announce: true }).await;
        assert!(matches!(answer, Answer::Subscribed { .. }), "not subscribed: {answer:?}");
    }

    /// The next thing that is pushed. Meanwhile, says that it is there as often as a real client does.
    pub(crate) async fn next_push(&mut self) -> Push {
        loop {
            let now = Instant::now();
            let by = (now + HEARTBEAT).min(self.said_at + SIGN_OF_LIFE);
            match timeout_at(by.into(), self.reader.next()).await {
                Err(_) => {
                    self.say(Request::Ping);
                    self.writer.flush().await.expect("the node reads");
                }
                Ok(frame) => match frame.expect("the node's frames are well formed") {
                    Some(FromNode::Push(push)) => return push,
                    Some(FromNode::Answered(Answered { result: Ok(Answer::Done), .. })) => {}
                    Some(FromNode::Answered(answered)) => panic!("not the answer to a ping: {answered:?}"),
                    None => panic!("the node closed the stream"),
                },
            }
        }
    }

    /// Reads back the whole conversation: the texts, oldest first.
    pub(crate) async fn texts(&mut self, with: &str) -> Vec<String> {
        let mut texts = Vec::new();
        let mut after = Some(Cursor::START);
        loop {
            let request = Request::Messages { with: To::Name(with.to_owned()), before: None, after, limit: 1000 };
            let answer = self.ask(request).await;
            let Answer::Messages { messages, more, .. } = answer else { panic!("not the answer: {answer:?}") };
            after = messages.last().map(|message| message.cursor).or(after);
            texts.extend(messages.into_iter().map(|message| message.text));
            if !more {
                return texts;
            }
        }
    }

    /// Keeps so many messages under way until there is no further text. Answers how long each took until it was stored.
    pub(crate) async fn send_many(
        &mut self,
        to: &str,
        window: usize,
        next_text: &mut (dyn FnMut() -> Option<String> + Send),
    ) -> Vec<Duration> {
        let mut under_way: HashMap<u64, Instant> = HashMap::new();
        let mut taken = Vec::new();
        loop {
            let now = Instant::now();
            while under_way.len() < window
                && let Some(text) = next_text()
            {
                let request = self.next_message(to, text);
                self.say(request);
                under_way.insert(self.asked, now);
            }
            if under_way.is_empty() {
                return taken;
            }
            self.writer.flush().await.expect("the node reads");
            // Whatever has come by now is taken before more is sent.
            let mut answered = Some(timeout(ANSWER_LIMIT, self.next_answer()).await.expect("an answer in time"));
            while let Some(Answered { id, result, .. }) = answered {
                assert!(matches!(result, Ok(Answer::Sent(Reply::Stored { .. }))), "not stored: {result:?}");
                taken.push(under_way.remove(&id).expect("the answer to a question").elapsed());
                answered = self.next_answer().now_or_never();
            }
        }
    }

    fn next_message(&mut self, to: &str, text: String) -> Request {
        self.seq = self.seq.next();
        let id = new_id(self.last);
        let follows = self.last.replace(id);
        Request::Send { seq: self.seq, follows, id, to: To::Name(to.to_owned()), text }
    }

    fn say(&mut self, request: Request) {
        self.asked += 1;
        self.said_at = Instant::now();
        self.writer.push(&Ask { id: self.asked, at_least: Cursor::START, request });
    }

    async fn ask(&mut self, request: Request) -> Answer {
        self.say(request);
        self.writer.flush().await.expect("the node reads");
        let answered = timeout(ANSWER_LIMIT, self.next_answer()).await.expect("an answer in time");
        assert_eq!(answered.id, self.asked, "one question at a time");
        match answered.result {
            Ok(answer) => answer,
            Err(refusal) => panic!("refused: {} {refusal}", refusal.code),
        }
    }

    /// Cancel safe, as reading frames is.
    async fn next_answer(&mut self) -> Answered {
        loop {
            match self.reader.next().await.expect("the node's frames are well formed") {
                Some(FromNode::Answered(answered)) => return answered,
                Some(_) => {}
                None => panic!("the node closed the stream"),
            }
        }
    }
}
