//! `completion SHELL`.

use clap_complete::Shell;

use crate::cli::args::client_grammar;
use crate::cli::context::Context;
use crate::cli::exit::CliError;

pub(in crate::cli) fn run(shell: Shell, context: &mut Context) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut client_grammar(), "node", &mut script);
    context.output.raw(&String::from_utf8_lossy(&script))
}
