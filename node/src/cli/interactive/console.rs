//! The two ends of the conversation that face the person: lines in, lines out.
//!
//! On a terminal a line editor keeps what is being typed apart from what arrives meanwhile, and
//! passwords are not echoed. On a pipe lines are just lines. Lines are read by a thread, one when
//! asked for, for nothing else can wait for a terminal and be left waiting.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::mpsc;

use crate::cli::exit::CliError;
use crate::cli::safe;

use super::terminal::{LineEditor, Typing};

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Line(String),
    /// Nothing more will come.
    End,
    /// Ctrl-C.
    Interrupted,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Line,
    Password(&'static str),
}

/// How a line is meant, as a colour where there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    News,
    Warning,
    Bad,
}

/// A person, or a script in the place of one.
pub(super) struct Console {
    questions: SyncSender<Question>,
    inputs: mpsc::Receiver<Input>,
    /// A question that no input has answered yet: asked once, however often its answer is awaited.
    asked: bool,
    screen: Screen,
    has_person: bool,
}

enum Screen {
    Pipe,
    Terminal { typing: Typing, colours: bool },
}

impl Console {
    /// Takes over stdin and stdout.
    pub(super) fn open() -> Self {
        // One question at a time is asked, and one input answers it.
        let (questions, asked) = sync_channel(1);
        let (to, inputs) = mpsc::channel(1);
        let has_person = std::io::stdin().is_terminal();
        let typing = Typing::default();
        let edits = has_person && std::io::stdout().is_terminal();
        let screen = match edits.then(|| LineEditor::open(typing.clone())).flatten() {
            Some(editor) => {
                std::thread::spawn(move || read_terminal(editor, &asked, &to));
                let colours = std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
                Screen::Terminal { typing, colours }
            }
            None => {
                std::thread::spawn(move || read_pipe(has_person, &asked, &to));
                Screen::Pipe
            }
        };
        Self { questions, inputs, asked: false, screen, has_person }
    }

    /// Whether a person is there to be asked.
    pub(super) fn has_person(&self) -> bool {
        self.has_person
    }

    /// The next line. Safe to cancel.
    pub(super) async fn line(&mut self) -> Input {
        self.ask(Question::Line).await
    }

    /// A password: typed without echo, or the next line of a pipe.
    pub(super) async fn password(&mut self, prompt: &'static str) -> Input {
        self.ask(Question::Password(prompt)).await
    }

    async fn ask(&mut self, question: Question) -> Input {
        if !self.asked {
            if self.questions.try_send(question).is_err() {
                return Input::End;
            }
            self.asked = true;
        }
        let input = self.inputs.recv().await;
        self.asked = false;
        input.unwrap_or(Input::End)
    }

    /// Says a line of the conversation. Whatever is in it, it stays one line.
    pub(super) fn say(&mut self, tone: Tone, line: &str) -> Result<(), CliError> {
        self.screen.show(tone, &safe::line(line))
    }

    /// Says what helps a person to go on, and what a script does not want in its data.
    pub(super) fn hint(&mut self, line: &str) -> Result<(), CliError> {
        match &mut self.screen {
            Screen::Pipe => {
                // Nobody has to listen to hints.
                let _ = writeln!(std::io::stderr(), "{}", safe::line(line));
                Ok(())
            }
            terminal @ Screen::Terminal { .. } => terminal.show(Tone::Plain, &safe::line(line)),
        }
    }
}

impl Screen {
    fn show(&mut self, tone: Tone, line: &str) -> Result<(), CliError> {
        match self {
            Self::Pipe => {
                let mut stdout = std::io::stdout().lock();
                writeln!(stdout, "{line}")?;
                Ok(stdout.flush()?)
            }
            Self::Terminal { typing, colours } => {
                let shown = if *colours { tone.paint(line) } else { line.to_owned() };
                Ok(typing.print(&shown)?)
            }
        }
    }
}

impl Tone {
    fn paint(self, line: &str) -> String {
        let colour = match self {
            Self::Plain => return line.to_owned(),
            Self::Good => 32,
            Self::News => 36,
            Self::Warning => 33,
            Self::Bad => 31,
        };
        format!("\x1b[{colour}m{line}\x1b[0m")
    }
}

fn read_terminal(mut editor: LineEditor, questions: &Receiver<Question>, to: &mpsc::Sender<Input>) {
    while let Ok(question) = questions.recv() {
        let input = match question {
            Question::Line => editor.line(),
            Question::Password(prompt) => of_prompt(rpassword::prompt_password(prompt)),
        };
        if to.blocking_send(input).is_err() {
            return;
        }
    }
}

fn read_pipe(has_person: bool, questions: &Receiver<Question>, to: &mpsc::Sender<Input>) {
    while let Ok(question) = questions.recv() {
        let input = match question {
            Question::Password(prompt) if has_person => of_prompt(rpassword::prompt_password(prompt)),
            _ => next_line(),
        };
        if to.blocking_send(input).is_err() {
            return;
        }
    }
}

fn of_prompt(read: std::io::Result<String>) -> Input {
    match read {
        Ok(line) => Input::Line(line),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Input::Interrupted,
        Err(_) => Input::End,
    }
}

fn next_line() -> Input {
    let mut bytes = Vec::new();
    match std::io::stdin().lock().read_until(b'\n', &mut bytes) {
        Ok(0) | Err(_) => Input::End,
        Ok(_) => Input::Line(without_line_end(&String::from_utf8_lossy(&bytes)).to_owned()),
    }
}

fn without_line_end(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}
