//! Account names: what is typed, and the key under which it is unique.
//!
//! Unicode's tables grow with every version, so two builds may fold the same name differently.
//! That must not make replicas differ: a name is parsed once, where it enters, and the entry in
//! the log carries both the name and its key.

use std::fmt;

use caseless::Caseless;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest name, in characters after normalisation.
pub const NAME_LENGTH_MAX: usize = 32;

/// The key of a name that nobody may have.
const RESERVED: &str = "server";

/// An account name as typed, normalised to NFC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    shown: String,
    key: NameKey,
}

/// What makes names equal: case-folded NFC. No two living accounts share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NameKey(String);

/// Why a name cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("A name needs at least one character.")]
    Empty,
    #[error("A name has at most {NAME_LENGTH_MAX} characters; this one has {0}.")]
    TooLong(usize),
    #[error("A name has letters, digits and _ . - only; this one has {0:?}.")]
    Character(char),
    #[error("The name SERVER is reserved.")]
    Reserved,
}

impl Name {
    /// Takes what was typed, without trimming: a name with a space at its end is refused, not mended.
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        let shown: String = if typed.is_ascii() { typed.to_owned() } else { typed.nfc().collect() };
        let length = shown.chars().count();
        if length == 0 {
            return Err(NameError::Empty);
        }
        if length > NAME_LENGTH_MAX {
            return Err(NameError::TooLong(length));
        }
        for (place, c) in shown.chars().enumerate() {
            // Many scripts write vowels as marks on a letter, so a mark is fine after a character.
            let allowed = c.is_alphanumeric() || matches!(c, '_' | '.' | '-') || (place > 0 && is_combining_mark(c));
            if !allowed {
                return Err(NameError::Character(c));
            }
        }
        let key = NameKey::fold(&shown);
        if key.as_str() == RESERVED {
            return Err(NameError::Reserved);
        }
        Ok(Self { shown, key })
    }

    /// The name for people to read.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The key under which the name is unique.
    pub fn key(&self) -> &NameKey {
        &self.key
    }
}

impl NameKey {
    /// The key of whatever was typed, whether or not it could be a name.
    pub fn fold(typed: &str) -> Self {
        // Unicode does the same to ASCII, and each message to a name comes by here.
        let is_plain = typed.is_ascii();
        Self(if is_plain { typed.to_ascii_lowercase() } else { typed.nfc().default_case_fold().nfc().collect() })
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
