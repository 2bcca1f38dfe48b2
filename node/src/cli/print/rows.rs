//! The JSON rows: their names and fields are a contract with scripts.

use client::{AccountId, AccountInfo, Delivery, MessageInfo, Timestamp};
use serde::Serialize;

/// A row with its version and type in front.
#[derive(Serialize)]
pub(super) struct Row<T> {
    v: u8,
    r#type: &'static str,
    #[serde(flatten)]
    fields: T,
}

impl<T: Serialize> Row<T> {
    pub(super) fn line(kind: &'static str, fields: T) -> String {
        let row = Self { v: 1, r#type: kind, fields };
        serde_json::to_string(&row).expect("rows are structs of texts and numbers, which JSON can hold")
    }
}

#[derive(Serialize)]
pub(super) struct Account<'a> {
    name: &'a str,
    active: bool,
    created_at: String,
}

impl<'a> Account<'a> {
    pub(super) fn of(account: &'a AccountInfo) -> Self {
        Self { name: &account.name, active: account.active, created_at: time(account.created_at) }
    }
}

#[derive(Serialize)]
pub(super) struct Message<'a> {
    id: String,
    cursor: u64,
    conversation: &'a str,
    from: &'a str,
    to: &'a str,
    text: &'a str,
    sent_at: String,
    state: &'static str,
}

impl<'a> Message<'a> {
    /// A conversation is called by the name of whoever is not the viewer.
    pub(super) fn of(message: &'a MessageInfo, viewer: AccountId) -> Self {
        let other = if message.from.id == viewer { &message.to } else { &message.from };
        Self {
            id: message.id.to_string(),
            cursor: message.cursor.0,
            conversation: &other.name,
            from: &message.from.name,
            to: &message.to.name,
            text: &message.text,
            sent_at: time(message.sent_at),
            state: state(message.state),
        }
    }
}

/// A message without a place yet: the same fields, the place and the time null.
#[derive(Serialize)]
pub(in crate::cli) struct Queued<'a> {
    pub(in crate::cli) id: String,
    pub(in crate::cli) cursor: Option<u64>,
    pub(in crate::cli) conversation: &'a str,
    pub(in crate::cli) from: &'a str,
    pub(in crate::cli) to: &'a str,
    pub(in crate::cli) text: &'a str,
    pub(in crate::cli) sent_at: Option<String>,
    pub(in crate::cli) state: &'static str,
}

#[derive(Serialize)]
pub(super) struct NoteRow<'a> {
    pub(super) message: &'a str,
}

/// An account that is gone, and how many messages went back to their senders.
#[derive(Serialize)]
pub(in crate::cli) struct Deleted<'a> {
    pub(in crate::cli) name: &'a str,
    pub(in crate::cli) returned: u64,
}

/// How far a conversation is read.
#[derive(Serialize)]
pub(in crate::cli) struct ReadUpTo<'a> {
    pub(in crate::cli) conversation: &'a str,
    pub(in crate::cli) up_to: u64,
}

/// A code that lets another machine join.
#[derive(Serialize)]
pub(in crate::cli) struct InviteCode<'a> {
    pub(in crate::cli) r#for: &'static str,
    pub(in crate::cli) code: &'a str,
}

/// What a node's state hashes to; null where the node was silent.
#[derive(Serialize)]
pub(in crate::cli) struct Digest<'a> {
    pub(in crate::cli) name: &'a str,
    pub(in crate::cli) index: u64,
    pub(in crate::cli) digest: Option<&'a str>,
}

/// A setting; the origin only where it was asked for.
#[derive(Serialize)]
pub(in crate::cli) struct SettingShown<'a> {
    pub(in crate::cli) key: &'a str,
    pub(in crate::cli) value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) origin: Option<String>,
}

/// RFC 3339 in UTC, with milliseconds.
pub(super) fn time(at: Timestamp) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}")
}

/// The vocabulary of send states.
pub(super) fn state(state: Delivery) -> &'static str {
    match state {
        Delivery::Stored => "stored",
        Delivery::Delivered => "delivered",
        Delivery::Read => "read",
        Delivery::Returned => "returned",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use client::{Code, ConversationId, Cursor, MessageId, Refusal};
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::CliError;

    pub(crate) fn account(id: u64, name: &str) -> AccountInfo {
        AccountInfo {
            id: AccountId(id),
            name: name.into(),
            active: true,
            deleted: false,
            created_at: Timestamp(1_700_000_000_007),
        }
    }

    fn message() -> MessageInfo {
        MessageInfo {
            id: MessageId(0),
            cursor: Cursor(48213),
            conversation: ConversationId(9),
            from: account(1, "alice"),
            to: account(2, "bob"),
            text: "a \"quoted\" \u{1b}[2J\n".into(),
            sent_at: Timestamp(1_700_000_000_000),
            state: Delivery::Stored,
        }
    }

    fn parsed<T: Serialize>(kind: &'static str, row: T) -> Value {
        serde_json::from_str(&Row::line(kind, row)).unwrap()
    }

    #[test]
    fn an_account_row_is_what_is_written_about_it() {
        let expected =
            json!({"v": 1, "type": "account", "name": "bob", "active": true, "created_at": "2023-11-14T22:13:20.007Z"});
        assert_eq!(parsed("account", Account::of(&account(2, "bob"))), expected);
    }

    #[test]
    fn a_message_row_is_what_is_written_about_it_and_its_text_is_exact() {
        let expected = json!({
            "v": 1, "type": "message", "id": "00000000000000000000000000", "cursor": 48213, "conversation": "bob",
            "from": "alice", "to": "bob", "text": "a \"quoted\" \u{1b}[2J\n", "sent_at": "2023-11-14T22:13:20.000Z",
            "state": "stored",
        });
        assert_eq!(parsed("message", Message::of(&message(), AccountId(1))), expected);
    }

    #[test]
    fn a_conversation_is_called_by_the_other_one() {
        let row = parsed("message", Message::of(&message(), AccountId(2)));
        assert_eq!(row["conversation"], "alice");
    }

    #[test]
    fn a_row_begins_with_its_version_and_is_one_line() {
        let line = Row::line("message", Message::of(&message(), AccountId(1)));
        assert!(line.starts_with("{\"v\":1,\"type\":\"message\",\"id\":"), "{line}");
        assert!(!line.contains('\n'));
    }

    #[test]
    fn an_error_row_has_a_code_and_a_sentence() {
        let row = |refusal| parsed("error", CliError::Refused(refusal).report().unwrap());
        let expected = json!({"v": 1, "type": "error", "code": "no_quorum", "message": "Not now."});
        assert_eq!(row(Refusal::new(Code::NoQuorum, "Not now.")), expected);
        assert_eq!(row(Refusal::retry_after(Code::Busy, "Later.", 250))["retry_after_ms"], 250);
    }
}
