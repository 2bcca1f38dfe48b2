//! How nodes and clients of one machine find each other without any network: each daemon leaves a small
//! file in the user's runtime folder. Hints, like every address.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wire::secret::ClusterId;
use wire::{Address, PeerId};

/// The longest file that is looked at, in bytes; a longer one is not ours.
const FILE_SIZE_MAX_BYTES: u64 = 16 * 1024;

/// How many files are looked at; beyond it the rest is left out.
const FILES_MAX: usize = 64;

/// What such a file says, as JSON. Clients read it too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    pub peer: String,
    pub cluster: String,
    pub name: String,
    pub addresses: Vec<Address>,
}

/// The folder of these files.
#[derive(Clone, Debug)]
pub struct RuntimeFolder(pub PathBuf);

impl RuntimeFolder {
    /// Leaves the file, whole or not at all.
    pub fn announce(&self, announcement: &Announcement) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let text = serde_json::to_vec(announcement)?;
        let temporary = self.0.join(format!(".{}.{}", announcement.name, std::process::id()));
        fs::write(&temporary, text)?;
        fs::rename(temporary, self.file(&announcement.name))
    }

    /// Takes the file back. One that is missing already is fine.
    pub fn withdraw(&self, name: &str) {
        let _ = fs::remove_file(self.file(name));
    }

    /// What the files say of nodes of this cluster. A file that is no announcement is passed over: it
    /// may be of another version.
    pub fn announced(&self, cluster: ClusterId) -> Vec<(PeerId, Vec<Address>)> {
        let Ok(files) = fs::read_dir(&self.0) else { return Vec::new() };
        let announcements = files.flatten().take(FILES_MAX).filter_map(|file| read(&file.path()));
        let ours = announcements.filter(|found| found.cluster.parse().ok() == Some(cluster));
        ours.filter_map(|found| Some((found.peer.parse().ok()?, found.addresses))).collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }
}

fn read(path: &std::path::Path) -> Option<Announcement> {
    if path.extension().is_none_or(|extension| extension != "json") {
        return None;
    }
    let length = fs::metadata(path).ok()?.len();
    if length > FILE_SIZE_MAX_BYTES {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_one_cluster_find_each_other_by_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = RuntimeFolder(folder.path().join("nodes"));
        let peer = PeerId(wire_key());
        let at = Address::tcp(([127, 0, 0, 1], 12340).into());
        let ours = ClusterId([1; 16]);
        assert_eq!(runtime.announced(ours), [], "no folder yet");
        let announcement = |name: &str, cluster: ClusterId| Announcement {
            peer: peer.to_string(),
            cluster: cluster.to_string(),
            name: name.into(),
            addresses: vec![at.clone()],
        };
        runtime.announce(&announcement("n1", ours)).unwrap();
        runtime.announce(&announcement("x1", ClusterId([2; 16]))).unwrap();
        fs::write(folder.path().join("nodes/broken.json"), "{").unwrap();
        assert_eq!(runtime.announced(ours), [(peer, vec![at])]);
        runtime.withdraw("n1");
        assert_eq!(runtime.announced(ours), []);
    }

    /// Some valid public key.
    fn wire_key() -> [u8; 32] {
        wire::transport::libp2p::key_to_peer(&[7; 32]).0
    }
}
