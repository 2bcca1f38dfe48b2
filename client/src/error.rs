//! What a call may fail with: always a refusal, whoever refused.

use wire::{Code, Refusal};

/// Why a call did not do what it was asked: one sentence for people, a stable code for machines.
///
/// Codes that the client itself gives: `no_node` (nobody could be reached in time), `no_quorum` (nodes answer, but
/// cannot commit now), `timeout` (the outcome is unknown), `wrong_cluster`, `wrong_secret`, `not_logged_in`,
/// `damaged` (the profile). All others are a node's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct ClientError {
    pub refusal: Refusal,
}

impl ClientError {
    /// The stable code.
    pub fn code(&self) -> Code {
        self.refusal.code
    }

    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { refusal: Refusal::new(code, message) }
    }
}

impl From<rusqlite::Error> for ClientError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let (code, what) = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => (Code::StorageFull, "The disk with the profile is full"),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (Code::Damaged, "The profile is damaged"),
            Some(ErrorCode::DatabaseBusy) => (Code::Busy, "Another process keeps the profile busy"),
            _ => (Code::Internal, "The profile could not be read or written"),
        };
        Self::new(code, format!("{what}: {error}."))
    }
}

impl From<Refusal> for ClientError {
    fn from(refusal: Refusal) -> Self {
        Self { refusal }
    }
}
