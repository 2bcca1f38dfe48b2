//! A line being typed on a terminal, while other lines arrive above it.
//!
//! rustyline edits the line. It has a printer of its own for what arrives meanwhile, but with that it
//! waits for the terminal with `select` and forgets what it has read ahead: of a line that comes in
//! one piece (pasted, or typed while something else was going on) only the first key counts until
//! the next one. So it is told of no printer here. What is typed is noted instead each time rustyline
//! shows it, and whatever arrives takes its place and is followed by it again.

use std::borrow::Cow;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Editor, Helper};
use unicode_width::UnicodeWidthStr;

use super::console::Input;

/// What stands before a line being typed.
const PROMPT: &str = "> ";

/// The terminal's width where it does not say.
const COLUMNS: usize = 80;

/// The line being typed; None while none is.
#[derive(Clone, Debug, Default)]
pub(super) struct Typing(Arc<Mutex<Option<Typed>>>);

#[derive(Clone, Debug, Default)]
struct Typed {
    text: String,
    /// Where the cursor is, in bytes.
    cursor: usize,
}

impl Typing {
    fn lock(&self) -> MutexGuard<'_, Option<Typed>> {
        // A line of text cannot be left half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, text: &str, cursor: usize) {
        if let Some(typed) = self.lock().as_mut() {
            *typed = Typed { text: text.to_owned(), cursor };
        }
    }

    /// Shows a line above the one being typed.
    pub(super) fn print(&self, line: &str) -> std::io::Result<()> {
        let typed = self.lock();
        let shown = typed.as_ref().map_or_else(|| format!("{line}\n"), |typed| typed.below(line, columns()));
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(shown.as_bytes())?;
        stdout.flush()
    }
}

impl Typed {
    /// The line in the place of what is typed, that below it, and the cursor where it was.
    fn below(&self, line: &str, columns: usize) -> String {
        let before = PROMPT.width() + self.text.get(..self.cursor).unwrap_or(&self.text).width();
        let all = PROMPT.width() + self.text.width();
        let (row, column, last_row) = (before / columns, before % columns, all / columns);
        // A full row leaves the cursor at its end; rustyline counts it as being in the next.
        let wrap = if all.is_multiple_of(columns) { "\r\n" } else { "" };
        let up = |rows: usize| if rows > 0 { format!("\x1b[{rows}A") } else { String::new() };
        let right = if column > 0 { format!("\x1b[{column}C") } else { String::new() };
        format!("{}\r\x1b[J{line}\r\n{PROMPT}{}{wrap}{}\r{right}", up(row), self.text, up(last_row - row))
    }
}

/// Edits lines.
pub(super) struct LineEditor {
    editor: Editor<Watcher, DefaultHistory>,
    typing: Typing,
}

impl LineEditor {
    /// None where the terminal cannot be edited on.
    pub(super) fn open(typing: Typing) -> Option<Self> {
        let mut editor = Editor::new().ok()?;
        editor.set_helper(Some(Watcher(typing.clone())));
        Some(Self { editor, typing })
    }

    /// Lets a line be typed. Blocks.
    pub(super) fn line(&mut self) -> Input {
        *self.typing.lock() = Some(Typed::default());
        let read = self.editor.readline(PROMPT);
        *self.typing.lock() = None;
        match read {
            Ok(line) => {
                // A history that cannot grow is no reason to stop.
                let _ = self.editor.add_history_entry(&line);
                Input::Line(line)
            }
            Err(ReadlineError::Interrupted) => Input::Interrupted,
            Err(_) => Input::End,
        }
    }
}

/// Sees all that rustyline shows, and changes nothing.
struct Watcher(Typing);

impl Helper for Watcher {}
impl Hinter for Watcher {
    type Hint = String;
}
impl Validator for Watcher {}
impl Completer for Watcher {
    type Candidate = String;
}

impl Highlighter for Watcher {
    fn highlight<'l>(&self, line: &'l str, cursor: usize) -> Cow<'l, str> {
        self.0.note(line, cursor);
        Cow::Borrowed(line)
    }

    /// Always shows the whole line again, so that a line printed in between never tears it for long.
    fn highlight_char(&self, line: &str, cursor: usize, _kind: CmdKind) -> bool {
        self.0.note(line, cursor);
        true
    }
}

#[cfg(unix)]
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(COLUMNS)
}

#[cfg(not(unix))]
fn columns() -> usize {
    COLUMNS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str, cursor: usize) -> Typed {
        Typed { text: text.into(), cursor }
    }

    #[test]
    fn what_arrives_stands_above_what_is_typed_and_the_cursor_stays() {
        let table = [
            (typed("", 0), "\r\x1b[Jnews\r\n> \r\x1b[2C"),
            (typed("bob-> h", 7), "\r\x1b[Jnews\r\n> bob-> h\r\x1b[9C"),
            (typed("bob-> h", 3), "\r\x1b[Jnews\r\n> bob-> h\r\x1b[5C"),
            // Ten columns: the second row begins at the ninth character.
            (typed("0123456789", 10), "\x1b[1A\r\x1b[Jnews\r\n> 0123456789\r\x1b[2C"),
            (typed("0123456789", 1), "\r\x1b[Jnews\r\n> 0123456789\x1b[1A\r\x1b[3C"),
            (typed("01234567", 8), "\x1b[1A\r\x1b[Jnews\r\n> 01234567\r\n\r"),
            (typed("世界", 6), "\r\x1b[Jnews\r\n> 世界\r\x1b[6C"),
        ];
        for (typed, shown) in table {
            assert_eq!(typed.below("news", 10), shown, "{typed:?}");
        }
    }
}
