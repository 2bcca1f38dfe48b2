//! The socket, and the page beside it.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use app_api::Api;
use axum::Router;
use axum::body::Body;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::door::Door;

/// The longest frame, in bytes; a longer one ends the connection.
const FRAME_SIZE_MAX_BYTES: usize = 1024 * 1024;

/// The configuration of the window: the page has the same policy here, but for where its back end is.
const SHELL: &str = include_str!("../../tauri.conf.json");

struct Host {
    api: Api,
    door: Door,
    ui: Option<PathBuf>,
    policy: String,
    /// Of the connection there is: the token is good for one at a time, and a page that is loaded anew takes over.
    connected: std::sync::Mutex<CancellationToken>,
}

pub(crate) fn router(api: Api, door: Door, ui: Option<PathBuf>) -> Router {
    let host = Arc::new(Host { api, policy: policy(&door), door, ui, connected: std::sync::Mutex::default() });
    Router::new()
        .route("/", get(enter))
        .fallback(get(file))
        .layer(middleware::from_fn_with_state(host.clone(), guard))
        .with_state(host)
}

#[derive(Debug, Default, Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
}

/// A page is loaded, or its back end is looked for.
async fn enter(
    State(host): State<Arc<Host>>,
    headers: HeaderMap,
    Query(Token { token }): Query<Token>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else { return served(&host, "/").await };
    if !host.door.lets_call(&headers, &token) {
        return StatusCode::FORBIDDEN.into_response();
    }
    upgrade.max_message_size(FRAME_SIZE_MAX_BYTES).on_upgrade(|socket| async move { host.serve(socket).await })
}

async fn file(State(host): State<Arc<Host>>, uri: Uri) -> Response {
    served(&host, uri.path()).await
}

async fn guard(State(host): State<Arc<Host>>, request: Request, next: Next) -> Response {
    if host.door.lets_read(request.headers()) { next.run(request).await } else { StatusCode::FORBIDDEN.into_response() }
}

impl Host {
    /// Answers calls as they come, many at once, and passes on updates in their order.
    async fn serve(&self, mut socket: WebSocket) {
        let connected = CancellationToken::new();
        let before = std::mem::replace(
            &mut *self.connected.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
            connected.clone(),
        );
        before.cancel();
        let mut updates = self.api.subscribe();
        let mut answers = FuturesUnordered::new();
        loop {
            let frame = tokio::select! {
                () = connected.cancelled() => return,
                Some(update) = updates.next() => json!({ "update": update }),
                Some(answer) = answers.next() => answer,
                read = socket.recv() => match read {
                    Some(Ok(Message::Text(text))) => {
                        answers.push(self.answer(text.as_str().to_owned()).boxed());
                        continue;
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => continue,
                },
            };
            if socket.send(Message::Text(frame.to_string().into())).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self, text: String) -> Value {
        let mut frame: Value = serde_json::from_str(&text).unwrap_or_default();
        let id = frame.as_object_mut().and_then(|frame| frame.remove("id")).unwrap_or_default();
        match self.api.dispatch(frame).await {
            Ok(answer) => json!({ "id": id, "ok": answer }),
            Err(refusal) => json!({ "id": id, "err": refusal }),
        }
    }
}

/// A file of the front end.
async fn served(host: &Host, path: &str) -> Response {
    let Some(ui) = &host.ui else { return StatusCode::NOT_FOUND.into_response() };
    let relative = match path.trim_start_matches('/') {
        "" => Path::new("index.html"),
        path => Path::new(path),
    };
    let leads_out = relative.components().any(|part| !matches!(part, Component::Normal(_)));
    let read = if leads_out { None } else { tokio::fs::read(ui.join(relative)).await.ok() };
    let Some(bytes) = read else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (CONTENT_TYPE, content_type(relative)),
        (CONTENT_SECURITY_POLICY, host.policy.as_str()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from(bytes)).into_response()
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// The policy of the window, with this process in the place of the shell.
fn policy(door: &Door) -> String {
    let shell: Value = serde_json::from_str(SHELL).unwrap_or_default();
    let rules = shell["app"]["security"]["csp"].as_object().cloned().unwrap_or_default();
    let written = rules.into_iter().map(|(rule, sources)| match rule.as_str() {
        "connect-src" => format!("connect-src {}", door.sockets().join(" ")),
        _ => format!("{rule} {}", sources.as_str().unwrap_or_default()),
    });
    written.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_policy_of_the_window_and_reaches_this_process() {
        let policy = policy(&Door::new(4000, vec![]));
        for rule in ["default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'"] {
            assert!(policy.split("; ").any(|there| there == rule), "{rule} in {policy}");
        }
        assert!(policy.contains("connect-src ws://127.0.0.1:4000 ws://localhost:4000"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("ipc"), "{policy}");
    }
}
