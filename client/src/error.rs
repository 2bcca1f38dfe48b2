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

impl From<Refusal> for ClientError {
    fn from(refusal: Refusal) -> Self {
        Self { refusal }
    }
}
