//! What was typed and not sent, for each conversation.

use chat::AccountId;
use rusqlite::{OptionalExtension, Transaction, params};

use super::{Profile, int, uint};
use crate::{ClientError, Draft};

impl Profile {
    /// Keeps what was typed for somebody, in the place of what was kept before; nothing at all is no draft.
    pub(crate) fn keep_draft(&self, account: AccountId, draft: &Draft) -> Result<(), ClientError> {
        self.change(|transaction, cluster| put(transaction, cluster, account, draft))
    }

    /// Everything that the account typed and did not send.
    pub(crate) fn drafts(&self, account: AccountId) -> Result<Vec<Draft>, ClientError> {
        self.read(|connection, cluster| {
            let mut query = connection
                .prepare_cached("SELECT other, text FROM draft WHERE cluster = ?1 AND account = ?2 ORDER BY other")?;
            let rows = query.query_map(params![cluster, int(account.0)], |row| {
                Ok(Draft { with: AccountId(uint(row.get(0)?)), text: row.get(1)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The account is gone, and so is whom to write to.
    pub(crate) fn forget_drafts(&self, account: AccountId) -> Result<(), ClientError> {
        self.change(|transaction, cluster| {
            transaction
                .execute("DELETE FROM draft WHERE cluster = ?1 AND account = ?2", params![cluster, int(account.0)])?;
            Ok(())
        })
    }
}

/// What was typed is sent, and no draft any more. What was typed behind it meanwhile stays; any other draft is an
/// earlier state of it, and goes.
pub(crate) fn take_from_draft(
    transaction: &Transaction<'_>,
    cluster: i64,
    account: AccountId,
    sent: &Draft,
) -> Result<(), ClientError> {
    let kept: Option<String> = transaction
        .query_row(
            "SELECT text FROM draft WHERE cluster = ?1 AND account = ?2 AND other = ?3",
            params![cluster, int(account.0), int(sent.with.0)],
            |row| row.get(0),
        )
        .optional()?;
    let Some(kept) = kept else { return Ok(()) };
    let left = kept.strip_prefix(&sent.text).unwrap_or_default().to_owned();
    put(transaction, cluster, account, &Draft { with: sent.with, text: left })
}

fn put(transaction: &Transaction<'_>, cluster: i64, account: AccountId, draft: &Draft) -> Result<(), ClientError> {
    let other = int(draft.with.0);
    if draft.text.is_empty() {
        transaction.execute(
            "DELETE FROM draft WHERE cluster = ?1 AND account = ?2 AND other = ?3",
            params![cluster, int(account.0), other],
        )?;
    } else {
        transaction.execute(
            "INSERT OR REPLACE INTO draft (cluster, account, other, text) VALUES (?1, ?2, ?3, ?4)",
            params![cluster, int(account.0), other, draft.text],
        )?;
    }
    Ok(())
}
