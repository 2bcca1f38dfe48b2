//! What a client and a node say to each other, after the hello.
//!
//! The client sends [`Ask`]s, any number at once; the node answers each with one [`Answered`], in
//! any order, and pushes what happens once the client has subscribed. Variants and fields are added
//! at the end only; the golden bytes in `golden/` fail a change that breaks that.

use chat::{
    AccountId, ConversationId, CreationId, Cursor, Delivery, MessageId, Numbering, Reply, Seq, SessionId, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{Address, PeerId, Refusal};

/// The longest frame between a client and a node, in bytes.
pub const CLIENT_FRAME_SIZE_MAX_BYTES: usize = 256 * 1024;

/// A request, numbered by the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    pub id: u64,
    /// The node answers only once it has applied this far, so that a client never sees time go
    /// backwards, whichever node it asks.
    pub at_least: Cursor,
    pub request: Request,
}

/// From the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromNode {
    Answered(Answered),
    Push(Push),
}

/// The answer to the ask of the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    pub id: u64,
    pub result: Result<Answer, Refusal>,
    /// How far the node had applied when it answered.
    pub applied: Cursor,
    /// The answer is from this node alone: no majority could be asked. What it says was true once,
    /// and may have been overtaken.
    pub stale: bool,
}

/// What a client may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    // To anyone who holds the client secret.
    /// Accounts in the order of their folded names. `pattern`: `*` any run, `?` any one character.
    Accounts {
        pattern: Option<String>,
        after: Option<String>,
        limit: u32,
    },
    /// First half of creating an account: OPAQUE's registration request.
    RegisterStart {
        name: String,
        registration: Vec<u8>,
    },
    /// Second half: OPAQUE's upload. The token is drawn by the client; asking again with the same
    /// creation id after a lost answer creates nothing twice.
    RegisterFinish {
        creation: CreationId,
        name: String,
        upload: Vec<u8>,
        token: Token,
    },
    /// First half of a login: OPAQUE's credential request.
    LoginStart {
        name: String,
        credential: Vec<u8>,
    },
    /// Second half, on the same connection: OPAQUE's finalization.
    LoginFinish {
        finalization: Vec<u8>,
        token: Token,
    },
    /// Goes on with a session on this connection.
    Resume {
        session: SessionId,
        token: Token,
    },
    ClusterStatus,
    /// Compares a hash of the whole state at one index on every node.
    ClusterCheck,

    // To a session.
    /// `to_account` where the sender knows which account it means; else whoever has the name.
    Send {
        seq: Seq,
        /// The message of the session before this one; None where it is the first.
        follows: Option<MessageId>,
        id: MessageId,
        to: To,
        text: String,
    },
    Conversations,
    /// A page of a conversation, oldest first: the last `limit` before `before`, or the first
    /// `limit` after `after`, or the last `limit`.
    Messages {
        with: To,
        before: Option<Cursor>,
        after: Option<Cursor>,
        limit: u32,
    },
    /// One message of the session's account, by the sender's own id.
    MessageById {
        id: MessageId,
    },
    /// Pushes the account's feed from after the cursor (None: from now on), and notices. The session
    /// is connected, hence its account active, until `Leave` or until the connection has been lost
    /// for a while. Again: starts over from there.
    Subscribe {
        after: Option<Cursor>,
        announce: bool,
    },
    /// Everything up to these places has been received by this device.
    Delivered {
        marks: Vec<(ConversationId, Cursor)>,
    },
    Read {
        conversation: ConversationId,
        up_to: Cursor,
    },
    /// What deleting the account would do.
    DeletionPreview,
    DeleteAccount,
    /// Ends the session for good.
    LogOut,
    /// Leaves politely: no longer active, the session stays.
    Leave,

    // To an operator: a hello that proved the cluster secret itself.
    RemoveNode {
        name: String,
    },
    TransferLeader {
        to: Option<String>,
    },

    // To anyone, added later.
    /// Answered `Done` at once, by this node alone: a client's heartbeat.
    Ping,

    // To a session, added later.
    /// Messages of the account's conversations, or of the one with `with`, that have the words of `query`: the newest first,
    /// before `before`.
    Search {
        query: String,
        with: Option<To>,
        before: Option<Cursor>,
        limit: u32,
    },
    /// The conversations in the order of their ids, without their last messages, page by page: those after this one.
    ConversationsAfter {
        after: Option<ConversationId>,
    },
    /// The Raft term of the entry at a place in the log.
    Term {
        at: Cursor,
    },
}

/// The other side of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum To {
    Name(String),
    Account(AccountId),
}

/// What a session is resumed with. 256 bits, drawn by the client; nodes keep its hash.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token(pub [u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// What a node keeps of it. The token is random, so a plain hash is enough.
    pub fn hash(&self) -> [u8; 32] {
        blake3::derive_key("five9s session token v1", &self.0)
    }
}

/// The answers, named as their requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Done,
    Accounts {
        accounts: Vec<AccountInfo>,
        more: bool,
    },
    RegisterStart {
        registration: Vec<u8>,
    },
    LoginStart {
        credential: Vec<u8>,
    },
    /// Logged in, by whichever way. Numbering goes on after `numbering`.
    Session {
        session: SessionId,
        account: AccountInfo,
        numbering: Numbering,
    },
    /// What became of a numbered command.
    Sent(Reply),
    Conversations(Vec<ConversationInfo>),
    /// `conversation` is None where the two have not talked yet.
    Messages {
        conversation: Option<ConversationInfo>,
        messages: Vec<MessageInfo>,
        more: bool,
    },
    Message(Option<MessageInfo>),
    Subscribed {
        from: Cursor,
    },
    DeletionPreview {
        undelivered: u64,
        senders: u64,
    },
    AccountDeleted {
        returned: u64,
    },
    ClusterStatus(ClusterStatus),
    ClusterCheck {
        index: Cursor,
        digests: Vec<NodeDigest>,
    },
    Found {
        messages: Vec<MessageInfo>,
        more: bool,
    },
    /// None: this node does not know it.
    Term(Option<u64>),
}

/// Unasked. All but `Cluster` and `Leaving` are for a connection that subscribed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Push {
    /// A row of the account's feed. In order, without gap and without repeat.
    Feed { cursor: Cursor, event: FeedEvent },
    /// All rows up to here have been pushed; what follows is live.
    CaughtUp { cursor: Cursor },
    /// Happened just now. Where very many listen, those alone are told who have a conversation with the account; whoever misses it reads
    /// the account list.
    Account { account: AccountInfo, change: AccountChange },
    /// How the cluster looks and where its nodes are: sent first on each connection, and at each change.
    Cluster(ClusterHealth),
    /// The node is about to stop: move on.
    Leaving,
    /// The session ended (logged out elsewhere, or its account was deleted).
    SessionEnded,
}

/// What a feed is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeedEvent {
    Message(MessageInfo),
    Delivered {
        conversation: ConversationId,
        by: AccountId,
        up_to: Cursor,
    },
    Read {
        conversation: ConversationId,
        by: AccountId,
        up_to: Cursor,
    },
    /// The other account was deleted; this many messages after `after` never reached it.
    Returned {
        conversation: ConversationId,
        by: AccountInfo,
        after: Cursor,
        returned: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountChange {
    Created,
    Deleted,
    Connected,
    Disconnected,
}

/// An account as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountInfo {
    pub id: AccountId,
    pub name: String,
    pub active: bool,
    pub deleted: bool,
    pub created_at: Timestamp,
}

/// A message as its sender or its recipient sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageInfo {
    pub id: MessageId,
    pub cursor: Cursor,
    pub conversation: ConversationId,
    pub from: AccountInfo,
    pub to: AccountInfo,
    pub text: String,
    pub sent_at: Timestamp,
    pub state: Delivery,
}

/// A conversation as one of its members sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationInfo {
    pub id: ConversationId,
    pub with: AccountInfo,
    pub length: u64,
    pub unread: u64,
    pub read_up_to: Cursor,
    pub last: Option<MessageInfo>,
}

/// What a client needs to know of the nodes, to reach them and to tell its person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterHealth {
    pub leader: Option<String>,
    pub writable: bool,
    pub nodes: Vec<NodeHint>,
}

/// Where a node may be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeHint {
    pub name: String,
    pub peer: PeerId,
    pub addresses: Vec<Address>,
    pub reachable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    pub nodes: Vec<NodeStatus>,
    pub leader: Option<String>,
    pub voters: u32,
    pub reachable_voters: u32,
    /// How many more voters may fail with the chat still writable.
    pub can_lose: u32,
    pub writable: bool,
    pub epoch: u32,
    /// The node that answered.
    pub answered_by: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    pub name: String,
    pub node_id: u64,
    pub peer: PeerId,
    pub role: Role,
    pub voter: bool,
    pub reachable: bool,
    pub addresses: Vec<Address>,
    /// What the node says of itself; None where it cannot be reached.
    pub progress: Option<NodeProgress>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeProgress {
    pub term: u64,
    pub last_index: u64,
    pub applied: u64,
    /// Bytes its data folder takes.
    pub disk_used_bytes: u64,
    /// Bytes free on that disk.
    pub disk_free_bytes: u64,
    pub version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    Leader,
    Follower,
    Candidate,
    Learner,
    /// Not to be reached, so nobody knows.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeDigest {
    pub name: String,
    /// None: the node did not answer in time.
    pub digest: Option<[u8; 32]>,
}
