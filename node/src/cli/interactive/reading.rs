//! Read marks: what has been shown here is not unseen at the next login.
//!
//! Marking takes a round trip to a majority, and the conversation must not wait for it; so a task
//! does it, and only for the furthest place of each conversation.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{Client, ConversationId, Cursor};
use tokio::sync::watch;
use tokio::task::JoinHandle;

type Places = BTreeMap<ConversationId, Cursor>;

/// How long the last marks may hold up the end of the program. Beyond it their messages are shown
/// once more at the next login.
const LAST_MARKS_LIMIT: Duration = Duration::from_secs(2);

/// What has been shown, on its way to the nodes.
pub(super) struct Reading {
    shown: watch::Sender<Places>,
    marking: JoinHandle<()>,
}

impl Reading {
    pub(super) fn start(client: Client) -> Self {
        let (shown, places) = watch::channel(Places::new());
        Self { shown, marking: tokio::spawn(mark(client, places)) }
    }

    /// Everything up to this place of the conversation has been shown.
    pub(super) fn show(&self, conversation: ConversationId, up_to: Cursor) {
        self.shown.send_modify(|places| {
            let place = places.entry(conversation).or_default();
            *place = up_to.max(*place);
        });
    }

    /// Waits for the last marks, for a moment.
    pub(super) async fn finish(self) {
        drop(self.shown);
        let stop = self.marking.abort_handle();
        if tokio::time::timeout(LAST_MARKS_LIMIT, self.marking).await.is_err() {
            stop.abort();
        }
    }
}

/// Ends after the last places that were shown. What cannot be marked now is tried again with the next.
async fn mark(client: Client, mut places: watch::Receiver<Places>) {
    let mut marked = Places::new();
    while places.changed().await.is_ok() {
        let wanted = places.borrow_and_update().clone();
        for (conversation, up_to) in wanted {
            if marked.get(&conversation) != Some(&up_to) && client.mark_read(conversation, up_to).await.is_ok() {
                marked.insert(conversation, up_to);
            }
        }
    }
}
