//! What only a desktop can do. The shell does it; hosts of tests write down that it was asked for.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A notification about one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What a click on it opens, with [`crate::Api::open_conversation`].
    pub conversation: u64,
    /// Who wrote.
    pub title: String,
    /// The beginning of the message, in plain text: whatever shows it must not take it for markup. Empty where the person wants
    /// nobody else to read it.
    pub body: String,
}

impl Notice {
    pub(crate) fn without_text(self) -> Self {
        Self { body: String::new(), ..self }
    }
}

/// What the menu of the icon beside the clock says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct TrayWords {
    /// Brings the window to the front.
    pub open: String,
    /// Ends the app.
    pub quit: String,
}

/// The desktop around the app. Calls return at once.
pub trait Desktop: Send + Sync + 'static {
    /// Opens a link in the system's browser or mail program. The link has been checked.
    fn open_link(&self, url: &str) -> Result<(), String>;

    /// Shows a notification.
    fn notify(&self, notice: Notice);

    /// So many messages are unread, of all conversations together.
    fn unread(&self, count: u64);

    /// The menu beside the clock is to speak so from now on.
    fn tray_words(&self, words: TrayWords);
}
