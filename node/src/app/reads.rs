//! What others may ask of the state. Each read is of one moment, and short.

use chat::{AccountId, ConversationId, Cursor, MessageId, NameKey, Replica, Session, SessionId};
use wire::message::{AccountInfo, ConversationInfo, FeedEvent, MessageInfo};
use wire::peer::FoundingRecord;

use super::held::Held;
use super::infos::{account_info, conversation_info, feed_event, message_info};
use super::pages::{self, Page};
use super::roster::{self, RosterNode};
use super::search::{self, Query, SearchError};
use super::tables::Tables;
use super::view::Guarded;
use super::{App, keys};
use crate::store::StoreError;

impl App {
    /// The record that the cluster was founded with; None before.
    pub fn founding(&self) -> Result<Option<FoundingRecord>, StoreError> {
        self.at_once(|tables| tables.founding())
    }

    /// Every node that ever was admitted, by id.
    pub fn roster(&self) -> Result<Vec<RosterNode>, StoreError> {
        self.at_once(roster::all)
    }

    /// The living account of that name, in any case.
    pub fn account_by_name(&self, name: &str) -> Result<Option<AccountInfo>, StoreError> {
        self.at_once(|tables| match tables.account_named(&NameKey::fold(name))? {
            Some(id) => Ok(tables.account(id)?.as_ref().map(account_info)),
            None => Ok(None),
        })
    }

    /// The account, living or deleted.
    pub fn account(&self, id: AccountId) -> Result<Option<AccountInfo>, StoreError> {
        self.at_once(|tables| Ok(tables.account(id)?.as_ref().map(account_info)))
    }

    /// Living accounts in the order of their folded names, from after that of `after`, and whether there
    /// are more. `pattern`: `*` any run, `?` any one character, in any case.
    pub fn accounts_page(
        &self,
        pattern: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<AccountInfo>, bool), StoreError> {
        self.at_once(|tables| {
            let (accounts, more) = pages::accounts(tables, pattern, after, limit)?;
            Ok((accounts.iter().map(account_info).collect(), more))
        })
    }

    /// The session, unless it has ended.
    pub fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.at_once(|tables| tables.session(id))
    }

    /// The living account of that name, with its OPAQUE registration record.
    pub fn credentials(&self, name: &str) -> Result<Option<(AccountId, Vec<u8>)>, StoreError> {
        self.at_once(|tables| match tables.account_named(&NameKey::fold(name))? {
            Some(id) => Ok(tables.account(id)?.map(|account| (id, account.credentials))),
            None => Ok(None),
        })
    }

    /// The account's conversations, the one that was written to last first. Of very many, only the
    /// latest, and the last message only while there is room for it.
    pub fn conversations(&self, account: AccountId) -> Result<Vec<ConversationInfo>, StoreError> {
        self.at_once(|tables| pages::conversations(tables, account))
    }

    /// The conversation of the two, as the first of them sees it; None before its first message.
    pub fn conversation_with(
        &self,
        viewer: AccountId,
        other: AccountId,
    ) -> Result<Option<ConversationInfo>, StoreError> {
        self.at_once(|tables| {
            let Some(id) = tables.conversation_between(viewer, other)? else { return Ok(None) };
            let conversation = tables.conversation(id)?;
            conversation.map(|conversation| conversation_info(tables, &conversation, viewer, true)).transpose()
        })
    }

    /// Messages, oldest first: the last `limit` before `before`, or the first `limit` after `after`, or the
    /// last `limit`; fewer where they would not fit a frame. And whether there are more of them. Nothing
    /// where the viewer takes no part.
    pub fn messages(
        &self,
        conversation: ConversationId,
        viewer: AccountId,
        before: Option<Cursor>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<(Vec<MessageInfo>, bool), StoreError> {
        self.at_once(|tables| match tables.conversation(conversation)? {
            Some(found) if found.has(viewer) => pages::messages(tables, conversation, &Page { before, after, limit }),
            _ => Ok((Vec::new(), false)),
        })
    }

    /// All conversations of the account in the order of their ids, without their last messages: those after this one, page by page.
    pub fn conversations_after(
        &self,
        account: AccountId,
        after: Option<ConversationId>,
    ) -> Result<Vec<ConversationInfo>, StoreError> {
        self.at_once(|tables| pages::conversations_after(tables, account, after))
    }

    /// Messages of the account's conversations that match, or of the one with `other`: the newest first, before this place. And whether there
    /// may be more. May take a while: not for a thread that others wait for.
    pub fn search(
        &self,
        account: AccountId,
        query: &Query,
        other: Option<AccountId>,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<(Vec<MessageInfo>, bool), SearchError> {
        let state = self.store.read()?;
        let tables = Tables(&*state);
        let conversations = match other {
            Some(other) => tables.conversation_between(account, other)?.into_iter().collect(),
            None => tables.conversations_of(account)?,
        };
        search::find(tables, query, search::Scope { conversations, before, limit })
    }

    /// The Raft term in which the entry at this place was proposed. None: it is not there, or from before terms were kept.
    pub fn term(&self, at: Cursor) -> Result<Option<u64>, StoreError> {
        self.at_once(|tables| if at > tables.cursor()? { Ok(None) } else { tables.term(at) })
    }

    /// The message that the sender gave this id.
    pub fn message_by_id(&self, sender: AccountId, id: MessageId) -> Result<Option<MessageInfo>, StoreError> {
        self.at_once(|tables| {
            let Some((conversation, cursor)) = tables.message_place(sender, id)? else { return Ok(None) };
            let message = tables.message(conversation, cursor)?;
            message.map(|message| message_info(tables, message)).transpose()
        })
    }

    /// The first rows of the account's feed after the cursor; fewer than `limit` only at its end.
    pub fn feed(
        &self,
        account: AccountId,
        after: Cursor,
        limit: usize,
    ) -> Result<Vec<(Cursor, FeedEvent)>, StoreError> {
        self.at_once(|tables| {
            let rows = tables.feed(account, after, limit)?.into_iter();
            rows.map(|(at, row)| Ok((at, feed_event(tables, at, row)?))).collect()
        })
    }

    /// How many messages have not reached the account, and how many accounts sent them.
    pub fn deletion_preview(&self, account: AccountId) -> Result<(u64, u64), StoreError> {
        self.at_once(|tables| {
            let view = Guarded::over(tables, Held::default());
            let preview = chat::deletion_preview(&view, account);
            view.finish()?;
            Ok((preview.undelivered, preview.senders))
        })
    }

    /// Every session that listens, and where.
    pub fn connected_sessions(&self) -> Result<Vec<(SessionId, AccountId, Replica)>, StoreError> {
        self.at_once(|tables| {
            let mut connected = Vec::new();
            tables.scan(keys::SESSIONS, &[], None, |_, session: Session| {
                connected.extend(session.connected.map(|at| (session.id, session.account, at)));
                true
            })?;
            Ok(connected)
        })
    }

    fn at_once<T>(&self, read: impl FnOnce(Tables<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let state = self.store.read()?;
        read(Tables(&*state))
    }
}
