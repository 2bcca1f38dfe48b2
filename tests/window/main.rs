//! The app in its real window, against real daemons, as a person meets it: clicks, keys and what is read on the screen.

mod deleting;
mod desktop;
mod failures;
mod first_run;
mod notifications;
mod people;
mod tray;
