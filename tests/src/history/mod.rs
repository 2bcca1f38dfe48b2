//! What was asked, what was answered, and what was seen, in the order in which it happened on one clock: what a [checker](crate::checker)
//! judges a run by.
//!
//! Whoever drives a cluster (the simulation, the chaos runs) writes one through a [`Recorder`]. A history is a file of JSON lines, an
//! [`Event`] each, so that it can be kept, read by a person, and checked again.

mod recorder;

use serde::{Deserialize, Serialize};

pub use recorder::{Recorder, Watch, read};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Nanoseconds since the run began. Never falls from line to line.
    pub at_ns: u64,
    pub what: What,
}

/// A place in the log: the order of everything.
pub type Place = u64;

/// An account, by the index of the entry that created it.
pub type Account = u64;

/// A conversation, by the index of the entry that began it.
pub type Conversation = u64;

/// A call, by a number of its own.
pub type Op = u64;

/// An attempt to follow an account's feed, by a number of its own.
pub type Stream = u64;

/// See [`Event`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A device asks for something. What never returns may or may not have happened.
    Invoked {
        op: Op,
        device: String,
        call: Call,
    },
    Returned {
        op: Op,
        outcome: Outcome,
    },
    /// A device begins to follow its account's feed.
    Following {
        stream: Stream,
        device: String,
        account: Account,
        from: From,
    },
    /// A message came by that feed.
    Saw {
        stream: Stream,
        message: Message,
    },
    /// A mark came by that feed.
    SawMark {
        stream: Stream,
        mark: Mark,
        conversation: Conversation,
        by: Account,
        up_to: Place,
    },
    /// At rest: all that a node holds of a conversation, oldest first.
    Held {
        node: String,
        conversation: Conversation,
        messages: Vec<Message>,
    },
    /// At rest: how a node counts a conversation for an account.
    Counted {
        node: String,
        account: Account,
        row: Row,
    },
    /// A hash of a node's whole replicated state at an index.
    Digest {
        node: String,
        index: Place,
        digest: String,
    },
    /// Every fault has been undone.
    Healed,
    /// A message that was sent after that has been read at every node.
    Recovered {
        message: String,
    },
    /// A fault, for whoever reads the history; nothing is judged by it.
    Fault {
        text: String,
    },
    /// A process said something that none should say: a panic, or an error that nobody allowed.
    Complained {
        process: String,
        line: String,
    },
    /// What a process uses.
    Used {
        process: String,
        memory_bytes: u64,
        files: u64,
    },
}

/// A call of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    CreateAccount {
        name: String,
    },
    /// With a password, or with the session that the device keeps.
    LogIn {
        account: Account,
    },
    DeleteAccount {
        account: Account,
    },
    /// `message` is the ULID that makes it one message, however often it is sent.
    Send {
        message: String,
        from: Account,
        to: Account,
        text: String,
    },
    /// The newest `limit` messages of a conversation, or those before or after a place.
    Read {
        account: Account,
        with: Account,
        before: Option<Place>,
        after: Option<Place>,
        limit: u32,
    },
    /// The account's conversations.
    List {
        account: Account,
    },
    MarkRead {
        account: Account,
        conversation: Conversation,
        up_to: Place,
    },
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done(Answer),
    /// It has no effect, now or later.
    Refused {
        code: String,
    },
    /// It may have happened, or happen yet.
    Unknown {
        code: String,
    },
}

/// What a call that was done came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Done,
    Account(Account),
    Stored {
        conversation: Conversation,
        cursor: Place,
    },
    /// `stale`: from one node alone, which could not ask a majority. `more`: there are more on the side that was asked for.
    Messages {
        conversation: Option<Conversation>,
        messages: Vec<Message>,
        more: bool,
        stale: bool,
    },
    Conversations {
        rows: Vec<Row>,
        stale: bool,
    },
}

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    pub id: String,
    pub cursor: Place,
    pub conversation: Conversation,
    pub from: Account,
    pub to: Account,
    pub text: String,
}

/// A conversation as one of its accounts sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub conversation: Conversation,
    /// How many messages it has.
    pub length: u64,
    /// How many of the other's come after `read_up_to`.
    pub unread: u64,
    pub read_up_to: Place,
    /// Its last message; 0 where there is none.
    pub last: Place,
}

/// Where a feed is followed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// After this place.
    After(Place),
    /// From where the device was. After a crash it may be handed once more what it was handed in the last second before.
    Kept,
}

/// What an account has told of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    Delivered,
    Read,
}
