//! What came of a request to the leader, in the words of the wire.

use wire::peer::PeerAnswer;
use wire::{Code, Refusal};

use crate::app::AppReply;
use crate::raft::{ProposeError, RaftError};

pub(super) fn unproposed(error: ProposeError) -> PeerAnswer {
    match error {
        ProposeError::NotLeader { leader } => PeerAnswer::NotLeader { leader },
        ProposeError::Unknown => PeerAnswer::Unknown,
        ProposeError::NoQuorum => PeerAnswer::Refused(no_quorum()),
        ProposeError::Stopped(_) => PeerAnswer::Refused(stopping()),
    }
}

pub(super) fn unchanged(error: RaftError) -> PeerAnswer {
    match error {
        RaftError::NotLeader { leader } => PeerAnswer::NotLeader { leader },
        RaftError::InProgress => {
            PeerAnswer::Refused(Refusal::retry_after(Code::MembershipRefused, error.to_string(), 1000))
        }
        RaftError::Refused(_) => PeerAnswer::Refused(Refusal::new(Code::MembershipRefused, error.to_string())),
        RaftError::Store(_) | RaftError::Stopped(_) => PeerAnswer::Refused(stopping()),
    }
}

/// The reply of the application, from its bytes.
pub(super) fn decoded(reply: &[u8]) -> Result<AppReply, Refusal> {
    let unreadable = |_| Refusal::new(Code::VersionUnknown, "the leader's reply is of another version");
    AppReply::decode(reply).map_err(unreadable)
}

pub(super) fn no_quorum() -> Refusal {
    let sentence = "too few nodes can be reached from here to store anything; nothing was stored";
    Refusal::retry_after(Code::NoQuorum, sentence, 500)
}

pub(super) fn outcome_unknown() -> Refusal {
    Refusal::new(Code::Timeout, "no answer came in time; it is not known whether it was carried out")
}

/// This node goes on to look for the next leader, so asking it again is no worse than asking another.
pub(super) fn leader_lost() -> Refusal {
    let sentence = "the leader was lost before it answered; it is not known whether it was carried out";
    Refusal::retry_after(Code::Timeout, sentence, 0)
}

fn stopping() -> Refusal {
    Refusal::new(Code::ShuttingDown, "the node is stopping")
}
