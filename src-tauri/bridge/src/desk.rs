//! What a desktop would have been asked for, written to stdout for whoever drives the test.

use std::io::Write;

use app_api::{Desktop, Notice, TrayWords};
use serde_json::{Value, json};

/// See the module.
#[derive(Debug, Default)]
pub struct Desk {}

impl Desk {
    /// Says one thing, on a line of its own.
    pub fn say(&self, what: &Value) {
        let mut stdout = std::io::stdout().lock();
        // Whoever closed the pipe does not want to know.
        let _ = writeln!(stdout, "{what}").and_then(|()| stdout.flush());
    }
}

impl Desktop for Desk {
    fn open_link(&self, url: &str) -> Result<(), String> {
        self.say(&json!({ "open_link": url }));
        Ok(())
    }

    fn notify(&self, notice: Notice) {
        let Notice { conversation, title, body } = notice;
        self.say(&json!({ "notify": { "conversation": conversation, "title": title, "body": body } }));
    }

    fn unread(&self, count: u64) {
        self.say(&json!({ "unread": count }));
    }

    fn tray_words(&self, words: TrayWords) {
        self.say(&json!({ "tray_words": words }));
    }
}
