//! What every command starts from: the settings, the output, and a client that may be logged in.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use client::{Access, AccountInfo, Client, Code, Config};

use super::exit::CliError;
use super::password::Passwords;
use super::print::Output;
use crate::config::{ClientSettings, Sources};

/// How long leaving may hold up the end of the program.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// How long the nodes may take to introduce each other to a new client.
const INTRODUCTION_LIMIT: Duration = Duration::from_secs(2);

/// One run of the program.
pub(super) struct Context {
    pub(super) settings: ClientSettings,
    pub(super) sources: Sources,
    pub(super) passwords: Passwords,
    pub(super) output: Output,
    /// Set while the account counts as active, so that the end of the program can end that too.
    listening: Option<Client>,
}

/// What the right to speak to the cluster is taken from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Anybody who may chat.
    Client,
    /// Whoever holds the cluster secret.
    Operator,
}

impl Context {
    pub(super) fn new(
        settings: ClientSettings,
        sources: Sources,
        password_stdin: bool,
        password_variable: Option<String>,
    ) -> Self {
        let passwords = Passwords::new(settings.password_file.clone(), password_stdin, password_variable);
        let output = Output::stdout(settings.format);
        Self { settings, sources, passwords, output, listening: None }
    }

    /// A client, logged in as nobody.
    pub(super) async fn client(&self) -> Result<Client, CliError> {
        self.open(Role::Client).await
    }

    /// A client that may change the cluster.
    pub(super) async fn operator(&self) -> Result<Client, CliError> {
        self.open(Role::Operator).await
    }

    /// A client, logged in as the account of `--as`.
    pub(super) async fn log_in(&self) -> Result<(Client, AccountInfo), CliError> {
        let name = self.settings.account.as_deref().ok_or_else(|| {
            CliError::Usage("This command acts as an account: say which with --as ACCOUNT or FIVE9S_AS.".into())
        })?;
        let given = self.passwords.given().await?;
        let client = self.client().await?;
        let login = match given {
            Some(password) => client.log_in(name, &password).await?,
            None => match client.resume(name).await {
                Err(error) if matches!(error.code(), Code::NotLoggedIn | Code::SessionInvalid) => {
                    client.log_in(name, &self.passwords.ask(name).await?).await?
                }
                resumed => resumed?,
            },
        };
        Ok((client, login.account))
    }

    /// Remembers that the account is active through this client until [`Context::leave`].
    pub(super) fn listen(&mut self, client: &Client) {
        self.listening = Some(client.clone());
    }

    /// The account of this run is no longer active, as far as that can be said in a moment.
    pub(super) async fn leave(&mut self) {
        if let Some(client) = self.listening.take() {
            let _ = client.with_deadline(LEAVE_LIMIT).leave().await;
        }
    }

    /// Whether there is somebody to ask.
    pub(super) fn can_ask(&self) -> bool {
        std::io::stdin().is_terminal()
    }

    /// The text of this user's cluster secret, where one was ever made.
    pub(super) fn cluster_secret(&self) -> Result<Option<String>, CliError> {
        Ok(Access::founded_by(&self.settings.paths)?)
    }

    /// A code beats what the profile remembers, which beats what this user's own nodes leave: a
    /// person who joined another cluster keeps talking to that one.
    async fn open(&self, role: Role) -> Result<Client, CliError> {
        if let Some(invite) = &self.settings.join {
            let client = Client::open(self.configuration(Access::from_code(&invite.to_string())?))?;
            self.be_introduced(&client).await;
            return Ok(client);
        }
        let secret = self.cluster_secret()?;
        if let (Role::Operator, Some(secret)) = (role, &secret) {
            return Ok(Client::open(self.configuration(Access::from_secret(secret)?))?);
        }
        match Client::open(self.configuration(Access::remembered())) {
            Err(error) if error.code() == Code::WrongSecret => {
                let access = Access::of_user(&self.settings.paths)?.ok_or_else(no_access)?;
                Ok(Client::open(self.configuration(access))?)
            }
            opened => Ok(opened?),
        }
    }

    /// A code is needed once only, so the profile has to know the nodes before a short command ends.
    async fn be_introduced(&self, client: &Client) {
        let mut cluster = client.cluster();
        let introduced = cluster.wait_for(|cluster| !cluster.nodes.is_empty());
        // Where nobody answers, the command itself will say so.
        let _ = tokio::time::timeout(INTRODUCTION_LIMIT.min(self.settings.timeout.value / 2), introduced).await;
    }

    fn configuration(&self, access: Access) -> Config {
        let profile_dir: PathBuf = self.settings.paths.client_dir();
        let mut config = Config::new(profile_dir, self.settings.paths.runtime_dir().to_owned());
        config.access = access;
        config.seeds.clone_from(&self.settings.nodes);
        config.mdns = self.settings.mdns;
        config.deadline = self.settings.timeout.value;
        config
    }
}

fn no_access() -> CliError {
    let sentence = "This user belongs to no cluster yet: start a node here, or join one on another machine with \
                    --join CODE (`node --cli cluster invite` prints one there).";
    CliError::refused(Code::NotAMember, sentence)
}
