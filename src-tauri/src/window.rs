//! The one window.

use std::path::PathBuf;

use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager, Url, WebviewUrl, WebviewWindowBuilder, WindowEvent};

const LABEL: &str = "main";
const TITLE: &str = "FIVE9sCHAT";

/// Makes it. `webview_dir`: where the web view keeps what it wants to keep, apart from other people's.
pub(crate) fn build(app: &AppHandle, webview_dir: PathBuf) -> tauri::Result<()> {
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title(TITLE)
        .inner_size(1100.0, 720.0)
        .min_inner_size(360.0, 480.0)
        .data_directory(webview_dir)
        .on_navigation(is_own)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .on_download(|_, _| false)
        .build()?;
    let handle = app.clone();
    window.on_window_event(move |event| {
        if let WindowEvent::CloseRequested { api, .. } = event
            && there_is_a_way_back()
            && let Some(window) = handle.get_webview_window(LABEL)
            && window.hide().is_ok()
        {
            api.prevent_close();
        }
    });
    Ok(())
}

/// Brings it to the front, wherever it was.
pub(crate) fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window(LABEL) else { return };
    if let Err(error) = window.show().and_then(|()| window.unminimize()).and_then(|()| window.set_focus()) {
        tracing::debug!(%error, "the window cannot be shown");
    }
}

/// Says in the list of windows how many messages are unread.
pub(crate) fn show_unread(app: &AppHandle, count: u64) {
    let title = if count == 0 { TITLE.to_owned() } else { format!("({count}) {TITLE}") };
    if let Some(window) = app.get_webview_window(LABEL) {
        // The title is a courtesy.
        let _ = window.set_title(&title);
    }
}

/// The page may go nowhere but to itself.
fn is_own(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        "http" | "https" => url.host_str() == Some("tauri.localhost"),
        _ => false,
    }
}

/// Whether something shows icons beside the clock. Without it a closed window could not be opened again, so closing it quits.
fn there_is_a_way_back() -> bool {
    #[cfg(target_os = "linux")]
    {
        let watcher = "org.kde.StatusNotifierWatcher";
        let shows = || {
            let session = zbus::blocking::Connection::session()?;
            let proxy = zbus::blocking::Proxy::new(&session, watcher, "/StatusNotifierWatcher", watcher)?;
            proxy.get_property::<bool>("IsStatusNotifierHostRegistered")
        };
        shows().unwrap_or(false)
    }
    #[cfg(not(target_os = "linux"))]
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_goes_nowhere_but_to_itself() {
        let own = |url: &str| is_own(&Url::parse(url).expect("a URL"));
        assert!(own("tauri://localhost/index.html"));
        assert!(own("http://tauri.localhost/"));
        for elsewhere in
            ["https://example.org", "http://localhost:5173", "file:///etc/passwd", "data:text/html,x", "tauri://evil"]
        {
            assert!(!own(elsewhere), "{elsewhere}");
        }
    }
}
