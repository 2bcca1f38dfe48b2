//! From the node's own reasons to the stable codes that clients see. The chat's have theirs in
//! `wire::code`, which the client shares.

use wire::{Code, Refusal};

use crate::store::StoreError;

/// The node's disk failed. The client may find another node; this one is about to stop.
pub(super) fn of_store(error: &StoreError) -> Refusal {
    let code = match error {
        StoreError::Full { .. } => Code::StorageFull,
        StoreError::Differs { .. }
        | StoreError::Damaged { .. }
        | StoreError::Newer { .. }
        | StoreError::Foreign { .. } => Code::Damaged,
        StoreError::InUse(_) | StoreError::Io { .. } => Code::Internal,
    };
    Refusal::new(code, "This node cannot read its disk; another node can answer.")
}

/// Something in this node ended that should not have.
pub(super) fn internal() -> Refusal {
    Refusal::new(Code::Internal, "This node has met an error of its own; another node can answer.")
}

/// The session is gone, or never was this device's.
pub(super) fn session_invalid() -> Refusal {
    Refusal::new(Code::SessionInvalid, "This session has ended; log in again.")
}

/// The log answered a command with a reply of another kind.
pub(super) fn unexpected_reply() -> Refusal {
    Refusal::new(Code::Internal, "The cluster answered something else than was asked.")
}
