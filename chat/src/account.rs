//! Accounts: how they begin. How they end is in `deletion`.

use crate::session::{self, Opening};
use crate::{Account, AccountId, Change, CreationId, Name, Notice, Outcome, Rejection, Reply, View};

/// The account, if there is one that was not deleted.
pub(crate) fn living(view: &impl View, id: AccountId) -> Result<Account, Rejection> {
    match view.account(id) {
        None => Err(Rejection::NoSuchAccount),
        Some(account) if account.is_deleted() => Err(Rejection::AccountDeleted),
        Some(account) => Ok(account),
    }
}

/// Creates an account with its first session. Asked again with the same creation id, it answers as it
/// did the first time: the asker lost the answer, and may have drawn a new token since.
pub(crate) fn create(
    view: &impl View,
    creation: CreationId,
    name: &Name,
    credentials: &[u8],
    opening: &Opening,
) -> Result<Outcome, Rejection> {
    match view.account_named(name.key()).and_then(|id| view.account(id)) {
        None => Ok(begin(view, creation, name, credentials, opening)),
        Some(account) if account.creation == creation => Ok(created(view, account, opening)),
        Some(account) => Err(Rejection::NameTaken(account.name.to_string())),
    }
}

fn begin(view: &impl View, creation: CreationId, name: &Name, credentials: &[u8], opening: &Opening) -> Outcome {
    let account = Account {
        id: AccountId(opening.position.0),
        name: name.clone(),
        creation,
        credentials: credentials.to_vec(),
        created_at: opening.at,
        deleted_at: None,
        connected: 0,
    };
    let mut outcome = created(view, account.clone(), opening);
    outcome.changes.push(Change::PutName(name.key().clone(), account.id));
    outcome.notices.push(Notice::AccountCreated(account.id));
    outcome.changes.push(Change::PutAccount(account));
    outcome
}

fn created(view: &impl View, account: Account, opening: &Opening) -> Outcome {
    let id = account.id;
    let (session, changes) = session::on_device(view, account, opening);
    Outcome { reply: Reply::AccountCreated { account: id, session: session.id }, changes, notices: Vec::new() }
}
