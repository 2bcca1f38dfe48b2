//! The app's real window: a display, a WebDriver, and a person who looks, clicks and types.
//!
//! What a person finds by its words is found by its words here: buttons and fields by what they are called. Needs
//! `WebKitWebDriver`, `Xvfb` and `dbus-daemon`; `cargo xtask window` brings them.

mod display;
mod driver;
mod person;
mod processes;
mod program;
mod session;

pub use display::Display;
pub use person::Window;
pub use processes::memory_bytes;
pub use session::Session;
