//! Creating an account and logging in, with OPAQUE (RFC 9807): the node never sees a password, nor
//! anything it could test guesses against without the cluster's own setup.
//!
//! Nothing here tells whether a name exists: an unknown one gets an answer of the same shape, and the
//! same sentence in the end.

use chat::{AccountId, Command, CreationId, Name, NameKey, Rejection, Reply};
use opaque_ke::{
    CredentialFinalization, CredentialRequest, RegistrationRequest, RegistrationUpload, ServerLogin,
    ServerLoginParameters, ServerRegistration,
};
use rand::{CryptoRng, RngCore};
use wire::message::{Answer, Token};
use wire::opaque::{CONTEXT, Suite};
use wire::{Code, Refusal};

use super::answer::Given;
use super::connection::Connection;
use super::limiter::Subject;
use super::session::{CATCH_UP_MAX, established};
use super::{ApiContext, refusal};
use crate::clock::Clock;

/// A login between its two halves. It ends with the connection.
pub(super) struct PendingLogin {
    state: ServerLogin<Suite>,
    /// None: nobody has the name, and no finalization will be right.
    account: Option<AccountId>,
    subjects: [Subject; 2],
}

/// First half of creating an account.
pub(super) async fn register_start(connection: &Connection, name: &str, registration: &[u8]) -> Result<Given, Refusal> {
    let name = Name::parse(name)?;
    let context = &connection.context;
    if context.read(context.app.account_by_name(name.as_str()))?.is_some() {
        return Err(Rejection::NameTaken(name.as_str().to_owned()).into());
    }
    // Before anything is counted: a cluster that is being founded is asked again and again.
    let setup = context.setup()?;
    count_attempt(context, &subjects(connection, name.key().clone()))?;
    let request = RegistrationRequest::deserialize(registration).map_err(|_| malformed())?;
    let started = ServerRegistration::<Suite>::start(setup, request, identifier(name.key()));
    let response = started.map_err(|_| malformed())?.message;
    Ok(Answer::RegisterStart { registration: response.serialize().to_vec() }.into())
}

/// Second half: the account exists, and is logged in on this device.
pub(super) async fn register_finish(
    connection: &Connection,
    creation: CreationId,
    name: &str,
    upload: &[u8],
    token: &Token,
) -> Result<Given, Refusal> {
    let name = Name::parse(name)?;
    let upload = RegistrationUpload::<Suite>::deserialize(upload).map_err(|_| malformed())?;
    let subjects = subjects(connection, name.key().clone());
    let command = Command::CreateAccount {
        creation,
        name,
        credentials: ServerRegistration::finish(upload).serialize().to_vec(),
        device: connection.peer.device(),
        token_hash: token.hash(),
        at: connection.context.clock.now(),
    };
    let (at, reply) = connection.propose(command).await?;
    match reply {
        Reply::AccountCreated { account, session } => {
            connection.context.limiter().forgive(&subjects);
            connection.caught_up(at, CATCH_UP_MAX).await;
            established(connection, session, account).await
        }
        Reply::Rejected(rejection) => Err(rejection.into()),
        _ => Err(refusal::unexpected_reply()),
    }
}

/// First half of a login.
pub(super) async fn start(connection: &Connection, name: &str, credential: &[u8]) -> Result<Given, Refusal> {
    let context = &connection.context;
    let request = CredentialRequest::deserialize(credential).map_err(|_| malformed())?;
    // A login ends in the log, so without a majority it could not; and an account that this node has
    // not heard of yet must not be answered with "wrong name or password".
    context.quorum.read_barrier(CATCH_UP_MAX).await?;
    let setup = context.setup()?;
    let key = NameKey::fold(name);
    let subjects = subjects(connection, key.clone());
    count_attempt(context, &subjects)?;
    let (account, record) = context.read(context.app.credentials(name))?.unzip();
    let record = record.map(|bytes| ServerRegistration::deserialize(&bytes)).transpose().map_err(|_| damaged())?;
    let mut chance = Chance(&*context.clock);
    let started = ServerLogin::start(&mut chance, setup, record, request, identifier(&key), parameters());
    let started = started.map_err(|_| malformed())?;
    connection.with_state(|state| state.login = Some(PendingLogin { state: started.state, account, subjects }));
    Ok(Answer::LoginStart { credential: started.message.serialize().to_vec() }.into())
}

/// Second half: the password was right, or it was not.
pub(super) async fn finish(connection: &Connection, finalization: &[u8], token: &Token) -> Result<Given, Refusal> {
    let Some(PendingLogin { state, account, subjects }) = connection.with_state(|state| state.login.take()) else {
        return Err(Refusal::new(Code::LoginFailed, "This connection has not begun to log in."));
    };
    let finalization = CredentialFinalization::deserialize(finalization).map_err(|_| malformed())?;
    let proved = state.finish(finalization, parameters()).is_ok();
    let account = account.filter(|_| proved).ok_or_else(login_failed)?;
    connection.context.limiter().forgive(&subjects);
    let command = Command::OpenSession {
        account,
        device: connection.peer.device(),
        token_hash: token.hash(),
        at: connection.context.clock.now(),
    };
    let (at, reply) = connection.propose(command).await?;
    match reply {
        Reply::SessionOpened { session, .. } => {
            connection.caught_up(at, CATCH_UP_MAX).await;
            established(connection, session, account).await
        }
        Reply::Rejected(Rejection::AccountDeleted | Rejection::NoSuchAccount) => Err(login_failed()),
        Reply::Rejected(rejection) => Err(rejection.into()),
        _ => Err(refusal::unexpected_reply()),
    }
}

/// Under which the OPRF key of a name is derived. Names never change, so the key is theirs for good.
fn identifier(key: &NameKey) -> &[u8] {
    key.as_str().as_bytes()
}

fn parameters() -> ServerLoginParameters<'static, 'static> {
    ServerLoginParameters { context: Some(CONTEXT), ..Default::default() }
}

fn subjects(connection: &Connection, key: NameKey) -> [Subject; 2] {
    [Subject::Account(key), Subject::Device(connection.peer.device())]
}

fn count_attempt(context: &ApiContext, subjects: &[Subject]) -> Result<(), Refusal> {
    context.limiter().attempt(subjects, context.elapsed_ms()).map_err(|wait_ms| {
        let sentence = format!("Too many attempts; try again in {} s.", wait_ms.div_ceil(1_000));
        Refusal::retry_after(Code::TooManyAttempts, sentence, wait_ms)
    })
}

fn login_failed() -> Refusal {
    Refusal::new(Code::LoginFailed, "Wrong name or password.")
}

fn malformed() -> Refusal {
    Refusal::new(Code::FrameMalformed, "The login message is not well formed.")
}

fn damaged() -> Refusal {
    Refusal::new(Code::Damaged, "The account's credentials are damaged.")
}

/// The node's source of chance, as OPAQUE asks for it.
struct Chance<'a>(&'a dyn Clock);

impl CryptoRng for Chance<'_> {}

impl RngCore for Chance<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}
