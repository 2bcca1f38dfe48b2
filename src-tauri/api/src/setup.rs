//! Where the app keeps its files and looks for nodes: as the daemon and `node --cli` of the same user do.

use std::path::{Path, PathBuf};

use client::{Address, Code, Paths};

use crate::Refusal;

/// What an [`crate::Api`] starts from.
#[derive(Clone, Debug)]
pub struct Setup {
    pub paths: Paths,
    /// The folder for everything, where the user has one: a node that the app runs is told of it.
    pub home: Option<PathBuf>,
    /// Where sessions, the outbox and drafts are. Shared with `node --cli`, unless it is another.
    pub profile_dir: PathBuf,
    /// Where to begin to look for nodes.
    pub seeds: Vec<Address>,
    /// Whether to look around by multicast.
    pub mdns: bool,
    /// Where exported conversations go.
    pub download_dir: PathBuf,
    /// The program of the node; None: it is beside this one.
    pub node_program: Option<PathBuf>,
}

/// What is read of the user's configuration file; the rest is the daemon's and the command line's.
#[derive(Debug, Default, serde::Deserialize)]
struct File {
    mdns: Option<bool>,
    node: Option<Vec<String>>,
}

impl Setup {
    /// From the environment and the configuration file of this user. `profile_dir`: another profile than the user's own, for a second person.
    pub fn of_user(
        environment: &dyn Fn(&str) -> Option<String>,
        profile_dir: Option<PathBuf>,
        download_dir: PathBuf,
    ) -> Result<Self, Refusal> {
        let homeless = || Refusal::new(Code::Internal, "There is no home folder to keep files in; set HOME.");
        let paths = Paths::of_user(environment).ok_or_else(homeless)?;
        let file = read(&paths.config_file())?;
        let nodes = environment("FIVE9S_NODE").map(|list| list.split(',').map(str::to_owned).collect());
        let seeds =
            nodes.or(file.node).unwrap_or_default().iter().map(|text| address(text)).collect::<Result<_, _>>()?;
        let mdns = environment("FIVE9S_MDNS").map_or(Ok(file.mdns.unwrap_or(true)), |text| yes_or_no(&text))?;
        Ok(Self {
            home: environment("FIVE9S_HOME").map(PathBuf::from),
            profile_dir: profile_dir.unwrap_or_else(|| paths.client_dir()),
            paths,
            seeds,
            mdns,
            download_dir,
            node_program: environment("FIVE9S_NODE_PROGRAM").map(PathBuf::from),
        })
    }
}

fn read(file: &Path) -> Result<File, Refusal> {
    let wrong = |why: &dyn std::fmt::Display| {
        Refusal::malformed(format!("The configuration file {} cannot be used: {why}.", file.display()))
    };
    match std::fs::read_to_string(file) {
        Ok(text) => toml::from_str(&text).map_err(|error| wrong(&error.message())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(File::default()),
        Err(error) => Err(wrong(&error)),
    }
}

fn address(text: &str) -> Result<Address, Refusal> {
    text.trim().parse().map_err(|_| Refusal::malformed(format!("{text:?} is no address of a node.")))
}

fn yes_or_no(text: &str) -> Result<bool, Refusal> {
    text.parse().map_err(|_| Refusal::malformed("FIVE9S_MDNS is true or false."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_is_set_as_the_daemon_is() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(home.path().join("config")).expect("made");
        let lines = "mdns = false\nnode = [\"127.0.0.1:12340\"]\nexpect = 3\n";
        std::fs::write(home.path().join("config/config.toml"), lines).expect("written");
        let path = home.path().display().to_string();
        let of = |more: Option<(&str, &str)>| {
            let environment = |name: &str| match name {
                "FIVE9S_HOME" => Some(path.clone()),
                _ => more.filter(|(more, _)| *more == name).map(|(_, value)| value.to_owned()),
            };
            Setup::of_user(&environment, None, home.path().to_owned())
        };
        let setup = of(None).expect("set");
        assert!(!setup.mdns);
        assert_eq!(setup.seeds.len(), 1);
        assert_eq!(setup.profile_dir, home.path().join("data/client"));
        assert!(of(Some(("FIVE9S_MDNS", "true"))).expect("set").mdns, "the environment is stronger than the file");
        assert_eq!(of(Some(("FIVE9S_NODE", "no address"))).expect_err("refused").code, "request_malformed");
    }
}
