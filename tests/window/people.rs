//! Two people, each at a window.

use tempfile::TempDir;
use tests::{Cluster, Display, Window};

/// Three nodes, and both people in the chat of the nodes' computer. Dropped in this order: first the windows.
pub(crate) struct People {
    pub(crate) alice: Window,
    pub(crate) bob: Window,
    pub(crate) cluster: Cluster,
    pub(crate) display: Display,
    pub(crate) alices: TempDir,
    pub(crate) bobs: TempDir,
}

impl People {
    /// Each with the conversation with the other one open.
    pub(crate) async fn talking() -> Self {
        let cluster = Cluster::start(3);
        let display = Display::open();
        let (alices, bobs) = (folder(), folder());
        let alice = enter(&display, &cluster, &alices, "alice").await;
        let bob = enter(&display, &cluster, &bobs, "bob").await;
        alice.talk_to("bob").await;
        bob.talk_to("alice").await;
        Self { alice, bob, cluster, display, alices, bobs }
    }
}

async fn enter(display: &Display, cluster: &Cluster, profile: &TempDir, name: &str) -> Window {
    let window = Window::open(display, cluster.home(), profile.path()).await;
    window.click("Join").await;
    window.create_account(name).await;
    window
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}
