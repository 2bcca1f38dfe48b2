//! Somebody at the door of a real node: raw streams, and whatever bytes one likes on them.
//!
//! Nothing here judges what a node says; the promises do.

use std::future::Future;
use std::sync::Arc;

use chat::{CreationId, Cursor, SessionId};
use opaque_ke::{ClientRegistration, ClientRegistrationFinishParameters, RegistrationResponse};
use rand::rngs::OsRng;
use tests::{Cli, Cluster, PATIENCE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::codec::{self, FrameError};
use wire::hello::{HELLO_SIZE_MAX_BYTES, HelloError, Identity, Keys, Welcome, initiate};
use wire::message::{Answer, Answered, Ask, CLIENT_FRAME_SIZE_MAX_BYTES, FromNode, Push, Request, Token};
use wire::opaque::Suite;
use wire::secret::{ClusterSecret, NodeSecret};
use wire::transport::libp2p::{Config, Libp2p, Limits};
use wire::{BoxStream, Code, PeerId, Protocol, Refusal, Target, Transport};

/// Where in the hello's reply a refusal stands among the variants.
const REFUSED: u32 = 1;

/// A cluster of one node, with one message in it.
pub(super) struct Door {
    cluster: Cluster,
    pub(super) secret: ClusterSecret,
    node: PeerId,
    target: Target,
}

impl Door {
    pub(super) fn new() -> Self {
        let cluster = Cluster::start(1);
        alice(&cluster).run(&["account", "create", "alice"]).ok();
        alice(&cluster).run(&["message", "send", "alice", "said before"]).ok();
        let secret = std::fs::read_to_string(cluster.home().join("data/cluster-secret")).expect("the daemon made one");
        let secret = ClusterSecret::parse(secret.trim()).expect("it is well formed");
        let status = cluster.wait_until_writable();
        let text = |field: &serde_json::Value| field.as_str().expect("the node's row is whole").to_owned();
        let node = text(&status.nodes[0]["peer_id"]).parse().expect("a peer");
        let address = text(&status.nodes[0]["addresses"][0]).parse().expect("an address");
        Self { cluster, secret, node, target: Target { peer: Some(node), addresses: vec![address] } }
    }

    /// Someone with a key of their own; the same number is the same device.
    pub(super) async fn visitor(&self, device: u8) -> Visitor {
        let limits = Limits::default();
        let config = Config { seed: [device; 32], listen: Vec::new(), port_first: None, mdns: false, limits };
        let transport = in_time(Libp2p::start(config)).await.expect("a client needs no port");
        Visitor { transport, node: self.node, target: self.target.clone() }
    }

    /// Somebody whom the node lets in as a client, and who has not logged in.
    pub(super) async fn guest(&self, device: u8) -> Guest {
        self.visitor(device).await.enter(&client(&self.secret)).await
    }

    /// Fails the test unless the daemon still runs, can be written to, and has what it had.
    #[track_caller]
    pub(super) fn has_lost_nothing(mut self) {
        assert_eq!(self.cluster.running(), ["n1"]);
        alice(&self.cluster).run(&["message", "send", "alice", "said afterwards"]).ok();
        let list = alice(&self.cluster).run(&["message", "list", "alice"]).ok();
        assert_eq!(list.texts(), ["said before", "said afterwards"]);
        assert!(!self.cluster.log("n1").contains("panicked"), "a task of the daemon panicked");
    }
}

fn alice(cluster: &Cluster) -> Cli {
    cluster.cli().json().as_account("alice")
}

/// What comes of it before the test's patience ends.
#[track_caller]
pub(super) fn in_time<T>(coming: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let outcome = tokio::time::timeout(PATIENCE, coming).await;
        outcome.unwrap_or_else(|_| panic!("nothing came within {PATIENCE:?} at {caller}"))
    }
}

/// A client with the secret that clients of this cluster hold.
pub(super) fn client(secret: &ClusterSecret) -> Identity {
    let cluster = secret.cluster_id();
    identity(Keys::Client { cluster, secret: secret.node_secret().client_secret(), operator: None })
}

/// A node with this secret, and no more.
pub(super) fn node(secret: NodeSecret) -> Identity {
    identity(Keys::Node { secret, operator: None })
}

pub(super) fn identity(keys: Keys) -> Identity {
    Identity { keys, incarnation: None, store: None, node_id: None, name: "stranger".to_owned() }
}

/// Somebody outside.
pub(super) struct Visitor {
    transport: Arc<Libp2p>,
    node: PeerId,
    target: Target,
}

impl Visitor {
    pub(super) async fn open(&self, protocol: Protocol) -> BoxStream {
        let opened = in_time(self.transport.open(self.target.clone(), protocol)).await;
        opened.expect("the node takes the stream, to hear who it is").1
    }

    /// A stream on which the hello was accepted, or why it was not.
    pub(super) async fn hello(&self, protocol: Protocol, me: &Identity) -> Result<(BoxStream, Welcome), Code> {
        let mut stream = self.open(protocol).await;
        match in_time(initiate(&mut stream, self.transport.local(), self.node, protocol, me)).await {
            Ok(welcome) => Ok((stream, welcome)),
            Err(HelloError::Refused(refusal)) => {
                assert_closed(&mut stream).await;
                Err(refusal.code)
            }
            Err(error) => panic!("neither welcome nor refused: {error}"),
        }
    }

    /// The code with which the node refuses the hello.
    #[track_caller]
    pub(super) fn refused(&self, protocol: Protocol, me: &Identity) -> impl Future<Output = Code> {
        let caller = std::panic::Location::caller();
        async move {
            match self.hello(protocol, me).await {
                Ok(_) => panic!("let in on {} at {caller}", protocol.name()),
                Err(code) => code,
            }
        }
    }

    /// What the node says to these bytes and the end of the stream, in place of a hello.
    pub(super) async fn say_first(&self, bytes: &[u8]) -> Option<Code> {
        let mut stream = self.open(Protocol::Client).await;
        write(&mut stream, bytes).await;
        let _ = in_time(stream.shutdown()).await;
        refusal_of_hello(&mut stream).await
    }

    pub(super) async fn enter(&self, me: &Identity) -> Guest {
        let (stream, _) = self.hello(Protocol::Client, me).await.expect("welcome");
        Guest { stream, asked: 0, _transport: Arc::clone(&self.transport) }
    }
}

/// Somebody who was let in.
pub(super) struct Guest {
    stream: BoxStream,
    asked: u64,
    /// The connection lives as long as this.
    _transport: Arc<Libp2p>,
}

impl Guest {
    /// Sends a request without waiting for the answer; returns its number.
    pub(super) async fn begin(&mut self, request: Request) -> u64 {
        self.asked += 1;
        let ask = Ask { id: self.asked, at_least: Cursor::START, request };
        in_time(codec::write(&mut self.stream, &ask)).await.expect("the node reads");
        self.asked
    }

    pub(super) async fn ask(&mut self, request: Request) -> Result<Answer, Code> {
        let number = self.begin(request).await;
        self.answered(number).await
    }

    /// The code with which the node refuses the request.
    pub(super) async fn refused(&mut self, request: Request) -> Code {
        self.ask(request).await.expect_err("a refusal")
    }

    /// The answer to this number.
    pub(super) async fn answered(&mut self, number: u64) -> Result<Answer, Code> {
        match self.heard().await {
            Ok(Some(FromNode::Answered(Answered { id, result, .. }))) if id == number => {
                result.map_err(|refusal| refusal.code)
            }
            other => panic!("no answer to number {number}: {other:?}"),
        }
    }

    /// What the node says next, but for how the cluster is, which it tells everyone.
    async fn heard(&mut self) -> Result<Option<FromNode>, FrameError> {
        loop {
            match in_time(codec::read(&mut self.stream, CLIENT_FRAME_SIZE_MAX_BYTES)).await {
                Ok(Some(FromNode::Push(Push::Cluster(_)))) => {}
                heard => return heard,
            }
        }
    }

    pub(super) async fn say(&mut self, bytes: &[u8]) {
        write(&mut self.stream, bytes).await;
    }

    pub(super) async fn stop_asking(&mut self) {
        in_time(self.stream.shutdown()).await.expect("the stream is open");
    }

    /// The node's last words, which answer no request; then it has closed the stream.
    pub(super) async fn last_words(mut self) -> Code {
        let code = self.answered(0).await.expect_err("a refusal");
        assert_closed(&mut self.stream).await;
        code
    }

    /// The node has closed the stream without a word.
    pub(super) async fn expect_end(mut self) {
        let heard = self.heard().await;
        assert!(matches!(heard, Ok(None) | Err(FrameError::Io(_))), "the node went on to say {heard:?}");
    }

    /// Creates an account, and with it a session of this device.
    pub(super) async fn register(&mut self, name: &str, token: Token) -> SessionId {
        let upload = self.upload(name).await;
        let creation = CreationId(rand::random());
        match self.ask(Request::RegisterFinish { creation, name: name.to_owned(), upload, token }).await {
            Ok(Answer::Session { session, .. }) => session,
            other => panic!("not logged in: {other:?}"),
        }
    }

    async fn upload(&mut self, name: &str) -> Vec<u8> {
        let password = name.as_bytes();
        let begun = ClientRegistration::<Suite>::start(&mut OsRng, password).expect("any password can be blinded");
        let registration = begun.message.serialize().to_vec();
        let answer = self.ask(Request::RegisterStart { name: name.to_owned(), registration }).await;
        let Ok(Answer::RegisterStart { registration }) = answer else { panic!("not the answer: {answer:?}") };
        let response = RegistrationResponse::deserialize(&registration).expect("the node's answer is well formed");
        let parameters = ClientRegistrationFinishParameters::default();
        let finished = begun.state.finish(&mut OsRng, password, response, parameters).expect("the answer fits");
        finished.message.serialize().to_vec()
    }
}

/// Sends as much as the node takes; it may well close before it has taken everything.
pub(super) async fn write(stream: &mut BoxStream, bytes: &[u8]) {
    let _ = in_time(async { stream.write_all(bytes).await.and(stream.flush().await) }).await;
}

/// The refusal in place of a welcome, or None where the node closes the stream without a word.
pub(super) async fn refusal_of_hello(stream: &mut BoxStream) -> Option<Code> {
    // The reply's own type is private to the hello; on the wire, a variant is its number and its content.
    let said = in_time(codec::read::<(u32, Refusal)>(stream, HELLO_SIZE_MAX_BYTES)).await;
    let code = match said {
        Ok(Some((REFUSED, refusal))) => Some(refusal.code),
        Ok(None) | Err(FrameError::Io(_)) => return None,
        other => panic!("neither a refusal nor the end: {other:?}"),
    };
    assert_closed(stream).await;
    code
}

/// Waits until the node has closed the stream, one way or the other, and fails if it says something first.
pub(super) async fn assert_closed(stream: &mut BoxStream) {
    let mut rest = [0; 64];
    let read = in_time(stream.read(&mut rest)).await;
    assert!(matches!(read, Ok(0) | Err(_)), "the node went on to say {rest:?}");
}
