//! The application against its reference, `chat::Memory`, over both kinds of store.

mod agreement;
mod batches;
mod golden;
mod nodes;
mod pages;
mod search;

use std::sync::Arc;
use std::sync::mpsc;

use bytes::Bytes;
use chat::{
    AccountId, Command, ConversationId, CreationId, Cursor, DeviceId, MessageId, Name, NameKey, Numbering, Recipient,
    Reply, Seq, SessionId, Text, Timestamp,
};

use super::keys::REPLICATED;
use super::{App, AppReply, ClusterCommand, Digest, Entry, TABLES};
use crate::raft::application::tests::Whole;
use crate::raft::application::{Application, Committed};
use crate::store::StoreError;
use crate::store::lmdb::LmdbState;
use crate::store::memory::MemoryState;
use crate::store::state::{Row, StateStore, Table};

/// An application, and the place of the next entry.
struct Replica {
    app: Arc<App>,
    next: u64,
}

impl Replica {
    fn over(store: Arc<dyn StateStore>) -> Self {
        let app = App::open(store).unwrap();
        let next = app.applied().borrow().0 + 1;
        Self { app, next }
    }

    fn in_memory() -> Self {
        Self::over(MemoryState::new(TABLES))
    }

    fn on_disk(dir: &std::path::Path) -> Self {
        Self::over(LmdbState::open(dir, TABLES).unwrap())
    }

    /// Applies a batch and returns the replies of those that got one.
    fn apply(&mut self, entries: &[Entry]) -> Result<Vec<AppReply>, StoreError> {
        let (replies, answered) = mpsc::channel();
        let committed: Vec<_> = (self.next..).zip(entries).map(|(at, entry)| waited_for(at, entry, &replies)).collect();
        let end = self.next + entries.len() as u64;
        self.app.apply(&mut Whole::new(committed, &(end - 1).to_be_bytes()))?;
        self.next = end;
        Ok(answered.try_iter().map(|bytes| AppReply::decode(&bytes).unwrap()).collect())
    }

    /// Applies one command and returns its reply.
    fn then(&mut self, command: Command) -> Reply {
        match self.one(Entry::Chat(command)) {
            AppReply::Chat(reply) => reply,
            other => panic!("a command of the chat was answered {other:?}"),
        }
    }

    fn one(&mut self, entry: Entry) -> AppReply {
        self.apply(&[entry]).unwrap().remove(0)
    }

    fn joined(&mut self, name: &str) -> (AccountId, SessionId) {
        match self.then(create(name, self.next)) {
            Reply::AccountCreated { account, session } => (account, session),
            other => panic!("{name} could not join: {other:?}"),
        }
    }

    fn says(&mut self, session: SessionId, to: &str, text: &str) -> (ConversationId, Cursor) {
        let numbering = self.app.session(session).unwrap().unwrap().numbering;
        match self.then(send(session, numbering, MessageId(u128::from(self.next)), to, text)) {
            Reply::Stored { conversation, cursor, .. } => (conversation, cursor),
            other => panic!("{text:?} was not stored: {other:?}"),
        }
    }

    /// Puts a check into the log and waits for its digest.
    fn digest(&mut self) -> Digest {
        let at = Cursor(self.next);
        assert_eq!(self.one(Entry::Cluster(ClusterCommand::Check)), AppReply::Checked);
        digest_of(&self.app, at)
    }
}

fn digest_of(app: &App, at: Cursor) -> Digest {
    let mut digests = app.digests();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let computed = async { digests.wait_for(|done| done.contains_key(&at)).await.unwrap()[&at] };
    runtime.block_on(computed)
}

fn waited_for(at: u64, entry: &Entry, replies: &mpsc::Sender<Bytes>) -> Committed {
    let replies = replies.clone();
    let respond = move |reply| replies.send(reply).unwrap();
    Committed { index: at, term: 1, command: Some(entry.encode()), respond: Some(Box::new(respond)) }
}

/// Every replicated row.
fn rows(store: &dyn StateStore) -> Vec<(Table, Row)> {
    let state = store.read().unwrap();
    let mut rows = Vec::new();
    for table in REPLICATED {
        let each = &mut |key: &[u8], value: &[u8]| {
            rows.push((*table, (key.to_vec(), value.to_vec())));
            true
        };
        state.scan(*table, &[], None, each).unwrap();
    }
    rows
}

fn create(name: &str, number: u64) -> Command {
    Command::CreateAccount {
        creation: CreationId(u128::from(number)),
        name: Name::parse(name).unwrap(),
        credentials: vec![1, 2, 3],
        device: DeviceId([1; 32]),
        token_hash: [1; 32],
        at: Timestamp(1_000),
    }
}

/// The next message of a session that has come so far.
fn send(session: SessionId, numbering: Numbering, id: MessageId, to: &str, text: &str) -> Command {
    Command::Send {
        session,
        seq: numbering.high_water.next(),
        follows: numbering.last,
        id,
        to: Recipient::Name(NameKey::fold(to)),
        text: Text::parse(text).unwrap(),
        at: Timestamp(2_000),
    }
}
