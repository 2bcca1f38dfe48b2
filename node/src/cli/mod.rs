//! `node --cli`: a client for people and for scripts.
//!
//! What scripts may rely on (commands, JSON, exit codes) is a contract. Data goes to stdout,
//! everything else to stderr, and nothing asks a question unless stdin is a terminal. Only this
//! module of the node prints, and it knows the nodes through the `client` crate alone.

pub mod args;
mod commands;
mod context;
mod exit;
mod interactive;
mod password;
mod print;
mod safe;
mod terminal;

use std::ffi::OsString;

use args::{ClientArgs, Command};
use context::Context;
pub use exit::CliError;
pub use interactive::{Choice, Said, Username};
pub use print::{Output, report, reported};

use crate::config::{ClientSettings, ConfigError, Format, Paths, Sources};

/// Runs a command, or the conversation, to its end. Returns the exit code.
pub async fn run(args: ClientArgs, environment: &dyn Fn(&str) -> Option<String>) -> i32 {
    let format = format_wanted(std::env::args_os(), environment);
    let (settings, sources) = match settle(&args, environment) {
        Ok(settled) => settled,
        Err(error) => return end(format, Err(error.into())),
    };
    let format = settings.format;
    let password = environment("FIVE9S_PASSWORD");
    let terminal = terminal::Saved::now();
    let mut context = Context::new(settings, sources, args.options.password_stdin, password);
    let done = tokio::select! {
        // First, so that Ctrl-C is heard from the start.
        biased;
        _ = tokio::signal::ctrl_c() => Err(CliError::Interrupted),
        done = dispatch(args.command, &mut context) => done,
    };
    context.leave().await;
    terminal.restore();
    end(format, done)
}

/// The format that was asked for, as far as it can be told from a line that may be wrong: errors
/// about the line follow it too.
pub fn format_wanted(line: impl IntoIterator<Item = OsString>, environment: &dyn Fn(&str) -> Option<String>) -> Format {
    let words: Vec<OsString> = line.into_iter().collect();
    let pair = words.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json");
    let wanted = pair || words.iter().any(|word| word == "--format=json");
    if wanted || environment("FIVE9S_FORMAT").as_deref() == Some("json") { Format::Json } else { Format::Text }
}

fn settle(
    args: &ClientArgs,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(ClientSettings, Sources), ConfigError> {
    let paths = Paths::of_user(environment).ok_or(ConfigError::NoHome)?;
    let sources = Sources::gather(args.options.flags(), args.options.config.as_deref(), &paths, environment)?;
    Ok((ClientSettings::resolve(paths, &sources)?, sources))
}

async fn dispatch(command: Option<Command>, context: &mut Context) -> Result<(), CliError> {
    match command {
        None => interactive::run(context).await,
        Some(Command::Account(command)) => commands::account::run(command, context).await,
        Some(Command::Message(command)) => commands::message::run(command, context).await,
        Some(Command::Cluster(command)) => commands::cluster::run(command, context).await,
        Some(Command::Export { with }) => commands::export::run(with, context).await,
        Some(Command::Completion { shell }) => commands::completion::run(shell, context),
        Some(Command::Config(command)) => commands::config::run(&command, context),
    }
}

fn end(format: Format, done: Result<(), CliError>) -> i32 {
    let Err(error) = done else { return exit::DONE };
    report(format, &error);
    error.exit_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_about_the_command_line_are_json_where_json_was_asked_for() {
        let wanted = |line: &str, variable: Option<&str>| {
            let variable = variable.map(str::to_owned);
            format_wanted(line.split(' ').map(OsString::from), &|_| variable.clone())
        };
        assert_eq!(wanted("node --cli --format json nonsense", None), Format::Json);
        assert_eq!(wanted("node --cli --format=json nonsense", None), Format::Json);
        assert_eq!(wanted("node --cli nonsense", Some("json")), Format::Json);
        assert_eq!(wanted("node --cli --format text json", None), Format::Text);
    }
}
