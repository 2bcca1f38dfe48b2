//! Who is at the other end, and where that may be.

use std::fmt;
use std::str::FromStr;

use chat::DeviceId;
use serde::{Deserialize, Serialize};

/// Who: the 32 bytes of an Ed25519 public key, which the connection proves. Shown in libp2p's text
/// form, `12D3KooW…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeerId(pub [u8; 32]);

/// libp2p's frame around an Ed25519 key: an identity multihash of its protobuf form.
const ED25519_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

impl PeerId {
    /// As libp2p names it.
    pub(crate) fn to_libp2p(self) -> libp2p::PeerId {
        let mut bytes = ED25519_PREFIX.to_vec();
        bytes.extend(self.0);
        libp2p::PeerId::from_bytes(&bytes).expect("an identity multihash of 36 bytes is well formed")
    }

    /// None where the peer's key is of another kind than Ed25519: no peer of ours.
    pub(crate) fn from_libp2p(peer: &libp2p::PeerId) -> Option<Self> {
        let bytes = peer.to_bytes();
        let key = bytes.strip_prefix(&ED25519_PREFIX)?;
        key.try_into().ok().map(Self)
    }

    /// The device that this peer is, for a client.
    pub fn device(self) -> DeviceId {
        DeviceId(self.0)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_libp2p().fmt(f)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PeerId {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let peer = libp2p::PeerId::from_str(text).map_err(|_| AddressError(text.to_owned()))?;
        Self::from_libp2p(&peer).ok_or_else(|| AddressError(text.to_owned()))
    }
}

/// Where: a multiaddr such as `/ip4/127.0.0.1/tcp/12340`, without the peer. Always a hint: what
/// answers there proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(libp2p::Multiaddr);

/// The text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address; write 192.0.2.7:12340 or /ip4/192.0.2.7/tcp/12340")]
pub struct AddressError(pub String);

impl Address {
    pub(crate) fn multiaddr(&self) -> &libp2p::Multiaddr {
        &self.0
    }

    pub(crate) fn from_multiaddr(address: libp2p::Multiaddr) -> Self {
        Self(address.into_iter().filter(|part| !matches!(part, libp2p::multiaddr::Protocol::P2p(_))).collect())
    }

    /// A TCP address.
    pub fn tcp(at: std::net::SocketAddr) -> Self {
        use libp2p::multiaddr::Protocol;
        Self(libp2p::Multiaddr::from(at.ip()).with(Protocol::Tcp(at.port())))
    }

    /// The IP address and TCP port, where it names them.
    pub fn socket(&self) -> Option<std::net::SocketAddr> {
        use libp2p::multiaddr::Protocol;
        let mut parts = self.0.iter();
        let ip = match parts.next()? {
            Protocol::Ip4(ip) => ip.into(),
            Protocol::Ip6(ip) => std::net::IpAddr::from(ip),
            _ => return None,
        };
        match parts.next()? {
            Protocol::Tcp(port) => Some((ip, port).into()),
            _ => None,
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Takes a multiaddr or `IP:PORT`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Ok(at) = text.parse::<std::net::SocketAddr>() {
            return Ok(Self::tcp(at));
        }
        match text.parse::<libp2p::Multiaddr>() {
            Ok(address) if !address.is_empty() => Ok(Self::from_multiaddr(address)),
            _ => Err(AddressError(text.to_owned())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}
