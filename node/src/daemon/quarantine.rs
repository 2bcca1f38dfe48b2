//! A node that found its own state damaged, or other than that of most of the others, never runs on it again.
//!
//! What is damaged may look whole to the next start, which reads little of it, and lead then.

use std::sync::Arc;

use tracing::warn;
use wire::blocking::beside_the_runtime;

use super::DaemonError;
use super::node::Run;
use crate::formation::{Records, load, save};
use crate::store::StoreError;

/// The record that says why, in a sentence.
const QUARANTINE: &str = "quarantine";

/// Refuses to start where the record is.
pub(super) fn refuse(records: &dyn Records) -> Result<(), DaemonError> {
    match load::<String>(records, QUARANTINE)? {
        Some(why) => Err(DaemonError::damaged(why)),
        None => Ok(()),
    }
}

/// Ends the node, for good if what it found stays as it is.
pub(super) async fn end(run: Arc<Run>, error: StoreError) {
    if matches!(error, StoreError::Damaged { .. } | StoreError::Differs { .. }) {
        let (records, why) = (Arc::clone(&run.parts.records), error.to_string());
        let written = beside_the_runtime(move || save(&*records, QUARANTINE, &why)).await;
        if let Ok(Err(error)) = written {
            warn!("it cannot be noted that this node must not start again: {error}");
        }
    }
    run.end(error.into());
}
