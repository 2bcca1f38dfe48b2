//! From the reasons of the layers below to the stable codes that clients see. One place, so that a
//! reason has one code.

use chat::{NameError, Rejection, TextError};
use wire::{Code, Refusal};

use crate::store::StoreError;

/// How the chat's own refusals are told.
pub(super) fn of_rejection(rejection: &Rejection) -> Refusal {
    let code = match rejection {
        Rejection::NameTaken(_) => Code::NameTaken,
        Rejection::NoSuchAccount => Code::NoSuchAccount,
        Rejection::NoSuchConversation => Code::NoSuchConversation,
        Rejection::AccountDeleted => Code::AccountDeleted,
        Rejection::SessionEnded => Code::SessionInvalid,
        Rejection::IdConflict(_) => Code::IdConflict,
    };
    Refusal::new(code, rejection.to_string())
}

/// What is wrong with a name.
pub(super) fn of_name(error: NameError) -> Refusal {
    let code = if error == NameError::Reserved { Code::NameReserved } else { Code::NameInvalid };
    Refusal::new(code, error.to_string())
}

/// What is wrong with a text.
pub(super) fn of_text(error: TextError) -> Refusal {
    let code = match error {
        TextError::Empty => Code::TextEmpty,
        TextError::TooLong(_) => Code::TextTooLong,
    };
    Refusal::new(code, error.to_string())
}

/// The node's disk failed. The client may find another node; this one is about to stop.
pub(super) fn of_store(error: &StoreError) -> Refusal {
    let code = match error {
        StoreError::Full { .. } => Code::StorageFull,
        StoreError::Damaged { .. } | StoreError::Newer { .. } | StoreError::Foreign { .. } => Code::Damaged,
        StoreError::InUse(_) | StoreError::Io { .. } => Code::Internal,
    };
    Refusal::new(code, "This node cannot read its disk; another node can answer.")
}

/// The session is gone, or never was this device's.
pub(super) fn session_invalid() -> Refusal {
    Refusal::new(Code::SessionInvalid, "This session has ended; log in again.")
}

/// The log answered a command with a reply of another kind.
pub(super) fn unexpected_reply() -> Refusal {
    Refusal::new(Code::Internal, "The cluster answered something else than was asked.")
}
