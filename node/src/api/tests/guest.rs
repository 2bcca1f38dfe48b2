//! A client that speaks the protocol by hand, so that it can also break it.

use std::collections::VecDeque;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use chat::{Cursor, MessageId, Numbering, Reply, Seq, SessionId};
use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialResponse, RegistrationResponse,
};
use rand::rngs::OsRng;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wire::BoxStream;
use wire::codec;
use wire::message::{
    AccountInfo, Answer, Answered, Ask, CLIENT_FRAME_SIZE_MAX_BYTES, FeedEvent, FromNode, Push, Request, To, Token,
};
use wire::opaque::{CONTEXT, Suite};
use wire::{Code, Refusal};

/// No answer within this time is a failure of the test, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Guest {
    reader: ReadHalf<BoxStream>,
    writer: WriteHalf<BoxStream>,
    served: JoinHandle<()>,
    asked: u64,
    pushes: VecDeque<Push>,
}

/// What a login gives.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) session: SessionId,
    pub(super) account: AccountInfo,
    pub(super) numbering: Numbering,
}

impl Guest {
    pub(super) fn new(stream: BoxStream, served: JoinHandle<()>) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self { reader, writer, served, asked: 0, pushes: VecDeque::new() }
    }

    /// Sends a request without waiting; returns its id.
    pub(super) async fn begin(&mut self, request: Request) -> u64 {
        self.asked += 1;
        let ask = Ask { id: self.asked, at_least: Cursor::START, request };
        self.send_bytes(&codec::encode(&ask)).await;
        self.asked
    }

    /// Sends requests in one go.
    pub(super) async fn begin_all(&mut self, requests: impl Iterator<Item = Request>) {
        let mut bytes = Vec::new();
        for request in requests {
            self.asked += 1;
            bytes.extend(codec::encode(&Ask { id: self.asked, at_least: Cursor::START, request }));
        }
        self.send_bytes(&bytes).await;
    }

    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.expect("the node takes what is sent");
    }

    /// The next frame; None once the node has closed the stream.
    pub(super) async fn frame(&mut self) -> Option<FromNode> {
        let reading = codec::read(&mut self.reader, CLIENT_FRAME_SIZE_MAX_BYTES);
        timeout(PATIENCE, reading).await.expect("a frame in time").expect("a sound frame")
    }

    /// The next answer; pushes that come before it are kept.
    pub(super) async fn answered(&mut self) -> Answered {
        loop {
            match self.frame().await.expect("an answer before the end") {
                FromNode::Answered(answered) => return answered,
                FromNode::Push(push) => self.pushes.push_back(push),
            }
        }
    }

    /// The next push.
    pub(super) async fn push(&mut self) -> Push {
        if let Some(push) = self.pushes.pop_front() {
            return push;
        }
        match self.frame().await.expect("a push before the end") {
            FromNode::Push(push) => push,
            FromNode::Answered(answered) => panic!("a push was expected, not {answered:?}"),
        }
    }

    /// Asks and waits for the whole answer.
    pub(super) async fn ask_whole(&mut self, request: Request) -> Answered {
        let id = self.begin(request).await;
        let answered = self.answered().await;
        assert_eq!(answered.id, id, "one request under way, one answer");
        answered
    }

    pub(super) async fn ask(&mut self, request: Request) -> Result<Answer, Refusal> {
        self.ask_whole(request).await.result
    }

    /// The code with which the request is refused.
    pub(super) async fn refused(&mut self, request: Request) -> Code {
        self.ask(request).await.expect_err("a refusal").code
    }

    /// Closes our half of the stream.
    pub(super) async fn stop_asking(&mut self) {
        self.writer.shutdown().await.expect("the stream is open");
    }

    /// Closes our half and waits until the node has done with the stream.
    pub(super) async fn hang_up(mut self) {
        self.stop_asking().await;
        timeout(PATIENCE, self.served).await.expect("the node lets go in time").expect("no panic");
    }

    pub(super) async fn register(&mut self, name: &str, password: &str) -> Login {
        let upload = self.upload(name, password).await;
        let creation = chat::CreationId(rand::random());
        let finish = Request::RegisterFinish { creation, name: name.into(), upload, token: token(1) };
        logged_in(self.ask(finish).await).expect("the account is created")
    }

    /// The first half of a registration, and what the second one uploads.
    pub(super) async fn upload(&mut self, name: &str, password: &str) -> Vec<u8> {
        let begun = ClientRegistration::<Suite>::start(&mut OsRng, password.as_bytes()).expect("a password");
        let registration = begun.message.serialize().to_vec();
        let answer = self.ask(Request::RegisterStart { name: name.into(), registration }).await;
        let Ok(Answer::RegisterStart { registration }) = answer else { panic!("{answer:?}") };
        let response = RegistrationResponse::deserialize(&registration).expect("a response");
        let stretching = stretching();
        let parameters = ClientRegistrationFinishParameters::new(Default::default(), Some(&stretching));
        let finished = begun.state.finish(&mut OsRng, password.as_bytes(), response, parameters).expect("sound");
        finished.message.serialize().to_vec()
    }

    /// Logs in; a wrong password is noticed by the client, which goes on as if it had not been.
    pub(super) async fn log_in(&mut self, name: &str, password: &str) -> Result<Login, Refusal> {
        let begun = ClientLogin::<Suite>::start(&mut OsRng, password.as_bytes()).expect("a password");
        let credential = begun.message.serialize().to_vec();
        let answer = self.ask(Request::LoginStart { name: name.into(), credential }).await?;
        let Answer::LoginStart { credential } = answer else { panic!("{answer:?}") };
        let response = CredentialResponse::deserialize(&credential).expect("a response");
        let stretching = stretching();
        let parameters = ClientLoginFinishParameters::new(Some(CONTEXT), Default::default(), Some(&stretching));
        let finished = begun.state.finish(&mut OsRng, password.as_bytes(), response, parameters);
        // A client that was told the truth would stop here; a guesser may send anything.
        let finalization = finished.map_or_else(|_| vec![0; 64], |finished| finished.message.serialize().to_vec());
        logged_in(self.ask(Request::LoginFinish { finalization, token: token(2) }).await)
    }

    pub(super) async fn resume(&mut self, session: SessionId, token: Token) -> Result<Login, Refusal> {
        logged_in(self.ask(Request::Resume { session, token }).await)
    }

    /// Sends a numbered message and returns what became of it.
    pub(super) async fn send(&mut self, seq: u64, to: &str, text: &str) -> Reply {
        let answer = self.ask(message(seq, to, text)).await;
        let Ok(Answer::Sent(reply)) = answer else { panic!("{answer:?}") };
        reply
    }

    /// Subscribes and returns from where.
    pub(super) async fn subscribe(&mut self, after: Option<Cursor>, announce: bool) -> Cursor {
        let answer = self.ask(Request::Subscribe { after, announce }).await;
        let Ok(Answer::Subscribed { from }) = answer else { panic!("{answer:?}") };
        from
    }

    /// The next message of the feed, whatever else is pushed before.
    pub(super) async fn next_text(&mut self) -> (Cursor, String) {
        loop {
            if let Push::Feed { cursor, event: FeedEvent::Message(message) } = self.push().await {
                return (cursor, message.text);
            }
        }
    }

    /// Skips what is pushed until the subscription has caught up.
    pub(super) async fn caught_up(&mut self) -> Cursor {
        loop {
            if let Push::CaughtUp { cursor } = self.push().await {
                return cursor;
            }
        }
    }
}

/// Stretching is the client's business alone, so these clients save themselves the work.
fn stretching() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).expect("the least there is"))
}

/// The first message of a login with that password.
pub(super) fn credential_request(password: &str) -> Vec<u8> {
    let begun = ClientLogin::<Suite>::start(&mut OsRng, password.as_bytes()).expect("a password");
    begun.message.serialize().to_vec()
}

/// A message with an id of its own: that of its number. It follows the one with the number before.
pub(super) fn message(seq: u64, to: &str, text: &str) -> Request {
    let (id, to) = (MessageId(u128::from(seq)), To::Name(to.into()));
    let follows = (seq > 1).then(|| MessageId(u128::from(seq - 1)));
    Request::Send { seq: Seq(seq), follows, id, to, text: text.into() }
}

/// The token that a guest draws: the first when it registers, the second when it logs in.
pub(super) fn token(n: u8) -> Token {
    Token([n; 32])
}

fn logged_in(result: Result<Answer, Refusal>) -> Result<Login, Refusal> {
    match result? {
        Answer::Session { session, account, numbering } => Ok(Login { session, account, numbering }),
        other => panic!("a session was expected, not {other:?}"),
    }
}
