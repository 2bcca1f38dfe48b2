//! What a client starts from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wire::invite::{Grant, Invite};
use wire::secret::{ClientSecret, ClusterId, ClusterSecret, OperatorKey};
use wire::{Address, Code, Transport};

use crate::ClientError;

/// How to open a client.
pub struct Config {
    /// Where the client keeps its state: keys, sessions, the outbox. Made if missing, for its owner's eyes only. Several
    /// processes may use it at once.
    pub profile_dir: PathBuf,
    /// The folder in which the nodes of this machine leave word of themselves (`nodes/*.json` in it).
    pub runtime_dir: PathBuf,
    pub access: Access,
    /// Where to begin to look for nodes; the client learns of the others.
    pub seeds: Vec<Address>,
    /// Whether to look around by mDNS.
    pub mdns: bool,
    /// For tests. None: libp2p, listening to nobody.
    pub transport: Option<Arc<dyn Transport>>,
    /// How long a call may take from end to end.
    pub deadline: Duration,
}

impl Config {
    /// How long a call may take, unless told otherwise.
    pub const DEADLINE: Duration = Duration::from_secs(10);

    /// With what the profile remembers, mDNS, no seeds, and the usual deadline.
    pub fn new(profile_dir: PathBuf, runtime_dir: PathBuf) -> Self {
        Self {
            profile_dir,
            runtime_dir,
            access: Access::remembered(),
            seeds: Vec::new(),
            mdns: true,
            transport: None,
            deadline: Self::DEADLINE,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("profile_dir", &self.profile_dir)
            .field("runtime_dir", &self.runtime_dir)
            .field("seeds", &self.seeds)
            .field("mdns", &self.mdns)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// By what right the client talks to a cluster, and to which. Given once, the profile remembers it.
#[derive(Clone, Debug)]
pub struct Access {
    granted: Granted,
}

/// What an access comes down to.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    /// None: what the profile remembers.
    pub(crate) access: Option<(ClusterId, ClientSecret)>,
    /// Where nodes may be.
    pub(crate) addresses: Vec<Address>,
    pub(crate) operator: Option<OperatorKey>,
}

impl Access {
    /// Whatever the profile remembers; opening fails with `wrong_secret` where that is nothing.
    pub fn remembered() -> Self {
        Self { granted: Granted { access: None, addresses: Vec::new(), operator: None } }
    }

    /// From a code for a client or a node (`five9s-client-…`), whose addresses become seeds.
    pub fn from_code(code: &str) -> Result<Self, ClientError> {
        let invite: Invite = code.trim().parse()?;
        let secret = match invite.grant {
            Grant::Client(secret) => secret,
            Grant::Node(secret) => secret.client_secret(),
        };
        let access = Some((invite.cluster, secret));
        Ok(Self { granted: Granted { access, addresses: invite.addresses, operator: None } })
    }

    /// From the text of the cluster's secret file: an operator's. What makes an operator is not remembered.
    pub fn from_secret(secret: &str) -> Result<Self, ClientError> {
        let secret = ClusterSecret::parse(secret)
            .map_err(|error| ClientError::new(Code::CodeInvalid, format!("The cluster secret is damaged: {error}.")))?;
        let access = Some((secret.cluster_id(), secret.node_secret().client_secret()));
        let operator = Some(secret.operator_key());
        Ok(Self { granted: Granted { access, addresses: Vec::new(), operator } })
    }

    /// Of which cluster. None: of whichever the profile remembers.
    pub(crate) fn cluster(&self) -> Option<ClusterId> {
        self.granted.access.as_ref().map(|(cluster, _)| *cluster)
    }

    pub(crate) fn granted(self) -> Granted {
        self.granted
    }
}
