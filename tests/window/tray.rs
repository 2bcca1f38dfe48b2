//! The icon beside the clock.

use tests::{Cluster, Display, Window, eventually};

use crate::desktop::Tray;
use crate::people::folder;

#[tokio::test(flavor = "multi_thread")]
async fn the_icon_counts_what_is_unread_and_its_menu_speaks_the_language_of_the_app() {
    let cluster = Cluster::start(3);
    let display = Display::open();
    let tray = Tray::serve(&display);
    let alices = folder();
    let alice = Window::open(&display, cluster.home(), alices.path()).await;
    menu_says(&tray, ["Open FIVE9sCHAT", "Quit"]);
    alice.click("Join").await;
    alice.create_account("alice").await;
    assert_eq!(tray.label(), "", "nothing is unread");

    let carol = cluster.cli().as_account("carol");
    carol.run(&["account", "create", "carol"]).ok();
    for (text, unread) in [("one", "1"), ("two", "2")] {
        carol.run(&["message", "send", "alice", text]).ok();
        label_is(&tray, unread);
    }
    alice.talk_to("carol").await;
    label_is(&tray, "");

    alice.choose("Settings").await;
    alice.select("Language", "Deutsch").await;
    menu_says(&tray, ["FIVE9sCHAT öffnen", "Beenden"]);
    tray.click("Beenden");
    alice.ended();
}

fn menu_says(tray: &Tray, entries: [&str; 2]) {
    eventually(&format!("the menu says {entries:?}"), || {
        let menu: Vec<_> = tray.menu().into_iter().map(|(_, label)| label).collect();
        if menu == entries { Ok(()) } else { Err(menu) }
    });
}

fn label_is(tray: &Tray, wanted: &str) {
    eventually(&format!("{wanted:?} stands beside the icon"), || {
        let label = tray.label();
        if label == wanted { Ok(()) } else { Err(label) }
    });
}
