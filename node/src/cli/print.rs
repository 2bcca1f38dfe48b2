//! What commands show: on stdout what was asked for, on stderr everything else; as text for people or
//! as JSON, one object a line.

mod rows;
mod status;

use std::fmt::Write as _;
use std::io::Write;

use client::{AccountId, AccountInfo, ClusterStatus, Cursor, MessageInfo, NodeDigest};
use serde::Serialize;

use rows::{Account, Message, NoteRow, Row};
pub(super) use rows::{Deleted, Digest, InviteCode, Queued, ReadUpTo, SettingShown};

use super::exit::CliError;
use super::safe;
use crate::config::Format;

/// Where data goes, a line at a time.
pub struct Output {
    format: Format,
    to: Box<dyn Write + Send>,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Output {
    /// The standard output.
    pub(super) fn stdout(format: Format) -> Self {
        Self::new(format, Box::new(std::io::stdout()))
    }

    /// In this format, to wherever `to` goes.
    pub fn new(format: Format, to: Box<dyn Write + Send>) -> Self {
        Self { format, to }
    }

    /// A line of data: the row in JSON, the words in text. Flushed, for whoever reads along.
    pub(super) fn row<T: Serialize>(&mut self, kind: &'static str, fields: T, words: &str) -> Result<(), CliError> {
        let line = match self.format {
            Format::Text => words.to_owned(),
            Format::Json => Row::line(kind, fields),
        };
        self.raw(&format!("{line}\n"))
    }

    /// Bytes that have no other form.
    pub(super) fn raw(&mut self, text: &str) -> Result<(), CliError> {
        self.to.write_all(text.as_bytes())?;
        Ok(self.to.flush()?)
    }

    /// An account.
    pub fn account(&mut self, account: &AccountInfo) -> Result<(), CliError> {
        let words = format!("{}\t{}", safe::line(&account.name), if account.active { "active" } else { "inactive" });
        self.row("account", Account::of(account), &words)
    }

    /// A message as `viewer` sees it.
    pub fn message(&mut self, message: &MessageInfo, viewer: AccountId) -> Result<(), CliError> {
        let words = format!(
            "{} {} {} -> {} ({}): {}",
            message.cursor,
            rows::time(message.sent_at),
            safe::line(&message.from.name),
            safe::line(&message.to.name),
            rows::state(message.state),
            safe::line(&message.text)
        );
        self.row("message", Message::of(message, viewer), &words)
    }

    /// A message that has a place in the outbox only.
    pub(super) fn queued(&mut self, message: &Queued<'_>) -> Result<(), CliError> {
        let to = safe::line(message.to);
        let words =
            format!("{} {} -> {to} (queued): {}", message.id, safe::line(message.from), safe::line(message.text));
        self.row("message", message, &words)
    }

    /// Every node, and the cluster.
    pub fn cluster_status(&mut self, cluster: &ClusterStatus) -> Result<(), CliError> {
        match self.format {
            Format::Json => self.raw(&status::json(cluster)),
            Format::Text => self.raw(&status::text(cluster)),
        }
    }

    /// The digest of each node at one index.
    pub fn digests(&mut self, index: Cursor, nodes: &[NodeDigest]) -> Result<(), CliError> {
        for node in nodes {
            let digest = node.digest.map(|digest| hex(&digest));
            let words = format!("{}\t{index}\t{}", safe::line(&node.name), digest.as_deref().unwrap_or("silent"));
            self.row("digest", Digest { name: &node.name, index: index.0, digest: digest.as_deref() }, &words)?;
        }
        Ok(())
    }

    /// A remark for whoever watches, on stderr.
    pub(super) fn note(&self, sentence: &str) {
        let line = match self.format {
            Format::Text => safe::line(sentence).into_owned(),
            Format::Json => Row::line("note", NoteRow { message: sentence }),
        };
        to_stderr(&line);
    }

    /// An error that does not end the command, on stderr.
    pub(super) fn error(&self, error: &CliError) {
        report(self.format, error);
    }
}

/// Says on stderr what went wrong, where there is anything to say.
pub fn report(format: Format, error: &CliError) {
    if let Some(line) = reported(format, error) {
        to_stderr(&line);
    }
}

/// What is said of an error, where there is anything to say.
pub fn reported(format: Format, error: &CliError) -> Option<String> {
    let report = error.report()?;
    Some(match format {
        Format::Text => format!("error: {}: {}", report.code, sentence(error, &report.message)),
        Format::Json => Row::line("error", report),
    })
}

/// Help of several lines belongs to some usage errors. Everything else is one line, whatever is in it: it may be in the words of
/// somebody who has not proved that it is a node.
fn sentence(error: &CliError, message: &str) -> String {
    match error {
        CliError::Usage(_) => message.lines().map(safe::line).collect::<Vec<_>>().join("\n"),
        _ => safe::line(message).into_owned(),
    }
}

fn to_stderr(line: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use client::Code;

    use super::*;

    #[test]
    fn a_refusal_is_one_line_whoever_worded_it() {
        let refused = CliError::refused(Code::WrongSecret, "No.\nerror: forged\r\u{1b}[2J");
        let said = reported(Format::Text, &refused);
        assert_eq!(said.as_deref(), Some("error: wrong_secret: No.⏎error: forged␍␛[2J"));
        let usage = reported(Format::Text, &CliError::Usage("wrong\n\nUsage: x".to_owned()));
        assert_eq!(usage.as_deref(), Some("error: usage: wrong\n\nUsage: x"));
    }
}
