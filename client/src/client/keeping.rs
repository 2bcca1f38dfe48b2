//! The calls about what this device alone keeps: messages that are not stored, drafts, settings. None of them needs a node.

use std::path::Path;

use chat::MessageId;
use wire::Code;

use super::Client;
use crate::outbox::Progress;
use crate::profile;
use crate::shared::Signed;
use crate::{ClientError, Draft, Pending};

/// The longest draft, in bytes: four messages' worth, so that what is too long to send is still kept.
const DRAFT_SIZE_MAX_BYTES: usize = 4 * chat::TEXT_SIZE_MAX_BYTES;

impl Client {
    /// The messages of this device that are not stored: those that failed, and then those that wait, in their turn.
    pub async fn pending(&self) -> Result<Vec<Pending>, ClientError> {
        let Signed { account, .. } = self.shared.signed()?;
        self.profile(move |profile| profile.pending(account)).await
    }

    /// Forgets a message that failed. One that waits is refused: it may be on its way already.
    pub async fn discard(&self, id: MessageId) -> Result<(), ClientError> {
        let Signed { account, .. } = self.shared.signed()?;
        if self.profile(move |profile| profile.discard(account, id)).await? {
            return Ok(());
        }
        match self.progress(id).await? {
            // Forgotten before, or never there: what was wanted.
            None => Ok(()),
            Some(Progress::Queued) => {
                Err(ClientError::new(Code::Busy, "This message is being sent; it cannot be taken back."))
            }
            Some(_) => Err(ClientError::new(Code::IdConflict, "This message is stored; it cannot be taken back.")),
        }
    }

    /// Keeps what was typed for somebody, on disk when this returns; an empty text is no draft any more.
    pub async fn keep_draft(&self, draft: Draft) -> Result<(), ClientError> {
        let Signed { account, .. } = self.shared.signed()?;
        if draft.text.len() > DRAFT_SIZE_MAX_BYTES {
            let long = format!("A draft is kept up to {DRAFT_SIZE_MAX_BYTES} bytes; this one is longer.");
            return Err(ClientError::new(Code::TextTooLong, long));
        }
        self.profile(move |profile| profile.keep_draft(account, &draft)).await
    }

    /// Everything that the account typed on this device and did not send.
    pub async fn drafts(&self) -> Result<Vec<Draft>, ClientError> {
        let Signed { account, .. } = self.shared.signed()?;
        self.profile(move |profile| profile.drafts(account)).await
    }

    /// The text that the front end kept last in this profile, whether it belongs to a cluster or not. Blocks for as long as a disk does.
    pub fn kept_settings(profile_dir: &Path) -> Result<Option<String>, ClientError> {
        profile::kept_settings(profile_dir)
    }

    /// Keeps a text for the front end, in the place of the one before. Blocks for as long as a disk does.
    pub fn keep_settings(profile_dir: &Path, text: &str) -> Result<(), ClientError> {
        profile::keep_settings(profile_dir, text)
    }
}
