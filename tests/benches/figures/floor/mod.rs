//! The floor: what bare processes do with the same disk, clients and payloads.
//!
//! One leads. It takes 256-byte records over TCP, hands all that came while the disk worked to the others and to a synced LMDB commit of
//! its own, and acknowledges them once a majority has them on its disks. No elections, no encryption, no accounts, no order of clients:
//! whatever stores messages safely does at least this much.

pub(crate) mod sender;
pub(crate) mod server;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::{MESSAGE_SIZE_BYTES, this};

/// A record on the wire: the number that its client gave it, and what is in it.
const RECORD_SIZE_BYTES: usize = NUMBER_SIZE_BYTES + MESSAGE_SIZE_BYTES;
const NUMBER_SIZE_BYTES: usize = 8;

/// Processes that store records; they end when this is dropped.
pub(crate) struct Floor {
    nodes: Vec<Child>,
    pub(crate) address: SocketAddr,
}

impl Floor {
    /// So many, with their databases in the folder.
    pub(crate) fn start(nodes: usize, folder: &Path) -> Self {
        let mut started = Vec::new();
        let mut followers = Vec::new();
        for number in 1..nodes {
            let (child, address) = node(&folder.join(format!("floor-{number}")), &[]);
            started.push(child);
            followers.push(address);
        }
        let (leader, address) = node(&folder.join("floor-leader"), &followers);
        started.push(leader);
        Self { nodes: started, address }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            // One that has ended is as good.
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

fn node(folder: &Path, followers: &[SocketAddr]) -> (Child, SocketAddr) {
    std::fs::create_dir_all(folder).expect("the folder can be made");
    let mut command = this();
    command.arg("--floor-node").arg(folder).args(followers.iter().map(SocketAddr::to_string));
    let mut child = command.stdout(Stdio::piped()).spawn().expect("this program can be run again");
    let mut line = String::new();
    let said = BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line);
    said.expect("it says where it listens");
    (child, line.trim().parse().expect("an address"))
}
