//! The terminal's settings, put back at the end.
//!
//! The program may end while a line or a password is being typed: by Ctrl-C, or because the session
//! ended elsewhere. What reads the line has changed the terminal by then, and a thread that waits for
//! a key cannot be asked to change it back.

/// The settings as they were; none where stdin is no terminal.
pub(super) struct Saved {
    #[cfg(unix)]
    settings: Option<rustix::termios::Termios>,
}

impl Saved {
    /// The settings as they are now.
    pub(super) fn now() -> Self {
        Self {
            #[cfg(unix)]
            settings: rustix::termios::tcgetattr(rustix::stdio::stdin()).ok(),
        }
    }

    /// Puts them back.
    pub(super) fn restore(&self) {
        #[cfg(unix)]
        if let Some(settings) = &self.settings {
            // If the terminal is gone there is nothing to put back.
            let _ = rustix::termios::tcsetattr(rustix::stdio::stdin(), rustix::termios::OptionalActions::Now, settings);
        }
    }
}
