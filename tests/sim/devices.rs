//! The devices of a run: installations of the client, which are started, crash, and are started again.

use std::path::PathBuf;

use chat::AccountId;
use client::{Access, Client, ClientError, Config};
use tests::history::What;
use tests::people::{DEADLINE, Open, Person, Town};
use tokio_util::task::AbortOnDropHandle;
use wire::PeerId;
use wire::message::MessageInfo;
use wire::secret::ClusterSecret;
use wire::transport::memory::Network;

/// Where clients are installed.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) network: Network,
    pub(crate) secret: String,
    /// Where the profiles are.
    pub(crate) folder: PathBuf,
}

impl Place {
    pub(crate) fn new(network: &Network, secret: &ClusterSecret, folder: PathBuf) -> Self {
        Self { network: network.clone(), secret: secret.to_text(), folder }
    }

    fn open(&self, number: u8) -> Result<Client, ClientError> {
        let mut config = Config::new(self.folder.join(format!("device-{number}")), self.folder.join("nowhere"));
        config.transport = Some(self.network.join(peer(number)));
        config.access = Access::from_secret(&self.secret)?;
        config.deadline = DEADLINE;
        Client::open(config)
    }
}

/// Who a device is to the nodes.
fn peer(number: u8) -> PeerId {
    PeerId([100 + number; 32])
}

/// An installation of one account.
pub(crate) struct Device {
    place: Place,
    town: Town,
    number: u8,
    pub(crate) name: String,
    user: String,
    account: AccountId,
    open: Open,
    leaves: bool,
    running: Option<Running>,
}

struct Running {
    person: Person,
    _following: AbortOnDropHandle<()>,
    living: AbortOnDropHandle<()>,
}

impl Device {
    /// A device whose person creates an account, and deletes it sooner or later if it `leaves`.
    pub(crate) async fn sign_up(
        place: &Place,
        town: &Town,
        number: u8,
        user: &str,
        leaves: bool,
    ) -> Result<Self, ClientError> {
        let client = place.open(number)?;
        let account = town.sign_up(&client, &format!("d{number}"), user).await?;
        town.add(account);
        let (place, town, user) = (place.clone(), town.clone(), user.to_owned());
        let (name, open) = (format!("d{number}"), Open::default());
        Ok(Self { place, town, number, name, user, account, open, leaves, running: None }.with(client))
    }

    /// Another device of an account.
    pub(crate) async fn log_in(place: &Place, town: &Town, number: u8, of: &Self) -> Result<Self, ClientError> {
        let client = place.open(number)?;
        town.log_in(&client, &format!("d{number}"), &of.user, of.account).await?;
        let (place, town, user) = (place.clone(), town.clone(), of.user.clone());
        let (name, open) = (format!("d{number}"), Open::default());
        let (account, leaves) = (of.account, of.leaves);
        Ok(Self { place, town, number, name, user, account, open, leaves, running: None }.with(client))
    }

    fn with(mut self, client: Client) -> Self {
        self.run(client);
        self
    }

    fn run(&mut self, client: Client) {
        let (town, device, open) = (self.town.clone(), self.name.clone(), Open::clone(&self.open));
        let person = Person { town, device, account: self.account, client, open, leaves: self.leaves };
        let following = tokio::spawn(person.clone().follow());
        let living = tokio::spawn(person.clone().live());
        self.running = Some(Running {
            person,
            _following: AbortOnDropHandle::new(following),
            living: AbortOnDropHandle::new(living),
        });
    }

    /// The process is killed.
    pub(crate) fn crash(&mut self) {
        self.place.network.crash(peer(self.number));
        self.running = None;
    }

    /// Starts the program again, if it does not run.
    pub(crate) async fn launch(&mut self) {
        if self.running.is_some() {
            return;
        }
        let opened = match self.place.open(self.number) {
            // It need not be online for that: the profile knows enough.
            Ok(client) => client.resume(&self.user).await.map(|_| client),
            Err(error) => Err(error),
        };
        match opened {
            Ok(client) => self.run(client),
            Err(_) if self.town.may_be_gone(self.account) => {}
            Err(error) => {
                let line = format!("cannot go on with its session: {error}");
                self.town.recorder.note(What::Complained { process: self.name.clone(), line });
            }
        }
    }

    /// Its person does nothing any more; what waits in the outbox goes on.
    pub(crate) fn rest(&self) {
        if let Some(running) = &self.running {
            running.living.abort();
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(crate) fn account(&self) -> AccountId {
        self.account
    }

    /// Whether its account may be gone.
    pub(crate) fn may_be_gone(&self) -> bool {
        self.town.may_be_gone(self.account)
    }

    /// Waits until everything that was sent is stored, or was refused.
    pub(crate) async fn settle(&self) {
        if let Some(running) = &self.running {
            running.person.settle().await;
        }
    }

    /// A message of this device's, sent and stored now.
    pub(crate) async fn send_now(&self, to: AccountId, text: &str) -> Option<MessageInfo> {
        self.running.as_ref()?.person.send_now(to, text).await
    }
}
