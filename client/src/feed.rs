//! Brings the account's feed to the reader: in order, without gap and without repeat, whichever node it comes from.
//!
//! The cursor of what the reader has confirmed is kept in the profile, together with the receipts that nodes are still to be told of. A
//! subscription is begun after the last row that was handed over, on whichever link is live, and begun again whenever the link changes, the
//! reader was too slow for it, or the reader is another one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chat::{AccountId, ConversationId, Cursor};
use tokio::sync::{Notify, mpsc};
use wire::message::{FeedEvent, Push, Request};
use wire::{Code, Refusal};

use crate::ClientError;
use crate::blocking::off_the_runtime;
use crate::hub::Item;
use crate::link::{Link, Trouble};
use crate::profile::Profile;
use crate::shared::Shared;
use crate::update::{FollowFrom, Update};

/// How long receipts are collected before they are written down and a node is told.
const COLLECT: Duration = Duration::from_millis(250);

/// How long a node may take to begin a subscription.
const SUBSCRIBE_MAX: Duration = Duration::from_secs(5);

/// When receipts that no node could be told of are told again, unless more are written down before.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// The pause after a refusal.
const PAUSE: Duration = Duration::from_millis(500);

/// What the reader of an account's feed has received.
#[derive(Debug)]
pub(crate) struct Receipts {
    profile: Arc<Profile>,
    account: AccountId,
    /// Whether the profile's own cursor moves on with this reader.
    keeps_cursor: bool,
    so_far: Mutex<SoFar>,
    /// Something was received.
    news: Notify,
    /// Something was written down.
    kept: Notify,
}

#[derive(Debug, Default)]
struct SoFar {
    cursor: Option<Cursor>,
    /// Not written down yet.
    marks: BTreeMap<ConversationId, Cursor>,
    unsaved: bool,
}

/// That an update of the feed was received, once it is confirmed.
#[derive(Debug)]
pub(crate) struct Received {
    receipts: Arc<Receipts>,
    cursor: Cursor,
    mark: Option<(ConversationId, Cursor)>,
}

impl Received {
    /// It was received; written down soon.
    pub(crate) fn confirm(self) {
        self.receipts.take(self.cursor, self.mark);
        self.receipts.news.notify_one();
    }

    /// It was received, and nobody will be here to write it down later.
    pub(crate) fn confirm_for_good(self) {
        self.receipts.take(self.cursor, self.mark);
        if let Err(error) = self.receipts.keep() {
            tracing::warn!(%error, "what was received could not be kept and will be told again");
        }
    }
}

impl Receipts {
    /// For a reader that begins there. None: wherever the first subscription begins.
    pub(crate) fn new(profile: Arc<Profile>, account: AccountId, begin: Option<Cursor>, keeps_cursor: bool) -> Self {
        let so_far = Mutex::new(SoFar { cursor: begin, ..SoFar::default() });
        Self { profile, account, keeps_cursor, so_far, news: Notify::new(), kept: Notify::new() }
    }

    fn cursor(&self) -> Option<Cursor> {
        self.so_far().cursor
    }

    fn take(&self, cursor: Cursor, mark: Option<(ConversationId, Cursor)>) {
        let mut so_far = self.so_far();
        so_far.cursor = so_far.cursor.max(Some(cursor));
        so_far.marks.extend(mark);
        so_far.unsaved = true;
    }

    /// Writes down what is new.
    pub(crate) fn keep(&self) -> Result<(), ClientError> {
        let (cursor, marks) = {
            let mut so_far = self.so_far();
            if !std::mem::take(&mut so_far.unsaved) {
                return Ok(());
            }
            (so_far.cursor.filter(|_| self.keeps_cursor), std::mem::take(&mut so_far.marks))
        };
        let listed: Vec<_> = marks.iter().map(|(conversation, up_to)| (*conversation, *up_to)).collect();
        let kept = self.profile.keep_received(self.account, cursor, &listed);
        if kept.is_err() {
            let mut so_far = self.so_far();
            so_far.unsaved = true;
            for (conversation, up_to) in marks {
                // What was received meanwhile is further on.
                so_far.marks.entry(conversation).or_insert(up_to);
            }
        }
        kept
    }

    fn so_far(&self) -> std::sync::MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a reader has received up to now, of the account's feed.
pub(crate) async fn receipts(
    shared: &Shared,
    account: AccountId,
    from: FollowFrom,
) -> Result<Arc<Receipts>, ClientError> {
    let begin = match from {
        FollowFrom::Kept => {
            let kept = off_the_runtime(&shared.profile, move |profile| profile.feed_cursor(account)).await?;
            Some(kept.unwrap_or(Cursor::START))
        }
        FollowFrom::After(cursor) => Some(cursor),
        FollowFrom::Now => None,
    };
    let keeps_cursor = from == FollowFrom::Kept;
    Ok(Arc::new(Receipts::new(shared.profile.clone(), account, begin, keeps_cursor)))
}

/// Brings the feed until it is dropped.
pub(crate) async fn follow(shared: Arc<Shared>, receipts: Arc<Receipts>) {
    futures::future::join3(bring(&shared, &receipts), write_down(&shared, &receipts), acknowledge(&shared, &receipts))
        .await;
}

async fn bring(shared: &Shared, receipts: &Arc<Receipts>) {
    loop {
        let reader = shared.hub.reader().await;
        // What an earlier reader did not confirm is told to this one.
        let mut seen = receipts.cursor();
        let mut last: Option<Link> = None;
        while !reader.is_closed() {
            let link = shared.reach.link().await;
            if let Err(trouble) = subscription(shared, receipts, &link, &mut last, &reader, &mut seen).await {
                shared.take_note(&link, &trouble);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// One subscription, for as long as it is of use.
async fn subscription(
    shared: &Shared,
    receipts: &Arc<Receipts>,
    link: &Link,
    last: &mut Option<Link>,
    reader: &mpsc::Sender<Item>,
    seen: &mut Option<Cursor>,
) -> Result<(), Trouble> {
    let begun = tokio::time::timeout(SUBSCRIBE_MAX, async {
        shared.speak_as(link, receipts.account).await?;
        link.subscribe(*seen).await
    });
    let (from, mut pushes) = begun.await.map_err(|_| too_slow())??;
    if seen.is_none() {
        *seen = Some(from);
        receipts.so_far().cursor.get_or_insert(from);
    }
    if let Some(last) = last.replace(link.clone()).filter(|last| last.id != link.id) {
        // Only now, so that the account is active throughout. The answer is of no interest, nor is a node that is gone.
        let _ = last.start(Request::Leave).await;
    }
    let mut moved = std::pin::pin!(shared.reach.moved_from(link));
    loop {
        tokio::select! {
            push = pushes.recv() => {
                let Some(push) = push else { return Ok(()) };
                let Some(item) = item(receipts, push, seen) else { continue };
                if reader.send(item).await.is_err() {
                    return Ok(());
                }
            }
            () = &mut moved => return Ok(()),
            () = reader.closed() => return Ok(()),
        }
    }
}

fn too_slow() -> Trouble {
    Trouble::Refused(Refusal::new(Code::Timeout, "The node did not begin the feed in time."))
}

/// The update of a push, unless it was seen before.
fn item(receipts: &Arc<Receipts>, push: Push, seen: &mut Option<Cursor>) -> Option<Item> {
    let (cursor, update, mark) = match push {
        Push::Feed { cursor, .. } if Some(cursor) <= *seen => return None,
        Push::Feed { cursor, event } => {
            let mark = mark_of(receipts.account, &event);
            (cursor, update_of(cursor, event), mark)
        }
        Push::CaughtUp { cursor } => (cursor, Update::CaughtUp { cursor }, None),
        _ => return None,
    };
    *seen = (*seen).max(Some(cursor));
    Some((update, Received { receipts: receipts.clone(), cursor, mark }))
}

/// The place that the account has thereby received up to, in one of its conversations.
fn mark_of(account: AccountId, event: &FeedEvent) -> Option<(ConversationId, Cursor)> {
    match event {
        FeedEvent::Message(message) if message.from.id != account => Some((message.conversation, message.cursor)),
        _ => None,
    }
}

fn update_of(cursor: Cursor, event: FeedEvent) -> Update {
    match event {
        FeedEvent::Message(message) => Update::Message(message),
        FeedEvent::Delivered { conversation, by, up_to } => Update::Delivered { cursor, conversation, by, up_to },
        FeedEvent::Read { conversation, by, up_to } => Update::Read { cursor, conversation, by, up_to },
        FeedEvent::Returned { conversation, by, after, returned } => {
            Update::Returned { cursor, conversation, by, after, returned }
        }
    }
}

/// Writes receipts down, a few at a time. Whether a node can be told of them or not: what is not written down is brought again after a
/// crash.
async fn write_down(shared: &Shared, receipts: &Arc<Receipts>) {
    loop {
        receipts.news.notified().await;
        tokio::time::sleep(COLLECT).await;
        let keeping = receipts.clone();
        match off_the_runtime(&shared.profile, move |_| keeping.keep()).await {
            Ok(()) => receipts.kept.notify_one(),
            Err(error) => tracing::warn!(%error, "what was received could not be kept yet"),
        }
    }
}

/// Tells nodes of receipts that are written down.
async fn acknowledge(shared: &Shared, receipts: &Arc<Receipts>) {
    loop {
        let told = tell(shared, receipts).await;
        if let Err(error) = &told {
            tracing::debug!(%error, "receipts wait");
        }
        tokio::select! {
            () = receipts.kept.notified() => {}
            () = tokio::time::sleep(TOLD_AGAIN_AFTER), if told.is_err() => {}
        }
    }
}

/// Writes down what was received and tells a node of all that none was told of yet.
pub(crate) async fn tell(shared: &Shared, receipts: &Arc<Receipts>) -> Result<(), ClientError> {
    let (account, keeping) = (receipts.account, receipts.clone());
    let keep_and_list = move |profile: &Profile| {
        keeping.keep()?;
        profile.receipts(account)
    };
    let marks = off_the_runtime(&shared.profile, keep_and_list).await?;
    if marks.is_empty() {
        return Ok(());
    }
    let told = marks.clone();
    shared.call_as(account, Request::Delivered { marks }, shared.deadline()).await?;
    off_the_runtime(&shared.profile, move |profile| profile.receipts_told(account, &told)).await
}
