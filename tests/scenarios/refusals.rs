//! What is refused, with which code, and that nothing is lost by it.

use tests::Cluster;

#[test]
fn bad_input_is_refused_with_its_code_and_nothing_is_lost() {
    let cluster = Cluster::start(3);
    let cli = || cluster.cli().json();
    cli().as_account("alice").run(&["account", "create", "alice"]).ok();
    let alice = || cluster.cli().json().as_account("alice");
    alice().run(&["message", "send", "alice", "kept"]).ok();

    alice().run(&["message", "send", "nobody", "hello"]).refused(1, "no_such_account");
    alice().run(&["message", "send", "alice", ""]).refused(1, "text_empty");
    alice().run(&["message", "send", "alice", "  \n "]).refused(1, "text_empty");
    let long = "x".repeat(16 * 1024 + 1);
    let ran = alice().run_with_input(&["message", "send", "alice"], &long).refused(1, "text_too_long");
    assert!(ran.stderr.contains("16"), "the limit is named: {ran:?}");
    let longest = "y".repeat(16 * 1024);
    alice().run_with_input(&["message", "send", "alice"], &longest).ok();

    let create = |name: &str| cli().as_account(name).run(&["account", "create", name]);
    create("alice").refused(1, "name_taken");
    create("ALICE").refused(1, "name_taken");
    create("SERVER").refused(1, "name_reserved");
    create("server").refused(1, "name_reserved");
    for malformed in ["", "two words", "a:b", "a|b", "a->b", "x\u{7}", "🦀", &"n".repeat(33)] {
        create(malformed).refused(1, "name_invalid");
    }
    create(&"n".repeat(32)).ok();
    create("Ünï_c.ö-dé").ok();

    cli().as_account("alice").password("not hers").run(&["message", "list", "alice"]).refused(1, "login_failed");
    cli().as_account("nobody").run(&["message", "list", "alice"]).refused(1, "login_failed");
    cli().run(&["message", "nonsense"]);
    assert_eq!(cli().run(&["message", "nonsense"]).code, Some(2));
    assert_eq!(cli().run(&["backup", "create", "x"]).code, Some(2), "what is not built is not pretended");
    alice().run(&["account", "delete"]).refused(2, "usage");
    alice().run(&["message", "send", "alice", "--id", "no ulid", "text"]).refused(2, "usage");

    assert_eq!(alice().run(&["message", "list", "alice"]).ok().texts(), ["kept", longest.as_str()]);
}

#[test]
fn too_many_wrong_passwords_have_to_wait() {
    let cluster = Cluster::start(1);
    cluster.cli().as_account("alice").run(&["account", "create", "alice"]).ok();
    let attempt = || cluster.cli().json().as_account("alice").password("wrong").run(&["message", "list", "alice"]);
    let limited = (0..20).map(|_| attempt()).find(|ran| ran.stderr.contains("too_many_attempts"));
    let limited = limited.expect("a guesser is slowed down").refused(1, "too_many_attempts");
    assert!(limited.stderr.contains("retry_after_ms"), "{limited:?}");
}

#[test]
fn a_deleted_name_is_free_and_what_was_said_stays_with_its_readers() {
    let cluster = Cluster::start(3);
    let cli = |name: &str| cluster.cli().json().as_account(name);
    for name in ["alice", "bob"] {
        cli(name).run(&["account", "create", name]).ok();
    }
    cli("bob").run(&["message", "send", "alice", "from the old bob"]).ok();
    cli("alice").run(&["message", "send", "bob", "never received"]).ok();
    cli("alice").run(&["message", "send", "bob", "nor this"]).ok();
    let deleted = cluster.cli().as_account("bob").run(&["account", "delete", "--yes"]).ok();
    assert!(deleted.stdout.contains('2') || deleted.stderr.contains('2'), "it says how many go back: {deleted:?}");

    cli("alice").run(&["message", "send", "bob", "hello?"]).refused(1, "no_such_account");
    cluster.cli().json().as_account("bob").password("another").run(&["account", "create", "bob"]).ok();
    let fresh = cluster.cli().json().as_account("bob").password("another").run(&["message", "list", "alice"]).ok();
    assert!(fresh.texts().is_empty(), "a new bob has no history: {fresh:?}");
    let follow = cli("alice").run(&["message", "follow", "--since", "0", "--once"]).ok();
    assert!(follow.stdout.contains("from the old bob"), "{follow:?}");
}
