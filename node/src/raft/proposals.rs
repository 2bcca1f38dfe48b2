//! Commands on their way into the leader's log: in the order in which they were proposed, and many at a time.
//!
//! Raft appends, sends and syncs what it is given together as one. Whoever proposes has just been woken beside others, which are
//! about to propose as well; were each command handed over by itself, the first would set all of that off, and the rest wait for it.

use openraft::alias::WriteResponderOf;
use openraft::errors::ClientWriteError;
use openraft::impls::ProgressResponder;
use openraft::raft::ClientWriteResponse;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use wire::turns::let_others_go_first;

use super::machine::Machine;
use super::types::{Command, TypeConfig};

type Core = openraft::Raft<TypeConfig, Machine>;

/// What becomes of a command; it ends without one where Raft has stopped.
pub(super) type Written = Result<ClientWriteResponse<TypeConfig>, ClientWriteError<TypeConfig>>;

/// A command, and whoever is told what becomes of it.
type Proposal = (Command, WriteResponderOf<TypeConfig>);

/// The way of commands to Raft. They are handed over for as long as this is held.
#[derive(Debug)]
pub(super) struct Proposals {
    queue: mpsc::UnboundedSender<Proposal>,
    _handing_over: AbortOnDropHandle<()>,
}

impl Proposals {
    pub(super) fn to(core: Core) -> Self {
        // It holds what somebody waits for, and no more than that waits as a future already.
        let (queue, proposed) = mpsc::unbounded_channel();
        Self { queue, _handing_over: AbortOnDropHandle::new(tokio::spawn(hand_over(core, proposed))) }
    }

    /// Proposes the command, and waits until it is applied. Commands enter the log in the order in which these futures are first polled.
    /// None: Raft has stopped.
    pub(super) async fn write(&self, command: Command) -> Option<Written> {
        let (responder, written) = ProgressResponder::complete_only();
        self.queue.send((command, responder)).ok()?;
        written.await.ok()
    }
}

async fn hand_over(core: Core, mut proposed: mpsc::UnboundedReceiver<Proposal>) {
    while let Some(first) = proposed.recv().await {
        let_others_go_first().await;
        let mut next = Some(first);
        while let Some((command, responder)) = next {
            // Raft's own queue is full only while it cannot write; then all wait, and are told after their time.
            if core.client_write_ff(command, Some(responder)).await.is_err() {
                return;
            }
            next = proposed.try_recv().ok();
        }
    }
}
