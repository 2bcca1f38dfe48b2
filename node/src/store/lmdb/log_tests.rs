use std::sync::mpsc;

use super::super::env::tests::{flip_in, flip_in_file};
use super::super::sums::Sums;
use super::*;
use crate::store::log::tests::{append, entry, indexes, keeps_its_promises, put};
use crate::store::record;

fn open(dir: &tempfile::TempDir) -> Arc<LmdbLog> {
    LmdbLog::open(dir.path()).unwrap()
}

/// Changes the tables behind the log's back, as a bad disk would.
fn tamper(dir: &tempfile::TempDir, work: impl FnOnce(&heed::Env<heed::WithoutTls>, super::super::env::Db)) {
    tamper_table(dir, "entries", work);
}

fn tamper_table(
    dir: &tempfile::TempDir,
    table: &str,
    work: impl FnOnce(&heed::Env<heed::WithoutTls>, super::super::env::Db),
) {
    let env = super::super::env::open(dir.path(), super::super::env::Sync::Full, 64 << 30, 4).unwrap();
    let db = super::super::env::tables(&env, dir.path(), [table]).unwrap()[0];
    work(&env, db);
}

fn flip(env: &heed::Env<heed::WithoutTls>, db: super::super::env::Db, key: &[u8]) {
    let mut txn = env.write_txn().unwrap();
    let mut frame = db.get(&txn, key).unwrap().unwrap().to_vec();
    let last = frame.len() - 1;
    frame[last] ^= 1;
    db.put(&mut txn, key, &frame).unwrap();
    txn.commit().unwrap();
}

fn is_damaged<T>(result: Result<T, StoreError>, what: &str) -> bool {
    matches!(result, Err(StoreError::Damaged { what: found, .. }) if found.contains(what))
}

#[test]
fn it_keeps_the_promises_of_a_log() {
    let dir = tempfile::tempdir().unwrap();
    keeps_its_promises(&*open(&dir));
}

#[test]
fn everything_is_there_after_it_was_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    append(&*log, 0..20);
    log.purge(5);
    log.truncate(10);
    log.put("committed", b"lazily".to_vec(), None);
    put(&*log, "vote", "mine");
    drop(log);
    let log = open(&dir);
    assert_eq!(indexes(&*log), [5, 6, 7, 8, 9]);
    assert_eq!(log.get("vote"), Ok(Some(b"mine".to_vec())));
    assert_eq!(log.get("committed"), Ok(Some(b"lazily".to_vec())));
    append(&*log, 10..12);
    assert_eq!(log.read(8..11, usize::MAX).unwrap(), [entry(8), entry(9), entry(10)]);
    assert_eq!(log.read(8..12, 3 * entry(8).bytes.len()).unwrap().len(), 2);
}

/// The log as a process leaves it that is killed.
fn killed(dir: &tempfile::TempDir) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(dir.path()).unwrap().flatten() {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

/// How many transactions the tables have seen.
fn transactions(log: &LmdbLog) -> usize {
    log.tables.env.info().last_txn_id
}

/// Entries that take this many bytes of the journal, and more.
fn big(index: u64, size_bytes: usize) -> StoredEntry {
    StoredEntry { index, bytes: vec![index as u8; size_bytes].into() }
}

/// Appends them, each by itself, until one is refused, and answers how many were not.
fn append_big(log: &LmdbLog, indexes: Range<u64>, size_bytes: usize) -> u64 {
    let (sender, receiver) = mpsc::channel();
    let appended = indexes.take_while(|index| {
        let sender = sender.clone();
        log.append(vec![big(*index, size_bytes)], Box::new(move |result| sender.send(result).unwrap()));
        receiver.recv().unwrap().is_ok()
    });
    appended.count() as u64
}

#[test]
fn what_is_queued_together_shares_a_record_and_is_answered_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let (sender, receiver) = mpsc::channel();
    let (go_on, told_to_go_on) = mpsc::channel::<()>();
    // While somebody is told, the writer has to wait, and the queue fills.
    log.append(vec![entry(0)], Box::new(move |_| told_to_go_on.recv().unwrap()));
    for index in 1..100 {
        let sender = sender.clone();
        log.append(vec![entry(index)], Box::new(move |result| sender.send((index, result)).unwrap()));
    }
    go_on.send(()).unwrap();
    for index in 1..100 {
        assert_eq!(receiver.recv().unwrap(), (index, Ok(())));
    }
    drop(log);
    // One for what was taken before the queue filled, one for the rest; and one that vouches, if the log was given the time.
    let filed = Tables::open(dir.path()).unwrap().check().unwrap().sums.filed;
    assert!(filed.number <= 3, "{} records", filed.number);
}

#[test]
fn a_callback_comes_only_when_it_is_in_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let filed = log.tables.check().unwrap().sums.filed;
    let (sender, receiver) = mpsc::channel();
    let path = dir.path().to_owned();
    let look = move |_| sender.send(Journal::open(&path, filed).unwrap().left(filed).unwrap().len()).unwrap();
    log.append(vec![entry(0)], Box::new(look));
    assert_eq!(indexes(&*log), [0], "an entry can be read before it is on the disk");
    // The crash states show that it is on the disk as well.
    assert_eq!(receiver.recv().unwrap(), 1);
}

#[test]
fn what_the_journal_has_is_in_the_tables_before_it_counts() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    append(&*log, 0..9);
    log.truncate(7);
    log.purge(2);
    put(&*log, "vote", "mine");
    let tables = |log: &LmdbLog| log.tables.check().unwrap();
    assert_eq!(tables(&log).extent, Extent { first: 0, end: 0 });
    let copy = killed(&dir);
    let log = open(&copy);
    assert_eq!(indexes(&*log), [2, 3, 4, 5, 6]);
    assert_eq!(log.get("vote"), Ok(Some(b"mine".to_vec())));
    assert_eq!(log.get("log.opened"), Ok(None), "that is the log's own");
    assert_eq!(tables(&log).extent, Extent { first: 2, end: 7 });
    // Killed again before it wrote anything, and once more after: what was filed is not filed twice.
    let copy = killed(&copy);
    let log = open(&copy);
    append(&*log, 7..8);
    assert_eq!(indexes(&*open(&killed(&copy))), [2, 3, 4, 5, 6, 7]);
}

#[test]
fn opening_writes_to_the_tables_even_where_the_journal_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    append(&*open(&dir), 0..2);
    let before = transactions(&open(&dir));
    // The crash states show why: what is found may be nowhere but in the memory of the machine.
    assert!(transactions(&open(&dir)) > before);
}

#[test]
fn a_journal_that_is_filled_again_and_again_is_filed_in_between() {
    const SIZE_BYTES: usize = 700_000;
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    // Twice as much as fits.
    let count = (2 * SEGMENTS * 2) as u64;
    assert_eq!(append_big(&log, 0..count, SIZE_BYTES), count);
    for log in [open(&killed(&dir)), log] {
        let read = log.read(0..count, usize::MAX).unwrap();
        assert_eq!(read, (0..count).map(|index| big(index, SIZE_BYTES)).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_longer_than_a_segment_goes_into_the_tables_at_once() {
    const SIZE_BYTES: usize = 3 << 20;
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    append(&*log, 0..3);
    assert_eq!(append_big(&log, 3..5, SIZE_BYTES), 2);
    assert_eq!(log.tables.check().unwrap().extent, Extent { first: 0, end: 5 });
    append_big(&log, 5..6, 10);
    let log = open(&killed(&dir));
    assert_eq!(log.extent(), Extent { first: 0, end: 6 });
    assert_eq!(log.read(3..6, usize::MAX).unwrap(), [big(3, SIZE_BYTES), big(4, SIZE_BYTES), big(5, 10)]);
}

#[test]
fn after_an_error_everything_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    append(&*log, 0..2);
    // An entry that is there already makes APPEND fail, as any other error of the disk would, once the journal is filed.
    let mut txn = log.tables.env.write_txn().unwrap();
    log.tables.commit_foreign(&mut txn, 7);
    txn.commit().unwrap();
    let most = (2 * SEGMENTS * 2) as u64;
    assert!(append_big(&log, 2..2 + most, 700_000) < most);
    let (sender, receiver) = mpsc::channel();
    let send = |sender: &mpsc::Sender<_>| {
        let sender = sender.clone();
        Box::new(move |result: Result<(), StoreError>| sender.send(result).unwrap())
    };
    log.put("vote", b"mine".to_vec(), Some(send(&sender)));
    assert!(receiver.recv().unwrap().is_err());
    log.close();
    log.put("vote", b"mine".to_vec(), Some(send(&sender)));
    assert!(receiver.recv().unwrap().is_err());
}

#[test]
fn damage_to_the_last_record_is_told_from_a_write_that_was_cut_off_once_the_log_has_rested() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    append(&*log, 0..9);
    let path = dir.path().join("journal");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    // Two records: the one with the entries, and the empty one.
    while std::fs::read(&path).unwrap().chunks(4096).filter(|block| block.iter().any(|byte| *byte != 0)).count() < 2 {
        assert!(std::time::Instant::now() < deadline, "the log rests");
        std::thread::yield_now();
    }
    let copy = killed(&dir);
    assert!(flip_in(&copy.path().join("journal"), &entry(4).bytes) > 0);
    assert!(is_damaged(LmdbLog::open(copy.path()), "record 1 of the log's journal"));
}

#[test]
fn a_big_purge_takes_many_transactions_and_survives_their_interruption() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    append(&*log, 0..12_000);
    log.purge(11_990);
    drop(log);
    let log = open(&dir);
    assert_eq!(indexes(&*log), (11_990..12_000).collect::<Vec<_>>());
    // Opened again, it goes on removing by itself; only then can the entry table be as small as the log.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while log.tables.check_count() != 10 {
        assert!(std::time::Instant::now() < deadline, "{} entries are left", log.tables.check_count());
        std::thread::yield_now();
    }
}

#[test]
fn an_entry_that_is_damaged_while_the_log_is_open_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    append(&*open(&dir), 0..9);
    let log = open(&dir);
    let mut txn = log.tables.env.write_txn().unwrap();
    log.tables.commit_foreign(&mut txn, 4);
    txn.commit().unwrap();
    assert!(is_damaged(log.read(0..9, usize::MAX), "log entry 4"));
    assert_eq!(log.read(0..4, usize::MAX).unwrap().len(), 4);
}

#[test]
fn a_flipped_bit_in_an_entry_is_damage_on_opening() {
    let dir = tempfile::tempdir().unwrap();
    append(&*open(&dir), 0..9);
    tamper(&dir, |env, db| flip(env, db, &4u64.to_be_bytes()));
    assert!(is_damaged(LmdbLog::open(dir.path()), "log entry 4"));
}

#[test]
fn a_bit_that_flips_on_the_disk_itself_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    append(&*open(&dir), 0..9);
    assert!(flip_in_file(dir.path(), &entry(4).bytes) > 0);
    assert!(is_damaged(LmdbLog::open(dir.path()), "log entry 4"));
}

#[test]
fn a_flipped_bit_in_a_record_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    put(&*open(&dir), "vote", "mine");
    tamper_table(&dir, "records", |env, db| flip(env, db, b"vote"));
    assert!(is_damaged(LmdbLog::open(dir.path()), "vote"));
}

#[test]
fn a_missing_entry_is_damage_and_not_the_end() {
    let dir = tempfile::tempdir().unwrap();
    append(&*open(&dir), 0..9);
    let log = open(&dir);
    let mut txn = log.tables.env.write_txn().unwrap();
    log.tables.remove_foreign(&mut txn, 4);
    txn.commit().unwrap();
    assert!(is_damaged(log.read(0..9, usize::MAX), "log entry 4"));
    drop(log);
    assert!(is_damaged(LmdbLog::open(dir.path()), "log entry 4"));
}

/// Puts a row in another's place, whole as it is, and says that the log's own last transaction did.
fn replace(dir: &tempfile::TempDir, table: &str, key: &[u8], payload: &[u8]) {
    tamper_table(dir, table, |env, db| {
        let names = super::super::env::names(env, dir.path()).unwrap();
        let mut txn = env.write_txn().unwrap();
        db.put(&mut txn, key, &record::seal(key, payload)).unwrap();
        let sums = Sums::decode(names.get(&txn, Sums::KEY).unwrap().unwrap()).unwrap();
        let sums = Sums { transaction: txn.id() as u64, ..sums };
        names.put(&mut txn, Sums::KEY, &sums.encode()).unwrap();
        txn.commit().unwrap();
    });
}

#[test]
fn an_older_row_of_either_table_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    append(&*open(&dir), 0..9);
    replace(&dir, "entries", &4u64.to_be_bytes(), &entry(4).bytes);
    drop(open(&dir));
    replace(&dir, "entries", &4u64.to_be_bytes(), b"of an older term");
    assert!(is_damaged(LmdbLog::open(dir.path()), "the sum of the log's entries"));
    let dir = tempfile::tempdir().unwrap();
    put(&*open(&dir), "vote", "mine");
    put(&*open(&dir), "vote", "yours");
    replace(&dir, "records", b"vote", b"mine");
    assert!(is_damaged(LmdbLog::open(dir.path()), "the sum of the log's records"));
}

#[test]
fn the_log_as_it_was_some_transactions_before_is_damage() {
    const PAGE: usize = 4096;
    let dir = tempfile::tempdir().unwrap();
    append(&*open(&dir), 0..9);
    put(&*open(&dir), "vote", "mine");
    let path = dir.path().join("data.mdb");
    let file = std::fs::read(&path).unwrap();
    // LMDB leaves older pages of its table of tables where they are until it needs them. One is told by its rows: behind a header of
    // 16 bytes lie their places, and behind each row's header of 8 its key.
    let transaction_of = |page: &[u8]| {
        let row = |at: usize| page.get(usize::from(u16::from_le_bytes([page[16 + 2 * at], page[17 + 2 * at]])) + 8..);
        let rows = [row(0)?, row(1)?, row(2)?];
        let is_table =
            rows.iter().zip(["entries", "records", "sums"]).all(|(row, key)| row.starts_with(key.as_bytes()));
        let frame = rows[2].get(Sums::KEY.len()..)?.get(..Sums::default().encode().len())?;
        is_table.then(|| Sums::decode(frame))?.map(|sums| sums.transaction)
    };
    let pages = file.chunks(PAGE).enumerate();
    let mut tables: Vec<_> = pages.filter_map(|(at, page)| Some((transaction_of(page)?, at * PAGE))).collect();
    tables.sort_unstable();
    let (_, newest) = tables.pop().unwrap();
    assert!(!tables.is_empty());
    // The pages that the last one but one names are all as they were; of what others name some have been written anew.
    for (older, what) in tables.iter().rev().map(|(_, at)| *at).zip(["the log's last transaction", "", "", ""]) {
        let mut file = file.clone();
        file.copy_within(older..older + PAGE, newest);
        std::fs::write(&path, file).unwrap();
        let opened = LmdbLog::open(dir.path()).map(|log| log.extent());
        assert!(is_damaged(opened.clone(), what), "{opened:?}");
    }
    std::fs::write(&path, file).unwrap();
    assert_eq!(indexes(&*open(&dir)), (0..9).collect::<Vec<_>>());
}

#[test]
fn a_log_of_an_earlier_build_without_sums_opens_and_has_them_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    append(&*open(&dir), 0..9);
    let remove_sums = |dir: &tempfile::TempDir| {
        tamper(dir, |env, _| {
            let names = super::super::env::names(env, dir.path()).unwrap();
            let mut txn = env.write_txn().unwrap();
            assert!(names.delete(&mut txn, Sums::KEY).unwrap());
            txn.commit().unwrap();
        });
    };
    remove_sums(&dir);
    let log = open(&dir);
    append(&*log, 9..11);
    log.truncate(10);
    log.purge(3);
    drop(log);
    assert_eq!(indexes(&*open(&dir)), (3..10).collect::<Vec<_>>());
    remove_sums(&dir);
    drop(open(&dir));
    replace(&dir, "records", b"vote", b"mine");
    assert!(is_damaged(LmdbLog::open(dir.path()), "the sum of the log's records"));
}

#[test]
fn a_newer_record_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    put(&*open(&dir), "vote", "mine");
    tamper_table(&dir, "records", |env, db| {
        let mut txn = env.write_txn().unwrap();
        db.put(&mut txn, b"vote", &record::tests::seal_newer(b"vote", b"mine")).unwrap();
        txn.commit().unwrap();
    });
    assert!(matches!(LmdbLog::open(dir.path()), Err(StoreError::Newer { found: 2, known: 1, .. })));
}

#[test]
fn a_file_that_is_cut_or_no_database_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    append(&*open(&dir), 0..9);
    let data = dir.path().join("data.mdb");
    // Within what is in use; the zeros behind it may be missing.
    std::fs::File::options().write(true).open(&data).unwrap().set_len(8192).unwrap();
    assert!(is_damaged(LmdbLog::open(dir.path()), "the database"));
    std::fs::write(&data, vec![7; 100_000]).unwrap();
    assert!(is_damaged(LmdbLog::open(dir.path()), "the database"));
}
