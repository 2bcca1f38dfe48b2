//! What `apply` may look at.

use crate::{
    Account, AccountId, Conversation, ConversationId, Cursor, DeviceId, Member, Message, MessageId, NameKey, Reply,
    Seq, Session, SessionId,
};

/// The state before the entry that is being applied. Lookups only, and all of them bounded: nothing
/// here may take longer because the history is long.
///
/// A storage failure is not an answer: an implementation over a disk stops applying and lets the
/// node stop (see the node's `app` module).
pub trait View {
    /// The account, living or deleted.
    fn account(&self, id: AccountId) -> Option<Account>;
    /// The living account of that name.
    fn account_named(&self, key: &NameKey) -> Option<AccountId>;
    fn session(&self, id: SessionId) -> Option<Session>;
    /// The session that the account has on the device.
    fn session_on(&self, account: AccountId, device: DeviceId) -> Option<SessionId>;
    /// All sessions of the account, ascending; at most `SESSIONS_PER_ACCOUNT_MAX`.
    fn sessions_of(&self, account: AccountId) -> Vec<SessionId>;
    /// What the numbered command was answered, if that is still remembered.
    fn remembered(&self, session: SessionId, seq: Seq) -> Option<Reply>;
    fn conversation(&self, id: ConversationId) -> Option<Conversation>;
    /// The conversation of the two accounts, in either order.
    fn conversation_between(&self, one: AccountId, other: AccountId) -> Option<ConversationId>;
    /// All conversations of the account, ascending.
    fn conversations_of(&self, account: AccountId) -> Vec<ConversationId>;
    /// The account's place in the conversation; the default where it never had one.
    fn member(&self, conversation: ConversationId, account: AccountId) -> Member;
    /// Where the sender's message of that id lies.
    fn message_place(&self, sender: AccountId, id: MessageId) -> Option<(ConversationId, Cursor)>;
    fn message(&self, conversation: ConversationId, cursor: Cursor) -> Option<Message>;
    /// The last message of the conversation at or before the cursor.
    fn message_at_or_before(&self, conversation: ConversationId, cursor: Cursor) -> Option<Message>;
}
