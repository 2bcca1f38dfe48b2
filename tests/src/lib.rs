//! The cluster harness: real daemons and real clients, as processes, in a folder of their own.
//!
//! Everything is on loopback with multicast off, so that a test run is alone even on a network full
//! of nodes. Nothing here sleeps to let something happen: it waits for the condition, with a deadline
//! that fails the test in words.
//!
//! What a run asked and saw is taken down as a [`history`], which the [`checker`] judges. What bytes from outside reach
//! has its targets in [`fuzz`].

mod build;
pub mod chance;
pub mod checker;
mod cli;
mod cluster;
pub mod complaints;
pub mod disk;
pub mod fuzz;
pub mod history;
mod interactive;
pub mod people;
pub mod process;
pub mod rest;
mod wait;
mod window;

pub use cli::{Cli, Ran};
pub use cluster::{Cluster, Daemon, Status, program as node_program};
pub use interactive::Interactive;
pub use wait::{PATIENCE, eventually, eventually_within};
pub use window::{Display, Session, Window, memory_bytes};
