//! The one way into the state: an entry in, its outcome out.

use crate::{Command, Cursor, Outcome, View};

/// What follows from the command at this place of the log.
pub fn apply(_view: &impl View, _position: Cursor, _command: &Command) -> Outcome {
    todo!()
}
