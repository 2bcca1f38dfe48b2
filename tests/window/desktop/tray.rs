//! The place for icons beside the clock: a watcher and host after the StatusNotifierItem specification, which reads the menu
//! through com.canonical.dbusmenu, as desktops do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tests::{Display, eventually};
use zbus::blocking::{Connection, Proxy};
use zbus::message::Header;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Structure, Value};

use super::{lock, on};

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const WATCHER_PATH: &str = "/StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

/// See the module.
pub(crate) struct Tray {
    bus: Connection,
    items: Arc<Mutex<Vec<Item>>>,
}

/// An icon: whose it is, and where its owner has it.
#[derive(Clone, Debug)]
struct Item {
    owner: String,
    path: String,
}

impl Tray {
    /// From now on apps of this display can show an icon.
    pub(crate) fn serve(display: &Display) -> Self {
        let items = Arc::default();
        let watcher = Watcher { items: Arc::clone(&items) };
        let serving =
            on(display).name(WATCHER).and_then(|bus| bus.serve_at(WATCHER_PATH, watcher)).expect("named").build();
        Self { bus: serving.expect("the bus takes a watcher"), items }
    }

    /// What stands beside the icon that came last; empty where nothing does.
    pub(crate) fn label(&self) -> String {
        self.item().get_property("XAyatanaLabel").expect("an icon has a label")
    }

    /// The entries of its menu, each with its number.
    pub(crate) fn menu(&self) -> Vec<(i32, String)> {
        let menu = self.menu_proxy();
        let asked = (0_i32, -1_i32, Vec::<String>::new());
        let (_, (_, _, entries)): (u32, (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>)) =
            menu.call("GetLayout", &asked).expect("the menu can be read");
        entries.iter().filter_map(entry).collect()
    }

    /// Clicks an entry of the menu.
    pub(crate) fn click(&self, label: &str) {
        let entries = self.menu();
        let number = entries.iter().find(|(_, entry)| entry == label).map(|(number, _)| *number);
        let number = number.unwrap_or_else(|| panic!("the menu has no {label:?}: {entries:?}"));
        let menu = self.menu_proxy();
        let clicked = (number, "clicked", Value::from(0_i32), 0_u32);
        let _: () = menu.call("Event", &clicked).expect("the menu takes the click");
    }

    fn item(&self) -> Proxy<'static> {
        let item = self.registered();
        Proxy::new(&self.bus, item.owner, item.path, ITEM).expect("the icon is there")
    }

    fn menu_proxy(&self) -> Proxy<'static> {
        let path: OwnedObjectPath = self.item().get_property("Menu").expect("the icon has a menu");
        Proxy::new(&self.bus, self.registered().owner, path, MENU).expect("the menu is there")
    }

    fn registered(&self) -> Item {
        eventually("an icon beside the clock", || lock(&self.items).last().cloned().ok_or("none"))
    }
}

/// The number and the words of an entry: `(ia{sv}av)`.
fn entry(value: &OwnedValue) -> Option<(i32, String)> {
    let structure = Structure::try_from(value.try_clone().ok()?).ok()?;
    let [Value::I32(number), Value::Dict(properties), ..] = structure.fields() else { return None };
    Some((*number, properties.get::<_, String>(&"label").ok()??))
}

struct Watcher {
    items: Arc<Mutex<Vec<Item>>>,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    /// With the path of the icon, or with the name of its owner.
    fn register_status_notifier_item(&self, service: &str, #[zbus(header)] header: Header<'_>) {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        let item = if service.starts_with('/') {
            Item { owner: sender, path: service.to_owned() }
        } else {
            Item { owner: service.to_owned(), path: "/StatusNotifierItem".to_owned() }
        };
        lock(&self.items).push(item);
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}
