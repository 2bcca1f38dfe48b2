//! Before anybody is logged in: the account list, and the choice between a new account and an old one.

use client::{AccountInfo, Client, ClientError, Code};

use crate::cli::exit::CliError;

use super::console::{Console, Input, Tone};
use super::grammar::{Choice, Username};
use super::{list_accounts, words};

/// How the entrance was left.
pub(super) enum Entered {
    LoggedIn(AccountInfo),
    Left,
}

/// The state before the login.
pub(super) struct Entrance<'a> {
    client: &'a Client,
    console: &'a mut Console,
    /// Why no node has answered so far; None once one did.
    unreached: Option<CliError>,
}

/// A name and a password, or the wish to have neither.
enum Credentials {
    Given { name: String, password: String },
    Back,
    End,
}

impl<'a> Entrance<'a> {
    pub(super) fn new(client: &'a Client, console: &'a mut Console) -> Self {
        Self { client, console, unreached: None }
    }

    /// Stays at the choice until somebody is logged in or leaves.
    pub(super) async fn pass(mut self) -> Result<Entered, CliError> {
        self.greet().await?;
        loop {
            self.console.hint(words::CHOICE)?;
            let choice = match self.console.line().await {
                Input::Line(line) => Choice::parse(&line),
                Input::Interrupted => return Err(CliError::Interrupted),
                Input::End => return self.leave(),
            };
            let entered = match choice {
                Choice::Quit => return Ok(Entered::Left),
                Choice::Neither => self.console.say(Tone::Warning, words::NEITHER).map(|()| None)?,
                Choice::Create => self.create().await?,
                Choice::LogIn => self.log_in().await?,
            };
            if let Some(account) = entered {
                return Ok(Entered::LoggedIn(account));
            }
        }
    }

    /// Without a node there is no list, but still a way in: sessions that the profile keeps, and
    /// nodes that may come back.
    async fn greet(&mut self) -> Result<(), CliError> {
        match list_accounts(self.client, self.console).await {
            Err(CliError::Refused(refusal)) => {
                self.console.hint(&refusal.message)?;
                self.unreached = Some(CliError::Refused(refusal));
                Ok(())
            }
            listed => listed,
        }
    }

    /// The end of a script that never reached anybody is not a success.
    fn leave(self) -> Result<Entered, CliError> {
        self.unreached.map_or(Ok(Entered::Left), Err)
    }

    async fn create(&mut self) -> Result<Option<AccountInfo>, CliError> {
        self.console.hint(words::NAMES)?;
        let Credentials::Given { name, password } = self.credentials(true).await? else { return Ok(None) };
        let created = self.client.create_account(&name, &password).await;
        let account = created.map(|login| login.account);
        self.answer(account, words::CREATED)
    }

    async fn log_in(&mut self) -> Result<Option<AccountInfo>, CliError> {
        let Credentials::Given { name, password } = self.credentials(false).await? else { return Ok(None) };
        let logged_in = self.client.log_in(&name, &password).await;
        let account = logged_in.map(|login| login.account);
        self.answer(account, words::LOGGED_IN)
    }

    fn answer(
        &mut self,
        outcome: Result<AccountInfo, ClientError>,
        success: &str,
    ) -> Result<Option<AccountInfo>, CliError> {
        match outcome {
            Ok(account) => {
                self.console.say(Tone::Good, success)?;
                Ok(Some(account))
            }
            Err(error) => {
                let words = match error.code() {
                    Code::NameTaken => words::NAME_TAKEN,
                    Code::LoginFailed => words::LOGIN_FAILED,
                    _ => &error.refusal.message,
                };
                self.console.say(Tone::Bad, words)?;
                Ok(None)
            }
        }
    }

    /// A script gives the password in the line after the username, whatever becomes of the name.
    async fn credentials(&mut self, new: bool) -> Result<Credentials, CliError> {
        self.console.hint(words::BACK)?;
        self.console.hint(words::USERNAME)?;
        let Some(line) = self.next(None).await? else { return Ok(Credentials::End) };
        let Username::Name(name) = Username::parse(&line) else { return Ok(Credentials::Back) };
        let Some(password) = self.next(Some("Password: ")).await? else { return Ok(Credentials::End) };
        if new && self.console.has_person() && self.next(Some("The same again: ")).await?.as_ref() != Some(&password) {
            self.console.say(Tone::Bad, "The two passwords differ.")?;
            return Ok(Credentials::Back);
        }
        Ok(Credentials::Given { name: name.to_owned(), password })
    }

    async fn next(&mut self, password: Option<&'static str>) -> Result<Option<String>, CliError> {
        let input = match password {
            Some(prompt) => self.console.password(prompt).await,
            None => self.console.line().await,
        };
        match input {
            Input::Line(line) => Ok(Some(line)),
            Input::End => Ok(None),
            Input::Interrupted => Err(CliError::Interrupted),
        }
    }
}
