//! The desktop app.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// A chat for the people in one place.
#[derive(Debug, Parser)]
#[command(name = "five9schat", version)]
struct Args {
    /// Where sessions, the outbox and drafts are kept: another one for each further person at this computer.
    #[arg(long, value_name = "DIR", env = "FIVE9S_PROFILE")]
    profile: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    five9schat::run(args.profile)
}
