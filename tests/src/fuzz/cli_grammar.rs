//! What may be typed: behind `node`, and line by line into the conversation.

use std::ffi::OsString;

use node::cli::args::{ClientArgs, Command, Invocation, MessageCommand};
use node::cli::{Choice, Said, Username, format_wanted};
use node::config::Flags;

use super::Target;
use super::draw::Draw;
use super::samples::behind;

pub(super) const TARGET: Target = Target {
    name: "cli_grammar",
    run,
    seeds,
    words: &[
        b"--cli",
        b"\0--cli\0",
        b"--as\0",
        b"--format\0json",
        b"--join\0",
        b"--node\0",
        b"--timeout\0",
        b"--\0",
        b"--id\0",
        b"--limit\0",
        b"--help",
        b"--lines\0",
        b"message\0",
        b"send\0",
        b"account\0",
        b"cluster\0",
        b"follow\0",
        b"-> ",
        b"->",
        b"LA",
        b"DA",
        b"Q",
        b"--name\0",
        b"--expect\0",
        b"--listen\0",
        b"=",
    ],
};

/// What is the user's to mend, or was asked for.
const EXIT_CODES: [i32; 2] = [0, 2];

/// One byte says where it is typed.
fn run(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    if kind % 2 == 0 { interpret(&String::from_utf8_lossy(bytes)) } else { parse(bytes) }
}

/// A line of the conversation: nothing of it is lost, and only the exact commands are commands.
fn interpret(line: &str) {
    match Said::parse(line) {
        Said::Nothing => assert_eq!(line, ""),
        Said::List => assert_eq!(line, "LA"),
        Said::Delete => assert_eq!(line, "DA"),
        Said::Quit => assert_eq!(line, "Q"),
        Said::Message { to, text } => {
            assert!(!to.is_empty() && !to.contains("->"), "a message to {to:?}");
            let (tight, loose) = (format!("{to}->{text}"), format!("{to}-> {text}"));
            assert!(line == loose || (line == tight && !text.starts_with(' ')), "{line:?} is taken for {loose:?}");
        }
        Said::Unaddressed => {
            assert!(!["", "LA", "DA", "Q"].contains(&line), "a command is none");
            assert!(line.find("->").is_none_or(|at| at == 0), "somebody is addressed: {line:?}");
        }
    }
    assert_eq!(Choice::parse(line) == Choice::Neither, !["C", "L", "Q"].contains(&line));
    assert_eq!(Username::parse(line), if line == "!" { Username::Back } else { Username::Name(line) });
}

/// A command line, its words with a zero byte between them.
fn parse(bytes: &[u8]) {
    let mut draw = Draw(bytes);
    let mut words = vec![OsString::from("node")];
    while !draw.is_empty() && words.len() < 32 {
        words.push(word(draw.field()));
    }
    let is_client = words.iter().skip(1).take_while(|word| *word != "--").any(|word| word == "--cli");
    match Invocation::parse(words.clone()) {
        Ok(Invocation::Daemon(args)) => {
            assert!(!is_client, "a client is started as a daemon");
            assert_typed(&args.flags(), &words);
        }
        Ok(Invocation::Client(args)) => {
            assert!(is_client, "a daemon is started as a client");
            assert_typed(&args.options.flags(), &words);
            assert_said(&args, &words);
        }
        Err(error) => {
            assert!(EXIT_CODES.contains(&error.exit_code()), "ends with {}", error.exit_code());
            assert!(!error.to_string().trim().is_empty(), "nothing is said");
        }
    }
    let _ = format_wanted(words, &|_| None);
}

#[cfg(unix)]
fn word(bytes: &[u8]) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn word(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Every setting has a value that was typed.
fn assert_typed(flags: &Flags, words: &[OsString]) {
    for value in flags.values().flatten() {
        assert!(was_typed(value, words), "{value:?} was not typed");
    }
}

/// What is sent is what was typed, to whom it was typed.
fn assert_said(args: &ClientArgs, words: &[OsString]) {
    if let Some(Command::Message(MessageCommand::Send(send))) = &args.command {
        for text in [Some(&send.name), send.text.as_ref()].into_iter().flatten() {
            assert!(words.iter().any(|word| word == text.as_str()), "{text:?} was not typed");
        }
        assert!(!(send.lines && send.id.is_some()), "one id for many messages");
    }
}

fn was_typed(value: &str, words: &[OsString]) -> bool {
    words.iter().any(|word| word.to_string_lossy().contains(value))
}

fn seeds() -> Vec<Vec<u8>> {
    let lines = ["", "LA", "DA", "Q", "bob-> hi", "bob->hi", "bob-> x->y -> z", "-> hi", "hello", "!", "C", "L"];
    let commands = [
        "--name n1 --expect 1 --data-dir d --peer 10.0.0.1:1 --log-format json --until-eof",
        "--listen /ip4/127.0.0.1/tcp/0 --listen /ip4/10.0.0.1/tcp/1 --config f --join c",
        "--cli",
        "--cli account list * --limit 3 --after x",
        "account list --cli",
        "--cli account create bob --format json",
        "--cli --as bob account delete --yes",
        "--cli --as bob message send alice hi --wait delivered --id 01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "--cli message send alice --lines --password-file f --password-stdin --node a,b --join c",
        "--cli message send alice -- --cli",
        "--cli message list bob --limit 3 --before 7 --after 2",
        "--cli message follow --with bob --tail 3 --once --timeout 30s",
        "--cli message search x --with bob --limit 5",
        "--cli message read bob --up-to 9",
        "--cli cluster invite --for node",
        "--cli cluster remove n2 --yes",
        "--cli cluster transfer n1",
        "--cli cluster status",
        "--cli export --with bob",
        "--cli completion bash",
        "--cli config show --origin",
        "--help",
        "--cli help message",
        "--version",
    ];
    let typed = lines.iter().map(|line| behind(0, line));
    typed.chain(commands.iter().map(|line| behind(1, line.replace(' ', "\0")))).collect()
}
