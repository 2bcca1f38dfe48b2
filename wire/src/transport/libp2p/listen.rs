//! Where to listen, and that nobody else does.
//!
//! libp2p listens with `SO_REUSEPORT`, so two processes of one user can listen on the same port and
//! neither notices; the kernel then deals connections out to both. Whoever listens here therefore
//! holds the UDP port of the same number too, which only one process can have.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use ::libp2p::Swarm;

use super::hub::Parts;
use super::{Config, StartError};
use crate::Address;

/// How many ports are tried from the first.
const PORTS_TRIED: u16 = 256;

/// An address that we listen on, and the hold on its port. None: the kernel chose the port, and
/// never chooses one that is taken.
#[derive(Debug)]
pub(super) struct Claim {
    _port: Option<UdpSocket>,
}

/// Listens wherever the configuration says.
pub(super) fn listen(swarm: &mut Swarm<Parts>, config: &Config) -> Result<Vec<Claim>, StartError> {
    let mut claims = Vec::new();
    for address in &config.listen {
        let claim = listen_on(swarm, address);
        claims.push(claim.map_err(|reason| StartError::Listen { address: address.clone(), reason })?);
    }
    if let Some(first) = config.port_first {
        let last = first.saturating_add(PORTS_TRIED - 1);
        let free = (first..=last).find_map(|port| {
            let all_interfaces = Address::tcp((Ipv4Addr::UNSPECIFIED, port).into());
            listen_on(swarm, &all_interfaces).ok()
        });
        claims.push(free.ok_or(StartError::NoPort { first, last })?);
    }
    Ok(claims)
}

fn listen_on(swarm: &mut Swarm<Parts>, address: &Address) -> Result<Claim, String> {
    let chosen = address.socket().filter(|socket| socket.port() != 0);
    let port = chosen.map(claim).transpose().map_err(|error| error.to_string())?;
    swarm.listen_on(address.multiaddr().clone()).map_err(|error| error.to_string())?;
    Ok(Claim { _port: port })
}

fn claim(at: SocketAddr) -> io::Result<UdpSocket> {
    let claim = UdpSocket::bind(at)?;
    // Other programs hold no claims. This one gives the port back at once.
    TcpListener::bind(at)?;
    Ok(claim)
}
