//! What the system tells the daemon.

use std::io::{self, Read};

use tokio::sync::watch;

use super::DaemonError;

/// SIGTERM and SIGINT, or Ctrl-C where there are no signals; and the end of stdin, where that was asked for.
#[derive(Debug)]
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    /// The sender is dropped at the end of stdin.
    stdin: Option<watch::Receiver<()>>,
}

impl Signals {
    /// From here on a signal does not kill the process.
    pub(super) fn listen(until_eof: bool) -> Result<Self, DaemonError> {
        let stdin = until_eof.then(end_of_stdin);
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let listen = |kind| {
                signal(kind).map_err(|error| DaemonError::mendable(format!("cannot listen to signals: {error}")))
            };
            Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())?, stdin })
        }
        #[cfg(not(unix))]
        Ok(Self { stdin })
    }

    /// Returns at the next signal.
    pub(super) async fn asked_to_stop(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = ended(&mut self.stdin) => {}
        }
        #[cfg(not(unix))]
        tokio::select! {
            Ok(()) = tokio::signal::ctrl_c() => {}
            () = ended(&mut self.stdin) => {}
        }
    }
}

/// Returns once; after that there is only a signal to wait for.
async fn ended(stdin: &mut Option<watch::Receiver<()>>) {
    match stdin {
        Some(open) => while open.changed().await.is_ok() {},
        None => std::future::pending().await,
    }
    *stdin = None;
}

/// A thread of its own, for nothing can interrupt a read; it ends with the process.
fn end_of_stdin() -> watch::Receiver<()> {
    let (open, seen) = watch::channel(());
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        while match io::stdin().read(&mut ignored) {
            Ok(count) => count > 0,
            Err(error) => error.kind() == io::ErrorKind::Interrupted,
        } {}
        drop(open);
    });
    seen
}
