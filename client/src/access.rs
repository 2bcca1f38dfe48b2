//! By what right a client talks to a cluster: a code, the cluster's secret, or what the nodes of this user leave for it.

use std::io::ErrorKind;
use std::path::Path;

use wire::invite::{Grant, Invite};
use wire::secret::{ClientSecret, ClusterId, ClusterSecret, OperatorKey};
use wire::{Address, Code};

use crate::scout::nodes_here;
use crate::{ClientError, Paths};

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

    /// The text of the secret of the cluster that this user's nodes founded. None: they founded none.
    pub fn founded_by(paths: &Paths) -> Result<Option<String>, ClientError> {
        Ok(read(&paths.cluster_secret_file())?.map(|text| text.trim().to_owned()))
    }

    /// What this user's own nodes leave for it: the secret of the cluster that they founded, or a code of the one that they joined.
    /// Where there are both, the one whose nodes run here. None: no node of this user ever ran here.
    pub fn of_user(paths: &Paths) -> Result<Option<Self>, ClientError> {
        let secret = Self::founded_by(paths)?.map(|text| Self::from_secret(&text)).transpose()?;
        let code = read(&paths.client_code_file())?.map(|text| Self::from_code(&text)).transpose()?;
        let (Some(founded), Some(joined)) = (&secret, &code) else { return Ok(secret.or(code)) };
        let runs = |access: &Self| !nodes_here(paths.runtime_dir(), access).is_empty();
        Ok(if runs(joined) && !runs(founded) { code } else { secret })
    }

    /// Of which cluster. None: of whichever the profile remembers.
    pub(crate) fn cluster(&self) -> Option<ClusterId> {
        self.granted.access.as_ref().map(|(cluster, _)| *cluster)
    }

    pub(crate) fn granted(self) -> Granted {
        self.granted
    }
}

/// None: there is no such file.
fn read(file: &Path) -> Result<Option<String>, ClientError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ClientError::new(Code::Damaged, format!("{} cannot be read: {error}.", file.display()))),
    }
}

#[cfg(test)]
mod tests {
    use wire::secret::NodeSecret;

    use super::*;

    fn secret(byte: u8) -> ClusterSecret {
        ClusterSecret::generate(&mut |bytes| bytes.fill(byte))
    }

    /// As a daemon that joined leaves it.
    fn leave_code(paths: &Paths, of: &NodeSecret) {
        let code = Invite { cluster: of.cluster_id(), addresses: Vec::new(), grant: Grant::Client(of.client_secret()) };
        std::fs::write(paths.client_code_file(), format!("{code}\n")).expect("written");
    }

    /// As a daemon that runs leaves it.
    fn leave_word(paths: &Paths, cluster: ClusterId) {
        std::fs::create_dir_all(paths.nodes_dir()).expect("made");
        let json = format!(r#"{{"peer":"{}","cluster":"{cluster}","addresses":[]}}"#, wire::PeerId([1; 32]));
        std::fs::write(paths.nodes_dir().join("n1.json"), json).expect("written");
    }

    #[test]
    fn the_nodes_of_a_user_let_their_user_in() {
        let home = tempfile::tempdir().expect("a folder");
        let paths = Paths::under(home.path());
        std::fs::create_dir_all(paths.data_dir()).expect("made");
        let cluster = || Access::of_user(&paths).expect("nothing is damaged").and_then(|access| access.cluster());
        assert_eq!(cluster(), None);
        let (joined, founded) = (secret(1), secret(2));
        leave_code(&paths, &joined.node_secret());
        assert_eq!(cluster(), Some(joined.cluster_id()));
        std::fs::write(paths.cluster_secret_file(), founded.to_text()).expect("written");
        assert_eq!(cluster(), Some(founded.cluster_id()), "nothing tells them apart");
        leave_word(&paths, joined.cluster_id());
        assert_eq!(cluster(), Some(joined.cluster_id()), "its node runs");
    }

    #[test]
    fn a_damaged_code_is_not_passed_over() {
        let home = tempfile::tempdir().expect("a folder");
        let paths = Paths::under(home.path());
        std::fs::create_dir_all(paths.data_dir()).expect("made");
        std::fs::write(paths.client_code_file(), "five9s-client-half").expect("written");
        assert_eq!(Access::of_user(&paths).expect_err("damaged").code(), Code::CodeInvalid);
    }
}
