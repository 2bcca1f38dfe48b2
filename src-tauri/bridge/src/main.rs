//! `ui-bridge`: see the library. On stdout it says, a JSON object a line, where it listens, and then what a desktop would have been
//! asked for.

use std::path::PathBuf;
use std::sync::Arc;

use app_api::{Api, Setup};
use clap::Parser;
use serde_json::json;
use ui_bridge::{Bridge, Desk};

#[derive(Debug, Parser)]
#[command(name = "ui-bridge", about = "The app's back end over a WebSocket, for tests.")]
struct Args {
    /// Where this person's sessions, outbox and drafts are [default: the user's own].
    #[arg(long, value_name = "DIR")]
    profile: Option<PathBuf>,
    /// A built front end to serve.
    #[arg(long, value_name = "DIR")]
    ui: Option<PathBuf>,
    /// Where exported conversations go [default: `downloads` in the profile].
    #[arg(long, value_name = "DIR")]
    downloads: Option<PathBuf>,
    /// Another place that the page may be served from, such as http://localhost:5173; may be repeated.
    #[arg(long, value_name = "URL")]
    origin: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "off".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let args = Args::parse();
    let desk = Arc::new(Desk::default());
    let api = Api::open(setup(&args)?, desk.clone());
    let bridge = Bridge::open(api.clone(), args.ui, args.origin).await?;
    desk.say(&json!({ "socket": bridge.socket, "page": bridge.page }));
    bridge.serve(asked_to_stop()).await?;
    api.leave().await;
    Ok(())
}

fn setup(args: &Args) -> Result<Setup, String> {
    let environment = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let mut setup =
        Setup::of_user(&environment, args.profile.clone(), PathBuf::new()).map_err(|refusal| refusal.message)?;
    setup.download_dir = args.downloads.clone().unwrap_or_else(|| setup.profile_dir.join("downloads"));
    Ok(setup)
}

async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
