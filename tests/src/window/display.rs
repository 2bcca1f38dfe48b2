//! A display that nobody looks at, and a message bus of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// As much as a window of the app's own size needs.
const SCREEN: &str = "1280x800x24";

/// See the module. Dropped, both are killed.
#[derive(Debug)]
pub struct Display {
    servers: Vec<Child>,
    name: String,
    bus: String,
}

impl Display {
    /// On a free number.
    pub fn open() -> Self {
        let mut xvfb = Command::new("Xvfb");
        xvfb.args(["-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp"]);
        let (xvfb, number) = start(xvfb);
        let mut bus = Command::new("dbus-daemon");
        // Whatever the bus starts has to find the display as well.
        bus.args(["--session", "--nofork", "--print-address=1"]).env("DISPLAY", format!(":{number}"));
        let (bus, address) = start(bus);
        Self { servers: vec![bus, xvfb], name: format!(":{number}"), bus: address }
    }

    /// The address of its message bus.
    pub fn bus(&self) -> &str {
        &self.bus
    }

    /// Has a program show itself here.
    pub(super) fn show(&self, command: &mut Command) {
        command.env("DISPLAY", &self.name).env("DBUS_SESSION_BUS_ADDRESS", &self.bus);
        command.env("GDK_BACKEND", "x11").env_remove("WAYLAND_DISPLAY");
        // There is no graphics card behind it. The app sees that by itself; other programs have to be told.
        command.env("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
        // Nothing here reads a screen aloud, and the bus would start what does.
        command.env("NO_AT_BRIDGE", "1").env("LC_ALL", "C.UTF-8");
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Starts a server that says on its first line where it is, once it is there.
fn start(mut command: Command) -> (Child, String) {
    let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let server_started = server.as_mut().unwrap_or_else(|error| panic!("{command:?} starts: {error}"));
    let mut line = String::new();
    let said = BufReader::new(server_started.stdout.take().expect("a pipe")).read_line(&mut line);
    assert!(said.is_ok() && !line.trim().is_empty(), "{command:?} should say where it is");
    (server.expect("started"), line.trim().to_owned())
}
