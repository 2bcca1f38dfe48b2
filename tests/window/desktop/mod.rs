//! What a desktop gives to the apps on it, on the bus of a display of ours: a server of notifications, and a place for icons
//! beside the clock. They speak the protocols of the real ones, to the app as it is, and let a test see and click.

mod notifications;
mod tray;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tests::Display;
use zbus::blocking::connection::Builder;

pub(crate) use notifications::{Notifications, Shown};
pub(crate) use tray::Tray;

/// A connection to the display's bus, to be named and to serve.
fn on(display: &Display) -> Builder<'_> {
    Builder::address(display.bus()).expect("the bus has an address")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
