//! What the calls are asked with. Nothing beyond these fields is taken, and each call says how long its texts may be.

use std::fmt;

use serde::Deserialize;
use ts_rs::TS;

use crate::types::To;

/// A call that needs to know nothing.
#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

#[derive(Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct Join {
    pub(crate) code: String,
}

#[derive(Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    pub(crate) name: String,
    pub(crate) password: String,
}

// What lets somebody in is in no log, however it gets there.

impl fmt::Debug for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Join(…)")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    pub(crate) name: String,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountsPage {
    pub(crate) prefix: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) limit: u32,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessagesPage {
    pub(crate) with: To,
    pub(crate) before: Option<u64>,
    pub(crate) after: Option<u64>,
    pub(crate) limit: u32,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    pub(crate) text: String,
    /// Only in the conversation with this account.
    pub(crate) with: Option<To>,
    pub(crate) before: Option<u64>,
    pub(crate) limit: u32,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfMessage {
    pub(crate) id: String,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct Send {
    pub(crate) to: To,
    pub(crate) text: String,
    pub(crate) id: Option<String>,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadUpTo {
    pub(crate) conversation: u64,
    pub(crate) up_to: u64,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct At {
    pub(crate) conversation: u64,
    pub(crate) cursor: u64,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct With {
    pub(crate) with: To,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct Url {
    pub(crate) url: String,
}

/// What the person looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct View {
    pub(crate) conversation: Option<u64>,
    pub(crate) focused: bool,
}
