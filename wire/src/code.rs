//! Refusals: a stable code for machines, a sentence for people.

use std::fmt;

use chat::{NameError, Rejection, TextError};
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why something was refused. The text form never changes its meaning; new ones are added at
        /// the end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable text form.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    NameTaken = "name_taken",
    NameInvalid = "name_invalid",
    NameReserved = "name_reserved",
    NoSuchAccount = "no_such_account",
    NoSuchConversation = "no_such_conversation",
    NoSuchNode = "no_such_node",
    /// The account was deleted.
    AccountDeleted = "account_deleted",
    /// Wrong password, or no such account: a login does not say which.
    LoginFailed = "login_failed",
    TooManyAttempts = "too_many_attempts",
    TextEmpty = "text_empty",
    TextTooLong = "text_too_long",
    IdConflict = "id_conflict",
    /// The connection has not logged in.
    NotLoggedIn = "not_logged_in",
    /// The token is unknown, was revoked, or belongs to another device.
    SessionInvalid = "session_invalid",
    Forbidden = "forbidden",
    /// A command came out of turn: the session goes on with another number.
    SequenceGap = "sequence_gap",
    /// A majority of nodes cannot be reached from here.
    NoQuorum = "no_quorum",
    /// No answer in time: the outcome is unknown.
    Timeout = "timeout",
    /// The node cannot take this now and says so at once; another may.
    Busy = "busy",
    StorageFull = "storage_full",
    ShuttingDown = "shutting_down",
    /// The cluster is not founded yet.
    NotFounded = "not_founded",
    FrameTooLarge = "frame_too_large",
    FrameMalformed = "frame_malformed",
    VersionUnknown = "version_unknown",
    /// The proof in the first frame is not that of this cluster's secret.
    WrongSecret = "wrong_secret",
    /// The right secret, but another cluster: one founded anew, or before.
    WrongCluster = "wrong_cluster",
    /// The peer is not a member of the cluster.
    NotAMember = "not_a_member",
    /// A change of the cluster that would break it, or that is already under way.
    MembershipRefused = "membership_refused",
    /// No node could be reached.
    NoNode = "no_node",
    CodeInvalid = "code_invalid",
    Damaged = "damaged",
    Internal = "internal",
    /// What is looked for is no query.
    QueryInvalid = "query_invalid",
    /// What is looked for is in too many places.
    QueryTooBroad = "query_too_broad",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal as it travels and as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub code: Code,
    /// One clear sentence.
    pub message: String,
    /// When asking again may help, in milliseconds from now.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal that asking again does not mend by itself.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }

    /// A refusal that says when to ask again.
    pub fn retry_after(code: Code, message: impl Into<String>, retry_after_ms: u64) -> Self {
        Self { code, message: message.into(), retry_after_ms: Some(retry_after_ms) }
    }
}

// The chat's own reasons, each with one code, whichever side meets it first.

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let code = match rejection {
            Rejection::NameTaken(_) => Code::NameTaken,
            Rejection::NoSuchAccount => Code::NoSuchAccount,
            Rejection::NoSuchConversation => Code::NoSuchConversation,
            Rejection::AccountDeleted => Code::AccountDeleted,
            Rejection::SessionEnded => Code::SessionInvalid,
            Rejection::IdConflict(_) => Code::IdConflict,
        };
        Self::new(code, rejection.to_string())
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        let code = if error == NameError::Reserved { Code::NameReserved } else { Code::NameInvalid };
        Self::new(code, error.to_string())
    }
}

impl From<TextError> for Refusal {
    fn from(error: TextError) -> Self {
        let code = match error {
            TextError::Empty => Code::TextEmpty,
            TextError::TooLong(_) => Code::TextTooLong,
        };
        Self::new(code, error.to_string())
    }
}
