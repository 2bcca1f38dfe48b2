//! What a node holds once nothing goes on any more, for the history.

use std::collections::BTreeSet;

use chat::{AccountId, Cursor};
use node::app::App;

use crate::history::{Recorder, What};
use crate::people::{noted, row};

/// How many messages are read at once.
const PAGE: usize = 500;

/// Takes down all conversations of these accounts, as the node has them and counts them.
pub fn look_at(app: &App, node: &str, accounts: &BTreeSet<AccountId>, recorder: &Recorder) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for account in accounts {
        for conversation in app.conversations(*account).map_err(|error| error.to_string())? {
            let counted = What::Counted { node: node.to_owned(), account: account.0, row: row(&conversation) };
            recorder.note(counted);
            if !seen.insert(conversation.id) {
                continue;
            }
            let mut messages = Vec::new();
            let mut after = Cursor::START;
            loop {
                let page = app.messages(conversation.id, *account, None, Some(after), PAGE);
                let (page, more) = page.map_err(|error| error.to_string())?;
                messages.extend(page.iter().map(noted));
                match page.last() {
                    Some(last) if more => after = last.cursor,
                    _ => break,
                }
            }
            recorder.note(What::Held { node: node.to_owned(), conversation: conversation.id.0, messages });
        }
    }
    Ok(())
}

/// Takes down the digest of a node's state.
pub fn note_digest(recorder: &Recorder, node: String, index: u64, digest: Option<[u8; 32]>) {
    let Some(digest) = digest else {
        recorder.note(What::Complained { process: node, line: "has no digest of its state".to_owned() });
        return;
    };
    let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    recorder.note(What::Digest { node, index, digest });
}
