//! What answers and updates are made of. The front end's types are generated from these.

use client::{AccountChange, AccountInfo, ConversationInfo, MessageInfo, NodeStatus, Role};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Every call that is refused is refused with this: a stable code, and one sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Refusal {
    #[ts(type = "Code")]
    pub code: String,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Account {
    pub id: u64,
    pub name: String,
    pub active: bool,
    pub deleted: bool,
    pub created_at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    Stored,
    Delivered,
    Read,
    Returned,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Message {
    pub id: String,
    pub cursor: u64,
    pub conversation: u64,
    pub from: Account,
    pub to: Account,
    pub text: String,
    pub sent_at: u64,
    pub state: Delivery,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Conversation {
    pub id: u64,
    pub with: Account,
    pub length: u64,
    pub unread: u64,
    pub read_up_to: u64,
    pub last: Option<Message>,
}

/// A page of something. `stale`: from one node alone, which could not ask a majority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub more: bool,
    pub stale: bool,
}

/// Whom to speak to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum To {
    Name(String),
    Account(u64),
}

/// A message of this device that the cluster has not stored: waiting, or failed for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Pending {
    pub id: String,
    pub to: To,
    pub text: String,
    pub queued_at: u64,
    pub failed: Option<Refusal>,
}

/// What was typed and not sent. `with`: the other account's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    pub with: u64,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Login {
    pub account: Account,
    pub online: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    Leader,
    Follower,
    Learner,
    Unknown,
}

/// A node. `lag` in entries, `disk_free` in bytes; null where the node cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Node {
    pub name: String,
    pub role: NodeRole,
    pub reachable: bool,
    pub lag: Option<u64>,
    pub version: Option<String>,
    pub disk_free: Option<u64>,
    pub node_id: Option<u64>,
    pub addresses: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Cluster {
    pub nodes: Vec<Node>,
    pub leader: Option<String>,
    pub voters: u32,
    pub reachable_voters: u32,
    pub can_lose: u32,
    pub writable: bool,
    pub epoch: u32,
    pub answered_by: String,
    pub term: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct NodeSeen {
    pub name: String,
    pub reachable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Health {
    pub leader: Option<String>,
    pub writable: bool,
    pub nodes: Vec<NodeSeen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Link {
    Searching { trouble: Option<Refusal> },
    Live { node: String, warm: Option<String>, writable: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    ThisComputer,
    Network,
}

/// A chat that could be joined. `this_computer`: a node runs here and its secret is readable. `network`: seen by mDNS, needs a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Place {
    pub kind: PlaceKind,
    pub name: String,
    pub nodes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Start {
    pub joined: bool,
    pub accounts: Vec<String>,
    pub version: String,
    pub link: Link,
    pub signed_in: Option<Login>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

/// What a person chose. `notification_text`: a notification shows the message, and not only who wrote it. `zoom`: 1 is 100 %. `enter_sends`: or else Enter begins a line, and Ctrl+Enter sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub theme: Theme,
    pub language: Option<String>,
    pub notifications: bool,
    #[serde(default = "yes")]
    pub notification_text: bool,
    pub zoom: f64,
    #[serde(default = "yes")]
    pub enter_sends: bool,
}

/// What a person has chosen who was never asked: settings of an older version lack some fields.
fn yes() -> bool {
    true
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Holder {
    pub name: String,
    pub holds: Option<bool>,
}

/// Which nodes hold a stored message. `holds`: null where the node cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Proof {
    pub index: u64,
    pub term: Option<u64>,
    pub nodes: Vec<Holder>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Invited {
    pub code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct DeletionPreview {
    pub undelivered: u64,
    pub senders: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Deleted {
    pub returned: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Talk {
    pub conversation: Option<Conversation>,
    pub page: Page<Message>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Queued {
    pub id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Exported {
    pub path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Created,
    Deleted,
    Connected,
    Disconnected,
}

/// What the front end is told unasked: one ordered stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Update {
    Message {
        message: Message,
    },
    Delivered {
        cursor: u64,
        conversation: u64,
        by: u64,
        up_to: u64,
    },
    Read {
        cursor: u64,
        conversation: u64,
        by: u64,
        up_to: u64,
    },
    Returned {
        cursor: u64,
        conversation: u64,
        by: Account,
        after: u64,
        returned: u64,
    },
    CaughtUp {
        cursor: u64,
    },
    Queued {
        pending: Pending,
    },
    Stored {
        id: String,
        conversation: u64,
        cursor: u64,
        to: u64,
        sent_at: u64,
        recipient_active: bool,
    },
    Failed {
        id: String,
        refusal: Refusal,
    },
    Account {
        account: Account,
        change: Change,
    },
    Cluster {
        health: Health,
    },
    Link {
        link: Link,
    },
    SessionEnded {
        refusal: Refusal,
    },
    /// A notification was clicked.
    Open {
        conversation: u64,
    },
    /// Updates were missed: load everything anew.
    Lagged,
}

impl Refusal {
    pub(crate) fn new(code: client::Code, message: impl Into<String>) -> Self {
        Self { code: code.as_str().into(), message: message.into() }
    }

    /// The front end asked for something that makes no sense.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self { code: "request_malformed".into(), message: message.into() }
    }
}

impl From<client::Refusal> for Refusal {
    fn from(refusal: client::Refusal) -> Self {
        Self::new(refusal.code, refusal.message)
    }
}

impl From<client::ClientError> for Refusal {
    fn from(error: client::ClientError) -> Self {
        error.refusal.into()
    }
}

impl From<AccountInfo> for Account {
    fn from(account: AccountInfo) -> Self {
        let AccountInfo { id, name, active, deleted, created_at } = account;
        Self { id: id.0, name, active, deleted, created_at: created_at.0 }
    }
}

impl From<client::Delivery> for Delivery {
    fn from(delivery: client::Delivery) -> Self {
        match delivery {
            client::Delivery::Stored => Self::Stored,
            client::Delivery::Delivered => Self::Delivered,
            client::Delivery::Read => Self::Read,
            client::Delivery::Returned => Self::Returned,
        }
    }
}

impl From<MessageInfo> for Message {
    fn from(message: MessageInfo) -> Self {
        let MessageInfo { id, cursor, conversation, from, to, text, sent_at, state } = message;
        Self {
            id: id.to_string(),
            cursor: cursor.0,
            conversation: conversation.0,
            from: from.into(),
            to: to.into(),
            text,
            sent_at: sent_at.0,
            state: state.into(),
        }
    }
}

impl From<ConversationInfo> for Conversation {
    fn from(conversation: ConversationInfo) -> Self {
        let ConversationInfo { id, with, length, unread, read_up_to, last } = conversation;
        Self { id: id.0, with: with.into(), length, unread, read_up_to: read_up_to.0, last: last.map(Into::into) }
    }
}

impl<T, U: Into<T>> From<client::Page<U>> for Page<T> {
    fn from(page: client::Page<U>) -> Self {
        Self { items: page.items.into_iter().map(Into::into).collect(), more: page.more, stale: page.stale }
    }
}

impl From<client::To> for To {
    fn from(to: client::To) -> Self {
        match to {
            client::To::Name(name) => Self::Name(name),
            client::To::Account(account) => Self::Account(account.0),
        }
    }
}

impl From<To> for client::To {
    fn from(to: To) -> Self {
        match to {
            To::Name(name) => Self::Name(name),
            To::Account(account) => Self::Account(client::AccountId(account)),
        }
    }
}

impl From<client::Pending> for Pending {
    fn from(pending: client::Pending) -> Self {
        let client::Pending { id, to, text, queued_at, failed } = pending;
        Self { id: id.to_string(), to: to.into(), text, queued_at: queued_at.0, failed: failed.map(Into::into) }
    }
}

impl From<client::Draft> for Draft {
    fn from(draft: client::Draft) -> Self {
        Self { with: draft.with.0, text: draft.text }
    }
}

impl From<client::Login> for Login {
    fn from(login: client::Login) -> Self {
        Self { account: login.account.into(), online: login.online }
    }
}

impl NodeRole {
    /// A candidate is a follower that tries.
    fn of(role: Role) -> Self {
        match role {
            Role::Leader => Self::Leader,
            Role::Follower | Role::Candidate => Self::Follower,
            Role::Learner => Self::Learner,
            Role::Unknown => Self::Unknown,
        }
    }
}

impl Node {
    /// `head`: the furthest that any node has come.
    pub(crate) fn of(node: NodeStatus, head: u64) -> Self {
        let progress = node.progress;
        Self {
            name: node.name,
            role: NodeRole::of(node.role),
            reachable: node.reachable,
            lag: progress.as_ref().map(|progress| head.saturating_sub(progress.applied)),
            disk_free: progress.as_ref().map(|progress| progress.disk_free_bytes),
            version: progress.map(|progress| progress.version),
            node_id: Some(node.node_id),
            addresses: node.addresses.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<client::ClusterHealth> for Health {
    fn from(health: client::ClusterHealth) -> Self {
        let seen = |node: client::NodeHint| NodeSeen { name: node.name, reachable: node.reachable };
        Self { leader: health.leader, writable: health.writable, nodes: health.nodes.into_iter().map(seen).collect() }
    }
}

impl From<client::LinkState> for Link {
    fn from(link: client::LinkState) -> Self {
        match link {
            client::LinkState::Searching { trouble } => Self::Searching { trouble: trouble.map(Into::into) },
            client::LinkState::Live { node, warm, writable, .. } => Self::Live { node, warm, writable },
        }
    }
}

impl From<AccountChange> for Change {
    fn from(change: AccountChange) -> Self {
        match change {
            AccountChange::Created => Self::Created,
            AccountChange::Deleted => Self::Deleted,
            AccountChange::Connected => Self::Connected,
            AccountChange::Disconnected => Self::Disconnected,
        }
    }
}

impl From<client::Update> for Update {
    fn from(update: client::Update) -> Self {
        use client::Update as From;
        match update {
            From::Message(message) => Self::Message { message: message.into() },
            From::Delivered { cursor, conversation, by, up_to } => {
                Self::Delivered { cursor: cursor.0, conversation: conversation.0, by: by.0, up_to: up_to.0 }
            }
            From::Read { cursor, conversation, by, up_to } => {
                Self::Read { cursor: cursor.0, conversation: conversation.0, by: by.0, up_to: up_to.0 }
            }
            From::Returned { cursor, conversation, by, after, returned } => Self::Returned {
                cursor: cursor.0,
                conversation: conversation.0,
                by: by.into(),
                after: after.0,
                returned,
            },
            From::CaughtUp { cursor } => Self::CaughtUp { cursor: cursor.0 },
            From::Queued { id, to, text, queued_at } => {
                Self::Queued { pending: client::Pending { id, to, text, queued_at, failed: None }.into() }
            }
            From::Stored { id, conversation, cursor, to, sent_at, recipient_active } => Self::Stored {
                id: id.to_string(),
                conversation: conversation.0,
                cursor: cursor.0,
                to: to.0,
                sent_at: sent_at.0,
                recipient_active,
            },
            From::Failed { id, refusal } => Self::Failed { id: id.to_string(), refusal: refusal.into() },
            From::Account { account, change } => Self::Account { account: account.into(), change: change.into() },
            From::Cluster(health) => Self::Cluster { health: health.into() },
            From::Link(link) => Self::Link { link: link.into() },
            From::SessionEnded { refusal } => Self::SessionEnded { refusal: refusal.into() },
            From::Missed => Self::Lagged,
        }
    }
}
