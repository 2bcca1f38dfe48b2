//! What may be written after `node`: two grammars, told apart by `--cli`.
//!
//! Values stay text here; `config` reads them, so that a flag, a variable and a line of a file are
//! held to the same rules.

use std::ffi::OsString;
use std::path::PathBuf;

use chat::MessageId;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::{Flags, Setting};

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    Daemon(Box<DaemonArgs>),
    Client(Box<ClientArgs>),
}

impl Invocation {
    /// Reads the command line, the program's name included.
    pub fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let line: Vec<OsString> = line.into_iter().collect();
        let is_client = line.iter().skip(1).take_while(|word| *word != "--").any(|word| word == "--cli");
        if is_client {
            ClientArgs::try_parse_from(line).map(|args| Self::Client(Box::new(args)))
        } else {
            let parsed = DaemonArgs::try_parse_from(&line).map(|args| Self::Daemon(Box::new(args)));
            parsed.map_err(|error| if is_command(line.get(1)) { needs_cli() } else { error })
        }
    }
}

/// Whether the word is a command of the client.
fn is_command(word: Option<&OsString>) -> bool {
    word.and_then(|word| word.to_str()).is_some_and(|word| client_grammar().find_subcommand(word).is_some())
}

/// A daemon takes no command, and whoever gives it one has forgotten something.
fn needs_cli() -> clap::Error {
    DaemonArgs::command().error(ErrorKind::UnknownArgument, "commands are the client's: write node --cli COMMAND")
}

/// A chat for one place: without --cli this is one of its nodes, with --cli a client.
#[derive(Debug, Parser)]
#[command(name = "node", version, after_help = DAEMON_EXAMPLES)]
pub struct DaemonArgs {
    /// Be a client instead; `node --cli --help` says more.
    #[arg(long)]
    cli: bool,
    /// The node's name, and that of its data folder [default: the next free one of n1, n2, n3…].
    #[arg(long)]
    name: Option<String>,
    /// The node's folder [default: one of the node's name in the user's data folder].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where to listen, such as /ip4/0.0.0.0/tcp/12340; may be repeated [default: the next free port from 12340 on].
    #[arg(long, value_name = "MULTIADDR")]
    listen: Vec<String>,
    /// Where another node may be; may be repeated. Nodes on the same network find each other without it.
    #[arg(long, value_name = "MULTIADDR")]
    peer: Vec<String>,
    /// How many nodes found the first cluster [default: 3].
    #[arg(long, value_name = "N")]
    expect: Option<String>,
    /// The code of a cluster on another machine (`node --cli cluster invite --for node` prints one).
    #[arg(long, value_name = "CODE")]
    join: Option<String>,
    /// How to log to stderr; RUST_LOG says how much [default: text].
    #[arg(long, value_parser = ["text", "json"])]
    log_format: Option<String>,
    /// Stop once stdin ends: for a program that runs a node of its own, and must not leave it behind however it ends.
    #[arg(long)]
    until_eof: bool,
    /// A configuration file, stronger than the user's own.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

const DAEMON_EXAMPLES: &str = "\
Examples:
  node                                   Three times, in three terminals: a working cluster.
  node --expect 1                        A cluster of one.
  node --join five9s-node-…              A node of a cluster on other machines.
  node --cli                             Chat.";

impl DaemonArgs {
    /// The file that `--config` names.
    pub fn config_file(&self) -> Option<PathBuf> {
        self.config.clone()
    }

    /// Whether the daemon stops once its stdin ends.
    pub fn until_eof(&self) -> bool {
        self.until_eof
    }

    /// The settings among the flags.
    pub fn flags(self) -> Flags {
        let mut flags = Flags::new();
        set(&mut flags, Setting::Name, self.name);
        set(&mut flags, Setting::DataDir, self.data_dir);
        set(&mut flags, Setting::Listen, self.listen);
        set(&mut flags, Setting::Peer, self.peer);
        set(&mut flags, Setting::Expect, self.expect);
        set(&mut flags, Setting::Join, self.join);
        set(&mut flags, Setting::LogFormat, self.log_format);
        flags
    }
}

/// The client: without a command it is a conversation, line by line, on a terminal or from a pipe.
#[derive(Debug, Parser)]
#[command(name = "node", bin_name = "node --cli", version, after_help = CLIENT_EXAMPLES)]
pub struct ClientArgs {
    #[command(flatten)]
    pub options: ClientOptions,
    #[command(subcommand)]
    pub command: Option<Command>,
}

const CLIENT_EXAMPLES: &str = "\
Examples:
  node --cli                                        Chat.
  node --cli account create alice                   Asks for a password, if there is a terminal to ask on.
  node --cli --as alice message send bob 'hi there'
  make 2>&1 | node --cli --as alice message send bob
  node --cli --as bob --format json message follow --tail 10

Exit codes: 0 done, 1 refused, 2 usage, 3 no node reachable, 4 not authorised,
5 no quorum or timed out (run again with the same --id), 6 internal, 130 interrupted.";

/// What stands before or after any command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct ClientOptions {
    /// Be a client.
    #[arg(long, global = true)]
    cli: bool,
    /// Where to begin looking for a node; the client learns the others.
    #[arg(long, value_name = "ADDR[,ADDR…]", global = true, value_delimiter = ',')]
    node: Vec<String>,
    /// The code of a cluster on another machine; needed once, then remembered.
    #[arg(long, value_name = "CODE", global = true)]
    join: Option<String>,
    /// Whom to act as.
    #[arg(long = "as", value_name = "ACCOUNT", global = true)]
    account: Option<String>,
    /// Read the password from the first line of this file.
    #[arg(long, value_name = "FILE", global = true)]
    password_file: Option<String>,
    /// Read the password from the first line of stdin.
    #[arg(long, global = true)]
    pub password_stdin: bool,
    /// How to write what is shown [default: text].
    #[arg(long, value_parser = ["text", "json"], global = true)]
    format: Option<String>,
    /// How long the command may take, such as 500ms, 10s or 2m [default: 10s]; how long `message follow` follows
    /// [default: for ever].
    #[arg(long, value_name = "TIME", global = true)]
    timeout: Option<String>,
    /// A configuration file, stronger than the user's own.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

impl ClientOptions {
    /// The settings among the flags.
    pub fn flags(&self) -> Flags {
        let mut flags = Flags::new();
        set(&mut flags, Setting::Node, self.node.clone());
        set(&mut flags, Setting::Join, self.join.clone());
        set(&mut flags, Setting::As, self.account.clone());
        set(&mut flags, Setting::PasswordFile, self.password_file.clone());
        set(&mut flags, Setting::Format, self.format.clone());
        set(&mut flags, Setting::Timeout, self.timeout.clone());
        flags
    }
}

fn set(flags: &mut Flags, setting: Setting, values: impl IntoIterator<Item = String>) {
    let values: Vec<String> = values.into_iter().collect();
    if !values.is_empty() {
        flags.insert(setting, values);
    }
}

/// What the client can be asked to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Accounts.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Messages of the account that --as names.
    #[command(subcommand)]
    Message(MessageCommand),
    /// The nodes.
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Writes all messages of the account that --as names to stdout, conversation by conversation, oldest first.
    Export {
        /// Only messages with this account.
        #[arg(long, value_name = "NAME")]
        with: Option<String>,
    },
    /// A completion script for a shell, on stdout.
    Completion { shell: clap_complete::Shell },
    /// The settings.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Creates an account. Its session stays in the profile of this user.
    Create { name: String },
    /// Deletes the account that --as names. What it never received goes back to the senders.
    Delete {
        /// Delete without asking.
        #[arg(long)]
        yes: bool,
    },
    /// Lists accounts in the order of their names.
    List {
        /// Only names like this: `*` is any text, `?` any one character.
        pattern: Option<String>,
        /// At most this many.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
        /// Only names after this one.
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum MessageCommand {
    /// Sends a message.
    Send(SendArgs),
    /// Lists the messages with an account, oldest first.
    List {
        name: String,
        /// At most this many: the last ones, or the first ones after --after [default: all].
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
        /// Only messages before this cursor.
        #[arg(long, value_name = "CURSOR")]
        before: Option<u64>,
        /// Only messages after this cursor.
        #[arg(long, value_name = "CURSOR")]
        after: Option<u64>,
    },
    /// Shows the account's messages, in and out, as they are stored.
    Follow(FollowArgs),
    /// Finds messages by their words, in any case and with or without accents: those that have all of them. What is in double
    /// quotes stands together; the last word may go on.
    Search {
        query: String,
        /// Only messages with this account.
        #[arg(long, value_name = "NAME")]
        with: Option<String>,
        /// At most this many, the latest ones.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..), default_value_t = 50)]
        limit: u32,
    },
    /// Marks the messages of an account as read.
    Read {
        name: String,
        /// Only up to this cursor [default: all there are].
        #[arg(long, value_name = "CURSOR")]
        up_to: Option<u64>,
    },
}

#[derive(Debug, Args)]
pub struct SendArgs {
    /// To whom.
    pub name: String,
    /// What to say; `-` or nothing: whatever stdin says.
    pub text: Option<String>,
    /// One message for each line of stdin.
    #[arg(long, conflicts_with = "id")]
    pub lines: bool,
    /// Your own id of the message, a ULID: sending again with the same one sends once.
    #[arg(long, value_name = "ULID")]
    pub id: Option<MessageId>,
    /// How far the message has to come.
    #[arg(long, value_enum, default_value_t = Wait::Stored)]
    pub wait: Wait,
}

/// How far a message has to come before `message send` is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wait {
    /// On this machine's disk; it will be sent by whichever client of this user runs next.
    Queued,
    /// On the disks of a majority of nodes.
    Stored,
    /// On a device of the recipient.
    Delivered,
}

#[derive(Debug, Args)]
pub struct FollowArgs {
    /// Only messages from and to this account.
    #[arg(long, value_name = "NAME")]
    pub with: Option<String>,
    /// Begin after this cursor [default: now].
    #[arg(long, value_name = "CURSOR", conflicts_with = "tail")]
    pub since: Option<u64>,
    /// Begin with the last N messages.
    #[arg(long, value_name = "N")]
    pub tail: Option<u32>,
    /// End after what there is to show; if there is nothing, after the next message.
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Shows every node, and how many may fail.
    Status,
    /// Prints a code that lets another machine join.
    Invite {
        /// What the other machine will be.
        #[arg(long = "for", value_enum, default_value_t = InviteFor::Client)]
        role: InviteFor,
    },
    /// Removes a node for good.
    Remove {
        name: String,
        /// Remove without asking.
        #[arg(long)]
        yes: bool,
    },
    /// Hands leadership to a node, or to whichever is most up to date.
    Transfer { name: Option<String> },
    /// Compares a hash of the state at one index on every node.
    Check,
}

/// What a code makes of the machine that uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InviteFor {
    /// A node: it holds everybody's messages.
    Node,
    /// A client: it may log in.
    Client,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Shows the settings.
    Show {
        /// And where each comes from.
        #[arg(long)]
        origin: bool,
    },
}

/// The client's grammar, for completion.
pub fn client_grammar() -> clap::Command {
    ClientArgs::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Invocation, clap::Error> {
        Invocation::parse(std::iter::once("node").chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn the_grammars_are_sound() {
        DaemonArgs::command().debug_assert();
        ClientArgs::command().debug_assert();
    }

    #[test]
    fn without_cli_it_is_the_daemon() {
        for line in
            ["", "--name n1 --expect 1", "--listen /ip4/127.0.0.1/tcp/0 --listen /ip4/10.0.0.1/tcp/1 --log-format json"]
        {
            assert!(matches!(parse(line), Ok(Invocation::Daemon(_))), "{line}");
        }
    }

    #[test]
    fn with_cli_it_is_the_client_wherever_cli_and_the_options_stand() {
        for line in [
            "--cli",
            "--cli account list",
            "account list --cli",
            "--cli account create bob --format json",
            "--cli --format json account create bob",
            "--cli --as bob message send alice hi --wait delivered --id 01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "--cli message send alice -",
            "--cli message send alice --lines --password-file f",
            "--cli message send alice -- --cli",
            "--cli message list bob --limit 3 --before 7 --after 2",
            "--cli message follow --with bob --tail 3 --once --timeout 30s",
            "--cli message read bob --up-to 9",
            "--cli cluster invite --for node",
            "--cli cluster remove n2 --yes",
            "--cli cluster transfer",
            "--cli completion bash",
            "--cli config show --origin",
        ] {
            assert!(matches!(parse(line), Ok(Invocation::Client(_))), "{line}: {:?}", parse(line));
        }
    }

    #[test]
    fn what_is_not_in_the_grammar_is_a_usage_error() {
        for line in [
            "account list",
            "message send bob hi",
            "--cli --name n1",
            "--cli --expect 1 account list",
            "--as bob",
            "--timeout 3s",
            "--metrics 127.0.0.1:9000",
            "--cli backup create f",
            "--cli recover",
            "--cli doctor",
            "--cli message search",
            "--cli message search x --limit 0",
            "--cli account",
            "--cli account list --limit 0",
            "--cli message send",
            "--cli message send bob hi --wait read",
            "--cli message send bob hi --id 7",
            "--cli message follow --since 3 --tail 2",
            "--cli --format xml account list",
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn help_and_version_are_not_errors() {
        for line in ["--help", "--version", "--cli --help", "--cli message send --help", "--cli --version"] {
            assert_eq!(parse(line).expect_err(line).exit_code(), 0, "{line}");
        }
    }

    #[test]
    fn options_count_after_the_command_as_before_it() {
        let Ok(Invocation::Client(args)) = parse("--cli account list --as bob --node 10.0.0.1:1,10.0.0.2:2") else {
            panic!("the line is good");
        };
        let flags = args.options.flags();
        assert_eq!(flags[&Setting::As], ["bob"]);
        assert_eq!(flags[&Setting::Node], ["10.0.0.1:1", "10.0.0.2:2"]);
    }
}
