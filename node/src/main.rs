//! Reads the command line and hands over: to the daemon, or with `--cli` to the client.

use std::io::Write;
use std::process::exit;

use clap::error::ErrorKind;
use node::cli::args::{ClientArgs, DaemonArgs, Invocation};
use node::cli::{self, CliError};
use node::config::{ConfigError, DaemonConfig, Format, Paths, Sources};
use tokio::runtime::Builder;

/// A node's time goes into many small pieces of memory that one thread makes and another gives back: with this allocator it stores a
/// fifth more messages in the same time than with glibc's (64 clients of `cargo xtask bench cluster`, where the disk is memory).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    node::panic::abort_on_panic();
    node::trap::explain_damage();
    let code = match Invocation::parse(std::env::args_os()) {
        Ok(Invocation::Daemon(args)) => daemon(*args),
        Ok(Invocation::Client(args)) => client(*args),
        Err(error) => wrong_line(&error),
    };
    // Not by returning: a thread may still wait for a line on stdin.
    exit(code);
}

fn daemon(args: DaemonArgs) -> i32 {
    let config = match daemon_config(args) {
        Ok(config) => config,
        Err(error) => return failed(Format::Text, &error.into()),
    };
    match node::daemon::run(config) {
        Ok(()) => 0,
        Err(error) => {
            // Not through the log: it may be turned off, and this has to be read.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            error.exit_code.into()
        }
    }
}

fn daemon_config(args: DaemonArgs) -> Result<DaemonConfig, ConfigError> {
    let paths = Paths::of_user(&environment).ok_or(ConfigError::NoHome)?;
    let (file, until_eof) = (args.config_file(), args.until_eof());
    let sources = Sources::gather(args.flags(), file.as_deref(), &paths, &environment)?;
    Ok(DaemonConfig { until_eof, ..DaemonConfig::resolve(paths, &sources)? })
}

fn client(args: ClientArgs) -> i32 {
    // Silent unless asked: what a person has to know is said without the log.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::run(args, &environment)),
        Err(error) => failed(Format::Text, &CliError::Output(error)),
    }
}

/// Help and version are what was asked for; anything else is a usage error.
fn wrong_line(error: &clap::Error) -> i32 {
    if !error.use_stderr() {
        // Whoever closed the pipe has read enough.
        let _ = error.print();
        return 0;
    }
    let text = error.to_string();
    let mut sentence = text.trim_end().trim_start_matches("error: ").to_owned();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        sentence.insert_str(0, "a command is missing.\n\n");
    }
    failed(cli::format_wanted(std::env::args_os(), &environment), &CliError::Usage(sentence))
}

fn failed(format: Format, error: &CliError) -> i32 {
    cli::report(format, error);
    error.exit_code()
}

/// A variable that is set and is text.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
