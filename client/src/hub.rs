//! Brings updates to whoever reads them: the feed's without loss, the rest as it happens.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, watch};

use crate::feed::Received;
use crate::update::Update;

/// How many of the feed's updates wait for the reader. Beyond it the feed waits.
const FEED_WAITING_MAX: usize = 256;

/// How many other updates wait for the reader. Beyond it the oldest are dropped, and the reader is told so; what they said can be asked for.
const NOTES_WAITING_MAX: usize = 256;

/// An update of the feed, and what it means to have received it.
pub(crate) type Item = (Update, Received);

/// The sending end; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Hub {
    reader: Arc<watch::Sender<Option<mpsc::Sender<Item>>>>,
    notes: broadcast::Sender<Update>,
}

impl Hub {
    /// Without a reader yet.
    pub(crate) fn new() -> Self {
        Self { reader: Arc::new(watch::Sender::new(None)), notes: broadcast::Sender::new(NOTES_WAITING_MAX) }
    }

    /// A new reader, in the place of the one there was.
    pub(crate) fn updates(&self) -> Updates {
        let (sender, feed) = mpsc::channel(FEED_WAITING_MAX);
        self.reader.send_replace(Some(sender));
        Updates { feed, notes: self.notes.subscribe(), last: None }
    }

    /// Tells something that just happened. Nobody need be listening.
    pub(crate) fn note(&self, update: Update) {
        let _ = self.notes.send(update);
    }

    /// The reader, as soon as there is one.
    pub(crate) async fn reader(&self) -> mpsc::Sender<Item> {
        let mut readers = self.reader.subscribe();
        let present = |reader: &Option<mpsc::Sender<Item>>| reader.as_ref().is_some_and(|reader| !reader.is_closed());
        let found = readers.wait_for(present).await.ok().and_then(|reader| reader.clone());
        match found {
            Some(reader) => reader,
            // The sender is part of the hub, so it outlives this call.
            None => std::future::pending().await,
        }
    }
}

/// The receiving end of a client's updates. What came from the feed counts as received (and is acknowledged, and
/// remembered) when the next update is asked for, or when this is dropped: a process killed in between is told again.
#[derive(Debug)]
pub struct Updates {
    feed: mpsc::Receiver<Item>,
    notes: broadcast::Receiver<Update>,
    last: Option<Received>,
}

impl Updates {
    /// The next update. None: the client is gone, or another call to `updates` took over. Safe to cancel.
    pub async fn next(&mut self) -> Option<Update> {
        if let Some(last) = self.last.take() {
            last.confirm();
        }
        tokio::select! {
            item = self.feed.recv() => {
                let (update, received) = item?;
                self.last = Some(received);
                Some(update)
            }
            note = self.notes.recv() => match note {
                Ok(update) => Some(update),
                Err(broadcast::error::RecvError::Lagged(_)) => Some(Update::Missed),
                Err(broadcast::error::RecvError::Closed) => None,
            },
        }
    }
}

impl Drop for Updates {
    fn drop(&mut self) {
        if let Some(last) = self.last.take() {
            last.confirm_for_good();
        }
    }
}
