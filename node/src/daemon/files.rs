//! How many files the process may have open, and so how many connections.
//!
//! A node that has none left can neither write its records nor receive a snapshot, and stops. Connections must not take the last of them,
//! least of all those of strangers.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for all that is no connection: the tables, records being written, whoever has not proved yet who it is, and calls to others.
const RESERVED: u32 = 256;

/// However many files there may be: a client takes about 60 kB of memory.
const CONNECTIONS_MAX: u32 = 16_384;

/// How many connections there is room for, once as many files may be open as are wanted and allowed. Unasked it is often 1,024, for the sake
/// of programs that wait for files by select(2).
pub(super) fn room_for_connections() -> u32 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = u64::from(CONNECTIONS_MAX + RESERVED);
    let raised = maximum.unwrap_or(u64::MAX).min(wanted);
    if current.is_some_and(|current| current < raised)
        && setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_err()
    {
        return connections(current);
    }
    connections(current.map(|current| current.max(raised)))
}

/// With so many files; None is as many as one likes.
fn connections(files: Option<u64>) -> u32 {
    let files = files.and_then(|files| u32::try_from(files).ok()).unwrap_or(u32::MAX);
    // With few of them, half: it goes on with what there is.
    files.saturating_sub(RESERVED.min(files / 2)).min(CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        assert_eq!(connections(Some(1_024)), 768);
        assert_eq!(connections(Some(100)), 50);
        assert_eq!(connections(Some(0)), 0);
        for plenty in [Some(1 << 20), Some(u64::MAX), None] {
            assert_eq!(connections(plenty), CONNECTIONS_MAX);
        }
    }

    #[test]
    fn as_many_files_as_may_be_are_asked_for() {
        let room = room_for_connections();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert!(current.is_none_or(|current| current >= u64::from(CONNECTIONS_MAX) || Some(current) == maximum));
        assert_eq!(room, connections(current));
    }
}
