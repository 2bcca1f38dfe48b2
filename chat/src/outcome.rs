//! What follows from an entry.

use serde::{Deserialize, Serialize};

use crate::{
    Account, AccountId, Conversation, ConversationId, Cursor, DeviceId, FeedRow, Member, Message, MessageId, NameKey,
    Numbering, Seq, Session, SessionId, Timestamp,
};

/// All that follows from one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// For whoever asked.
    pub reply: Reply,
    /// To be written in this order, in one transaction with the entry's index.
    pub changes: Vec<Change>,
    /// For everyone who listens now; never stored. Whoever missed one reads the account list.
    pub notices: Vec<Notice>,
}

impl Outcome {
    /// An answer, with nothing to write.
    pub(crate) fn reply(reply: Reply) -> Self {
        Self { reply, changes: Vec::new(), notices: Vec::new() }
    }

    /// Nothing to say, and so far nothing to write.
    pub(crate) fn done() -> Self {
        Self::reply(Reply::Done)
    }

    /// A refusal, with no effect.
    pub(crate) fn rejected(why: Rejection) -> Self {
        Self::reply(Reply::Rejected(why))
    }
}

/// The answer to a command. Kept for numbered commands, so the bytes of it live on disks too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Nothing to say beyond "applied".
    Done,
    AccountCreated {
        account: AccountId,
        session: SessionId,
    },
    /// Numbering goes on after `numbering`.
    SessionOpened {
        session: SessionId,
        numbering: Numbering,
    },
    /// `returned` messages never reached the deleted account; their senders have been told.
    AccountDeleted {
        returned: u64,
    },
    /// The message has its place. `recipient_active` is as of the entry that is answered.
    Stored {
        id: MessageId,
        conversation: ConversationId,
        cursor: Cursor,
        to: AccountId,
        sent_at: Timestamp,
        recipient_active: bool,
    },
    /// Executed before, and the answer is no longer remembered.
    Forgotten,
    /// Refused, with no effect but that a numbered command's number is used up.
    Rejected(Rejection),
    /// Out of turn, with no effect: the session goes on after this.
    SequenceGap {
        numbering: Numbering,
    },
}

/// Why a command has no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Rejection {
    #[error("The name {0} is taken.")]
    NameTaken(String),
    #[error("There is no account of that name.")]
    NoSuchAccount,
    #[error("There is no such conversation.")]
    NoSuchConversation,
    #[error("That account was deleted.")]
    AccountDeleted,
    #[error("This session has ended; log in again.")]
    SessionEnded,
    #[error("The message id {0} was used before, for another message.")]
    IdConflict(MessageId),
}

/// One record to write or remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    PutAccount(Account),
    PutName(NameKey, AccountId),
    RemoveName(NameKey),
    /// A session just opened: also indexes it by (account, device).
    AddSession(Session),
    /// One that is there already.
    PutSession(Session),
    /// Also removes its index and every remembered reply.
    RemoveSession {
        session: SessionId,
        account: AccountId,
        device: DeviceId,
    },
    /// Remembers a reply that could not be found again.
    Remember {
        session: SessionId,
        seq: Seq,
        reply: Reply,
    },
    /// What fell out of the window, if anything was remembered there.
    Forget {
        session: SessionId,
        seq: Seq,
    },
    /// A conversation just begun: also indexes it by its pair of members and under each of them.
    AddConversation(Conversation),
    /// One that is there already.
    PutConversation(Conversation),
    PutMember(ConversationId, AccountId, Member),
    /// Also indexes it by (sender, id).
    PutMessage(Message),
    PutFeed(AccountId, Cursor, FeedRow),
    RemoveFeed(AccountId, Cursor),
}

/// Something to tell everyone who is listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    AccountCreated(AccountId),
    AccountDeleted(AccountId),
    /// Its first session connected.
    Connected(AccountId),
    /// Its last session disconnected.
    Disconnected(AccountId),
}

impl Notice {
    /// To which account it happened.
    pub fn account(self) -> AccountId {
        match self {
            Self::AccountCreated(account)
            | Self::AccountDeleted(account)
            | Self::Connected(account)
            | Self::Disconnected(account) => account,
        }
    }
}
