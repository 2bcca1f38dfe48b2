use super::super::env::tests::flip_in_file;
use super::*;
use crate::store::record;
use crate::store::state::tests::{A, B, TABLES, get, keeps_its_promises, put};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

fn open(dir: &tempfile::TempDir) -> Arc<LmdbState> {
    LmdbState::open(dir.path(), TABLES).unwrap()
}

fn adopt_one(store: &LmdbState, key: &str) {
    let mut staged = store.stage().unwrap();
    staged.fill(&mut [(A, (key.into(), b"adopted".to_vec()))].into_iter()).unwrap();
    store.adopt(staged).unwrap();
}

fn folders(dir: &tempfile::TempDir) -> Vec<String> {
    let names = fs::read_dir(dir.path()).unwrap().flatten().filter(|entry| entry.path().is_dir());
    let mut names = names.map(|entry| entry.file_name().into_string().unwrap()).collect::<Vec<_>>();
    names.sort();
    names
}

#[test]
fn it_keeps_the_promises_of_a_state_store() {
    let dir = tempfile::tempdir().unwrap();
    keeps_its_promises(&*open(&dir));
}

#[test]
fn rows_are_there_after_it_was_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    put(&*open(&dir), B, "k", "v");
    assert_eq!(get(&*open(&dir), B, "k").as_deref(), Some("v"));
}

#[test]
fn an_adopted_generation_stays_and_the_old_one_goes_with_its_last_reader() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    put(&*store, A, "old", "v");
    let reader = store.read().unwrap();
    adopt_one(&store, "new");
    assert_eq!(folders(&dir), ["1", "2"]);
    assert!(reader.get(A, b"old").unwrap().is_some());
    drop(reader);
    assert_eq!(folders(&dir), ["2"]);
    drop(store);
    let store = open(&dir);
    assert_eq!(get(&*store, A, "new").as_deref(), Some("adopted"));
    assert_eq!(get(&*store, A, "old"), None);
    adopt_one(&store, "newest");
    assert_eq!(folders(&dir), ["3"]);
}

#[test]
fn a_snapshot_of_many_transactions_is_there_to_its_last_row() {
    const ROWS: usize = 5_000;
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut staged = store.stage().unwrap();
    let row = |number: usize| (A, (format!("row {number:05}").into_bytes(), vec![7; 3 * STAGED_SIZE_BYTES / ROWS]));
    let rows: Vec<_> = (0..ROWS).map(row).collect();
    for piece in rows.chunks(100) {
        staged.fill(&mut piece.iter().cloned()).unwrap();
    }
    // What says how far it goes comes last, wherever its place is.
    staged.fill(&mut [(A, (b"a record".to_vec(), b"v".to_vec()))].into_iter()).unwrap();
    store.adopt(staged).unwrap();
    drop(store);
    let store = open(&dir);
    let mut found = Vec::new();
    let read = store.read().unwrap();
    read.scan(A, &[], None, &mut |key, value| {
        found.push((A, (key.to_vec(), value.to_vec())));
        true
    })
    .unwrap();
    let is_record = found.remove(0) == (A, (b"a record".to_vec(), b"v".to_vec()));
    assert!(is_record && found == rows, "the record: {is_record}; {} rows of {ROWS}", found.len());
}

#[test]
fn two_snapshots_that_arrive_at_once_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut first = store.stage().unwrap();
    let mut second = store.stage().unwrap();
    first.fill(&mut [(A, (b"first".to_vec(), b"v".to_vec()))].into_iter()).unwrap();
    second.fill(&mut [(A, (b"second".to_vec(), b"v".to_vec()))].into_iter()).unwrap();
    store.adopt(first).unwrap();
    drop(second);
    assert!(get(&*store, A, "first").is_some());
    assert_eq!(get(&*store, A, "second"), None);
    assert_eq!(folders(&dir), ["2"]);
}

#[test]
fn what_was_staged_when_the_power_went_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    put(&*store, A, "k", "v");
    let staged = store.stage().unwrap();
    assert_eq!(folders(&dir), ["1", "2"]);
    std::mem::forget(staged);
    drop(store);
    let store = open(&dir);
    assert_eq!(folders(&dir), ["1"]);
    assert_eq!(get(&*store, A, "k").as_deref(), Some("v"));
}

#[test]
fn a_start_that_was_cut_short_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(&dir));
    fs::remove_file(dir.path().join(CURRENT)).unwrap();
    put(&*open(&dir), A, "k", "v");
    fs::remove_file(dir.path().join(CURRENT)).unwrap();
    assert!(is_damaged(LmdbState::open(dir.path(), TABLES)), "with rows in it it is no new store");
}

#[test]
fn a_flipped_bit_in_a_value_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    put(&*store, A, "a", "v");
    put(&*store, A, "k", "v");
    let mut frame = record::seal(b"k", b"v");
    frame[5] ^= 1;
    store.current().put_raw(A, b"k", &frame);
    let rows = store.read().unwrap();
    assert!(is_damaged(rows.get(A, b"k")));
    assert!(is_damaged(rows.last(A, b"b", b"z")));
    assert!(is_damaged(rows.scan(A, b"", None, &mut |_, _| true)));
    assert!(rows.get(A, b"a").is_ok());
}

#[test]
fn a_bit_that_flips_on_the_disk_itself_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    put(&*open(&dir), A, "k", "somewhere on the disk");
    assert!(flip_in_file(&dir.path().join("1"), b"somewhere on the disk") > 0);
    assert!(is_damaged(open(&dir).read().unwrap().get(A, b"k")));
}

#[test]
fn a_value_of_a_newer_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.current().put_raw(A, b"k", &record::tests::seal_newer(b"k", b"v"));
    let result = store.read().unwrap().get(A, b"k");
    assert!(matches!(result, Err(StoreError::Newer { found: 2, known: 1, .. })));
}

#[test]
fn a_damaged_or_missing_generation_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    put(&*open(&dir), A, "k", "v");
    let data = dir.path().join("1/data.mdb");
    let whole = fs::read(&data).unwrap();
    // The two pages that say how much there is, and no more.
    fs::write(&data, &whole[..8192]).unwrap();
    assert!(is_damaged(LmdbState::open(dir.path(), TABLES)));
    fs::remove_file(&data).unwrap();
    assert!(is_damaged(LmdbState::open(dir.path(), TABLES)));
    fs::write(&data, &whole).unwrap();
    assert!(LmdbState::open(dir.path(), TABLES).is_ok());
    let mut current = fs::read(dir.path().join(CURRENT)).unwrap();
    current[12] ^= 1;
    fs::write(dir.path().join(CURRENT), current).unwrap();
    assert!(is_damaged(LmdbState::open(dir.path(), TABLES)));
}

fn is_damaged<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Damaged { .. }))
}

#[test]
fn the_file_is_never_shorter_than_what_lmdb_counts() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..100 {
        let mut change = |to: &mut dyn Write| {
            for _ in 0..random.gen_range(0..400) {
                let key = random.gen_range(0..3_000_u32).to_be_bytes();
                if random.gen_bool(0.4) {
                    to.delete(A, &key)?;
                } else {
                    to.put(A, &key, &vec![1; random.gen_range(10..900)])?;
                }
            }
            Ok(())
        };
        store.write(&mut change).unwrap();
        let (used_bytes, size_bytes) = store.current().used_and_size_bytes();
        assert!(size_bytes >= used_bytes + (1 << 20), "{size_bytes} of {used_bytes}");
    }
}
