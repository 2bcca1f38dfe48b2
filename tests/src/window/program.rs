//! The `five9schat` program.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::build::{build, profile, workspace};

/// Brought up to date once for the whole test run. Its page has to be built before, which is npm's work.
pub(super) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let page = workspace().join("ui/dist/index.html");
        assert!(page.exists(), "the page is not built: `cargo xtask window` does it, or npm run build in ui");
        // As `cargo xtask run` builds it where it is optimised, as its own tests do where it is not: another selection would
        // build every library once more.
        let beside: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--package", "node"] };
        build("five9schat", &[&["--profile", &profile(), "--package", "five9schat"], beside].concat())
    })
}
