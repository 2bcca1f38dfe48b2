//! The app's back end for a browser: the calls of `app-api` over a WebSocket, and the built front end beside them, with the content
//! security policy that it has in its window. One process is one person.
//!
//! For tests only, and never packaged. It listens on loopback, on a port that is free; whoever connects needs the token of this run, from
//! a page that this process or one of the `origins` served, under a name of this machine (a page elsewhere whose name
//! suddenly means this machine is refused).

mod desk;
mod door;
mod page;

use std::io;
use std::path::PathBuf;

use app_api::Api;
use axum::Router;
use tokio::net::TcpListener;

pub use crate::desk::Desk;
use crate::door::Door;

/// A bridge that listens and does not answer yet.
#[derive(Debug)]
pub struct Bridge {
    /// Where the socket is, token included.
    pub socket: String,
    /// Where the page is, which finds the socket by itself. None: no page is served.
    pub page: Option<String>,
    listener: TcpListener,
    app: Router,
}

impl Bridge {
    /// `ui`: a built front end to serve. `origins`: other places that the page may be served from, such as `http://localhost:5173`.
    pub async fn open(api: Api, ui: Option<PathBuf>, origins: Vec<String>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let door = Door::new(port, origins);
        let socket = format!("ws://127.0.0.1:{port}/?token={}", door.token());
        let page = ui.is_some().then(|| format!("http://127.0.0.1:{port}/?bridge={}", escaped(&socket)));
        Ok(Self { socket, page, listener, app: page::router(api, door, ui) })
    }

    /// Answers until it is to stop.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        tokio::select! {
            served = async { axum::serve(self.listener, self.app).await } => served,
            () = stop => Ok(()),
        }
    }
}

/// As a value of a query.
fn escaped(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    text.chars().map(|c| if plain(c) { c.to_string() } else { format!("%{:02X}", u32::from(c)) }).collect()
}
