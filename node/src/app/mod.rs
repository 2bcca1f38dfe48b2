//! (in the making)

mod entry;
mod roster;

use std::collections::BTreeMap;
use std::sync::Arc;

use chat::{AccountId, ConversationId, Cursor, MessageId, Notice, Replica, Session, SessionId};
use tokio::sync::{broadcast, watch};
use wire::message::{AccountInfo, ConversationInfo, FeedEvent, MessageInfo};
use wire::peer::FoundingRecord;

use crate::raft::application::{Application, Committed, SnapshotRead, SnapshotWrite};
use crate::store::StoreError;
use crate::store::state::{StateStore, Table};

pub use entry::{AppReply, ClusterCommand, Entry};
pub use roster::{FOUNDERS_MAX, RosterNode};

/// The tables that the application has: what a store is opened with.
pub const TABLES: &[Table] = &[];

/// The replicated state of this node.
#[derive(Debug)]
pub struct App {}

impl App {
    /// The state as it lies in the store.
    pub fn open(_store: Arc<dyn StateStore>) -> Result<Arc<Self>, StoreError> {
        todo!()
    }

    /// How far the state is, after each commit.
    pub fn applied(&self) -> watch::Receiver<Cursor> {
        todo!()
    }

    /// What everyone who listens is told. Whoever lags misses some.
    pub fn notices(&self) -> broadcast::Receiver<(Cursor, Notice)> {
        todo!()
    }

    /// The record the cluster was founded with; None before.
    pub fn founding(&self) -> Result<Option<FoundingRecord>, StoreError> {
        todo!()
    }

    /// Every node that ever was admitted, by id.
    pub fn roster(&self) -> Result<Vec<RosterNode>, StoreError> {
        todo!()
    }

    /// The living account of that name, in any case.
    pub fn account_by_name(&self, _name: &str) -> Result<Option<AccountInfo>, StoreError> {
        todo!()
    }

    pub fn account(&self, _id: AccountId) -> Result<Option<AccountInfo>, StoreError> {
        todo!()
    }

    /// Living accounts by folded name, and whether there are more.
    pub fn accounts_page(
        &self,
        _pattern: Option<&str>,
        _after: Option<&str>,
        _limit: usize,
    ) -> Result<(Vec<AccountInfo>, bool), StoreError> {
        todo!()
    }

    pub fn session(&self, _id: SessionId) -> Result<Option<Session>, StoreError> {
        todo!()
    }

    /// The living account of that name, with its OPAQUE registration record.
    pub fn credentials(&self, _name: &str) -> Result<Option<(AccountId, Vec<u8>)>, StoreError> {
        todo!()
    }

    pub fn conversations(&self, _account: AccountId) -> Result<Vec<ConversationInfo>, StoreError> {
        todo!()
    }

    /// The conversation of the two, as the first of them sees it.
    pub fn conversation_with(
        &self,
        _viewer: AccountId,
        _other: AccountId,
    ) -> Result<Option<ConversationInfo>, StoreError> {
        todo!()
    }

    pub fn messages(
        &self,
        _conversation: ConversationId,
        _viewer: AccountId,
        _before: Option<Cursor>,
        _after: Option<Cursor>,
        _limit: usize,
    ) -> Result<(Vec<MessageInfo>, bool), StoreError> {
        todo!()
    }

    pub fn message_by_id(&self, _sender: AccountId, _id: MessageId) -> Result<Option<MessageInfo>, StoreError> {
        todo!()
    }

    /// The first rows of the account's feed after the cursor.
    pub fn feed(
        &self,
        _account: AccountId,
        _after: Cursor,
        _limit: usize,
    ) -> Result<Vec<(Cursor, FeedEvent)>, StoreError> {
        todo!()
    }

    /// How many messages never reached the account, and how many accounts sent them.
    pub fn deletion_preview(&self, _account: AccountId) -> Result<(u64, u64), StoreError> {
        todo!()
    }

    /// Every session that is connected, and where.
    pub fn connected_sessions(&self) -> Result<Vec<(SessionId, AccountId, Replica)>, StoreError> {
        todo!()
    }

    /// The digest at the index of a check, once it has been computed; the last few are kept.
    pub fn digest_at(&self, _index: Cursor) -> Option<[u8; 32]> {
        todo!()
    }

    /// The digests of the last few checks, to wait for one.
    pub fn digests(&self) -> watch::Receiver<BTreeMap<Cursor, [u8; 32]>> {
        todo!()
    }
}

impl Application for App {
    fn applied(&self) -> Result<Option<Vec<u8>>, StoreError> {
        todo!()
    }
    fn apply(&self, _: Vec<Committed>, _: &[u8]) -> Result<(), StoreError> {
        todo!()
    }
    fn sync(&self) -> Result<Option<Vec<u8>>, StoreError> {
        todo!()
    }
    fn snapshot(&self) -> Result<(Option<Vec<u8>>, Box<dyn SnapshotRead>), StoreError> {
        todo!()
    }
    fn receive(&self) -> Result<Box<dyn SnapshotWrite>, StoreError> {
        todo!()
    }
}
