//! Where a daemon lives: its data folder, and the secret of its cluster.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wire::Address;
use wire::invite::{Grant, Invite};
use wire::secret::{ClusterId, NodeSecret};

use super::node::Keys;
use super::{DaemonError, secret_file};
use crate::clock::Clock;
use crate::config::{DaemonConfig, Paths};
use crate::formation::{CLUSTER, load, save};
use crate::store::StoreError;
use crate::store::folder::Folder;

/// How many folders are looked at for a free one.
const NUMBER_MAX: u32 = 99;

/// A locked folder, and what it needs to know before anything in it is opened.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: Arc<Folder>,
    pub(super) name: String,
    pub(super) keys: Keys,
    /// Where the code to join with says nodes were.
    pub(super) seeds: Vec<Address>,
}

/// Which cluster the folder belongs to, from its first day on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    cluster: ClusterId,
    /// Where it joined by a code. None: the secret is the user's file.
    secret: Option<[u8; 32]>,
}

impl Place {
    pub(super) fn take(config: &DaemonConfig, clock: &dyn Clock) -> Result<Self, DaemonError> {
        let (folder, name) = take_folder(config, clock)?;
        let kept: Option<Kept> = load(&folder, CLUSTER)?;
        let (now, keys) = match (&config.join, &kept) {
            (Some(invite), _) => joined(invite, &config.paths)?,
            (None, Some(kept @ Kept { secret: Some(secret), .. })) => {
                (kept.clone(), keys(NodeSecret::from_bytes(*secret), &config.paths)?)
            }
            (None, _) => of_user(&config.paths, clock)?,
        };
        match kept {
            Some(kept) if kept.cluster != now.cluster => return Err(foreign(folder.path(), &kept, &now).into()),
            Some(_) => {}
            None => save(&folder, CLUSTER, &now)?,
        }
        if now.secret.is_some() {
            let left = secret_file::leave_client_code(&config.paths.client_code_file(), &keys.node, clock);
            // A convenience: without it this user's clients need a code of their own.
            if let Err(error) = left {
                tracing::warn!(%error, "this user's clients will need a code");
            }
        }
        let seeds = config.join.as_ref().map(|invite| invite.addresses.clone()).unwrap_or_default();
        Ok(Self { folder: Arc::new(folder), name, keys, seeds })
    }
}

/// A code brings everything with it: nothing of the cluster is made here.
fn joined(invite: &Invite, paths: &Paths) -> Result<(Kept, Keys), DaemonError> {
    let Grant::Node(secret) = &invite.grant else {
        let sentence = "this code is for a client; a node joins with the code of `cluster invite --for node`";
        return Err(DaemonError::not_a_member(sentence));
    };
    let kept = Kept { cluster: invite.cluster, secret: Some(*secret.bytes()) };
    Ok((kept, keys(secret.clone(), paths)?))
}

/// Whoever joined by a code is an operator all the same if this user's own secret is that cluster's.
fn keys(node: NodeSecret, paths: &Paths) -> Result<Keys, DaemonError> {
    let own = secret_file::read(&paths.cluster_secret_file())?;
    let own = own.filter(|secret| secret.cluster_id() == node.cluster_id());
    Ok(Keys { node, operator: own.map(|secret| secret.operator_key()) })
}

fn of_user(paths: &Paths, clock: &dyn Clock) -> Result<(Kept, Keys), DaemonError> {
    let secret = secret_file::read_or_make(&paths.cluster_secret_file(), clock)?;
    let keys = Keys { node: secret.node_secret(), operator: Some(secret.operator_key()) };
    Ok((Kept { cluster: secret.cluster_id(), secret: None }, keys))
}

fn foreign(place: &Path, kept: &Kept, now: &Kept) -> StoreError {
    StoreError::Foreign {
        place: place.display().to_string(),
        found: kept.cluster.to_string(),
        expected: now.cluster.to_string(),
    }
}

/// The folder that was asked for, or the first of n1, n2, n3… that nobody uses.
fn take_folder(config: &DaemonConfig, clock: &dyn Clock) -> Result<(Folder, String), DaemonError> {
    let open = |path: PathBuf| Folder::open(&path, &|bytes| clock.fill(bytes));
    let asked = match (&config.data_dir, &config.name) {
        (Some(path), name) => Some((path.clone(), name.clone().unwrap_or_else(|| folder_name(path)))),
        (None, Some(name)) => Some((config.paths.node_dir(name), name.clone())),
        (None, None) => None,
    };
    if let Some((path, name)) = asked {
        return Ok((open(path)?, name));
    }
    for number in 1..=NUMBER_MAX {
        let name = format!("n{number}");
        match open(config.paths.node_dir(&name)) {
            Ok(folder) => return Ok((folder, name)),
            Err(StoreError::InUse(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(DaemonError::mendable(format!("all of n1 to n{NUMBER_MAX} are in use; name the node with --name")))
}

fn folder_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "n1".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use wire::secret::ClusterSecret;

    use super::*;
    use crate::clock::SystemClock;
    use crate::config::{Flags, Sources};
    use crate::formation::Promise;

    fn config(home: &Path) -> DaemonConfig {
        let paths = Paths::under(home);
        let sources = Sources::gather(Flags::default(), None, &paths, &|_| None).expect("there is nothing to read");
        DaemonConfig::resolve(paths, &sources).expect("the defaults are fine")
    }

    fn take(config: &DaemonConfig) -> Result<Place, DaemonError> {
        Place::take(config, &SystemClock)
    }

    fn invite(byte: u8) -> Invite {
        let secret = ClusterSecret::generate(&mut |bytes| bytes.fill(byte));
        let addresses = vec![Address::tcp(([192, 0, 2, 7], 12340).into())];
        Invite { cluster: secret.cluster_id(), addresses, grant: Grant::Node(secret.node_secret()) }
    }

    #[test]
    fn daemons_take_the_next_free_folder_and_share_a_secret() {
        let home = tempfile::tempdir().unwrap();
        let config = config(home.path());
        let places: Vec<_> = (0..3).map(|_| take(&config).unwrap()).collect();
        let names: Vec<_> = places.iter().map(|place| place.name.as_str()).collect();
        assert_eq!(names, ["n1", "n2", "n3"]);
        assert!(places.windows(2).all(|pair| pair[0].keys.node == pair[1].keys.node));
        drop(places);
        assert_eq!(take(&config).unwrap().name, "n1", "free again");
    }

    #[test]
    fn a_folder_in_use_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let config = DaemonConfig { name: Some("ada".into()), ..config(home.path()) };
        let _taken = take(&config).unwrap();
        assert_eq!(take(&config).unwrap_err().exit_code, 6);
    }

    #[test]
    fn a_node_that_joins_by_a_code_makes_no_secret_and_keeps_the_one_it_got() {
        let home = tempfile::tempdir().unwrap();
        let joining = DaemonConfig { join: Some(invite(7)), ..config(home.path()) };
        let place = take(&joining).unwrap();
        assert_eq!(place.seeds, invite(7).addresses);
        assert!(place.keys.operator.is_none(), "a node's code makes no operator");
        assert!(!joining.paths.cluster_secret_file().exists());
        let node = place.keys.node.clone();
        drop(place);
        let code = std::fs::read_to_string(joining.paths.client_code_file()).unwrap();
        let code: Invite = code.trim().parse().unwrap();
        assert_eq!(code.grant, Grant::Client(node.client_secret()), "whoever runs the node may chat, and no more");
        std::fs::remove_file(joining.paths.client_code_file()).unwrap();
        assert_eq!(take(&config(home.path())).unwrap().keys.node, node, "the code is needed once");
        assert!(joining.paths.client_code_file().exists(), "left again");
        assert!(!joining.paths.cluster_secret_file().exists());
    }

    #[test]
    fn a_folder_of_another_cluster_is_refused() {
        let home = tempfile::tempdir().unwrap();
        drop(take(&config(home.path())).unwrap());
        let joining = DaemonConfig { join: Some(invite(7)), ..config(home.path()) };
        let refused = take(&joining).unwrap_err();
        assert_eq!(refused.exit_code, 6);
        assert!(refused.message.contains("belongs to another cluster"), "{refused}");
    }

    #[test]
    fn a_clients_code_makes_no_node() {
        let home = tempfile::tempdir().unwrap();
        let secret = ClusterSecret::generate(&mut |bytes| bytes.fill(7));
        let grant = Grant::Client(secret.node_secret().client_secret());
        let joining = DaemonConfig { join: Some(Invite { grant, ..invite(7) }), ..config(home.path()) };
        assert_eq!(take(&joining).unwrap_err().exit_code, 4);
    }

    #[test]
    fn a_promise_with_a_flipped_bit_is_not_taken_for_another() {
        let home = tempfile::tempdir().unwrap();
        let place = take(&config(home.path())).unwrap();
        save(&*place.folder, "promise", &Promise::default()).unwrap();
        let file = place.folder.path().join("promise");
        let written = std::fs::read(&file).unwrap();
        for bit in 0..written.len() * 8 {
            let mut flipped = written.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&file, flipped).unwrap();
            let read = load::<Promise>(&*place.folder, "promise");
            assert!(matches!(read, Err(StoreError::Damaged { .. } | StoreError::Newer { .. })), "bit {bit}: {read:?}");
        }
    }
}
