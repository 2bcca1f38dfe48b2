//! A network of machines: each in a network namespace of its own, with one interface, all at one switch.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::switch::{self, Port, Switch};
use crate::tap;

/// The network.
pub(crate) struct Lan {
    pub(crate) switch: Switch,
}

impl Lan {
    /// A network with so many places beside this process's own, which is the last port. To be called once, in a network namespace in
    /// which nothing else is.
    pub(crate) fn build(places: usize, seed: u64) -> Result<Self, String> {
        ip("link set lo up")?;
        let mut interfaces = Vec::new();
        for port in 0..=places {
            let name = format!("port{port}");
            let interface = tap::open(&name).map_err(|error| format!("there is no interface {name}: {error}"))?;
            let bytes: Vec<_> = switch::address(port).iter().map(|byte| format!("{byte:02x}")).collect();
            ip(&format!("link set {name} address {}", bytes.join(":")))?;
            let inside = if port == places {
                String::new()
            } else {
                let place = place(port);
                ip(&format!("netns add {place}"))?;
                ip(&format!("link set {name} netns {place}"))?;
                format!("-n {place} ")
            };
            ip(&format!("{inside}link set lo up"))?;
            ip(&format!("{inside}address add {}/24 dev {name}", host(port)))?;
            ip(&format!("{inside}link set {name} up"))?;
            // Multicast needs a way out.
            ip(&format!("{inside}route add default dev {name}"))?;
            interfaces.push(interface);
        }
        Ok(Self { switch: Switch::between(interfaces, seed) })
    }
}

/// A program that is started in a place.
pub(crate) fn at(port: Port, program: &Path) -> Command {
    // It replaces itself by the program, whose process it then is.
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", place(port))).arg("--").arg(program);
    command
}

/// The address of whoever is at a port.
pub(crate) fn host(port: Port) -> String {
    format!("10.77.0.{}", port + 1)
}

fn place(port: Port) -> String {
    format!("place{port}")
}

fn ip(arguments: &str) -> Result<(), String> {
    let ran = Command::new("ip").args(arguments.split_whitespace()).stdin(Stdio::null()).output();
    let ran = ran.map_err(|error| format!("ip cannot be run: {error}"))?;
    if ran.status.success() {
        return Ok(());
    }
    Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&ran.stderr).trim()))
}
