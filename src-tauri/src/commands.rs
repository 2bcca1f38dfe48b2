//! The two commands of the page.

use std::sync::Mutex;

use app_api::{Api, Refusal, Update};
use serde_json::Value;
use tauri::State;
use tauri::async_runtime::JoinHandle;
use tauri::ipc::Channel;

/// Who tells the page. A page that was loaded anew takes over from the one before.
#[derive(Debug, Default)]
pub(crate) struct Subscription(Mutex<Option<JoinHandle<()>>>);

#[tauri::command]
pub(crate) async fn rpc(api: State<'_, Api>, request: Value) -> Result<Value, Refusal> {
    api.dispatch(request).await
}

#[tauri::command]
pub(crate) async fn subscribe(
    api: State<'_, Api>,
    subscription: State<'_, Subscription>,
    channel: Channel<Update>,
) -> Result<(), Refusal> {
    let mut updates = api.subscribe();
    let telling = tauri::async_runtime::spawn(async move {
        while let Some(update) = updates.next().await {
            if channel.send(update).is_err() {
                return;
            }
        }
    });
    let before = subscription.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).replace(telling);
    if let Some(before) = before {
        before.abort();
    }
    Ok(())
}
