//! The icon beside the clock: how many messages are unread, and a way back to a window that was closed.

use app_api::TrayWords;
use tauri::image::Image;
use tauri::menu::{Menu, MenuItem};
use tauri::tray::{MouseButton, MouseButtonState, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Manager, Wry, include_image};

use crate::window;

const ID: &str = "tray";
const CALM: Image<'_> = include_image!("icons/tray.png");
const UNREAD: Image<'_> = include_image!("icons/tray-unread.png");

/// The entries of its menu, to be named anew.
struct Entries {
    open: MenuItem<Wry>,
    quit: MenuItem<Wry>,
}

/// Makes the icon. A desktop without such a place, or without the library that draws it, goes without.
pub(crate) fn build(app: &AppHandle) {
    // The library is looked for when it is needed, and what looks for it panics where it is missing.
    let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| try_build(app)));
    match built {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "there is no icon beside the clock"),
        Err(_) => tracing::warn!("there is no icon beside the clock: libayatana-appindicator3 is missing"),
    }
}

fn try_build(app: &AppHandle) -> tauri::Result<()> {
    // Until the page has been loaded, which has the words.
    let open = MenuItem::with_id(app, "open", "FIVE9sCHAT", true, None::<&str>)?;
    let quit = MenuItem::with_id(app, "quit", "Quit", true, Some("CmdOrCtrl+Q"))?;
    TrayIconBuilder::with_id(ID)
        .icon(CALM)
        .tooltip("FIVE9sCHAT")
        .menu(&Menu::with_items(app, &[&open, &quit])?)
        .show_menu_on_left_click(false)
        .on_menu_event(|app, event| match event.id().as_ref() {
            "open" => window::show(app),
            "quit" => app.exit(0),
            _ => {}
        })
        .on_tray_icon_event(|tray, event| {
            if let TrayIconEvent::Click { button: MouseButton::Left, button_state: MouseButtonState::Up, .. } = event {
                window::show(tray.app_handle());
            }
        })
        .build(app)?;
    app.manage(Entries { open, quit });
    Ok(())
}

/// Names the entries of the menu.
pub(crate) fn say(app: &AppHandle, words: TrayWords) {
    let Some(entries) = app.try_state::<Entries>() else { return };
    let said = entries.open.set_text(words.open).and_then(|()| entries.quit.set_text(words.quit));
    if let Err(error) = said {
        tracing::debug!(%error, "the menu beside the clock stays as it is");
    }
}

/// Says how many messages are unread.
pub(crate) fn show_unread(app: &AppHandle, count: u64) {
    let Some(tray) = app.tray_by_id(ID) else { return };
    let number = (count > 0).then(|| count.to_string());
    let tooltip = number.as_ref().map_or_else(|| "FIVE9sCHAT".to_owned(), |number| format!("FIVE9sCHAT ({number})"));
    let shown = tray
        .set_icon(Some(if count > 0 { UNREAD } else { CALM }))
        .and_then(|()| tray.set_title(Some(number.unwrap_or_default())))
        .and_then(|()| tray.set_tooltip(Some(tooltip)));
    if let Err(error) = shown {
        tracing::debug!(%error, "the number of unread messages is not shown");
    }
}
