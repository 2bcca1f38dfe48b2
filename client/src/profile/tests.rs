//! What a profile remembers, and who may read it.

use chat::{AccountId, ConversationId, Cursor, Numbering, SessionId, Timestamp};
use tempfile::TempDir;
use wire::message::Token;

use super::*;

fn cluster(number: u8) -> Option<(ClusterId, ClientSecret)> {
    Some((ClusterId([number; 16]), ClientSecret::from_bytes([number; 32])))
}

fn open(folder: &TempDir, access: Option<(ClusterId, ClientSecret)>) -> Profile {
    Profile::open(folder.path(), access, [9; 32], 1).expect("a profile")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[cfg(unix)]
#[test]
fn a_profile_is_for_its_owners_eyes_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let inside = folder.path().join("client");
    let profile = Profile::open(&inside, cluster(1), [9; 32], 1).expect("a profile");
    profile.pin_incarnation(Incarnation([1; 16])).expect("pinned");
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&inside), 0o700);
    for file in fs::read_dir(&inside).expect("listed") {
        let path = file.expect("an entry").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn folders_that_are_missing_are_made() {
    let folder = folder();
    for inside in ["a", "a/b/c", "a/b/c"] {
        assert!(Profile::open(&folder.path().join(inside), cluster(1), [9; 32], 1).is_ok(), "{inside}");
    }
}

#[test]
fn a_device_keeps_its_key() {
    let folder = folder();
    let first = *Profile::open(folder.path(), cluster(1), [1; 32], 1).expect("a profile").seed();
    let again = *Profile::open(folder.path(), cluster(1), [2; 32], 1).expect("a profile").seed();
    assert_eq!((first, again), ([1; 32], [1; 32]));
}

#[test]
fn the_first_founding_that_is_met_is_the_one() {
    let folder = folder();
    let profile = open(&folder, cluster(1));
    assert_eq!(profile.incarnation(), Ok(None));
    assert_eq!(profile.pin_incarnation(Incarnation([1; 16])), Ok(true));
    assert_eq!(profile.pin_incarnation(Incarnation([2; 16])), Ok(false));
    drop(profile);
    assert_eq!(open(&folder, None).incarnation(), Ok(Some(Incarnation([1; 16]))));
}

#[test]
fn clusters_are_kept_apart_and_the_last_one_is_remembered() {
    let folder = folder();
    let kept = sessions::KeptSession {
        account: AccountId(1),
        name: "alice".into(),
        created_at: Timestamp(1),
        session: SessionId(2),
        token: Token([1; 32]),
        verifier: String::new(),
        export_key: vec![],
        ended: false,
    };
    open(&folder, cluster(1)).keep_session(&kept, Numbering::default(), 1).expect("kept");
    let second = Profile::open(folder.path(), cluster(2), [9; 32], 2).expect("a profile");
    assert_eq!(second.session_names(), Ok(vec![]));
    assert_eq!(open(&folder, None).cluster().id, ClusterId([2; 16]));
    assert_eq!(open(&folder, cluster(1)).session_names(), Ok(vec!["alice".to_owned()]));
}

#[test]
fn receipts_wait_until_a_node_was_told_and_never_move_back() {
    let folder = folder();
    let profile = open(&folder, cluster(1));
    let (account, conversation) = (AccountId(1), ConversationId(7));
    profile.keep_received(account, Some(Cursor(20)), &[(conversation, Cursor(20))]).expect("kept");
    profile.keep_received(account, None, &[(conversation, Cursor(10))]).expect("kept");
    assert_eq!(profile.receipts(account), Ok(vec![(conversation, Cursor(20))]));
    profile.receipts_told(account, &[(conversation, Cursor(19))]).expect("told");
    assert_eq!(profile.receipts(account), Ok(vec![(conversation, Cursor(20))]), "one more was received meanwhile");
    profile.receipts_told(account, &[(conversation, Cursor(20))]).expect("told");
    assert_eq!(profile.receipts(account), Ok(vec![]));
}

#[test]
fn the_nodes_met_last_are_remembered() {
    let folder = folder();
    let profile = open(&folder, cluster(1));
    for number in 0..80u8 {
        let node = KnownNode { peer: PeerId([number; 32]), name: format!("n{number}"), addresses: vec![] };
        profile.remember_nodes(&[node], number.into()).expect("remembered");
    }
    let nodes = profile.nodes().expect("read");
    assert_eq!(nodes.len(), NODES_MAX as usize);
    assert_eq!(nodes.first().map(|node| node.name.as_str()), Some("n79"));
}

#[test]
fn a_profile_of_a_newer_version_is_left_alone() {
    let folder = folder();
    drop(open(&folder, cluster(1)));
    let connection = Connection::open(folder.path().join(FILE)).expect("opened");
    connection.pragma_update(None, "user_version", 99).expect("set");
    let error = Profile::open(folder.path(), None, [9; 32], 1).expect_err("newer");
    assert_eq!(error.code(), Code::Damaged);
}

#[test]
fn a_file_that_is_no_profile_is_said_to_be_damaged() {
    let folder = folder();
    fs::write(folder.path().join(FILE), "this was a profile once, and then the disk went bad").expect("written");
    let error = Profile::open(folder.path(), cluster(1), [9; 32], 1).expect_err("damaged");
    assert_eq!(error.code(), Code::Damaged);
}

#[test]
fn drafts_are_kept_for_each_account_and_conversation_until_they_are_empty() {
    let folder = folder();
    let (alice, bob) = (AccountId(1), AccountId(2));
    let draft = |with: u64, text: &str| crate::Draft { with: AccountId(with), text: text.into() };
    let profile = open(&folder, cluster(1));
    profile.keep_draft(alice, &draft(7, "half a th")).expect("kept");
    profile.keep_draft(alice, &draft(7, "half a thought")).expect("kept");
    profile.keep_draft(alice, &draft(8, "another")).expect("kept");
    profile.keep_draft(bob, &draft(7, "bob's")).expect("kept");
    drop(profile);
    let profile = open(&folder, None);
    assert_eq!(profile.drafts(alice), Ok(vec![draft(7, "half a thought"), draft(8, "another")]));
    profile.keep_draft(alice, &draft(8, "")).expect("kept");
    assert_eq!(profile.drafts(alice), Ok(vec![draft(7, "half a thought")]));
    profile.forget_drafts(alice).expect("forgotten");
    assert_eq!((profile.drafts(alice), profile.drafts(bob)), (Ok(vec![]), Ok(vec![draft(7, "bob's")])));
}

#[test]
fn settings_are_there_before_any_cluster_is() {
    let folder = folder();
    let inside = folder.path().join("client");
    assert_eq!(kept_settings(&inside), Ok(None));
    assert!(!inside.exists(), "asking makes nothing");
    keep_settings(&inside, "dark").expect("kept");
    keep_settings(&inside, "light").expect("kept");
    assert_eq!(kept_settings(&inside), Ok(Some("light".into())));
    Profile::open(&inside, cluster(1), [9; 32], 1).expect("the same file serves");
    assert_eq!(kept_settings(&inside), Ok(Some("light".into())));
}

#[test]
fn a_profile_of_the_first_version_gets_its_drafts() {
    let folder = folder();
    let mut connection = Connection::open(folder.path().join(FILE)).expect("opened");
    let transaction = begin(&mut connection).expect("begun");
    transaction.execute_batch(MIGRATIONS[0]).expect("made");
    transaction.pragma_update(None, "user_version", 1).expect("set");
    transaction.commit().expect("committed");
    drop(connection);
    let profile = open(&folder, cluster(1));
    let draft = crate::Draft { with: AccountId(2), text: "kept".into() };
    profile.keep_draft(AccountId(1), &draft).expect("kept");
    assert_eq!(profile.drafts(AccountId(1)), Ok(vec![draft]));
}
