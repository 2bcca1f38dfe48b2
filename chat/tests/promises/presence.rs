//! Who is connected: counted exactly, announced at the first and the last only.

use chat::{Command, Notice, Replica, View};

use crate::town::Town;

fn about_presence(town: &Town) -> Vec<Notice> {
    let presence = |notice: &&Notice| matches!(notice, Notice::Connected(_) | Notice::Disconnected(_));
    town.notices.iter().filter(presence).copied().collect()
}

#[test]
fn an_account_is_active_while_any_device_listens() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    let phone = town.on_device(bob, 2);
    town.connects(bob);
    town.connects(phone);
    town.disconnects(bob);
    assert!(town.is_active(bob));
    town.disconnects(phone);
    assert!(!town.is_active(bob));
    assert_eq!(about_presence(&town), [Notice::Connected(bob.account), Notice::Disconnected(bob.account)]);
}

#[test]
fn connecting_twice_counts_once() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    town.connects(bob);
    town.connects(bob);
    assert_eq!(town.memory.account(bob.account).unwrap().connected, 1);
    town.disconnects(bob);
    town.disconnects(bob);
    assert_eq!(town.memory.account(bob.account).unwrap().connected, 0);
    assert_eq!(about_presence(&town).len(), 2);
}

#[test]
fn whoever_moved_to_another_replica_is_not_gone() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    town.connects(bob);
    town.then(&Command::Connect { session: bob.session, at: Replica(2) });
    town.disconnects(bob);
    assert!(town.is_active(bob));
    assert_eq!(town.memory.session(bob.session).unwrap().connected, Some(Replica(2)));
    town.then(&Command::Disconnect { session: bob.session, at: Replica(2) });
    assert!(!town.is_active(bob));
}

#[test]
fn logging_out_while_connected_disconnects() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    town.connects(bob);
    town.logs_out(bob);
    assert!(!town.is_active(bob));
    assert_eq!(about_presence(&town).last(), Some(&Notice::Disconnected(bob.account)));
}

#[test]
fn logging_in_again_stays_connected() {
    let mut town = Town::default();
    let bob = town.joined("bob");
    town.connects(bob);
    town.on_device(bob, 1);
    assert!(town.is_active(bob));
}
