//! Creating accounts and logging in, with OPAQUE: the password stays here.
//!
//! What stretches a password takes tens of milliseconds on purpose, so it runs where blocking is allowed.

use argon2::PasswordHash;
use argon2::password_hash::rand_core::{OsRng, RngCore};
use argon2::password_hash::{PasswordHasher, PasswordVerifier, SaltString};
use chat::{CreationId, Name, Numbering, SessionId};
use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialResponse, RegistrationResponse,
};
use wire::blocking::beside_the_runtime;
use wire::message::{AccountInfo, Answer, Request, Token};
use wire::opaque::{CONTEXT, Suite, stretching};
use wire::{Code, Refusal};

use crate::ClientError;
use crate::link::{Link, Trouble, unexpected};
use crate::profile::KeptSession;

/// What creating an account sends, once the node has done its half.
pub(crate) struct Registration {
    pub(crate) upload: Vec<u8>,
    pub(crate) export_key: Vec<u8>,
    pub(crate) verifier: String,
}

/// The first half of creating an account; the state is for the second.
pub(crate) struct Registering {
    state: ClientRegistration<Suite>,
    password: String,
    /// What the node is to answer.
    pub(crate) message: Vec<u8>,
}

/// A session that was just opened.
pub(crate) struct Opened {
    pub(crate) session: SessionId,
    pub(crate) account: AccountInfo,
    pub(crate) numbering: Numbering,
}

impl Registering {
    /// Begins.
    pub(crate) fn start(password: &str) -> Result<Self, ClientError> {
        let started = ClientRegistration::<Suite>::start(&mut OsRng, password.as_bytes()).map_err(|_| unusable())?;
        let message = started.message.serialize().to_vec();
        Ok(Self { state: started.state, password: password.to_owned(), message })
    }

    /// Takes the node's answer.
    pub(crate) async fn finish(self, answer: Vec<u8>) -> Result<Registration, ClientError> {
        blocking(move || self.finish_now(&answer)).await
    }

    fn finish_now(self, answer: &[u8]) -> Result<Registration, ClientError> {
        let answer = RegistrationResponse::<Suite>::deserialize(answer).map_err(|_| nonsense())?;
        let stretching = stretching();
        let parameters = ClientRegistrationFinishParameters::new(Default::default(), Some(&stretching));
        let finished = self.state.finish(&mut OsRng, self.password.as_bytes(), answer, parameters);
        let finished = finished.map_err(|_| nonsense())?;
        Ok(Registration {
            upload: finished.message.serialize().to_vec(),
            export_key: finished.export_key.to_vec(),
            verifier: verifier(&self.password)?,
        })
    }
}

/// Logs in over this link, both halves. To be begun anew on another link if this one is lost on the way.
pub(crate) async fn log_in(
    link: Link,
    name: &str,
    password: &str,
    token: &Token,
) -> Result<(Opened, KeptSession), Trouble> {
    let started = ClientLogin::<Suite>::start(&mut OsRng, password.as_bytes()).map_err(|_| refused(unusable()))?;
    let credential = started.message.serialize().to_vec();
    let request = Request::LoginStart { name: name.to_owned(), credential };
    let answer = match link.ask(request).await?.0 {
        Answer::LoginStart { credential } => credential,
        other => return Err(Trouble::Refused(unexpected(&other))),
    };
    let typed = password.to_owned();
    let finished = blocking(move || finish_login(started.state, &typed, &answer)).await.map_err(refused)?;
    let request = Request::LoginFinish { finalization: finished.message, token: token.clone() };
    let opened = opened(link.ask(request).await?.0).map_err(Trouble::Refused)?;
    link.logged_in(opened.session, opened.numbering).await;
    let kept = kept(&opened, token, finished.verifier, finished.export_key);
    Ok((opened, kept))
}

/// What the profile keeps of a session that was opened.
pub(crate) fn kept(opened: &Opened, token: &Token, verifier: String, export_key: Vec<u8>) -> KeptSession {
    KeptSession {
        account: opened.account.id,
        name: opened.account.name.clone(),
        created_at: opened.account.created_at,
        session: opened.session,
        token: token.clone(),
        verifier,
        export_key,
        ended: false,
    }
}

/// The session in an answer.
pub(crate) fn opened(answer: Answer) -> Result<Opened, Refusal> {
    match answer {
        Answer::Session { session, account, numbering } => Ok(Opened { session, account, numbering }),
        other => Err(unexpected(&other)),
    }
}

/// Whether the password is the one that the verifier was made from.
pub(crate) async fn is_right(password: &str, kept: &KeptSession) -> bool {
    let (password, verifier) = (password.to_owned(), kept.verifier.clone());
    let checked = move || {
        let right = PasswordHash::new(&verifier)
            .is_ok_and(|hash| stretching().verify_password(password.as_bytes(), &hash).is_ok());
        Ok(right)
    };
    blocking(checked).await.unwrap_or(false)
}

/// A name and a password that an account could have.
pub(crate) fn check(name: &str, password: &str) -> Result<Name, ClientError> {
    let name = Name::parse(name).map_err(Refusal::from)?;
    if password.is_empty() {
        return Err(ClientError::new(Code::LoginFailed, "A password needs at least one character."));
    }
    Ok(name)
}

/// A session's token, fresh.
pub(crate) fn fresh_token() -> Token {
    Token(fresh())
}

/// A creation's id, fresh.
pub(crate) fn fresh_creation() -> CreationId {
    CreationId(u128::from_be_bytes(fresh()))
}

/// Random bytes fit for secrets.
pub(crate) fn fresh<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

struct FinishedLogin {
    message: Vec<u8>,
    export_key: Vec<u8>,
    verifier: String,
}

fn finish_login(state: ClientLogin<Suite>, password: &str, answer: &[u8]) -> Result<FinishedLogin, ClientError> {
    let answer = CredentialResponse::<Suite>::deserialize(answer).map_err(|_| nonsense())?;
    let stretching = stretching();
    let parameters = ClientLoginFinishParameters::new(Some(CONTEXT), Default::default(), Some(&stretching));
    // With a wrong password, or none such account, the answer cannot be opened; which of the two does not show.
    let finished = state.finish(&mut OsRng, password.as_bytes(), answer, parameters);
    let finished = finished.map_err(|_| ClientError::new(Code::LoginFailed, "Wrong name or password."))?;
    Ok(FinishedLogin {
        message: finished.message.serialize().to_vec(),
        export_key: finished.export_key.to_vec(),
        verifier: verifier(password)?,
    })
}

/// What tells the password again without a node, kept in the profile.
fn verifier(password: &str) -> Result<String, ClientError> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = stretching().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|_| unusable())?.to_string())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    let done = beside_the_runtime(work).await;
    done.unwrap_or_else(|_| Err(ClientError::new(Code::ShuttingDown, "The program is stopping.")))
}

fn refused(error: ClientError) -> Trouble {
    Trouble::Refused(error.refusal)
}

fn unusable() -> ClientError {
    ClientError::new(Code::LoginFailed, "This password cannot be used; choose another.")
}

fn nonsense() -> ClientError {
    ClientError::new(Code::FrameMalformed, "The node's part of the login makes no sense.")
}
