//! Where the files of a user's nodes and clients lie: the daemon, `node --cli` and the app agree by asking here. Nothing here makes a
//! folder or looks into one.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

/// The folders that a user's nodes and clients share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    data: PathBuf,
    config: PathBuf,
    runtime: PathBuf,
}

impl Paths {
    /// The folders of this user: all of them under `FIVE9S_HOME` where that is set, else where the
    /// XDG conventions put them. None: the user has no home folder.
    pub fn of_user(environment: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        if let Some(home) = environment("FIVE9S_HOME") {
            return Some(Self::under(Path::new(&home)));
        }
        let base = etcetera::choose_base_strategy().ok()?;
        let data = base.data_dir().join("five9s");
        // Without a runtime folder the data folder has one: it is as private, and only outlives a restart.
        let runtime = base.runtime_dir().map_or_else(|| data.join("runtime"), |runtime| runtime.join("five9s"));
        Some(Self { config: base.config_dir().join("five9s"), data, runtime })
    }

    /// Everything under one folder.
    pub fn under(home: &Path) -> Self {
        let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
        Self { data: home.join("data"), config: home.join("config"), runtime: home.join("runtime") }
    }

    /// The folder that holds the nodes' folders and the cluster secret.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The secret that makes this user's nodes one cluster.
    pub fn cluster_secret_file(&self) -> PathBuf {
        self.data.join("cluster-secret")
    }

    /// The code that lets this user's clients into the cluster that its nodes joined by a code; a node leaves it.
    pub fn client_code_file(&self) -> PathBuf {
        self.data.join("client-code")
    }

    /// The folder of the node of that name.
    pub fn node_dir(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// What clients of this user remember: sessions, the outbox, where nodes were.
    pub fn client_dir(&self) -> PathBuf {
        self.data.join("client")
    }

    /// Where what runs now leaves word of itself.
    pub fn runtime_dir(&self) -> &Path {
        &self.runtime
    }

    /// Where each running node of this user leaves a file that says where it listens.
    pub fn nodes_dir(&self) -> PathBuf {
        self.runtime.join("nodes")
    }

    /// The user's configuration file; it need not exist.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_folder_holds_everything() {
        let paths = Paths::of_user(&|key| (key == "FIVE9S_HOME").then(|| "/trial".to_owned())).expect("given");
        for path in [
            paths.cluster_secret_file(),
            paths.client_code_file(),
            paths.node_dir("n1"),
            paths.client_dir(),
            paths.nodes_dir(),
            paths.config_file(),
        ] {
            assert!(path.starts_with("/trial"), "{}", path.display());
        }
    }
}
