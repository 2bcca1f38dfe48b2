//! The window around `app-api`: two commands, and what only a desktop can do. No rules of the chat are in here.
//!
//! The page is trusted with nothing but its calls. It is served from this program, has a policy without exceptions (`tauri.conf.json`),
//! two commands (`capabilities/main.json`), and cannot navigate, open a window, or load anything from elsewhere.

mod commands;
mod desk;
mod graphics;
mod tray;
mod window;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use app_api::{Api, Setup};
use tauri::{App, Manager, RunEvent};
use tauri_plugin_window_state::StateFlags;

use crate::desk::Desk;

/// How long leaving may hold up the end of the app.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// Runs the app until its person quits it.
pub fn run(profile: Option<PathBuf>) -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    graphics::work_around();
    let setup = match setup(profile) {
        Ok(setup) => setup,
        Err(refusal) => {
            tracing::error!(code = refusal.code, "{}", refusal.message);
            return ExitCode::FAILURE;
        }
    };
    let person = fingerprint(&setup.profile_dir);
    let built = tauri::Builder::default()
        .plugin(single_instance(&person))
        .plugin(window_state(&person))
        .plugin(tauri_plugin_notification::init())
        .invoke_handler(tauri::generate_handler![commands::rpc, commands::subscribe])
        .manage(commands::Subscription::default())
        .setup(|app| Ok(start(app, setup)?))
        .build(tauri::generate_context!());
    match built {
        Ok(app) => {
            app.run(|app, event| {
                if matches!(event, RunEvent::Exit) {
                    leave(app.state::<Api>().inner());
                }
            });
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(%error, "the app cannot start");
            ExitCode::FAILURE
        }
    }
}

fn setup(profile: Option<PathBuf>) -> Result<Setup, app_api::Refusal> {
    let environment = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    // Replaced as soon as there is an app that knows where this desktop has its downloads.
    Setup::of_user(&environment, profile, PathBuf::new())
}

/// In the order in which one needs the other.
fn start(app: &mut App, mut setup: Setup) -> tauri::Result<()> {
    setup.download_dir = app.path().download_dir().or_else(|_| app.path().home_dir())?;
    let webview_dir = setup.profile_dir.join("webview");
    let desk = Arc::new(Desk::new(app.handle().clone()));
    let api = tauri::async_runtime::block_on(async { Api::open(setup, desk) });
    app.manage(api);
    desk::open_what_is_clicked(app.handle());
    tray::build(app.handle());
    window::build(app.handle(), webview_dir)
}

fn leave(api: &Api) {
    tauri::async_runtime::block_on(async {
        if tokio::time::timeout(LEAVE_MAX, api.leave()).await.is_err() {
            tracing::debug!("left without a goodbye");
        }
    });
}

/// A second start shows the window of the first; another person of the same computer has an app of their own.
fn single_instance(person: &str) -> tauri::plugin::TauriPlugin<tauri::Wry> {
    tauri_plugin_single_instance::Builder::new()
        .dbus_id(format!("org.five9s.chat.p{person}"))
        .callback(|app, _, _| window::show(app))
        .build()
}

fn window_state(person: &str) -> tauri::plugin::TauriPlugin<tauri::Wry> {
    tauri_plugin_window_state::Builder::new()
        .with_filename(format!("window-{person}.json"))
        // Whether it was hidden is not remembered: whoever starts the app wants to see it.
        .with_state_flags(StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED)
        .build()
}

/// Tells profiles apart, in a name that anybody may see.
fn fingerprint(profile_dir: &Path) -> String {
    let absolute = std::path::absolute(profile_dir).unwrap_or_else(|_| profile_dir.to_owned());
    blake3::hash(absolute.as_os_str().as_encoded_bytes()).to_hex()[..16].to_owned()
}
