//! What `app-api` asks of the desktop.

use app_api::{Api, Desktop, Notice, TrayWords};
use serde_json::json;
use tauri::{AppHandle, Manager};
use tauri_plugin_notification::NotificationExt;

use crate::{tray, window};

/// Under which name a notification carries its conversation.
const CONVERSATION: &str = "conversation";

/// See the module.
#[derive(Debug)]
pub(crate) struct Desk {
    app: AppHandle,
}

impl Desk {
    pub(crate) fn new(app: AppHandle) -> Self {
        Self { app }
    }
}

impl Desktop for Desk {
    fn open_link(&self, url: &str) -> Result<(), String> {
        tauri_plugin_opener::open_url(url, None::<&str>).map_err(|error| error.to_string())
    }

    fn notify(&self, notice: Notice) {
        let Notice { conversation, title, body } = notice;
        let id = i32::try_from(conversation % 0x7fff_ffff).unwrap_or_default();
        let notification = self.app.notification().builder().id(id).title(title).body(as_text(&body));
        if let Err(error) = notification.extra(CONVERSATION, json!(conversation)).show() {
            tracing::debug!(%error, "nobody is notified");
        }
    }

    fn unread(&self, count: u64) {
        tray::show_unread(&self.app, count);
        window::show_unread(&self.app, count);
    }

    fn tray_words(&self, words: TrayWords) {
        tray::say(&self.app, words);
    }
}

/// A click on a notification opens its conversation.
pub(crate) fn open_what_is_clicked(app: &AppHandle) {
    let handle = app.clone();
    let listening = app.notification().on_action(move |action| {
        let clicked = action.notification().and_then(|notification| notification.extra().get(CONVERSATION)?.as_u64());
        window::show(&handle);
        if let Some(conversation) = clicked {
            handle.state::<Api>().open_conversation(conversation);
        }
    });
    if let Err(error) = listening {
        tracing::debug!(%error, "clicks on notifications do nothing");
    }
}

/// On Linux the body of a notification may be markup, so a text has to say that it is none.
fn as_text(body: &str) -> String {
    if cfg!(target_os = "linux") {
        body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    } else {
        body.to_owned()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn what_others_write_is_never_markup() {
        assert_eq!(super::as_text("<b>1 & 2</b>"), "&lt;b&gt;1 &amp; 2&lt;/b&gt;");
    }
}
