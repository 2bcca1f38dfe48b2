//! Pages: of accounts by name, of a conversation by cursor, of conversations by their last message.
//!
//! Every page fits a frame to a client ([`wire::message::CLIENT_FRAME_SIZE_MAX_BYTES`]) and says whether
//! there is more.

use chat::{Account, AccountId, Conversation, ConversationId, Cursor, Message, NameKey};
use wire::message::{ConversationInfo, MessageInfo};

use super::infos::{conversation_info, message_info};
use super::keys::{self, Key};
use super::pattern;
use super::tables::Tables;
use crate::store::StoreError;

/// Texts in a page of messages; the first message comes even if it is longer.
const TEXTS_SIZE_MAX_BYTES: usize = 128 * 1024;

/// Conversations in the list, the latest first; older ones are left out, and found by name.
const CONVERSATIONS_MAX: usize = 300;

/// Last messages in the list of conversations; beyond it a conversation comes without.
const LAST_TEXTS_SIZE_MAX_BYTES: usize = 64 * 1024;

/// Which part of a conversation.
pub(super) struct Page {
    pub(super) before: Option<Cursor>,
    pub(super) after: Option<Cursor>,
    pub(super) limit: usize,
}

/// Living accounts in the order of their folded names, and whether there are more.
pub(super) fn accounts(
    tables: Tables<'_>,
    pattern: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<Account>, bool), StoreError> {
    let pattern = pattern.map(NameKey::fold);
    let fits = |name: &str| pattern.as_ref().is_none_or(|pattern| pattern::matches(pattern.as_str(), name));
    let mut ids: Vec<AccountId> = Vec::new();
    tables.scan(keys::NAMES, &names_after(after), None, |key, id| {
        if std::str::from_utf8(key).is_ok_and(fits) {
            ids.push(id);
        }
        ids.len() <= limit
    })?;
    let more = ids.len() > limit;
    ids.truncate(limit);
    let accounts = ids.into_iter().filter_map(|id| tables.account(id).transpose()).collect::<Result<_, _>>()?;
    Ok((accounts, more))
}

fn names_after(name: Option<&str>) -> Vec<u8> {
    let Some(name) = name else { return Vec::new() };
    let folded = NameKey::fold(name);
    let key = folded.as_str().as_bytes();
    // No name is that long, so cutting moves the place between the same two names.
    keys::above(&key[..key.len().min(keys::NAME_SIZE_MAX_BYTES)])
}

/// Messages, oldest first, and whether there are more on the side that the page goes to: later ones where
/// `after` is given, earlier ones where it is not.
pub(super) fn messages(
    tables: Tables<'_>,
    conversation: ConversationId,
    page: &Page,
) -> Result<(Vec<MessageInfo>, bool), StoreError> {
    let (messages, more) = match page.after {
        Some(after) => later(tables, conversation, after, page)?,
        None => earlier(tables, conversation, page)?,
    };
    let infos = messages.into_iter().map(|message| message_info(tables, message)).collect::<Result<_, _>>()?;
    Ok((infos, more))
}

fn later(
    tables: Tables<'_>,
    conversation: ConversationId,
    after: Cursor,
    page: &Page,
) -> Result<(Vec<Message>, bool), StoreError> {
    let from = keys::above(&Key::Message(conversation, after).bytes());
    let (_, end) = keys::beginning_with(conversation.0);
    let to = page.before.map_or(end, |before| Key::Message(conversation, before).bytes());
    let mut taken = Taken::up_to(page.limit);
    tables.scan(keys::MESSAGES, &from, Some(&to), |_, message| taken.take(message))?;
    Ok((taken.messages, taken.more))
}

fn earlier(tables: Tables<'_>, conversation: ConversationId, page: &Page) -> Result<(Vec<Message>, bool), StoreError> {
    let mut taken = Taken::up_to(page.limit);
    let mut before = page.before.unwrap_or(Cursor(u64::MAX));
    while let Some(at) = before.0.checked_sub(1) {
        let Some(message) = tables.message_at_or_before(conversation, Cursor(at))? else { break };
        before = message.cursor;
        if !taken.take(message) {
            break;
        }
    }
    taken.messages.reverse();
    Ok((taken.messages, taken.more))
}

/// What a page has room for.
pub(super) struct Taken {
    pub(super) messages: Vec<Message>,
    limit: usize,
    size_bytes: usize,
    /// There was one that the page had no room for.
    pub(super) more: bool,
}

impl Taken {
    pub(super) fn up_to(limit: usize) -> Self {
        Self { messages: Vec::new(), limit, size_bytes: 0, more: false }
    }

    /// Whether to go on.
    pub(super) fn take(&mut self, message: Message) -> bool {
        self.size_bytes += message.text.as_str().len();
        let too_large = self.size_bytes > TEXTS_SIZE_MAX_BYTES && !self.messages.is_empty();
        self.more = self.messages.len() >= self.limit || too_large;
        if !self.more {
            self.messages.push(message);
        }
        !self.more
    }
}

/// The account's conversations in the order of their ids, after this one; empty only at the end.
pub(super) fn conversations_after(
    tables: Tables<'_>,
    viewer: AccountId,
    after: Option<ConversationId>,
) -> Result<Vec<ConversationInfo>, StoreError> {
    let mut ids = tables.conversations_of(viewer)?;
    ids.sort_unstable();
    let later = ids.into_iter().filter(|id| after.is_none_or(|after| *id > after)).take(CONVERSATIONS_MAX);
    let all = later.filter_map(|id| tables.conversation(id).transpose());
    all.map(|conversation| conversation_info(tables, &conversation?, viewer, false)).collect()
}

/// The account's conversations, the one that was written to last first.
pub(super) fn conversations(tables: Tables<'_>, viewer: AccountId) -> Result<Vec<ConversationInfo>, StoreError> {
    let ids = tables.conversations_of(viewer)?.into_iter();
    let mut all: Vec<Conversation> =
        ids.filter_map(|id| tables.conversation(id).transpose()).collect::<Result<_, _>>()?;
    all.sort_unstable_by_key(|conversation| std::cmp::Reverse(conversation.last));
    let mut size_bytes = 0;
    let mut infos = Vec::new();
    for conversation in all.iter().take(CONVERSATIONS_MAX) {
        let mut info = conversation_info(tables, conversation, viewer, true)?;
        size_bytes += info.last.as_ref().map_or(0, |last| last.text.len());
        info.last = info.last.filter(|_| size_bytes <= LAST_TEXTS_SIZE_MAX_BYTES);
        infos.push(info);
    }
    Ok(infos)
}
