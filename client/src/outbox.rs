//! Messages that wait: on disk before [`crate::Client::send`] returns, until a node has answered.
//!
//! A message has the sender's id, which never changes, a number in its session, which says its turn, and the id of the message that it
//! follows. Both are given here, in one transaction with the message, so a later message never overtakes an earlier one, whichever
//! process sends it. What the nodes make of them is `chat`'s business: here are only the rules by which they change.
//!
//! Numbers may change while copies of a message with the old ones are still on their way, through this process or another; then
//! whom it follows decides. That changes only for the first of those that wait, or where the one before failed without a number:
//! so whichever copy of a message arrives first, all that were typed before it are settled.
//! Sending itself is in `pump`.

use chat::{AccountId, MessageId, Numbering, Seq, SessionId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use wire::message::To;
use wire::{Code, Refusal};

use crate::profile::{Profile, damaged, fixed, int, take_from_draft, uint};
use crate::{ClientError, Draft, Pending};

/// How many messages an account may have waiting. Beyond it `send` refuses with `busy`.
pub(crate) const WAITING_MAX: u64 = 10_000;

/// How many stored messages are remembered for each account, so that asking about them or sending them again is answered; older
/// ones are forgotten, and the cluster itself still knows their ids. As many failed ones are kept beside them: nothing else
/// has their text, so only a later failure pushes one out.
const SETTLED_MAX: u64 = 1_000;

const QUEUED: i64 = 0;
const STORED: i64 = 1;
const FAILED: i64 = 2;

const COUNT_WAITING: &str = "SELECT count(*) FROM outbox WHERE cluster = ?1 AND account = ?2 AND state = 0";

const FORGET_OLD: &str = "DELETE FROM outbox WHERE cluster = ?1 AND account = ?2 AND state = ?4 AND queued_at <
         (SELECT queued_at FROM outbox WHERE cluster = ?1 AND account = ?2 AND state = ?4
          ORDER BY queued_at DESC LIMIT 1 OFFSET ?3)";

/// A message whose turn is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) seq: Seq,
    /// The message of the session before it.
    pub(crate) follows: Option<MessageId>,
    pub(crate) id: MessageId,
    pub(crate) to: To,
    pub(crate) text: String,
}

/// How far a message has come, as far as the outbox knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Queued,
    Stored,
    Failed(Refusal),
}

impl Profile {
    /// Puts a message at the end of its account's queue. The same message again (by its id) is not queued twice, and is
    /// queued anew if it had failed; another message under a used id is refused.
    pub(crate) fn queue(
        &self,
        account: AccountId,
        id: MessageId,
        to: &To,
        text: &str,
        now_ms: u64,
    ) -> Result<(), ClientError> {
        self.change(|transaction, cluster| put_at_end(transaction, cluster, account, (id, to, text), now_ms))
    }

    /// Queues what was typed for somebody, and takes it out of the draft in the same transaction: what was sent never comes back
    /// as something that is still to be sent.
    pub(crate) fn queue_draft(
        &self,
        account: AccountId,
        id: MessageId,
        draft: &Draft,
        now_ms: u64,
    ) -> Result<(), ClientError> {
        let to = To::Account(draft.with);
        self.change(|transaction, cluster| {
            put_at_end(transaction, cluster, account, (id, &to, &draft.text), now_ms)?;
            take_from_draft(transaction, cluster, account, draft)
        })
    }

    /// The messages of the session that wait, in their turn, from after `after`.
    pub(crate) fn waiting(&self, session: SessionId, after: Seq, limit: usize) -> Result<Vec<Waiting>, ClientError> {
        self.read(|connection, cluster| {
            let mut query = connection.prepare_cached(
                "SELECT seq, id, to_name, to_account, text, follows FROM outbox
                 WHERE cluster = ?1 AND session = ?2 AND seq > ?3 AND state = 0 ORDER BY seq LIMIT ?4",
            )?;
            let limit = int(limit as u64);
            let mut rows = query.query(params![cluster, int(session.0), int(after.0), limit])?;
            let mut waiting = Vec::new();
            while let Some(row) = rows.next()? {
                waiting.push(waiting_from(row)?);
            }
            Ok(waiting)
        })
    }

    /// How many messages of the account wait.
    pub(crate) fn waiting_count(&self, account: AccountId) -> Result<u64, ClientError> {
        self.read(|connection, cluster| count_waiting(connection, cluster, account))
    }

    /// What is not stored: what failed, the oldest first, and then what waits, in its turn.
    pub(crate) fn pending(&self, account: AccountId) -> Result<Vec<Pending>, ClientError> {
        self.read(|connection, cluster| {
            let mut query = connection.prepare_cached(
                "SELECT seq, id, to_name, to_account, text, follows, queued_at, state, refusal_code, refusal_message
                 FROM outbox WHERE cluster = ?1 AND account = ?2 AND state != ?3
                 ORDER BY state DESC, CASE state WHEN 0 THEN session ELSE queued_at END, seq",
            )?;
            let mut rows = query.query(params![cluster, int(account.0), STORED])?;
            let mut pending = Vec::new();
            while let Some(row) = rows.next()? {
                pending.push(pending_from(row)?);
            }
            Ok(pending)
        })
    }

    /// Forgets a message that failed. Answers whether there was one: one that waits is not to be forgotten, it may be on its way.
    pub(crate) fn discard(&self, account: AccountId, id: MessageId) -> Result<bool, ClientError> {
        self.change(|transaction, cluster| {
            let gone = transaction.execute(
                "DELETE FROM outbox WHERE cluster = ?1 AND account = ?2 AND id = ?3 AND state = ?4",
                params![cluster, int(account.0), id_bytes(id), FAILED],
            )?;
            Ok(gone > 0)
        })
    }

    /// How far a message has come; None where the outbox does not know it.
    pub(crate) fn progress(&self, account: AccountId, id: MessageId) -> Result<Option<Progress>, ClientError> {
        self.read(|connection, cluster| {
            let mut query = connection.prepare_cached(
                "SELECT state, refusal_code, refusal_message FROM outbox
                 WHERE cluster = ?1 AND account = ?2 AND id = ?3",
            )?;
            let key = params![cluster, int(account.0), id_bytes(id)];
            let row = query.query_row(key, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
            row.map(progress_from).transpose()
        })
    }

    /// A majority has them. Answers of which this is news: another process may have heard first.
    pub(crate) fn settle_stored(&self, account: AccountId, ids: &[MessageId]) -> Result<Vec<bool>, ClientError> {
        self.change(|transaction, cluster| {
            let mut settle = transaction.prepare_cached(
                "UPDATE outbox SET state = ?4 WHERE cluster = ?1 AND account = ?2 AND id = ?3 AND state = 0",
            )?;
            let mut settle = |id| settle.execute(params![cluster, int(account.0), id_bytes(id), STORED]);
            ids.iter().map(|id| Ok(settle(*id)? > 0)).collect()
        })
    }

    /// It was refused for good, and its number is used up. Answers whether this is news.
    pub(crate) fn settle_failed(
        &self,
        account: AccountId,
        id: MessageId,
        refusal: &Refusal,
    ) -> Result<bool, ClientError> {
        self.change(|transaction, cluster| fail(transaction, cluster, account, id, refusal))
    }

    /// It was refused before its number was used: the messages behind it move up by one and follow the one before it, or
    /// they would wait for ever.
    pub(crate) fn settle_failed_unnumbered(
        &self,
        account: AccountId,
        waiting: &Waiting,
        session: SessionId,
        refusal: &Refusal,
    ) -> Result<bool, ClientError> {
        self.change(|transaction, cluster| {
            let news = fail(transaction, cluster, account, waiting.id, refusal)?;
            if news {
                let (seq, follows) = give_up_number(transaction, cluster, account, waiting.id)?;
                let behind = ids_in_turn(transaction, cluster, session, seq)?;
                let before = Numbering { high_water: Seq(seq.0.saturating_sub(1)), last: follows };
                number(transaction, cluster, account, session, &behind, before)?;
            }
            Ok(news)
        })
    }

    /// The session has come so far, at a node: numbers everything that waits to come next, unless what is next is known. This
    /// happens where numbers were lost, or used by a copy of this profile.
    pub(crate) fn go_on_after(
        &self,
        account: AccountId,
        session: SessionId,
        numbering: Numbering,
    ) -> Result<(), ClientError> {
        self.change(|transaction, cluster| {
            if is_known(transaction, cluster, session, numbering)? {
                return Ok(());
            }
            let all = ids_in_turn(transaction, cluster, session, Seq(0))?;
            number(transaction, cluster, account, session, &all, numbering)
        })
    }

    /// A number that waits was used for another message (by a copy of this profile): numbers everything that waits to come next.
    /// What was stored after all is known by its id.
    pub(crate) fn start_over_after(
        &self,
        account: AccountId,
        session: SessionId,
        numbering: Numbering,
    ) -> Result<(), ClientError> {
        self.change(|transaction, cluster| {
            let all = ids_in_turn(transaction, cluster, session, Seq(0))?;
            number(transaction, cluster, account, session, &all, numbering)
        })
    }
}

/// Moves what waits in older sessions of the account into this one, in its order, behind what waits here already.
pub(crate) fn move_to_session(
    transaction: &Transaction<'_>,
    cluster: i64,
    account: AccountId,
    session: SessionId,
    numbering: Numbering,
) -> Result<(), ClientError> {
    let mut query = transaction.prepare(
        "SELECT id FROM outbox WHERE cluster = ?1 AND account = ?2 AND state = 0 AND session != ?3
         ORDER BY session, seq",
    )?;
    let old = query
        .query_map(params![cluster, int(account.0), int(session.0)], |row| row.get(0))?
        .collect::<Result<Vec<Vec<u8>>, _>>()?;
    if old.is_empty() {
        return Ok(());
    }
    let mut all = ids_in_turn(transaction, cluster, session, Seq(0))?;
    all.extend(old);
    number(transaction, cluster, account, session, &all, numbering)
}

/// Fails what waits for an account that had this name before `account` took it.
pub(crate) fn fail_namesakes(
    transaction: &Transaction<'_>,
    cluster: i64,
    name_key: &str,
    account: AccountId,
) -> Result<(), ClientError> {
    let former: Option<i64> = transaction
        .query_row(
            "SELECT account FROM session WHERE cluster = ?1 AND name_key = ?2 AND account != ?3",
            params![cluster, name_key, int(account.0)],
            |row| row.get(0),
        )
        .optional()?;
    match former {
        Some(former) => {
            let why = "The account that wrote this was deleted before it was sent.";
            fail_all(transaction, cluster, AccountId(uint(former)), why)
        }
        None => Ok(()),
    }
}

/// Fails everything that waits for the account.
pub(crate) fn fail_all(
    transaction: &Transaction<'_>,
    cluster: i64,
    account: AccountId,
    why: &str,
) -> Result<(), ClientError> {
    transaction.execute(
        "UPDATE outbox SET state = ?3, refusal_code = ?4, refusal_message = ?5
         WHERE cluster = ?1 AND account = ?2 AND state = 0",
        params![cluster, int(account.0), FAILED, Code::SessionInvalid.as_str(), why],
    )?;
    Ok(())
}

fn put_at_end(
    transaction: &Transaction<'_>,
    cluster: i64,
    account: AccountId,
    (id, to, text): (MessageId, &To, &str),
    now_ms: u64,
) -> Result<(), ClientError> {
    if already_there(transaction, cluster, account, id, to, text)? {
        return Ok(());
    }
    refuse_beyond_bound(transaction, cluster, account)?;
    let (session, seq, follows) = take_number(transaction, cluster, account, id)?;
    let (to_name, to_account) = recipient_columns(to);
    let mut insert = transaction.prepare_cached(
        "INSERT INTO outbox (cluster, account, id, session, seq, follows, to_name, to_account, text, queued_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let id = id_bytes(id);
    let now = int(now_ms);
    insert.execute(params![cluster, int(account.0), id, session, seq, follows, to_name, to_account, text, now])?;
    forget_old(transaction, cluster, account)
}

fn already_there(
    transaction: &Transaction<'_>,
    cluster: i64,
    account: AccountId,
    id: MessageId,
    to: &To,
    text: &str,
) -> Result<bool, ClientError> {
    let (to_name, to_account) = recipient_columns(to);
    let mut query = transaction.prepare_cached(
        "SELECT text = ?4 AND to_name IS ?5 AND to_account IS ?6, state FROM outbox
         WHERE cluster = ?1 AND account = ?2 AND id = ?3",
    )?;
    let key = params![cluster, int(account.0), id_bytes(id), text, to_name, to_account];
    let found: Option<(bool, i64)> = query.query_row(key, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    match found {
        None => Ok(false),
        Some((_, FAILED)) => {
            transaction.execute(
                "DELETE FROM outbox WHERE cluster = ?1 AND account = ?2 AND id = ?3",
                params![cluster, int(account.0), id_bytes(id)],
            )?;
            Ok(false)
        }
        Some((true, _)) => Ok(true),
        Some((false, _)) => Err(ClientError::new(
            Code::IdConflict,
            format!("The message id {id} was used before, for another message."),
        )),
    }
}

fn count_waiting(connection: &Connection, cluster: i64, account: AccountId) -> Result<u64, ClientError> {
    let mut query = connection.prepare_cached(COUNT_WAITING)?;
    Ok(uint(query.query_row(params![cluster, int(account.0)], |row| row.get(0))?))
}

fn refuse_beyond_bound(transaction: &Transaction<'_>, cluster: i64, account: AccountId) -> Result<(), ClientError> {
    if count_waiting(transaction, cluster, account)? < WAITING_MAX {
        return Ok(());
    }
    let full = format!("{WAITING_MAX} messages are waiting to be sent already; this one was not queued.");
    Err(ClientError::new(Code::Busy, full))
}

/// The session that the account has now, its next number, and the message that had the one before. The number is thereby
/// the message's.
fn take_number(
    transaction: &Transaction<'_>,
    cluster: i64,
    account: AccountId,
    id: MessageId,
) -> Result<(i64, i64, Option<Vec<u8>>), ClientError> {
    let mut query = transaction
        .prepare_cached("SELECT session, next_seq, last FROM session WHERE cluster = ?1 AND account = ?2")?;
    let found = query
        .query_row(params![cluster, int(account.0)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?
        .ok_or_else(|| ClientError::new(Code::NotLoggedIn, "Nobody is logged in here; log in first."))?;
    let mut take = transaction
        .prepare_cached("UPDATE session SET next_seq = next_seq + 1, last = ?3 WHERE cluster = ?1 AND account = ?2")?;
    take.execute(params![cluster, int(account.0), id_bytes(id)])?;
    Ok(found)
}

/// Takes the number of a message that failed before it was used. Answers it, and whom the message followed.
fn give_up_number(
    transaction: &Transaction<'_>,
    cluster: i64,
    account: AccountId,
    id: MessageId,
) -> Result<(Seq, Option<MessageId>), ClientError> {
    let key = params![cluster, int(account.0), id_bytes(id)];
    let (seq, follows): (i64, Option<Vec<u8>>) = transaction.query_row(
        "SELECT seq, follows FROM outbox WHERE cluster = ?1 AND account = ?2 AND id = ?3",
        key,
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    transaction
        .execute("UPDATE outbox SET seq = 0, follows = NULL WHERE cluster = ?1 AND account = ?2 AND id = ?3", key)?;
    Ok((Seq(uint(seq)), follows.map(message_id).transpose()?))
}

fn forget_old(transaction: &Transaction<'_>, cluster: i64, account: AccountId) -> Result<(), ClientError> {
    let mut forget = transaction.prepare_cached(FORGET_OLD)?;
    for state in [STORED, FAILED] {
        forget.execute(params![cluster, int(account.0), int(SETTLED_MAX), state])?;
    }
    Ok(())
}

fn fail(
    transaction: &Transaction<'_>,
    cluster: i64,
    account: AccountId,
    id: MessageId,
    refusal: &Refusal,
) -> Result<bool, ClientError> {
    let changed = transaction.execute(
        "UPDATE outbox SET state = ?4, refusal_code = ?5, refusal_message = ?6
         WHERE cluster = ?1 AND account = ?2 AND id = ?3 AND state = 0",
        params![cluster, int(account.0), id_bytes(id), FAILED, refusal.code.as_str(), refusal.message],
    )?;
    Ok(changed > 0)
}

fn ids_in_turn(
    transaction: &Transaction<'_>,
    cluster: i64,
    session: SessionId,
    after: Seq,
) -> Result<Vec<Vec<u8>>, ClientError> {
    let mut query = transaction
        .prepare("SELECT id FROM outbox WHERE cluster = ?1 AND session = ?2 AND seq > ?3 AND state = 0 ORDER BY seq")?;
    let ids = query.query_map(params![cluster, int(session.0), int(after.0)], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Whether the outbox agrees with what the node said: the message that follows its last one has the next number, or was settled
/// since. The numbers of settled ones say nothing: a message may have been stored under an earlier one than it has now. (One that
/// failed without a number has none, and follows nobody.)
fn is_known(
    transaction: &Transaction<'_>,
    cluster: i64,
    session: SessionId,
    numbering: Numbering,
) -> Result<bool, ClientError> {
    let next = int(numbering.high_water.next().0);
    Ok(transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE cluster = ?1 AND session = ?2 AND follows IS ?3
                        AND CASE state WHEN 0 THEN seq = ?4 ELSE seq > 0 END)",
        params![cluster, int(session.0), numbering.last.map(id_bytes), next],
        |row| row.get(0),
    )?)
}

/// Gives these messages, each of which follows the one before, the numbers after `numbering`; what is typed next comes after them.
fn number(
    transaction: &Transaction<'_>,
    cluster: i64,
    account: AccountId,
    session: SessionId,
    ids: &[Vec<u8>],
    numbering: Numbering,
) -> Result<(), ClientError> {
    let mut place = transaction.prepare(
        "UPDATE outbox SET session = ?4, seq = ?5, follows = ?6 WHERE cluster = ?1 AND account = ?2 AND id = ?3",
    )?;
    let last = numbering.last.map(|id| id_bytes(id).to_vec());
    let followed = std::iter::once(last.as_ref()).chain(ids.iter().map(Some));
    let numbered = ids.iter().zip(followed.clone()).zip(int(numbering.high_water.next().0)..);
    // First out of the way below zero: a number is held by one message at a time.
    for sign in [-1, 1] {
        for ((id, follows), seq) in numbered.clone() {
            place.execute(params![cluster, int(account.0), id, int(session.0), sign * seq, follows])?;
        }
    }
    let next = int(numbering.high_water.next().0 + ids.len() as u64);
    transaction.execute(
        "UPDATE session SET next_seq = ?4, last = ?5 WHERE cluster = ?1 AND account = ?2 AND session = ?3",
        params![cluster, int(account.0), int(session.0), next, followed.last().flatten()],
    )?;
    Ok(())
}

fn waiting_from(row: &Row<'_>) -> Result<Waiting, ClientError> {
    let to = match (row.get::<_, Option<String>>(2)?, row.get::<_, Option<i64>>(3)?) {
        (Some(name), _) => To::Name(name),
        (None, Some(account)) => To::Account(AccountId(uint(account))),
        (None, None) => return Err(damaged("a message is for nobody")),
    };
    let id = message_id(row.get(1)?)?;
    let follows = row.get::<_, Option<Vec<u8>>>(5)?.map(message_id).transpose()?;
    Ok(Waiting { seq: Seq(uint(row.get(0)?)), follows, id, to, text: row.get(4)? })
}

fn pending_from(row: &Row<'_>) -> Result<Pending, ClientError> {
    let Waiting { id, to, text, .. } = waiting_from(row)?;
    let failed = match progress_from((row.get(7)?, row.get(8)?, row.get(9)?))? {
        Progress::Failed(refusal) => Some(refusal),
        Progress::Queued | Progress::Stored => None,
    };
    Ok(Pending { id, to, text, queued_at: Timestamp(uint(row.get(6)?)), failed })
}

fn progress_from(row: (i64, Option<String>, Option<String>)) -> Result<Progress, ClientError> {
    let (state, code, message) = row;
    match state {
        QUEUED => Ok(Progress::Queued),
        STORED => Ok(Progress::Stored),
        FAILED => {
            let code = Code::ALL.iter().find(|known| Some(known.as_str()) == code.as_deref());
            Ok(Progress::Failed(Refusal::new(*code.unwrap_or(&Code::Internal), message.unwrap_or_default())))
        }
        _ => Err(damaged("a message has an unknown state")),
    }
}

fn recipient_columns(to: &To) -> (Option<&str>, Option<i64>) {
    match to {
        To::Name(name) => (Some(name), None),
        To::Account(account) => (None, Some(int(account.0))),
    }
}

fn id_bytes(id: MessageId) -> [u8; 16] {
    id.0.to_be_bytes()
}

fn message_id(bytes: Vec<u8>) -> Result<MessageId, ClientError> {
    Ok(MessageId(u128::from_be_bytes(fixed(bytes)?)))
}

#[cfg(test)]
mod tests;
