//! The calls. Each ends within the client's deadline, with an answer or a refusal.

use std::time::Duration;

use chat::{AccountId, ConversationId, Cursor, MessageId, SessionId};
use tokio::sync::watch;
use wire::message::{AccountInfo, ClusterHealth, ClusterStatus, ConversationInfo, MessageInfo, NodeDigest, To};

use crate::{ClientError, Config, FollowFrom, LinkState, Login, Page, Updates, Want};

/// A client of a cluster: cheap to clone; the last clone dropped ends it.
#[derive(Clone, Debug)]
pub struct Client {}

#[allow(unused_variables)]
impl Client {
    /// Opens the profile and begins to look for nodes. Within a Tokio runtime. Does not wait for anybody.
    pub fn open(config: Config) -> Result<Self, ClientError> {
        todo!()
    }

    /// The same client with another limit on how long a call may take.
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        todo!()
    }

    /// What happens, from now on. One receiver at a time: a second call takes over from the first.
    pub fn updates(&self) -> Updates {
        todo!()
    }

    /// How the client is connected.
    pub fn link(&self) -> watch::Receiver<LinkState> {
        todo!()
    }

    /// The cluster as the live node sees it; empty until it said so.
    pub fn cluster(&self) -> watch::Receiver<ClusterHealth> {
        todo!()
    }

    /// The account that is logged in.
    pub fn account(&self) -> Option<(AccountId, String, SessionId)> {
        todo!()
    }

    /// The names of the accounts that this profile keeps a session of, the one used last first.
    pub async fn kept_accounts(&self) -> Result<Vec<String>, ClientError> {
        todo!()
    }

    /// A page of accounts in the order of their names. `pattern`: `*` any run, `?` any one character.
    pub async fn accounts(
        &self,
        pattern: Option<String>,
        after: Option<String>,
        limit: u32,
    ) -> Result<Page<AccountInfo>, ClientError> {
        todo!()
    }

    /// Creates an account and is logged in to it.
    pub async fn create_account(&self, name: &str, password: &str) -> Result<Login, ClientError> {
        todo!()
    }

    /// Logs in. Where the profile keeps a session of the account and the password is right, works without any node.
    pub async fn log_in(&self, name: &str, password: &str) -> Result<Login, ClientError> {
        todo!()
    }

    /// Goes on with a session that the profile keeps; `not_logged_in` where it keeps none.
    pub async fn resume(&self, name: &str) -> Result<Login, ClientError> {
        todo!()
    }

    /// Ends the session for good, on the nodes and in the profile. Whatever is queued in it is failed.
    pub async fn log_out(&self) -> Result<(), ClientError> {
        todo!()
    }

    /// Leaves politely: the account is no longer active, the session stays in the profile. Waits for queued messages
    /// no longer than for the answer.
    pub async fn leave(&self) -> Result<(), ClientError> {
        todo!()
    }

    /// What deleting the account would do: how many messages it never received, from how many senders.
    pub async fn deletion_preview(&self) -> Result<(u64, u64), ClientError> {
        todo!()
    }

    /// Deletes the account. Answers how many messages went back to their senders.
    pub async fn delete_account(&self) -> Result<u64, ClientError> {
        todo!()
    }

    /// Queues a message and returns once it is on disk; it is sent in its turn as soon as a node can be reached, by this process
    /// or a later one. `id`: the caller's own, so that calling again after a crash sends nothing twice.
    pub async fn send(&self, to: To, text: String, id: Option<MessageId>) -> Result<MessageId, ClientError> {
        todo!()
    }

    /// Waits until a message of this account has come so far. `no_node`, `no_quorum`, `timeout`: not yet, and it
    /// stays queued.
    pub async fn settled(&self, id: MessageId, want: Want, within: Duration) -> Result<MessageInfo, ClientError> {
        todo!()
    }

    /// How many messages of this account wait in the outbox.
    pub async fn queued(&self) -> Result<u64, ClientError> {
        todo!()
    }

    /// All conversations of the account.
    pub async fn conversations(&self) -> Result<Page<ConversationInfo>, ClientError> {
        todo!()
    }

    /// A page of a conversation, oldest first: the last `limit` before `before`, or the first `limit` after `after`,
    /// or the last `limit`.
    pub async fn messages(
        &self,
        with: To,
        before: Option<Cursor>,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<(Option<ConversationInfo>, Page<MessageInfo>), ClientError> {
        todo!()
    }

    /// One message of the account, by its sender's id.
    pub async fn message(&self, id: MessageId) -> Result<Option<MessageInfo>, ClientError> {
        todo!()
    }

    /// The account has read the conversation up to there.
    pub async fn mark_read(&self, conversation: ConversationId, up_to: Cursor) -> Result<(), ClientError> {
        todo!()
    }

    /// Begins to follow the account's feed; [`Client::updates`] carries it, over every failover. The account is active
    /// meanwhile. What is received is acknowledged by itself. Again: starts over from there.
    pub async fn follow(&self, from: FollowFrom) -> Result<(), ClientError> {
        todo!()
    }

    /// Every node, and what each says of itself.
    pub async fn cluster_status(&self) -> Result<ClusterStatus, ClientError> {
        todo!()
    }

    /// A hash of the whole state at one index, on every node.
    pub async fn cluster_check(&self) -> Result<(Cursor, Vec<NodeDigest>), ClientError> {
        todo!()
    }

    /// Removes a node from the cluster. Operators only.
    pub async fn remove_node(&self, name: &str) -> Result<(), ClientError> {
        todo!()
    }

    /// Hands leadership over, to the node of that name or to whichever is most up to date. Operators only.
    pub async fn transfer_leader(&self, to: Option<&str>) -> Result<(), ClientError> {
        todo!()
    }
}
