//! What a front end wants kept, in words of its own. Of the whole profile, so it is there before any cluster is.

use std::path::Path;

use rusqlite::OptionalExtension;

use super::{FILE, connect, make_private, migrate, unusable};
use crate::ClientError;

/// Keeps this text in the place of the one before.
pub(crate) fn keep_settings(folder: &Path, text: &str) -> Result<(), ClientError> {
    make_private(folder).map_err(|error| unusable(folder, &error))?;
    let mut connection = connect(&folder.join(FILE))?;
    migrate(&mut connection)?;
    connection.execute("INSERT OR REPLACE INTO settings (only, text) VALUES (1, ?1)", [text])?;
    Ok(())
}

/// The text kept last. Makes nothing where there is no profile yet.
pub(crate) fn kept_settings(folder: &Path) -> Result<Option<String>, ClientError> {
    if !folder.join(FILE).exists() {
        return Ok(None);
    }
    let mut connection = connect(&folder.join(FILE))?;
    migrate(&mut connection)?;
    Ok(connection.query_row("SELECT text FROM settings", [], |row| row.get(0)).optional()?)
}
