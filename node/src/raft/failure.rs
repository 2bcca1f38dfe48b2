//! Why this node has to stop, in the words of whoever first knew.
//!
//! An error of the store reaches openraft as an `io::Error`, and comes out of it wrapped in its own words. The
//! first one is kept here as it was, for the person who has to read it.

use std::io;
use std::sync::{Arc, OnceLock};

use super::entry::CodecError;
use crate::store::StoreError;

/// The first failure. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Failure(Arc<OnceLock<StoreError>>);

impl Failure {
    /// Notes the error, and turns it into what openraft takes.
    pub(super) fn note(&self, error: StoreError) -> io::Error {
        self.0.get_or_init(|| error.clone());
        io::Error::other(error)
    }

    /// As [`Failure::note`], for bytes of the store that cannot be understood.
    pub(super) fn note_codec(&self, what: &str, error: CodecError) -> io::Error {
        let place = "the node's data".to_owned();
        self.note(match error {
            CodecError::Newer(found) => {
                StoreError::Newer { place, found: found.into(), known: CodecError::KNOWN.into() }
            }
            CodecError::Malformed => StoreError::Damaged { place, what: what.to_owned() },
        })
    }

    pub(super) fn first(&self) -> Option<&StoreError> {
        self.0.get()
    }
}
