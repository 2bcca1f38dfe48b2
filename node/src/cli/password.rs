//! Where passwords come from. Never from a flag: those can be read by everyone on the machine.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use super::exit::CliError;
use crate::config::{Found, Origin};

/// The ways to a password, in the order in which they count: a flag, `FIVE9S_PASSWORD`, the file of
/// another setting, and a person at a terminal.
#[derive(Clone, Debug)]
pub(super) struct Passwords {
    file: Option<Found<PathBuf>>,
    stdin: bool,
    variable: Option<String>,
}

impl Passwords {
    pub(super) fn new(file: Option<Found<PathBuf>>, stdin: bool, variable: Option<String>) -> Self {
        Self { file, stdin, variable: variable.filter(|password| !password.is_empty()) }
    }

    /// Whether the password takes stdin, so that nothing else can.
    pub(super) fn take_stdin(&self) -> bool {
        self.stdin
    }

    /// The password that was given without asking, if one was.
    pub(super) async fn given(&self) -> Result<Option<String>, CliError> {
        let passwords = self.clone();
        off_the_runtime(move || passwords.read()).await
    }

    /// The password, asked for.
    pub(super) async fn ask(&self, name: &str) -> Result<String, CliError> {
        let question = format!("Password of {name}: ");
        off_the_runtime(move || prompt(&question)).await
    }

    /// A password for a new account, given or asked for; twice, for nobody sees what is typed.
    pub(super) async fn choose(&self, name: &str) -> Result<String, CliError> {
        if let Some(password) = self.given().await? {
            return Ok(password);
        }
        let question = format!("Password for {name}: ");
        let (password, again) = off_the_runtime(move || Ok((prompt(&question)?, prompt("The same again: ")?))).await?;
        if again != password {
            return Err(CliError::Usage("The two passwords differ; nothing was created.".into()));
        }
        Ok(password)
    }

    fn read(&self) -> Result<Option<String>, CliError> {
        let by_flag = self.file.as_ref().filter(|file| file.origin == Origin::Flag);
        match (by_flag, self.stdin) {
            (Some(_), true) => Err(CliError::Usage("Give --password-file or --password-stdin, not both.".into())),
            (Some(file), false) => of_file(&file.value).map(Some),
            (None, true) => of_stdin().map(Some),
            (None, false) if self.variable.is_some() => Ok(self.variable.clone()),
            (None, false) => self.file.as_ref().map(|file| of_file(&file.value)).transpose(),
        }
    }
}

/// Reading may wait for a person, and Ctrl-C must be heard meanwhile.
async fn off_the_runtime<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, CliError> + Send + 'static,
) -> Result<T, CliError> {
    tokio::task::spawn_blocking(read).await.unwrap_or(Err(CliError::Interrupted))
}

fn prompt(question: &str) -> Result<String, CliError> {
    if !std::io::stdin().is_terminal() {
        let sentence = "A password is needed and there is no terminal to ask on: give --password-file FILE, \
                        --password-stdin or FIVE9S_PASSWORD.";
        return Err(CliError::Usage(sentence.into()));
    }
    match rpassword::prompt_password(question) {
        Ok(password) => not_empty(password),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Err(CliError::Interrupted),
        Err(error) => Err(CliError::Usage(format!("The password cannot be read from the terminal: {error}."))),
    }
}

fn of_file(file: &Path) -> Result<String, CliError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| CliError::Usage(format!("The password file {} cannot be read: {error}.", file.display())))?;
    not_empty(first_line(&text))
}

fn of_stdin() -> Result<String, CliError> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| CliError::Usage(format!("The password cannot be read from stdin: {error}.")))?;
    not_empty(first_line(&line))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn not_empty(password: String) -> Result<String, CliError> {
    if password.is_empty() { Err(CliError::Usage("The password is empty.".into())) } else { Ok(password) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, origin: Origin) -> Option<Found<PathBuf>> {
        let path = folder.join("password");
        std::fs::write(&path, "of the file\n").unwrap();
        Some(Found { value: path, origin })
    }

    #[test]
    fn a_flag_beats_the_variable_beats_a_configured_file() {
        let folder = tempfile::tempdir().unwrap();
        let variable = || Some("of the variable".to_owned());
        let given = |file, variable| Passwords::new(file, false, variable).read().unwrap();
        let configured = Origin::File(PathBuf::from("config.toml"));
        assert_eq!(given(file(folder.path(), Origin::Flag), variable()).as_deref(), Some("of the file"));
        assert_eq!(given(file(folder.path(), configured.clone()), variable()).as_deref(), Some("of the variable"));
        assert_eq!(given(file(folder.path(), configured), None).as_deref(), Some("of the file"));
        assert_eq!(given(None, None), None);
    }

    #[test]
    fn two_sources_by_flag_are_a_usage_error() {
        let folder = tempfile::tempdir().unwrap();
        let passwords = Passwords::new(file(folder.path(), Origin::Flag), true, None);
        assert!(matches!(passwords.read(), Err(CliError::Usage(_))));
    }
}
