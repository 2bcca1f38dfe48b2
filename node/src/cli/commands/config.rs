//! `config show`.

use crate::cli::args::ConfigCommand;
use crate::cli::context::Context;
use crate::cli::exit::CliError;
use crate::cli::print::SettingShown;
use crate::cli::safe;
use crate::config::{Origin, Setting, Sources};

pub(in crate::cli) fn run(command: &ConfigCommand, context: &mut Context) -> Result<(), CliError> {
    let ConfigCommand::Show { origin } = *command;
    for &setting in Setting::ALL {
        let (value, from) = shown(setting, &context.sources);
        let mut words = format!("{} = {}", setting.key(), safe::line(value.as_deref().unwrap_or("(not set)")));
        if origin {
            words = format!("{words}\t({})", safe::line(&from));
        }
        let row = SettingShown { key: setting.key(), value, origin: origin.then_some(from) };
        context.output.row("setting", row, &words)?;
    }
    Ok(())
}

/// The value and where it is from, precisely enough to go and change it.
fn shown(setting: Setting, sources: &Sources) -> (Option<String>, String) {
    let Some(found) = sources.find(setting) else {
        return (setting.default_text().map(str::to_owned), Origin::Default.to_string());
    };
    let value = if setting.is_secret() { "(hidden)".to_owned() } else { found.value.join(",") };
    let from = match found.origin {
        Origin::Flag => format!("flag {}", setting.flag()),
        Origin::Environment => format!("environment {}", setting.variable()),
        Origin::File(file) => format!("file {}", file.display()),
        Origin::Default => Origin::Default.to_string(),
    };
    (Some(value), from)
}
