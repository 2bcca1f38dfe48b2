//! How a command ends: every way it can fail, and the exit code that scripts rely on.

use client::{ClientError, Code, Refusal};
use serde::Serialize;

use crate::config::{ConfigError, Setting};

/// Done.
pub(super) const DONE: i32 = 0;
/// Refused, and the user can mend it.
pub(super) const REFUSED: i32 = 1;
/// Not how the command is used.
pub(super) const USAGE: i32 = 2;
/// No node could be reached.
pub(super) const NO_NODE: i32 = 3;
/// Not authorised, or not a node of this cluster.
pub(super) const NOT_AUTHORISED: i32 = 4;
/// No quorum, or no answer in time: the outcome is unknown.
pub(super) const UNKNOWN: i32 = 5;
/// A defect, or damaged data.
pub(super) const INTERNAL: i32 = 6;
/// Ctrl-C.
pub(super) const INTERRUPTED: i32 = 130;

/// Why a command ended before it was done.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error("{0}")]
    Refused(Refusal),
    #[error("{0}")]
    Usage(String),
    /// Nobody reads what is written. Not an error, but an end.
    #[error("Nobody reads the output any more.")]
    BrokenPipe,
    #[error("Interrupted.")]
    Interrupted,
    /// Everything was said already; only the exit code is left to give.
    #[error("ended with exit code {0}")]
    Told(i32),
    #[error("The output cannot be written: {0}.")]
    Output(std::io::Error),
}

impl CliError {
    /// The exit code of the process.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Refused(refusal) => of_code(refusal.code),
            Self::Usage(_) => USAGE,
            Self::BrokenPipe => DONE,
            Self::Interrupted => INTERRUPTED,
            Self::Told(code) => *code,
            Self::Output(_) => INTERNAL,
        }
    }

    /// What to say of it, where there is anything to say.
    pub(super) fn report(&self) -> Option<Report> {
        let (code, retry_after_ms) = match self {
            Self::Refused(refusal) => (refusal.code.as_str(), refusal.retry_after_ms),
            Self::Usage(_) => ("usage", None),
            Self::Output(_) => (Code::Internal.as_str(), None),
            Self::BrokenPipe | Self::Interrupted | Self::Told(_) => return None,
        };
        Some(Report { code, message: self.to_string(), retry_after_ms })
    }

    /// A refusal that the client program makes itself.
    pub fn refused(code: Code, sentence: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(code, sentence))
    }
}

/// An error as it is shown.
#[derive(Serialize)]
pub(super) struct Report {
    /// Stable, for machines.
    pub(super) code: &'static str,
    /// A sentence, for people.
    pub(super) message: String,
    /// When asking again may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_after_ms: Option<u64>,
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        Self::Refused(error.refusal)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        match &error {
            ConfigError::Invalid { key, .. } if *key == Setting::Join.key() => {
                Self::refused(Code::CodeInvalid, error.to_string())
            }
            // As for any other file on a disk that fails; nothing that was asked for is wrong.
            error if error.is_of_the_disk() => Self::refused(Code::Internal, error.to_string()),
            _ => Self::Usage(error.to_string()),
        }
    }
}

impl From<std::io::Error> for CliError {
    /// Of writing the output.
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe { Self::BrokenPipe } else { Self::Output(error) }
    }
}

/// The exit code that goes with a refusal.
pub(super) fn of_code(code: Code) -> i32 {
    match code {
        Code::NameTaken
        | Code::NameInvalid
        | Code::NameReserved
        | Code::NoSuchAccount
        | Code::NoSuchConversation
        | Code::NoSuchNode
        | Code::AccountDeleted
        | Code::LoginFailed
        | Code::TooManyAttempts
        | Code::TextEmpty
        | Code::TextTooLong
        | Code::IdConflict
        | Code::QueryInvalid
        | Code::QueryTooBroad
        | Code::MembershipRefused => REFUSED,
        Code::CodeInvalid => USAGE,
        Code::NoNode => NO_NODE,
        Code::NotLoggedIn
        | Code::SessionInvalid
        | Code::Forbidden
        | Code::WrongSecret
        | Code::WrongCluster
        | Code::NotAMember => NOT_AUTHORISED,
        // A full disk or a node on its way out is of one node: again, later, another will take it.
        Code::NoQuorum | Code::Timeout | Code::Busy | Code::StorageFull | Code::ShuttingDown | Code::NotFounded => {
            UNKNOWN
        }
        Code::SequenceGap
        | Code::FrameTooLarge
        | Code::FrameMalformed
        | Code::VersionUnknown
        | Code::Damaged
        | Code::Internal => INTERNAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_exit_code_that_scripts_know() {
        for &code in Code::ALL {
            assert!((REFUSED..=INTERNAL).contains(&of_code(code)), "{code}");
        }
    }

    #[test]
    fn the_exit_codes_mean_what_is_written_about_them() {
        let table = [
            (Code::NoSuchAccount, 1),
            (Code::NameTaken, 1),
            (Code::LoginFailed, 1),
            (Code::NoNode, 3),
            (Code::WrongSecret, 4),
            (Code::WrongCluster, 4),
            (Code::SessionInvalid, 4),
            (Code::NoQuorum, 5),
            (Code::Timeout, 5),
            (Code::Damaged, 6),
            (Code::Internal, 6),
        ];
        for (code, exit) in table {
            assert_eq!(CliError::refused(code, "x").exit_code(), exit, "{code}");
        }
        assert_eq!(CliError::Usage(String::new()).exit_code(), 2);
        let unreadable =
            |why: std::io::Error| CliError::from(ConfigError::Unreadable { file: "config.toml".into(), why });
        assert_eq!(unreadable(std::io::ErrorKind::PermissionDenied.into()).exit_code(), 2);
        assert_eq!(unreadable(std::io::Error::from_raw_os_error(5)).exit_code(), 6, "EIO: the disk fails");
        assert_eq!(CliError::Interrupted.exit_code(), 130);
        assert_eq!(CliError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe)).exit_code(), 0);
    }
}
