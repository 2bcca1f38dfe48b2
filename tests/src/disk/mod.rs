//! A disk as a file system promises it, and what a power cut may leave of it.
//!
//! What was written to a file is sure to be there once a sync of that file has returned that began after the write. Until then each
//! sector is, by itself, as it was on the disk or as it was after any of the writes since: nothing keeps an order between sectors, so a
//! write of several may be torn, and a later one be there without an earlier one. What was made, renamed and removed in a folder is sure
//! once a sync of that folder has returned; until then, of each folder by itself, the first so many of these changes are there. A
//! file's own sync does not make its name durable: POSIX does not promise it, whatever ext4 does.
//!
//! A sector of 512 bytes is written whole or not at all. Disks that do not keep to this, and disks that lie about syncs, are outside.

mod recording;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File as RealFile};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rand::Rng;
use rand::rngs::StdRng;

pub use self::recording::{Bytes, Head, Kind, Op, Recording, SAID, Said};

const SECTOR_SIZE_BYTES: u64 = 512;
const PAGE_SIZE_BYTES: u64 = 4096;

/// A page with nothing in it. Comparing with it is fast in any build.
const ZEROS: [u8; 4096] = [0; 4096];

/// How much of what was not synced a power cut leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    Nothing,
    Everything,
    /// Everything up to some write, which may be torn.
    Oldest,
    /// Everything from some write on, which may be torn, and nothing before it.
    Newest,
    /// So many of a hundred sectors, each as after any of the writes to it.
    Sectors(u32),
    /// The same with pages.
    Pages(u32),
}

/// See the module.
#[derive(Debug)]
pub struct Disk {
    dirs: Vec<Dir>,
    files: Vec<File>,
    /// Which file now has the number that the file system gave.
    numbers: HashMap<u64, usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Dir(usize),
    File(usize),
}

#[derive(Debug, Default)]
struct Dir {
    durable: BTreeMap<String, Entry>,
    now: BTreeMap<String, Entry>,
    pending: Vec<Change>,
}

/// A change to the names in a folder; a rename within it is one.
#[derive(Debug)]
struct Change {
    stamp: u64,
    names: Vec<(String, Option<Entry>)>,
}

#[derive(Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Pending>,
    size_bytes: u64,
}

/// A piece of a write, within one sector; or a change of the size.
#[derive(Clone, Debug)]
enum Pending {
    Piece { stamp: u64, at: u64, bytes: Bytes },
    Resize { stamp: u64, size_bytes: u64 },
}

/// The folder that everything is in.
const ROOT: usize = 0;

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self { dirs: vec![Dir::default()], files: Vec::new(), numbers: HashMap::new() }
    }

    /// A call is made.
    pub fn apply(&mut self, op: &Op) -> Result<(), String> {
        let stamp = op.head.stamp;
        match op.head.kind {
            Kind::Create => {
                let file = self.files.len();
                self.files.push(File::default());
                self.numbers.insert(op.head.file, file);
                let (dir, name) = self.place(&op.path())?;
                self.dirs[dir].change(stamp, vec![(name, Some(Entry::File(file)))]);
            }
            Kind::MakeDir => {
                let made = self.dirs.len();
                self.dirs.push(Dir::default());
                let (dir, name) = self.place(&op.path())?;
                self.dirs[dir].change(stamp, vec![(name, Some(Entry::Dir(made)))]);
            }
            Kind::Remove => {
                let (dir, name) = self.place(&op.path())?;
                self.dirs[dir].change(stamp, vec![(name, None)]);
            }
            Kind::Rename => self.rename(stamp, &op.path(), &String::from_utf8_lossy(op.more.get()))?,
            Kind::SyncDir => {
                let dir = self.dir(&op.path())?;
                self.dirs[dir].sync(op.head.begun);
            }
            Kind::Resize => self.file(op)?.resize(stamp, op.head.number),
            Kind::Write => self.file(op)?.write(stamp, op.head.number, &op.bytes),
            Kind::WriteSynced => self.file(op)?.write_synced(stamp, op.head.number, &op.bytes),
            Kind::Sync => self.file(op)?.sync(op.head.begun),
        }
        Ok(())
    }

    fn rename(&mut self, stamp: u64, from: &str, to: &str) -> Result<(), String> {
        let (from_dir, from_name) = self.place(from)?;
        let (to_dir, to_name) = self.place(to)?;
        let entry = *self.dirs[from_dir].now.get(&from_name).ok_or_else(|| format!("there is no {from} to rename"))?;
        if from_dir == to_dir {
            self.dirs[from_dir].change(stamp, vec![(from_name, None), (to_name, Some(entry))]);
        } else {
            self.dirs[to_dir].change(stamp, vec![(to_name, Some(entry))]);
            self.dirs[from_dir].change(stamp, vec![(from_name, None)]);
        }
        Ok(())
    }

    fn file(&mut self, op: &Op) -> Result<&mut File, String> {
        let file = self.numbers.get(&op.head.file);
        let file = file.ok_or_else(|| format!("a file is written to that was never made: note {}", op.head.stamp))?;
        Ok(&mut self.files[*file])
    }

    /// The folder that a path is in, and its name there.
    fn place(&self, path: &str) -> Result<(usize, String), String> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.dir(dir)?, name.to_owned()))
    }

    fn dir(&self, path: &str) -> Result<usize, String> {
        let mut dir = ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            match self.dirs[dir].now.get(name) {
                Some(Entry::Dir(inner)) => dir = *inner,
                _ => return Err(format!("there is no folder {path}")),
            }
        }
        Ok(dir)
    }

    /// Whether running processes find such a file.
    pub fn has(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// What running processes find in this file.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        self.find(path).map(|file| file.left(Left::Everything, &mut no_chance()))
    }

    fn find(&self, path: &str) -> Option<&File> {
        let (dir, name) = self.place(path).ok()?;
        match self.dirs[dir].now.get(&name)? {
            Entry::File(file) => Some(&self.files[*file]),
            Entry::Dir(_) => None,
        }
    }

    /// All files that running processes find, by path.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.paths_in(ROOT, "", &mut paths);
        paths
    }

    fn paths_in(&self, dir: usize, path: &str, paths: &mut Vec<String>) {
        for (name, entry) in &self.dirs[dir].now {
            match entry {
                Entry::Dir(inner) => self.paths_in(*inner, &format!("{path}{name}/"), paths),
                Entry::File(_) => paths.push(format!("{path}{name}")),
            }
        }
    }

    /// Makes, in the place of `into`, what a power cut now may leave of the folder at `path`. Nothing may be left of it.
    pub fn cut_power(&self, path: &str, left: Left, chance: &mut StdRng, into: &Path) -> io::Result<()> {
        let mut dir = ROOT;
        for name in path.split('/') {
            match self.dirs[dir].left(left, chance).get(name) {
                Some(Entry::Dir(inner)) => dir = *inner,
                _ => return Ok(()),
            }
        }
        self.make(dir, left, chance, into)
    }

    fn make(&self, dir: usize, left: Left, chance: &mut StdRng, into: &Path) -> io::Result<()> {
        fs::create_dir_all(into)?;
        for (name, entry) in self.dirs[dir].left(left, chance) {
            match entry {
                Entry::Dir(inner) => self.make(inner, left, chance, &into.join(name))?,
                Entry::File(file) => put(&into.join(name), &self.files[file].left(left, chance))?,
            }
        }
        Ok(())
    }
}

/// For what leaves nothing to chance.
fn no_chance() -> StdRng {
    rand::SeedableRng::seed_from_u64(0)
}

/// Writes a file, and leaves holes where there is nothing.
fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let file = RealFile::create(path)?;
    file.set_len(content.len() as u64)?;
    let page = usize::try_from(PAGE_SIZE_BYTES).unwrap_or(usize::MAX);
    let mut at = 0;
    while at < content.len() {
        let full = |piece: &&[u8]| **piece != ZEROS[..piece.len()];
        let size = content[at..].chunks(page).take_while(full).map(<[u8]>::len).sum::<usize>();
        if size > 0 {
            file.write_all_at(&content[at..at + size], at as u64)?;
        }
        at += size.max(page);
    }
    Ok(())
}

impl Dir {
    fn change(&mut self, stamp: u64, names: Vec<(String, Option<Entry>)>) {
        let change = Change { stamp, names };
        change.make(&mut self.now);
        self.pending.push(change);
    }

    fn sync(&mut self, begun: u64) {
        let done = self.pending.partition_point(|change| change.stamp < begun);
        for change in self.pending.drain(..done) {
            change.make(&mut self.durable);
        }
    }

    fn left(&self, left: Left, chance: &mut StdRng) -> BTreeMap<String, Entry> {
        let count = match left {
            Left::Nothing => 0,
            Left::Everything => self.pending.len(),
            _ => chance.gen_range(0..=self.pending.len()),
        };
        let mut names = self.durable.clone();
        for change in &self.pending[..count] {
            change.make(&mut names);
        }
        names
    }
}

impl Change {
    fn make(&self, names: &mut BTreeMap<String, Entry>) {
        for (name, entry) in &self.names {
            match entry {
                Some(entry) => names.insert(name.clone(), *entry),
                None => names.remove(name),
            };
        }
    }
}

impl Pending {
    fn stamp(&self) -> u64 {
        match self {
            Self::Piece { stamp, .. } | Self::Resize { stamp, .. } => *stamp,
        }
    }

    /// Which unit of that size it is in.
    fn unit(&self, unit_size_bytes: u64) -> Option<u64> {
        match self {
            Self::Piece { at, .. } => Some(at / unit_size_bytes),
            Self::Resize { .. } => None,
        }
    }

    fn make(&self, content: &mut Vec<u8>) {
        match self {
            Self::Piece { at, bytes, .. } => write_into(content, *at, bytes.get()),
            Self::Resize { size_bytes, .. } => content.resize(index(*size_bytes), 0),
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("a recorded file fits into memory")
}

fn write_into(content: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let (at, end) = (index(at), index(at) + bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

/// The pieces of so many bytes, each within one sector: where it is, and which of the bytes.
fn sectors(at: u64, size_bytes: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    let end = at + size_bytes as u64;
    let first = at / SECTOR_SIZE_BYTES;
    let last = end.div_ceil(SECTOR_SIZE_BYTES);
    (first..last).map(move |sector| {
        let from = (sector * SECTOR_SIZE_BYTES).max(at);
        let to = ((sector + 1) * SECTOR_SIZE_BYTES).min(end);
        (from, index(from - at)..index(to - at))
    })
}

impl File {
    fn write(&mut self, stamp: u64, at: u64, bytes: &Bytes) {
        self.size_bytes = self.size_bytes.max(at + bytes.get().len() as u64);
        for (at, range) in sectors(at, bytes.get().len()) {
            self.pending.push(Pending::Piece { stamp, at, bytes: bytes.part(range) });
        }
    }

    /// A sector is written as it stands in memory, so what was written to it before reaches the disk as well.
    fn write_synced(&mut self, stamp: u64, at: u64, bytes: &Bytes) {
        self.write(stamp, at, bytes);
        let end = at + bytes.get().len() as u64;
        let touched = at / SECTOR_SIZE_BYTES..end.div_ceil(SECTOR_SIZE_BYTES);
        self.reach_disk(|pending| pending.unit(SECTOR_SIZE_BYTES).is_some_and(|sector| touched.contains(&sector)));
    }

    fn resize(&mut self, stamp: u64, size_bytes: u64) {
        self.size_bytes = size_bytes;
        self.pending.push(Pending::Resize { stamp, size_bytes });
    }

    fn sync(&mut self, begun: u64) {
        self.reach_disk(|pending| pending.stamp() < begun);
    }

    fn reach_disk(&mut self, which: impl Fn(&Pending) -> bool) {
        let (durable, pending) = (&mut self.durable, std::mem::take(&mut self.pending));
        let (reached, left): (Vec<_>, Vec<_>) = pending.into_iter().partition(which);
        for pending in reached {
            pending.make(durable);
        }
        self.pending = left;
    }

    fn left(&self, left: Left, chance: &mut StdRng) -> Vec<u8> {
        let mut content = self.durable.clone();
        for pending in self.kept(left, chance) {
            pending.make(&mut content);
        }
        // A file may have become longer before what it is to hold was there.
        let is_longer = !matches!(left, Left::Nothing | Left::Everything) && chance.gen_bool(0.5);
        let ends_by_resize = self.pending.iter().any(|pending| matches!(pending, Pending::Resize { .. }));
        if is_longer && !ends_by_resize && content.len() < index(self.size_bytes) {
            content.resize(index(self.size_bytes), 0);
        }
        content
    }

    fn kept(&self, left: Left, chance: &mut StdRng) -> Vec<&Pending> {
        let count = self.pending.len();
        match left {
            Left::Nothing => Vec::new(),
            Left::Everything => self.pending.iter().collect(),
            Left::Oldest => self.pending[..chance.gen_range(0..=count)].iter().collect(),
            Left::Newest => {
                let from = chance.gen_range(0..=count);
                let sector = |at: usize| self.pending[at].unit(SECTOR_SIZE_BYTES);
                let newest: BTreeSet<_> = (from..count).map(sector).collect();
                let lives = |at: &usize| newest.contains(&sector(*at));
                // A cut that is lost takes with it all that comes after it, or the file would never have been so.
                let until = self.until_some_resize(chance);
                (0..until).filter(lives).map(|at| &self.pending[at]).collect()
            }
            Left::Sectors(percent) => self.kept_units(SECTOR_SIZE_BYTES, percent, chance),
            Left::Pages(percent) => self.kept_units(PAGE_SIZE_BYTES, percent, chance),
        }
    }

    /// Changes of the size happen in their order: up to the first that is lost.
    fn until_some_resize(&self, chance: &mut StdRng) -> usize {
        let is_resize = |pending: &Pending| matches!(pending, Pending::Resize { .. });
        let resizes: Vec<_> = (0..self.pending.len()).filter(|at| is_resize(&self.pending[*at])).collect();
        let happened = chance.gen_range(0..=resizes.len());
        resizes.get(happened).copied().unwrap_or(self.pending.len())
    }

    fn kept_units(&self, unit_size_bytes: u64, percent: u32, chance: &mut StdRng) -> Vec<&Pending> {
        let until = self.until_some_resize(chance);
        let mut writes: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for at in 0..until {
            if let Some(unit) = self.pending[at].unit(unit_size_bytes) {
                writes.entry(unit).or_default().push(at);
            }
        }
        let mut kept: Vec<_> = (0..until).filter(|at| self.pending[*at].unit(unit_size_bytes).is_none()).collect();
        for writes in writes.into_values() {
            if chance.gen_ratio(percent, 100) {
                let last = self.pending[writes[chance.gen_range(0..writes.len())]].stamp();
                kept.extend(writes.into_iter().filter(|at| self.pending[*at].stamp() <= last));
            }
        }
        kept.sort_unstable();
        kept.into_iter().map(|at| &self.pending[at]).collect()
    }
}
