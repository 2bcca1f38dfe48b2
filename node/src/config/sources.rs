//! Where settings come from, the strongest first.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{ConfigError, Paths, Setting};

/// What was given on the command line, as text.
pub type Flags = BTreeMap<Setting, Vec<String>>;

/// Where a value was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    Flag,
    /// In the environment.
    Environment,
    /// In a configuration file.
    File(PathBuf),
    /// Nowhere: it is what it is unless somebody says otherwise.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("the command line"),
            Self::Environment => f.write_str("the environment"),
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    pub value: T,
    pub origin: Origin,
}

/// Everything that was set anywhere.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The strongest first.
    layers: Vec<(Origin, Flags)>,
}

impl Sources {
    /// Reads the environment, the file that a flag names and the user's file.
    pub fn gather(
        flags: Flags,
        config_file: Option<&Path>,
        paths: &Paths,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut layers = vec![(Origin::Flag, flags), (Origin::Environment, of_environment(environment))];
        if let Some(file) = config_file {
            layers.push((Origin::File(file.to_owned()), of_file(file, &read(file)?)?));
        }
        let user_file = paths.config_file();
        match read(&user_file) {
            Ok(text) => layers.push((Origin::File(user_file.clone()), of_file(&user_file, &text)?)),
            // Nobody has to have one.
            Err(ConfigError::Unreadable { why, .. }) if why.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self { layers })
    }

    /// The texts of a setting, from the strongest place that has it.
    pub fn find(&self, setting: Setting) -> Option<Found<&[String]>> {
        self.layers.iter().find_map(|(origin, values)| {
            let value = values.get(&setting)?;
            Some(Found { value: value.as_slice(), origin: origin.clone() })
        })
    }

    /// The setting, if anybody set it.
    pub fn parse<T: FromStr<Err: ToString>>(&self, setting: Setting) -> Result<Option<T>, ConfigError> {
        self.parse_with(setting, super::plain)
    }

    /// The setting by way of `read`, which says what is wrong with a text that it cannot read.
    pub fn parse_with<T>(
        &self,
        setting: Setting,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        Ok(self.locate(setting, read)?.map(|found| found.value))
    }

    /// As `parse_with`, and where it was found.
    pub fn locate<T>(
        &self,
        setting: Setting,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Found<T>>, ConfigError> {
        let Some(found) = self.find(setting) else { return Ok(None) };
        let Some(text) = found.value.last() else { return Ok(None) };
        let value = read(text).map_err(|why| invalid(setting, &found.origin, text, why))?;
        Ok(Some(Found { value, origin: found.origin }))
    }

    /// Every value of a setting that may have several.
    pub fn parse_all<T: FromStr<Err: ToString>>(&self, setting: Setting) -> Result<Vec<T>, ConfigError> {
        let Some(found) = self.find(setting) else { return Ok(Vec::new()) };
        let read = |text: &String| super::plain(text).map_err(|why| invalid(setting, &found.origin, text, why));
        found.value.iter().map(read).collect()
    }
}

fn invalid(setting: Setting, origin: &Origin, value: &str, why: String) -> ConfigError {
    let value = if setting.is_secret() { "(hidden)" } else { value }.to_owned();
    let why = why.trim_end_matches('.').to_owned();
    ConfigError::Invalid { key: setting.key(), origin: origin.clone(), value, why }
}

fn of_environment(environment: &dyn Fn(&str) -> Option<String>) -> Flags {
    let read = |setting: &Setting| {
        let text = environment(&setting.variable()).filter(|text| !text.is_empty())?;
        Some((*setting, split(*setting, text)))
    };
    Setting::ALL.iter().filter_map(read).collect()
}

/// A list is written with commas where a text is all there is.
fn split(setting: Setting, text: String) -> Vec<String> {
    if setting.is_list() { text.split(',').map(|part| part.trim().to_owned()).collect() } else { vec![text] }
}

fn read(file: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(file).map_err(|why| ConfigError::Unreadable { file: file.to_owned(), why })
}

fn of_file(file: &Path, text: &str) -> Result<Flags, ConfigError> {
    let table: toml::Table = text.parse().map_err(|why| not_toml(file, text, &why))?;
    let entry = |(key, value): (String, toml::Value)| match Setting::of_key(&key) {
        Some(setting) => texts(file, setting, value).map(|values| (setting, values)),
        None => Err(ConfigError::UnknownKey { file: file.to_owned(), key }),
    };
    table.into_iter().map(entry).collect()
}

fn not_toml(file: &Path, text: &str, why: &toml::de::Error) -> ConfigError {
    let before = why.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = 1 + before.matches('\n').count();
    ConfigError::NotToml { file: file.to_owned(), line, why: why.message().to_owned() }
}

fn texts(file: &Path, setting: Setting, value: toml::Value) -> Result<Vec<String>, ConfigError> {
    match value {
        toml::Value::String(text) => Ok(split(setting, text)),
        toml::Value::Integer(number) => Ok(vec![number.to_string()]),
        toml::Value::Boolean(yes) => Ok(vec![yes.to_string()]),
        toml::Value::Array(values) if setting.is_list() => {
            let texts = values.into_iter().map(|value| texts(file, setting, value));
            texts.collect::<Result<Vec<_>, _>>().map(|texts| texts.concat())
        }
        other => {
            let origin = Origin::File(file.to_owned());
            Err(invalid(setting, &origin, &other.to_string(), "write a text or a number".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A home with a user file, and a second file beside it.
    fn home(user: &str, named: &str) -> (tempfile::TempDir, Paths, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let user_file = paths.config_file();
        std::fs::create_dir_all(user_file.parent().unwrap()).unwrap();
        std::fs::write(user_file, user).unwrap();
        let file = folder.path().join("named.toml");
        std::fs::write(&file, named).unwrap();
        (folder, paths, file)
    }

    fn flags(setting: Setting, text: &str) -> Flags {
        Flags::from([(setting, vec![text.to_owned()])])
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_named_file_beats_the_users_file() {
        let (_folder, paths, file) = home("as = \"user\"", "as = \"named\"");
        let environment = |key: &str| (key == "FIVE9S_AS").then(|| "environment".to_owned());
        let nothing = |_: &str| None;
        let found = |flags: Flags, file: Option<&Path>, environment: &dyn Fn(&str) -> Option<String>| {
            let sources = Sources::gather(flags, file, &paths, environment).unwrap();
            sources.parse::<String>(Setting::As).unwrap().unwrap()
        };
        assert_eq!(found(flags(Setting::As, "flag"), Some(&file), &environment), "flag");
        assert_eq!(found(Flags::new(), Some(&file), &environment), "environment");
        assert_eq!(found(Flags::new(), Some(&file), &nothing), "named");
        assert_eq!(found(Flags::new(), None, &nothing), "user");
    }

    #[test]
    fn an_unknown_key_is_named() {
        let (_folder, paths, file) = home("", "tiemout = \"3s\"");
        let error = Sources::gather(Flags::new(), Some(&file), &paths, &|_| None).unwrap_err();
        assert!(error.to_string().contains("tiemout"), "{error}");
    }

    #[test]
    fn a_bad_value_is_reported_with_the_place_it_came_from() {
        let (_folder, paths, file) = home("", "expect = 0");
        let sources = Sources::gather(Flags::new(), Some(&file), &paths, &|_| None).unwrap();
        let error = crate::config::DaemonConfig::resolve(paths, &sources).unwrap_err().to_string();
        assert!(error.contains("expect") && error.contains("named.toml"), "{error}");
    }

    #[test]
    fn a_join_code_is_never_repeated_in_an_error() {
        let sources = Sources { layers: vec![(Origin::Flag, flags(Setting::Join, "five9s-client-SECRET"))] };
        let error = sources.parse_with(Setting::Join, |_| Err::<(), _>("it is not a code".into())).unwrap_err();
        assert!(!error.to_string().contains("SECRET"));
    }

    #[test]
    fn a_line_that_is_not_toml_is_named_and_not_repeated() {
        let (_folder, paths, file) = home("", "as = \"bob\"\njoin = five9s-client-SECRET\n");
        let error = Sources::gather(Flags::new(), Some(&file), &paths, &|_| None).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(!error.contains("SECRET"), "{error}");
    }

    #[test]
    fn lists_are_arrays_in_files_and_commas_in_the_environment() {
        let (_folder, paths, file) = home("peer = [\"10.0.0.1:1\", \"10.0.0.2:2\"]", "");
        let environment = |key: &str| (key == "FIVE9S_LISTEN").then(|| "10.0.0.3:3, 10.0.0.4:4".to_owned());
        let sources = Sources::gather(Flags::new(), Some(&file), &paths, &environment).unwrap();
        assert_eq!(sources.parse_all::<wire::Address>(Setting::Peer).unwrap().len(), 2);
        assert_eq!(sources.parse_all::<wire::Address>(Setting::Listen).unwrap().len(), 2);
    }

    #[test]
    fn a_missing_users_file_is_fine_and_a_missing_named_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        assert!(Sources::gather(Flags::new(), None, &paths, &|_| None).is_ok());
        let missing = folder.path().join("missing.toml");
        assert!(Sources::gather(Flags::new(), Some(&missing), &paths, &|_| None).is_err());
    }
}
