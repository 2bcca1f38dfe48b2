//! The calls about who one is: creating an account, logging in and out, leaving, deleting.

use std::time::Duration;

use chat::AccountId;
use tokio::time::Instant;
use wire::Code;
use wire::message::{Answer, Request};

use super::{Client, Following, check_length};
use crate::link::{Link, unexpected};
use crate::login::{self, Registering};
use crate::profile::KeptSession;
use crate::shared::{Signed, ends_session, may_pass, session_over};
use crate::{ClientError, Login, clock, feed};

/// How long a session that the profile keeps waits for a node to confirm it; after that it is good without.
const CONFIRM_MAX: Duration = Duration::from_secs(2);

/// How long leaving waits for nodes: nobody should wait for a goodbye.
const LEAVE_MAX: Duration = Duration::from_secs(2);

impl Client {
    /// Creates an account and is logged in to it.
    pub async fn create_account(&self, name: &str, password: &str) -> Result<Login, ClientError> {
        let name = login::check(name, password)?.as_str().to_owned();
        let until = Instant::now() + self.deadline;
        let registering = Registering::start(password)?;
        let request = Request::RegisterStart { name: name.clone(), registration: registering.message.clone() };
        let answer = match self.shared.call(request, self.deadline).await?.0 {
            Answer::RegisterStart { registration } => registration,
            other => return Err(unexpected(&other).into()),
        };
        let registration = registering.finish(answer).await?;
        let token = login::fresh_token();
        let creation = login::fresh_creation();
        let request = Request::RegisterFinish { creation, name, upload: registration.upload, token: token.clone() };
        let (answer, _) = self.shared.call(request, until.saturating_duration_since(Instant::now())).await?;
        let opened = login::opened(answer)?;
        let kept = login::kept(&opened, &token, registration.verifier, registration.export_key);
        self.keep(kept, opened).await
    }

    /// Logs in. Where the profile keeps a session of the account and the password is right, works without any node.
    pub async fn log_in(&self, name: &str, password: &str) -> Result<Login, ClientError> {
        check_length(name)?;
        if let Some(kept) = self.kept_session(name).await?.filter(|kept| !kept.ended)
            && login::is_right(password, &kept).await
        {
            match self.go_on(kept).await {
                Err(error) if ends_session(error.code()) => {}
                answer => return answer,
            }
        }
        let token = login::fresh_token();
        let attempt = |link: Link| login::log_in(link, name, password, &token);
        let (opened, kept) = self.shared.retry(self.deadline, attempt).await?;
        self.keep(kept, opened).await
    }

    /// Goes on with a session that the profile keeps; `not_logged_in` where it keeps none.
    pub async fn resume(&self, name: &str) -> Result<Login, ClientError> {
        match self.kept_session(name).await? {
            Some(kept) if kept.ended => Err(session_over().into()),
            Some(kept) => self.go_on(kept).await,
            None => {
                let none = format!("No session of {name} is kept here; log in with the password first.");
                Err(ClientError::new(Code::NotLoggedIn, none))
            }
        }
    }

    /// Ends the session for good, on the nodes and in the profile. Whatever is queued in it is failed.
    pub async fn log_out(&self) -> Result<(), ClientError> {
        let Signed { account, .. } = self.shared.signed()?;
        match self.shared.call_as(account, Request::LogOut, self.deadline).await {
            Ok(_) => {}
            // Ended already: what was wanted.
            Err(error) if ends_session(error.code()) => {}
            Err(error) => return Err(error),
        }
        self.sign_out(account).await
    }

    /// Leaves politely: the account is no longer active, the session stays in the profile. What was received is acknowledged first.
    pub async fn leave(&self) -> Result<(), ClientError> {
        let Signed { account, .. } = self.shared.signed()?;
        let within = self.deadline.min(LEAVE_MAX);
        if let Some(Following { receipts, _task }) = self.stop_following() {
            drop(_task);
            let told = tokio::time::timeout(within, feed::tell(&self.shared, &receipts)).await;
            if !matches!(told, Ok(Ok(()))) {
                tracing::debug!("receipts wait for the next time");
            }
        }
        self.shared.call_as(account, Request::Leave, within).await.map(|_| ())
    }

    /// What deleting the account would do: how many messages it never received, from how many senders.
    pub async fn deletion_preview(&self) -> Result<(u64, u64), ClientError> {
        match self.ask(Request::DeletionPreview).await?.0 {
            Answer::DeletionPreview { undelivered, senders } => Ok((undelivered, senders)),
            other => Err(unexpected(&other).into()),
        }
    }

    /// Deletes the account. Answers how many messages went back to their senders.
    pub async fn delete_account(&self) -> Result<u64, ClientError> {
        let signed = self.shared.signed()?;
        let returned = match self.ask(Request::DeleteAccount).await {
            Ok((Answer::AccountDeleted { returned }, _)) => returned,
            Ok((other, _)) => return Err(unexpected(&other).into()),
            // The answer to an earlier attempt may have been lost.
            Err(error) if ends_session(error.code()) && self.is_gone(&signed).await? => 0,
            Err(error) => return Err(error),
        };
        self.profile(move |profile| profile.forget_drafts(signed.account)).await?;
        self.sign_out(signed.account).await?;
        Ok(returned)
    }

    async fn kept_session(&self, name: &str) -> Result<Option<KeptSession>, ClientError> {
        let name = name.to_owned();
        self.profile(move |profile| profile.session_named(&name)).await
    }

    /// Keeps a session that was just opened, and speaks for it from here on.
    async fn keep(&self, kept: KeptSession, opened: login::Opened) -> Result<Login, ClientError> {
        let (keep, numbering) = (kept.clone(), opened.numbering);
        self.profile(move |profile| profile.keep_session(&keep, numbering, clock::now_ms())).await?;
        self.sign_in(&kept);
        Ok(Login { account: opened.account, online: true })
    }

    /// Speaks for a session that the profile keeps, confirmed by a node if one can be reached soon.
    async fn go_on(&self, kept: KeptSession) -> Result<Login, ClientError> {
        let account = kept.account;
        let confirm = |link: Link| async move { self.shared.speak_as(&link, account).await.map(|_| ()) };
        let online = match self.shared.retry(self.deadline.min(CONFIRM_MAX), confirm).await {
            Ok(()) => true,
            Err(error) if is_about_nodes(error.code()) => false,
            Err(error) => return Err(error),
        };
        self.sign_in(&kept);
        self.profile(move |profile| profile.touch_session(account, clock::now_ms())).await?;
        Ok(Login { account: kept.info(), online })
    }

    fn sign_in(&self, kept: &KeptSession) {
        let signed = Signed { account: kept.account, name: kept.name.clone(), session: kept.session };
        let before = self.shared.signed.send_replace(Some(signed));
        if before.is_some_and(|before| before.account != kept.account) {
            self.stop_following();
        }
        self.shared.queued.notify_one();
    }

    async fn sign_out(&self, account: AccountId) -> Result<(), ClientError> {
        self.stop_following();
        self.shared.signed.send_replace(None);
        self.profile(move |profile| profile.forget_session(account)).await
    }

    /// Whether the account is no longer among the living.
    async fn is_gone(&self, signed: &Signed) -> Result<bool, ClientError> {
        // Names have no wildcards in them, so this finds at most the one.
        let namesakes = self.accounts(Some(signed.name.clone()), None, 1).await?;
        Ok(!namesakes.items.iter().any(|account| account.id == signed.account))
    }
}

/// A refusal that says something about the nodes and nothing about what was asked of them.
pub(super) fn is_about_nodes(code: Code) -> bool {
    may_pass(code) || matches!(code, Code::NoNode)
}
