//! The log: to stderr, for people or as JSON, filtered by `RUST_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// What is logged where `RUST_LOG` says nothing: our own lines, and only what is wrong elsewhere.
/// Nothing of mDNS: an interface that cannot multicast is no fault, and would be told of again and again.
const DEFAULT: &str = "warn,libp2p_mdns=off,node=info,wire=info";

/// Chatter that is left out unless `RUST_LOG` asks for it by name: to openraft a node that is away is worth a
/// warning several times a second, and what it refuses an error, though it returns that as well.
const QUIET: &str = "openraft=error,openraft::raft::api=off,libp2p_swarm=warn";

/// Logs from here on. A second call in one process changes nothing.
pub(super) fn start(format: LogFormat) {
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|asked| !asked.is_empty());
    let filter = EnvFilter::new(format!("{QUIET},{}", asked.as_deref().unwrap_or(DEFAULT)));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match format {
        LogFormat::Text => log.with_ansi(colours).with_target(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}
