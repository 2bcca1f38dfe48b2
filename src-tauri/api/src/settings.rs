//! What a person chose, and links.

use std::path::Path;

use client::{Client, Code};
use serde::{Deserialize, Serialize};

use crate::api::lock;
use crate::requests::{Nothing, Url};
use crate::types::{Settings, Theme};
use crate::{Api, Refusal, TrayWords};

/// What a link may begin with. Everything else could run something.
const LINKS: [&str; 3] = ["http://", "https://", "mailto:"];

/// The longest link, in bytes.
const LINK_SIZE_MAX_BYTES: usize = 4 * 1024;

/// The longest name of a language, in bytes: BCP 47 needs 35.
const LANGUAGE_SIZE_MAX_BYTES: usize = 64;

/// The longest entry of the menu beside the clock, in bytes.
const TRAY_WORDS_SIZE_MAX_BYTES: usize = 256;

const ZOOM_MIN: f64 = 0.5;
const ZOOM_MAX: f64 = 2.0;

/// What the profile keeps for the app. Fields that are missing are of an older version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    #[serde(default)]
    pub(crate) settings: Settings,
    /// The chat is one of this computer alone, whose node the app runs.
    #[serde(default)]
    pub(crate) own_node: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: Theme::System,
            language: None,
            notifications: true,
            notification_text: true,
            zoom: 1.0,
            enter_sends: true,
        }
    }
}

impl Kept {
    /// What was kept; where it cannot be read, as if nothing was: a broken setting must not keep anybody from their messages.
    pub(crate) fn read(profile_dir: &Path) -> Self {
        let text = Client::kept_settings(profile_dir).unwrap_or_else(|error| {
            tracing::warn!(%error, "the settings cannot be read");
            None
        });
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }
}

impl Api {
    /// Changes what is kept, on disk first.
    pub(crate) async fn keep(&self, change: impl FnOnce(&mut Kept)) -> Result<(), Refusal> {
        let mut kept = lock(&self.inner().kept).clone();
        change(&mut kept);
        let text = serde_json::to_string(&kept)
            .map_err(|error| Refusal::new(Code::Internal, format!("The settings cannot be written: {error}.")))?;
        let folder = self.inner().setup.profile_dir.clone();
        let written = tokio::task::spawn_blocking(move || Client::keep_settings(&folder, &text)).await;
        written.map_err(|_| Refusal::new(Code::ShuttingDown, "The app is stopping."))??;
        *lock(&self.inner().kept) = kept;
        Ok(())
    }
}

pub(crate) async fn settings(api: &Api, _: Nothing) -> Result<Settings, Refusal> {
    Ok(lock(&api.inner().kept).settings.clone())
}

pub(crate) async fn keep_settings(api: &Api, settings: Settings) -> Result<(), Refusal> {
    if settings.language.as_ref().is_some_and(|language| language.len() > LANGUAGE_SIZE_MAX_BYTES) {
        return Err(Refusal::malformed("No language has so long a name."));
    }
    if !(ZOOM_MIN..=ZOOM_MAX).contains(&settings.zoom) {
        return Err(Refusal::malformed(format!("The zoom is from {ZOOM_MIN} to {ZOOM_MAX}.")));
    }
    api.keep(|kept| kept.settings = settings).await
}

pub(crate) async fn tray_words(api: &Api, words: TrayWords) -> Result<(), Refusal> {
    if [&words.open, &words.quit].into_iter().any(|text| text.is_empty() || text.len() > TRAY_WORDS_SIZE_MAX_BYTES) {
        return Err(Refusal::malformed(format!("An entry of a menu has 1 to {TRAY_WORDS_SIZE_MAX_BYTES} bytes.")));
    }
    api.inner().desktop.tray_words(words);
    Ok(())
}

pub(crate) async fn open_link(api: &Api, Url { url }: Url) -> Result<(), Refusal> {
    check(&url)?;
    let failed = |why| Refusal::new(Code::Internal, format!("The link could not be opened: {why}."));
    api.inner().desktop.open_link(&url).map_err(failed)
}

fn check(url: &str) -> Result<(), Refusal> {
    let known =
        LINKS.iter().any(|scheme| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    if !known {
        return Err(Refusal::new(Code::Forbidden, "Only links to the web and to mail addresses are opened."));
    }
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if url.len() > LINK_SIZE_MAX_BYTES || url.contains(odd) {
        return Err(Refusal::malformed("This link makes no sense."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_web_and_mail_are_opened() {
        for fine in ["https://example.org/a?b#c", "HTTP://192.0.2.1", "mailto:a@example.org"] {
            assert_eq!(check(fine), Ok(()), "{fine}");
        }
        for bad in
            ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "", "ht", "//example.org", " https://x"]
        {
            assert_eq!(check(bad).expect_err(bad).code, "forbidden");
        }
        for bad in ["https://a b", "https://a\nb", "https://a\0", &format!("https://{}", "x".repeat(5_000))] {
            assert_eq!(check(bad).expect_err("refused").code, "request_malformed");
        }
    }

    #[test]
    fn settings_of_another_version_are_read_as_far_as_they_go() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Kept::read(folder.path()), Kept::default());
        for (text, own_node) in [(r#"{"own_node":true,"later":1}"#, true), ("nonsense", false)] {
            Client::keep_settings(folder.path(), text).expect("kept");
            assert_eq!(Kept::read(folder.path()), Kept { own_node, ..Kept::default() });
        }
        let older = r#"{"settings":{"theme":"dark","language":"de","notifications":false,"zoom":1.5}}"#;
        Client::keep_settings(folder.path(), older).expect("kept");
        let settings = Kept::read(folder.path()).settings;
        assert_eq!((settings.theme, settings.zoom), (Theme::Dark, 1.5));
        assert!(settings.enter_sends && settings.notification_text);
    }
}
