//! A node's log on a disk that takes its time, and stalls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use node::net::room;
use node::store::memory::MemoryLog;
use tests::chance::Chance;
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

/// See the module.
pub(crate) struct Disk {
    pub(crate) log: Arc<MemoryLog>,
    stalled: watch::Sender<bool>,
    _turning: AbortOnDropHandle<()>,
}

impl Disk {
    /// A disk with this on it.
    pub(crate) fn holding(log: Arc<MemoryLog>, chance: Chance) -> Self {
        let waits = Arc::new(Notify::new());
        log.hold_for({
            let waits = Arc::clone(&waits);
            move || waits.notify_one()
        });
        let stalled = watch::Sender::new(false);
        let turning = turn(Arc::clone(&log), waits, stalled.subscribe(), chance);
        Self { log, stalled, _turning: AbortOnDropHandle::new(tokio::spawn(turning)) }
    }

    /// Nothing reaches the disk, until it goes on.
    pub(crate) fn stall(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }

    /// What a power cut leaves: all that was synced, and a part of what was on its way.
    pub(crate) fn cut_power(&self, chance: &Chance) -> Arc<MemoryLog> {
        let under_way = u64::try_from(self.log.unsynced()).unwrap_or(0);
        let kept = chance.number(0..under_way + 1);
        self.log.crash_after(usize::try_from(kept).unwrap_or(0))
    }
}

/// A sync takes a fraction of a millisecond, and now and then very long.
async fn turn(log: Arc<MemoryLog>, waits: Arc<Notify>, mut stalled: watch::Receiver<bool>, chance: Chance) {
    loop {
        waits.notified().await;
        let takes =
            if chance.one_in(200) { chance.ms(20..300) } else { Duration::from_micros(chance.number(100..3_000)) };
        tokio::time::sleep(takes).await;
        if stalled.wait_for(|stalled| !*stalled).await.is_err() {
            return;
        }
        log.sync();
    }
}

/// How much room a machine says that there is, in bytes. What is written takes none of it.
pub(crate) struct Space(AtomicU64);

impl Default for Space {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl Space {
    pub(crate) fn leave(&self, free_bytes: u64) {
        self.0.store(free_bytes, Ordering::Relaxed);
    }
}

impl room::Disk for Space {
    fn used_bytes(&self) -> u64 {
        0
    }

    fn free_bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
