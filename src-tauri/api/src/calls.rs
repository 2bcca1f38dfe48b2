//! The one list of calls.

use std::panic::AssertUnwindSafe;

use client::Code;
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::requests::{
    AccountsPage, At, Credentials, Join, MessagesPage, Named, Nothing, OfMessage, ReadUpTo, Search, Send, Url, View,
    With,
};
use crate::types::{
    Account, Cluster, Conversation, Deleted, DeletionPreview, Draft, Exported, Invited, Login, Message, Page, Pending,
    Place, Proof, Queued, Settings, Start, Talk,
};
use crate::{Api, Refusal, TrayWords, cluster, export, joining, people, settings, talking};

/// The longest text anywhere in a request, in bytes; the calls themselves are stricter. What is longer is refused before it is looked at.
const TEXT_SIZE_MAX_BYTES: usize = 128 * 1024;

macro_rules! api {
    ($($(#[doc = $doc:literal])* $name:ident($request:ty) -> $answer:ty = $handler:path;)*) => {
        /// What arrives from the front end.
        #[derive(Debug, Deserialize)]
        #[serde(tag = "call", content = "args", deny_unknown_fields)]
        #[allow(non_camel_case_types, reason = "a variant is called as its call is")]
        enum Request { $($name($request),)* }

        async fn answer(api: &Api, request: Request) -> Result<Value, Refusal> {
            match request {
                $(Request::$name(request) => {
                    let answer: $answer = $handler(api, request).await?;
                    written(&answer)
                })*
            }
        }

        /// Each call as TypeScript has it: its name, its request, its answer, and what there is to say about it.
        #[cfg(test)]
        pub(crate) fn in_typescript(config: &ts_rs::Config) -> Vec<[String; 4]> {
            use ts_rs::TS;
            vec![$([
                stringify!($name).to_owned(),
                <$request>::inline(config),
                <$answer>::name(config),
                concat!($($doc),*).trim().to_owned(),
            ],)*]
        }
    };
}

api! {
    start(Nothing) -> Start = joining::start;
    places(Nothing) -> Vec<Place> = joining::places;
    /// With a code, or with the text of a cluster's secret.
    join(Join) -> () = joining::join;
    /// The chat of this computer's node.
    join_local(Nothing) -> () = joining::join_local;
    /// Runs a node on this computer for as long as the app runs, and joins it.
    start_here(Nothing) -> () = joining::start_here;
    invite(Nothing) -> Invited = joining::invite;
    create_account(Credentials) -> Login = people::create_account;
    log_in(Credentials) -> Login = people::log_in;
    resume(Named) -> Login = people::resume;
    log_out(Nothing) -> () = people::log_out;
    deletion_preview(Nothing) -> DeletionPreview = people::deletion_preview;
    delete_account(Nothing) -> Deleted = people::delete_account;
    /// A page begins after the name that the one before ended with.
    accounts(AccountsPage) -> Page<Account> = people::accounts;
    conversations(Nothing) -> Page<Conversation> = talking::conversations;
    messages(MessagesPage) -> Talk = talking::messages;
    message(OfMessage) -> Option<Message> = talking::message;
    /// Messages with all the words of the text, the newest first: of the conversation with that account, or of all.
    search(Search) -> Page<Message> = talking::search;
    /// Answers once the message is on disk in the outbox. The id is the caller's own, if it has one: asking again sends nothing twice.
    send(Send) -> Queued = talking::send;
    /// As `send`, and what was typed is no draft any more, in one step.
    send_draft(Draft) -> Queued = talking::send_draft;
    pending(Nothing) -> Vec<Pending> = talking::pending;
    /// Forgets a message that failed.
    discard(OfMessage) -> () = talking::discard;
    mark_read(ReadUpTo) -> () = talking::mark_read;
    drafts(Nothing) -> Vec<Draft> = talking::drafts;
    /// An empty text removes it.
    keep_draft(Draft) -> () = talking::keep_draft;
    cluster(Nothing) -> Cluster = cluster::cluster;
    proof(At) -> Proof = cluster::proof;
    /// Writes a text file to the download folder.
    export(With) -> Exported = export::export;
    /// http, https and mailto only.
    open_link(Url) -> () = settings::open_link;
    settings(Nothing) -> Settings = settings::settings;
    keep_settings(Settings) -> () = settings::keep_settings;
    /// What the menu beside the clock says, in the language of the front end, which has all the words.
    tray_words(TrayWords) -> () = settings::tray_words;
    /// What is in view: no notification for it.
    view(View) -> () = talking::view;
}

/// Reads a request and answers it. Never panics: what would have is a refusal.
pub(crate) async fn dispatch(api: &Api, request: Value) -> Result<Value, Refusal> {
    if longest_text(&request) > TEXT_SIZE_MAX_BYTES {
        return Err(Refusal::malformed(format!("No text may be longer than {TEXT_SIZE_MAX_BYTES} bytes.")));
    }
    // What serde says of a request names fields and calls, and none of its texts but where one stands for a number: never a password.
    let request = serde_json::from_value(request)
        .map_err(|error| Refusal::malformed(format!("This call makes no sense: {error}.")))?;
    let answered = AssertUnwindSafe(answer(api, request)).catch_unwind().await;
    answered.unwrap_or_else(|_| Err(internal("The app has met an error of its own; what was typed is kept.")))
}

fn written(answer: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(answer).map_err(|error| internal(format!("The answer cannot be written: {error}.")))
}

fn internal(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::Internal, message)
}

fn longest_text(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(longest_text).max().unwrap_or(0),
        Value::Object(fields) => fields.values().map(longest_text).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::api::lock;
    use crate::{Desktop, Notice, Setup};

    /// Writes down which links were opened.
    #[derive(Default)]
    struct Opened(Mutex<Vec<String>>);

    impl Desktop for Opened {
        fn open_link(&self, url: &str) -> Result<(), String> {
            lock(&self.0).push(url.to_owned());
            Ok(())
        }

        fn notify(&self, _: Notice) {}

        fn unread(&self, _: u64) {}

        fn tray_words(&self, _: TrayWords) {}
    }

    fn api(folder: &TempDir, desktop: Arc<impl Desktop>) -> Api {
        let home = folder.path().display().to_string();
        let environment = |name: &str| match name {
            "FIVE9S_HOME" => Some(home.clone()),
            "FIVE9S_MDNS" => Some("false".to_owned()),
            _ => None,
        };
        let setup = Setup::of_user(&environment, None, folder.path().join("downloads")).expect("set");
        Api::open(setup, desktop)
    }

    fn folder() -> TempDir {
        tempfile::tempdir().expect("a folder")
    }

    async fn refused(api: &Api, request: Value) -> String {
        api.dispatch(request).await.expect_err("refused").code
    }

    #[tokio::test]
    async fn nonsense_is_refused_in_words() {
        let folder = folder();
        let api = api(&folder, Arc::<Opened>::default());
        for nonsense in [
            json!(null),
            json!([]),
            json!("start"),
            json!({}),
            json!({"call": "start"}),
            json!({"call": "no such call", "args": {}}),
            json!({"call": "start", "args": {"more": 1}}),
            json!({"call": "start", "args": {}, "more": 1}),
            json!({"call": "log_in", "args": {"name": "alice"}}),
            json!({"call": "accounts", "args": {"prefix": null, "after": null, "limit": -1}}),
            json!({"call": "messages", "args": {"with": {"name": "a", "account": 1}, "before": null, "after": null, "limit": 1}}),
            json!({"call": "discard", "args": {"id": "x".repeat(200_000)}}),
        ] {
            assert_eq!(refused(&api, nonsense.clone()).await, "request_malformed", "{nonsense}");
        }
    }

    #[tokio::test]
    async fn before_a_chat_is_joined_calls_say_so() {
        let folder = folder();
        let api = api(&folder, Arc::<Opened>::default());
        let start = api.dispatch(json!({"call": "start", "args": {}})).await.expect("answered");
        assert_eq!(start["joined"], false);
        assert_eq!(start["link"], json!({"state": "searching", "trouble": null}));
        assert_eq!(api.dispatch(json!({"call": "places", "args": {}})).await, Ok(json!([])));
        assert_eq!(refused(&api, json!({"call": "conversations", "args": {}})).await, "not_a_member");
        assert_eq!(refused(&api, json!({"call": "join_local", "args": {}})).await, "not_a_member");
        assert_eq!(refused(&api, json!({"call": "join", "args": {"code": "five9s-client-zz"}})).await, "code_invalid");
    }

    #[tokio::test]
    async fn settings_outlive_the_app() {
        let folder = folder();
        let chosen = json!({"theme": "dark", "language": "de", "notifications": false, "notification_text": false, "zoom": 1.5, "enter_sends": false});
        let first = api(&folder, Arc::<Opened>::default());
        assert_eq!(first.dispatch(json!({"call": "keep_settings", "args": chosen})).await, Ok(Value::Null));
        drop(first);
        let again = api(&folder, Arc::<Opened>::default());
        assert_eq!(again.dispatch(json!({"call": "settings", "args": {}})).await, Ok(chosen.clone()));
        let mut absurd = chosen;
        absurd["zoom"] = json!(99);
        assert_eq!(refused(&again, json!({"call": "keep_settings", "args": absurd})).await, "request_malformed");
    }

    #[tokio::test]
    async fn a_link_is_opened_by_the_desktop_or_not_at_all() {
        let (folder, desktop) = (folder(), Arc::new(Opened::default()));
        let api = api(&folder, desktop.clone());
        api.dispatch(json!({"call": "open_link", "args": {"url": "https://example.org"}})).await.expect("opened");
        assert_eq!(
            refused(&api, json!({"call": "open_link", "args": {"url": "file:///etc/passwd"}})).await,
            "forbidden"
        );
        assert_eq!(*lock(&desktop.0), ["https://example.org"]);
    }

    /// Fails as no call may.
    struct Broken;

    impl Desktop for Broken {
        fn open_link(&self, _: &str) -> Result<(), String> {
            panic!("on purpose")
        }

        fn notify(&self, _: Notice) {}

        fn unread(&self, _: u64) {}

        fn tray_words(&self, _: TrayWords) {}
    }

    #[tokio::test]
    async fn a_panic_is_answered_and_outlived() {
        let folder = folder();
        let api = api(&folder, Arc::new(Broken));
        let link = json!({"call": "open_link", "args": {"url": "https://example.org"}});
        assert_eq!(refused(&api, link).await, "internal");
        api.dispatch(json!({"call": "start", "args": {}})).await.expect("the next call is answered");
    }

    #[test]
    fn what_lets_somebody_in_is_in_no_log() {
        let request = json!({"call": "log_in", "args": {"name": "alice", "password": "a secret"}});
        let request: Request = serde_json::from_value(request).expect("a request");
        assert!(!format!("{request:?}").contains("a secret"));
    }
}
