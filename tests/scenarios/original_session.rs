//! The class project's whole client session, and the same while nodes die.

use tests::Cluster;

#[test]
fn the_original_session_works_line_by_line() {
    let cluster = Cluster::start(3);

    // Nobody is there yet; alice creates her account.
    let mut alice = cluster.cli().interactive();
    alice.expect("The server holds the following accounts.");
    alice.create("alice");
    alice.say("LA");
    alice.expect(" -- > alice ( active )");

    // bob sees alice before he has an account, and she sees him come.
    let mut bob = cluster.cli().interactive();
    bob.expect("The server holds the following accounts.");
    bob.expect(" -- > alice ( active )");
    bob.create("bob");
    alice.expect("bob has connected to the chat room");

    // Both directions, live; everything after the first arrow is text.
    alice.say("bob-> hello, bob");
    alice.expect("Your message has successfully delivered.");
    bob.expect("[alice] hello, bob");
    bob.say("alice-> x->y");
    bob.expect("Your message has successfully delivered.");
    alice.expect("[bob] x->y");

    // What was wrong then is refused now, and nobody is logged out by it.
    alice.say("");
    alice.expect("Empty input");
    alice.say("hello?");
    alice.expect("NEED TO SPECIFY USER. Correct usage: USER-> Message.");
    alice.say("nobody-> hello");
    alice.expect("The user you are trying to contact does not exist.");

    // bob leaves; what alice writes waits for him.
    bob.say("Q");
    bob.expect("EXITING CLIENT PROGRAM.");
    assert_eq!(bob.finish().1, Some(0));
    alice.expect("bob has left the chat room!");
    alice.say("bob-> while you were away");
    alice.expect("bob is not logged in. But your message will be delivered");

    // He gets it after logging in, once.
    let mut bob = cluster.cli().interactive();
    bob.expect(" -- > bob ( inactive )");
    bob.log_in("bob");
    bob.expect("Messages you haven't seen yet:");
    bob.expect("[alice] while you were away");
    bob.say("Q");
    bob.finish();
    let mut bob = cluster.cli().interactive();
    bob.log_in("bob");
    bob.say("LA");
    bob.expect(" -- > bob ( active )");
    bob.say("Q");
    let (lines, _) = bob.finish();
    assert!(!lines.iter().any(|line| line.contains("while you were away")), "shown twice: {lines:#?}");

    // alice deletes her account; the name is gone from the list.
    alice.say("DA");
    alice.expect("Account-Successfully-Deleted");
    alice.finish();
    let listed = cluster.cli().json().run(&["account", "list"]).ok();
    assert!(listed.rows().iter().all(|row| row["name"] != "alice"), "{listed:?}");
}

#[test]
fn a_taken_name_a_wrong_password_and_going_back_leave_the_choice_open() {
    let cluster = Cluster::start(1);
    cluster.cli().as_account("alice").run(&["account", "create", "alice"]).ok();
    let mut person = cluster.cli().interactive();
    person.say("C");
    person.say("ALICE");
    person.say("whatever it is");
    person.expect("Username-Already-Exists.");
    person.say("L");
    person.say("!");
    person.say("L");
    person.say("alice");
    person.say("not her password");
    person.expect("Login-Failed");
    person.say("x");
    person.expect("Please select either C or L");
    person.log_in("alice");
    person.say("Q");
    assert_eq!(person.finish().1, Some(0));
}

#[test]
fn killing_the_leader_while_lines_are_sent_loses_and_doubles_nothing() {
    const LINES: usize = 60;
    let mut cluster = Cluster::start(3);
    let mut alice = cluster.cli().interactive();
    alice.create("alice");
    let mut bob = cluster.cli().interactive();
    bob.create("bob");
    alice.expect("bob has connected to the chat room");

    for number in 0..LINES {
        alice.say(&format!("bob-> line {number:03}"));
        if number == LINES / 3 {
            let leader = cluster.leader();
            cluster.kill(&leader);
        }
    }
    for number in 0..LINES {
        bob.expect(&format!("[alice] line {number:03}"));
    }
    let answered = |line: &str| {
        line == "Your message has successfully delivered."
            || line == "bob is not logged in. But your message will be delivered"
    };
    for _ in 0..LINES {
        alice.expect_line("an answer to each line", answered);
    }
    alice.say("Q");
    assert_eq!(alice.finish().1, Some(0));

    // Both sides hold every line exactly once, in order.
    let sent: Vec<String> = (0..LINES).map(|number| format!("line {number:03}")).collect();
    for (name, other) in [("alice", "bob"), ("bob", "alice")] {
        let listed = cluster.cli().json().as_account(name).run(&["message", "list", other, "--limit", "200"]).ok();
        assert_eq!(listed.texts(), sent, "as {name} sees it");
    }
    let (lines, _) = bob.finish();
    let shown: Vec<&String> = lines.iter().filter(|line| line.starts_with("[alice]")).collect();
    assert_eq!(shown.len(), LINES, "each shown once: {shown:#?}");
}
