//! The daemon, and `node --cli`.

pub mod api;
pub mod app;
pub mod autopilot;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod feed;
pub mod formation;
pub mod net;
pub mod presence;
pub mod raft;
pub mod store;
