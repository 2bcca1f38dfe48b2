//! Conversations: of two accounts, or of one with itself; begun by their first message.

use crate::{AccountId, Change, Conversation, ConversationId, Cursor, Rejection, View};

/// The conversation, if it is there and the account takes part. Somebody else's is no different from
/// none: whoever asks learns nothing.
pub(crate) fn of(view: &impl View, id: ConversationId, account: AccountId) -> Result<Conversation, Rejection> {
    view.conversation(id).filter(|conversation| conversation.has(account)).ok_or(Rejection::NoSuchConversation)
}

/// The conversation of the two with one more message, the one at `position`.
pub(crate) fn grown(view: &impl View, position: Cursor, one: AccountId, other: AccountId) -> Conversation {
    let known = view.conversation_between(one, other).and_then(|id| view.conversation(id));
    let before = known.unwrap_or_else(|| Conversation {
        id: ConversationId(position.0),
        members: (one.min(other), one.max(other)),
        length: 0,
        last: Cursor::START,
    });
    Conversation { length: before.length.saturating_add(1), last: position, ..before }
}

/// The change that writes a conversation just grown.
pub(crate) fn put(conversation: Conversation) -> Change {
    if conversation.length == 1 { Change::AddConversation(conversation) } else { Change::PutConversation(conversation) }
}

/// Its members, the one once who is both.
pub(crate) fn members(conversation: &Conversation) -> impl Iterator<Item = AccountId> + use<> {
    let (one, other) = conversation.members;
    std::iter::once(one).chain((other != one).then_some(other))
}
