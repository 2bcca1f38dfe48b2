//! The sessions that a profile keeps, so that a person logs in once on a device.

use std::fmt;

use chat::{AccountId, ConversationId, Cursor, NameKey, Numbering, SessionId, Timestamp};
use rusqlite::{OptionalExtension, Row, params};
use wire::Code;
use wire::message::{AccountInfo, Token};

use super::{Profile, fixed, int, uint};
use crate::ClientError;
use crate::outbox;

/// A session, and what goes with it.
#[derive(Clone)]
pub(crate) struct KeptSession {
    pub(crate) account: AccountId,
    pub(crate) name: String,
    pub(crate) created_at: Timestamp,
    pub(crate) session: SessionId,
    pub(crate) token: Token,
    /// The password's Argon2id hash in PHC form, by which it is checked without a node.
    pub(crate) verifier: String,
    /// What OPAQUE derives from the password for the client alone: the key of end-to-end encryption to come.
    pub(crate) export_key: Vec<u8>,
    /// The nodes have refused it; a login opens the next.
    pub(crate) ended: bool,
}

const COLUMNS: &str = "account, name, created_at, session, token, verifier, export_key, ended";

impl KeptSession {
    /// The account as far as the profile knows it.
    pub(crate) fn info(&self) -> AccountInfo {
        AccountInfo {
            id: self.account,
            name: self.name.clone(),
            active: false,
            deleted: false,
            created_at: self.created_at,
        }
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<(Self, Vec<u8>)> {
        let kept = Self {
            account: AccountId(uint(row.get(0)?)),
            name: row.get(1)?,
            created_at: Timestamp(uint(row.get(2)?)),
            session: SessionId(uint(row.get(3)?)),
            token: Token([0; 32]),
            verifier: row.get(5)?,
            export_key: row.get(6)?,
            ended: row.get(7)?,
        };
        Ok((kept, row.get(4)?))
    }

    fn with_token((kept, token): (Self, Vec<u8>)) -> Result<Self, ClientError> {
        Ok(Self { token: Token(fixed(token)?), ..kept })
    }
}

impl fmt::Debug for KeptSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptSession").field("account", &self.account).field("session", &self.session).finish()
    }
}

impl Profile {
    /// Keeps a session that was just opened, in the place of the one that the account had. Messages that wait in the old one are
    /// given numbers of the new one; those of another account that had the same name are failed.
    pub(crate) fn keep_session(
        &self,
        kept: &KeptSession,
        numbering: Numbering,
        now_ms: u64,
    ) -> Result<(), ClientError> {
        let key = NameKey::fold(&kept.name);
        self.change(|transaction, cluster| {
            outbox::fail_namesakes(transaction, cluster, key.as_str(), kept.account)?;
            transaction.execute(
                "DELETE FROM session WHERE cluster = ?1 AND name_key = ?2 AND account != ?3",
                params![cluster, key.as_str(), int(kept.account.0)],
            )?;
            transaction.execute(
                "INSERT INTO session (cluster, account, name, name_key, created_at, session, token, verifier,
                                      export_key, next_seq, last, ended, used_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?12, 0, ?11)
                 ON CONFLICT (cluster, account) DO UPDATE SET
                     name = ?3, name_key = ?4, session = ?6, token = ?7, verifier = ?8, export_key = ?9,
                     last = CASE WHEN session = ?6 AND next_seq >= ?10 THEN last ELSE ?12 END,
                     next_seq = CASE WHEN session = ?6 THEN max(next_seq, ?10) ELSE ?10 END, ended = 0, used_at = ?11",
                params![
                    cluster,
                    int(kept.account.0),
                    kept.name,
                    key.as_str(),
                    int(kept.created_at.0),
                    int(kept.session.0),
                    kept.token.0,
                    kept.verifier,
                    kept.export_key,
                    int(numbering.high_water.next().0),
                    int(now_ms),
                    numbering.last.map(|id| id.0.to_be_bytes())
                ],
            )?;
            outbox::move_to_session(transaction, cluster, kept.account, kept.session, numbering)
        })
    }

    /// The session that is kept of the account of that name, ended or not.
    pub(crate) fn session_named(&self, name: &str) -> Result<Option<KeptSession>, ClientError> {
        let key = NameKey::fold(name);
        self.read(|connection, cluster| {
            let query = format!("SELECT {COLUMNS} FROM session WHERE cluster = ?1 AND name_key = ?2");
            let found =
                connection.query_row(&query, params![cluster, key.as_str()], KeptSession::from_row).optional()?;
            found.map(KeptSession::with_token).transpose()
        })
    }

    /// The session that is kept of the account, as it is now: another process may have renewed it.
    pub(crate) fn session_of(&self, account: AccountId) -> Result<KeptSession, ClientError> {
        self.read(|connection, cluster| {
            let query = format!("SELECT {COLUMNS} FROM session WHERE cluster = ?1 AND account = ?2");
            let found =
                connection.query_row(&query, params![cluster, int(account.0)], KeptSession::from_row).optional()?;
            let found = found.ok_or_else(not_kept)?;
            KeptSession::with_token(found)
        })
    }

    /// The names of the accounts that have a session, the one used last first.
    pub(crate) fn session_names(&self) -> Result<Vec<String>, ClientError> {
        self.read(|connection, cluster| {
            let mut query = connection
                .prepare("SELECT name FROM session WHERE cluster = ?1 AND ended = 0 ORDER BY used_at DESC")?;
            let names = query.query_map([cluster], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
            Ok(names)
        })
    }

    /// Marks the session as used now.
    pub(crate) fn touch_session(&self, account: AccountId, now_ms: u64) -> Result<(), ClientError> {
        self.change(|transaction, cluster| {
            transaction.execute(
                "UPDATE session SET used_at = ?3 WHERE cluster = ?1 AND account = ?2",
                params![cluster, int(account.0), int(now_ms)],
            )?;
            Ok(())
        })
    }

    /// The nodes say that this session is over. Without effect if another process has opened a new one meanwhile. What
    /// waits in it goes on waiting, for the next login.
    pub(crate) fn end_session(&self, account: AccountId, session: SessionId) -> Result<(), ClientError> {
        self.change(|transaction, cluster| {
            transaction.execute(
                "UPDATE session SET ended = 1 WHERE cluster = ?1 AND account = ?2 AND session = ?3",
                params![cluster, int(account.0), int(session.0)],
            )?;
            Ok(())
        })
    }

    /// Forgets the session altogether; whatever waits in it is failed.
    pub(crate) fn forget_session(&self, account: AccountId) -> Result<(), ClientError> {
        self.change(|transaction, cluster| {
            outbox::fail_all(transaction, cluster, account, "The account was logged out before this was sent.")?;
            transaction
                .execute("DELETE FROM session WHERE cluster = ?1 AND account = ?2", params![cluster, int(account.0)])?;
            Ok(())
        })
    }

    /// How far the account's feed has been received by this profile.
    pub(crate) fn feed_cursor(&self, account: AccountId) -> Result<Option<Cursor>, ClientError> {
        self.read(|connection, cluster| {
            let cursor: Option<Option<i64>> = connection
                .query_row(
                    "SELECT cursor FROM session WHERE cluster = ?1 AND account = ?2",
                    params![cluster, int(account.0)],
                    |row| row.get(0),
                )
                .optional()?;
            Ok(cursor.flatten().map(|cursor| Cursor(uint(cursor))))
        })
    }

    /// What the account received: the places in its conversations, to be told to a node, and how far the feed has come (None: that stays).
    /// Both in one, so that a process killed here neither repeats nor forgets to tell. Nothing moves back.
    pub(crate) fn keep_received(
        &self,
        account: AccountId,
        cursor: Option<Cursor>,
        marks: &[(ConversationId, Cursor)],
    ) -> Result<(), ClientError> {
        self.change(|transaction, cluster| {
            if let Some(cursor) = cursor {
                transaction.execute(
                    "UPDATE session SET cursor = max(coalesce(cursor, 0), ?3) WHERE cluster = ?1 AND account = ?2",
                    params![cluster, int(account.0), int(cursor.0)],
                )?;
            }
            for (conversation, up_to) in marks {
                transaction.execute(
                    "INSERT INTO receipt (cluster, account, conversation, up_to) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET up_to = max(up_to, ?4)",
                    params![cluster, int(account.0), int(conversation.0), int(up_to.0)],
                )?;
            }
            Ok(())
        })
    }

    /// What was received and no node has been told yet.
    pub(crate) fn receipts(&self, account: AccountId) -> Result<Vec<(ConversationId, Cursor)>, ClientError> {
        self.read(|connection, cluster| {
            let mut query =
                connection.prepare("SELECT conversation, up_to FROM receipt WHERE cluster = ?1 AND account = ?2")?;
            let rows = query.query_map(params![cluster, int(account.0)], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut receipts = Vec::new();
            for row in rows {
                let (conversation, up_to): (i64, i64) = row?;
                receipts.push((ConversationId(uint(conversation)), Cursor(uint(up_to))));
            }
            Ok(receipts)
        })
    }

    /// A node has been told.
    pub(crate) fn receipts_told(
        &self,
        account: AccountId,
        told: &[(ConversationId, Cursor)],
    ) -> Result<(), ClientError> {
        self.change(|transaction, cluster| {
            for (conversation, up_to) in told {
                transaction.execute(
                    "DELETE FROM receipt WHERE cluster = ?1 AND account = ?2 AND conversation = ?3 AND up_to <= ?4",
                    params![cluster, int(account.0), int(conversation.0), int(up_to.0)],
                )?;
            }
            Ok(())
        })
    }
}

fn not_kept() -> ClientError {
    ClientError::new(Code::NotLoggedIn, "Nobody is logged in here; log in first.")
}
