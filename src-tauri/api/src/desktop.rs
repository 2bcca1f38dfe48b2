//! What only a desktop can do. The shell does it; hosts of tests write down that it was asked for.

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

/// The desktop around the app. Calls return at once.
pub trait Desktop: Send + Sync + 'static {
    /// Opens a link in the system's browser or mail program. The link has been checked.
    fn open_link(&self, url: &str) -> Result<(), String>;

    /// Shows a notification.
    fn notify(&self, notice: Notice);

    /// So many messages are unread, of all conversations together.
    fn unread(&self, count: u64);
}
