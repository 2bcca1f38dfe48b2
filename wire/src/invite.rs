//! The codes that let another machine join: `five9s-node-…` makes a node, `five9s-client-…` a client.
//!
//! A code names the cluster, so whoever uses it knows whom to trust, and says where its nodes were. It
//! is good for as long as the cluster has its secret. The version in front leaves room for codes that
//! expire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::secret::{ClientSecret, ClusterId, NodeSecret};
use crate::{Address, Code, Refusal, sealed};

/// What a code carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    pub cluster: ClusterId,
    /// Where nodes were when the code was made.
    pub addresses: Vec<Address>,
    pub grant: Grant,
}

/// What the code makes of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    Node(NodeSecret),
    Client(ClientSecret),
}

const NODE_PREFIX: &str = "five9s-node-";
const CLIENT_PREFIX: &str = "five9s-client-";

/// The version of what is in a code.
const VERSION: u8 = 1;

/// What is in a code, after its version.
#[derive(Serialize, Deserialize)]
struct Contents {
    cluster: ClusterId,
    secret: [u8; 32],
    /// In binary: a code should not be longer than it must.
    addresses: Vec<Vec<u8>>,
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, secret) = match &self.grant {
            Grant::Node(secret) => (NODE_PREFIX, secret.bytes()),
            Grant::Client(secret) => (CLIENT_PREFIX, secret.bytes()),
        };
        let addresses = self.addresses.iter().map(|address| address.multiaddr().to_vec()).collect();
        let contents = Contents { cluster: self.cluster, secret: *secret, addresses };
        let bytes = postcard::to_extend(&contents, vec![VERSION]).map_err(|_| fmt::Error)?;
        f.write_str(&sealed::seal(prefix, &bytes))
    }
}

impl FromStr for Invite {
    type Err = Refusal;

    /// Refuses with [`Code::CodeInvalid`].
    fn from_str(text: &str) -> Result<Self, Refusal> {
        if let Some(bytes) = sealed::open(NODE_PREFIX, text) {
            return Self::from_contents(&bytes, |secret| Grant::Node(NodeSecret::from_bytes(secret)));
        }
        if let Some(bytes) = sealed::open(CLIENT_PREFIX, text) {
            return Self::from_contents(&bytes, |secret| Grant::Client(ClientSecret::from_bytes(secret)));
        }
        Err(invalid("The code is incomplete or mistyped; copy the whole of it again."))
    }
}

impl Invite {
    fn from_contents(bytes: &[u8], grant: impl FnOnce([u8; 32]) -> Grant) -> Result<Self, Refusal> {
        let Some((&VERSION, bytes)) = bytes.split_first() else {
            return Err(invalid("The code is from a newer version of this program."));
        };
        let Contents { cluster, secret, addresses } =
            postcard::from_bytes(bytes).map_err(|_| invalid("The code makes no sense."))?;
        let addresses = addresses.into_iter().map(address).collect::<Option<_>>();
        let addresses = addresses.ok_or_else(|| invalid("The code has an address that makes no sense."))?;
        let invite = Self { cluster, addresses, grant: grant(secret) };
        if let Grant::Node(secret) = &invite.grant
            && secret.cluster_id() != cluster
        {
            return Err(invalid("The code has the secret of another cluster than it names."));
        }
        Ok(invite)
    }
}

fn address(bytes: Vec<u8>) -> Option<Address> {
    libp2p::Multiaddr::try_from(bytes).ok().map(Address::from_multiaddr)
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(Code::CodeInvalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::ClusterSecret;

    fn invites() -> [Invite; 2] {
        let secret = ClusterSecret::generate(&mut |bytes| bytes.fill(7)).node_secret();
        let cluster = secret.cluster_id();
        let addresses = vec!["192.0.2.7:12340".parse().expect("an address"), "[2001:db8::1]:9".parse().expect("one")];
        let client = Grant::Client(secret.client_secret());
        [
            Invite { cluster, addresses, grant: Grant::Node(secret) },
            Invite { cluster, addresses: Vec::new(), grant: client },
        ]
    }

    #[test]
    fn a_code_says_what_was_put_into_it() {
        for invite in invites() {
            assert_eq!(invite.to_string().parse(), Ok(invite.clone()));
            let carried = format!(" {}\r\n", invite.to_string().to_uppercase());
            assert_eq!(carried.parse(), Ok(invite), "capitals and line ends do not matter");
        }
    }

    #[test]
    fn a_code_with_any_one_character_mangled_is_refused() {
        for code in invites().map(|invite| invite.to_string()) {
            for at in 0..code.len() {
                let mut mangled = code.clone();
                mangled.replace_range(at..=at, if &code[at..=at] == "q" { "r" } else { "q" });
                let refusal = mangled.parse::<Invite>().expect_err(&mangled);
                assert_eq!(refusal.code, Code::CodeInvalid);
            }
        }
    }

    #[test]
    fn half_a_code_and_no_code_at_all_are_refused() {
        let [code, _] = invites().map(|invite| invite.to_string());
        for text in ["", "five9s-node-", &code[..code.len() / 2], "bonjour"] {
            assert_eq!(text.parse::<Invite>().expect_err(text).code, Code::CodeInvalid);
        }
    }

    #[test]
    fn a_code_that_mixes_two_clusters_is_refused() {
        let [mut invite, _] = invites();
        invite.cluster = ClusterId([9; 16]);
        assert_eq!(invite.to_string().parse::<Invite>().expect_err("mixed").code, Code::CodeInvalid);
    }
}
