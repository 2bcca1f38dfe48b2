//! A server of notifications, after the Desktop Notifications Specification 1.2.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tests::{Display, eventually};
use zbus::blocking::Connection;
use zbus::zvariant::OwnedValue;

use super::{lock, on};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// The action of a click on the notification itself.
const CLICK: &str = "default";

/// A notification, as the app asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) title: String,
    pub(crate) body: String,
    clickable: bool,
}

/// See the module.
pub(crate) struct Notifications {
    bus: Connection,
    shown: Arc<Mutex<Vec<Shown>>>,
}

impl Notifications {
    /// From now on apps of this display can notify.
    pub(crate) fn serve(display: &Display) -> Self {
        let shown = Arc::default();
        let server = Server { shown: Arc::clone(&shown) };
        let serving = on(display).name(NAME).and_then(|bus| bus.serve_at(PATH, server)).expect("named").build();
        Self { bus: serving.expect("the bus takes a server of notifications"), shown }
    }

    /// All there were.
    pub(crate) fn all(&self) -> Vec<Shown> {
        lock(&self.shown).clone()
    }

    /// All there were, once there is one with this body.
    pub(crate) fn once_there_is(&self, body: &str) -> Vec<Shown> {
        eventually(&format!("a notification says {body:?}"), || {
            let all = self.all();
            if all.iter().any(|shown| shown.body == body) { Ok(all) } else { Err(all) }
        })
    }

    /// Clicks the notification with this body.
    pub(crate) fn click(&self, body: &str) {
        let place = self.all().iter().position(|shown| shown.body == body);
        let place = place.unwrap_or_else(|| panic!("no notification says {body:?}: {:?}", self.all()));
        assert!(self.all()[place].clickable, "the app did not say that a click means something");
        let clicked = self.bus.emit_signal(None::<&str>, PATH, NAME, "ActionInvoked", &(id(place), CLICK));
        clicked.expect("the bus carries it");
    }
}

/// Ids begin with 1.
fn id(place: usize) -> u32 {
    u32::try_from(place).expect("few") + 1
}

struct Server {
    shown: Arc<Mutex<Vec<Shown>>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Server {
    #[allow(clippy::too_many_arguments, reason = "the specification has them")]
    fn notify(
        &self,
        _app: &str,
        replaced: u32,
        _icon: &str,
        summary: String,
        body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _expires_ms: i32,
    ) -> u32 {
        assert_eq!(replaced, 0, "each message has a notification of its own");
        let mut shown = lock(&self.shown);
        let clickable = actions.iter().step_by(2).any(|action| action == CLICK);
        shown.push(Shown { title: summary, body, clickable });
        id(shown.len() - 1)
    }

    fn close_notification(&self, _id: u32) {}

    fn get_capabilities(&self) -> Vec<String> {
        ["actions", "body", "body-markup"].map(str::to_owned).to_vec()
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        ("tests".into(), "tests".into(), "1".into(), "1.2".into())
    }
}
