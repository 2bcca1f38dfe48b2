//! (in the making: the signatures that the API builds on)

use std::sync::Arc;

use chat::{AccountId, ConversationId, Cursor, MessageId, Notice, Session, SessionId};
use tokio::sync::{broadcast, watch};
use wire::message::{AccountInfo, ConversationInfo, FeedEvent, MessageInfo};
use wire::peer::FoundingRecord;

use crate::store::StoreError;
use crate::store::state::StateStore;

mod entry;

pub use entry::{AppReply, ClusterCommand, Entry};

/// The state of this replica.
#[derive(Debug)]
pub struct App {}

impl App {
    pub fn open(_store: Arc<dyn StateStore>) -> Result<Arc<Self>, StoreError> {
        todo!()
    }

    pub fn applied(&self) -> watch::Receiver<Cursor> {
        todo!()
    }

    pub fn notices(&self) -> broadcast::Receiver<(Cursor, Notice)> {
        todo!()
    }

    pub fn founding(&self) -> Result<Option<FoundingRecord>, StoreError> {
        todo!()
    }

    pub fn account_by_name(&self, _name: &str) -> Result<Option<AccountInfo>, StoreError> {
        todo!()
    }

    pub fn account(&self, _id: AccountId) -> Result<Option<AccountInfo>, StoreError> {
        todo!()
    }

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

    pub fn credentials(&self, _name: &str) -> Result<Option<(AccountId, Vec<u8>)>, StoreError> {
        todo!()
    }

    pub fn conversations(&self, _account: AccountId) -> Result<Vec<ConversationInfo>, StoreError> {
        todo!()
    }

    pub fn conversation_with(
        &self,
        _account: AccountId,
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

    pub fn message_by_id(&self, _account: AccountId, _id: MessageId) -> Result<Option<MessageInfo>, StoreError> {
        todo!()
    }

    pub fn feed(
        &self,
        _account: AccountId,
        _after: Cursor,
        _limit: usize,
    ) -> Result<Vec<(Cursor, FeedEvent)>, StoreError> {
        todo!()
    }

    pub fn deletion_preview(&self, _account: AccountId) -> Result<(u64, u64), StoreError> {
        todo!()
    }
}
