//! What a power cut may leave, and what it may not.

use rand::SeedableRng;
use tempfile::TempDir;

use super::*;

/// A disk, and calls one after the other.
struct Machine {
    disk: Disk,
    stamp: u64,
}

impl Machine {
    fn new() -> Self {
        let mut machine = Self { disk: Disk::new(), stamp: 0 };
        machine.call(Kind::MakeDir, 0, 0, b"home", b"");
        machine.sync_dir("");
        machine
    }

    fn call(&mut self, kind: Kind, file: u64, number: u64, one: &[u8], other: &[u8]) {
        let sizes = [one.len() as u64, other.len() as u64];
        let head = Head { stamp: self.stamp, begun: self.stamp, kind, file, number, sizes };
        self.disk.apply(&Op { head, bytes: Bytes::of(one), more: Bytes::of(other) }).expect("the call makes sense");
        self.stamp += 1;
    }

    fn create(&mut self, file: u64, path: &str) {
        self.call(Kind::Create, file, 0, path.as_bytes(), b"");
    }

    fn write(&mut self, file: u64, at: u64, bytes: &[u8]) {
        self.call(Kind::Write, file, at, bytes, b"");
    }

    fn sync(&mut self, file: u64) {
        self.call(Kind::Sync, file, 0, b"", b"");
    }

    fn sync_dir(&mut self, path: &str) {
        self.call(Kind::SyncDir, 0, 0, path.as_bytes(), b"");
    }

    fn rename(&mut self, from: &str, to: &str) {
        self.call(Kind::Rename, 0, 0, from.as_bytes(), to.as_bytes());
    }

    /// What is left of `home`, by name.
    fn cut_power(&self, left: Left, seed: u64) -> BTreeMap<String, Vec<u8>> {
        let folder = TempDir::new().expect("a folder");
        let mut chance = StdRng::seed_from_u64(seed);
        self.disk.cut_power("home", left, &mut chance, folder.path()).expect("it can be made");
        let files = fs::read_dir(folder.path()).expect("it can be read").flatten();
        files
            .map(|file| (file.file_name().to_string_lossy().into_owned(), fs::read(file.path()).expect("read")))
            .collect()
    }

    /// All that may be left of a file, in any way.
    fn contents(&self, name: &str) -> BTreeSet<Option<Vec<u8>>> {
        let ways = [Left::Nothing, Left::Everything, Left::Oldest, Left::Newest, Left::Sectors(50), Left::Pages(50)];
        let seeds = (0..60).flat_map(|seed| ways.map(|left| self.cut_power(left, seed)));
        seeds.map(|mut files| files.remove(name)).collect()
    }
}

/// A machine with a durable file of this content.
fn with_file(content: &[u8]) -> Machine {
    let mut machine = Machine::new();
    machine.create(1, "home/a");
    machine.write(1, 0, content);
    machine.sync(1);
    machine.sync_dir("home");
    machine
}

fn sectors_of(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [*byte; 512]).collect()
}

#[test]
fn what_was_synced_is_there() {
    assert_eq!(with_file(b"synced").contents("a"), BTreeSet::from([Some(b"synced".to_vec())]));
}

#[test]
fn a_write_that_began_after_the_sync_did_is_not_covered_by_it() {
    let mut machine = with_file(b"old");
    let begun = machine.stamp;
    machine.write(1, 0, b"new");
    let head = Head { stamp: machine.stamp, begun, kind: Kind::Sync, file: 1, number: 0, sizes: [0, 0] };
    machine.disk.apply(&Op { head, bytes: Bytes::of(b""), more: Bytes::of(b"") }).expect("it makes sense");
    assert_eq!(machine.contents("a"), BTreeSet::from([Some(b"old".to_vec()), Some(b"new".to_vec())]));
}

#[test]
fn each_sector_is_by_itself() {
    let mut machine = with_file(&sectors_of(b"12"));
    machine.write(1, 0, &sectors_of(b"ab"));
    let all = [b"12", b"a2", b"1b", b"ab"].map(|bytes| Some(sectors_of(bytes)));
    assert_eq!(machine.contents("a"), BTreeSet::from(all));
}

#[test]
fn a_sector_is_as_after_any_of_its_writes() {
    let mut machine = with_file(&sectors_of(b"1"));
    machine.write(1, 0, &sectors_of(b"2"));
    machine.write(1, 100, b"3");
    let mut last = sectors_of(b"2");
    last[100] = b'3';
    assert_eq!(machine.contents("a"), BTreeSet::from([Some(sectors_of(b"1")), Some(sectors_of(b"2")), Some(last)]));
}

#[test]
fn a_synchronous_write_is_there_and_nothing_else() {
    let mut machine = with_file(&sectors_of(b"12"));
    machine.write(1, 512, &sectors_of(b"b"));
    machine.call(Kind::WriteSynced, 1, 0, &sectors_of(b"a"), b"");
    assert_eq!(machine.contents("a"), BTreeSet::from([b"a2", b"ab"].map(|bytes| Some(sectors_of(bytes)))));
}

#[test]
fn a_name_needs_a_sync_of_its_folder() {
    let mut machine = Machine::new();
    machine.create(1, "home/a");
    machine.write(1, 0, b"x");
    machine.sync(1);
    assert_eq!(machine.contents("a"), BTreeSet::from([None, Some(b"x".to_vec())]));
    machine.sync_dir("home");
    assert_eq!(machine.contents("a"), BTreeSet::from([Some(b"x".to_vec())]));
}

#[test]
fn a_rename_leaves_the_old_or_the_new() {
    let mut machine = with_file(b"old");
    machine.create(2, "home/b");
    machine.write(2, 0, b"new");
    machine.sync(2);
    machine.rename("home/b", "home/a");
    assert_eq!(machine.contents("a"), BTreeSet::from([Some(b"old".to_vec()), Some(b"new".to_vec())]));
    machine.sync_dir("home");
    assert_eq!(machine.contents("a"), BTreeSet::from([Some(b"new".to_vec())]));
    assert_eq!(machine.contents("b"), BTreeSet::from([None]));
}

#[test]
fn a_file_may_be_longer_than_what_has_reached_it() {
    let mut machine = with_file(b"");
    machine.write(1, 0, b"end");
    let all = [vec![], vec![0; 3], b"end".to_vec()].map(Some);
    assert_eq!(machine.contents("a"), BTreeSet::from(all));
}

#[test]
fn nothing_comes_back_that_was_cut_for_good() {
    let mut machine = with_file(&sectors_of(b"12"));
    machine.call(Kind::Resize, 1, 512, b"", b"");
    assert_eq!(machine.contents("a"), BTreeSet::from([b"12".as_slice(), b"1"].map(|bytes| Some(sectors_of(bytes)))));
    machine.sync(1);
    assert_eq!(machine.contents("a"), BTreeSet::from([Some(sectors_of(b"1"))]));
}
