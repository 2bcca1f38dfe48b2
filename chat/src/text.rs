//! The text of a message.

use serde::{Deserialize, Serialize};

/// The longest text, in bytes of UTF-8. A longer one is refused, never cut.
pub const TEXT_SIZE_MAX_BYTES: usize = 16 * 1024;

/// What a message says: any Unicode, not blank, at most [`TEXT_SIZE_MAX_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(String);

/// Why a text cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("A message needs some text.")]
    Empty,
    #[error("A message has at most {TEXT_SIZE_MAX_BYTES} bytes (16 KiB); this one has {0}. Nothing was sent.")]
    TooLong(usize),
}

impl Text {
    /// Takes the text as it is: nothing is trimmed or cut.
    pub fn parse(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        if text.len() > TEXT_SIZE_MAX_BYTES {
            return Err(TextError::TooLong(text.len()));
        }
        if text.chars().all(char::is_whitespace) {
            return Err(TextError::Empty);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Text {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        Self::parse(text)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}
