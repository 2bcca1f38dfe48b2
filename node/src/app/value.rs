//! Records as bytes: a version, then postcard. The store puts its own checksum around them.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreError;

/// The version of the records' bytes. A later one reads this as well.
const VERSION: u8 = 1;

/// What most records take, a message of a few lines included.
const SIZE_BYTES: usize = 512;

pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SIZE_BYTES);
    bytes.push(VERSION);
    postcard::to_extend(value, bytes).expect("plain data goes into a growing buffer")
}

/// Reads what [`encode`] wrote. `place` and `what` name it in the error.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], place: &str, what: impl fmt::Display) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, value)) => match postcard::take_from_bytes(value) {
            Ok((value, [])) => Ok(value),
            _ => Err(damaged(place, &what.to_string())),
        },
        Some((&found, _)) if found > VERSION => {
            Err(StoreError::Newer { place: place.to_owned(), found: found.into(), known: VERSION.into() })
        }
        _ => Err(damaged(place, &what.to_string())),
    }
}

pub(super) fn damaged(place: &str, what: &str) -> StoreError {
    StoreError::Damaged { place: place.to_owned(), what: what.to_owned() }
}
