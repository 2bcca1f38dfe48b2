use super::*;

const LIFE: Filed = Filed { life: 7, number: 0 };

fn put(key: &'static str) -> Vec<Change> {
    vec![Change::Put { key: key.into(), value: vec![1; 5000] }]
}

/// A journal in its first life, with a record for each of these.
fn written(dir: &tempfile::TempDir, records: &[&'static str]) -> Journal {
    let mut journal = Journal::open(dir.path(), Filed::default()).unwrap();
    assert_eq!(journal.begin(LIFE.life), Ok(LIFE));
    for key in records {
        write(&mut journal, &put(key));
    }
    journal
}

fn write(journal: &mut Journal, changes: &[Change]) {
    let bytes = encode(changes.iter());
    if !journal.has_room_for(bytes.len()) {
        journal.turn().unwrap();
    }
    journal.write(&bytes).unwrap();
}

/// The keys of what is left.
fn left(dir: &tempfile::TempDir, filed: Filed) -> Result<Vec<String>, StoreError> {
    let changes = Journal::open(dir.path(), filed)?.left(filed)?;
    let key = |change| if let Change::Put { key, .. } = change { key.into_owned() } else { panic!("only records") };
    Ok(changes.into_iter().map(key).collect())
}

fn change_file(dir: &tempfile::TempDir, change: impl FnOnce(&mut Vec<u8>)) {
    let path = dir.path().join(NAME);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

fn is_damage(found: &Result<Vec<String>, StoreError>, expected: &str) -> bool {
    matches!(found, Err(StoreError::Damaged { what, .. }) if what.contains(expected))
}

/// Each record of these tests takes so much.
const RECORD: usize = 2 * BLOCK_SIZE_BYTES;

#[test]
fn every_change_comes_back_as_it_was() {
    let entry = |index: u64| StoredEntry { index, bytes: vec![index as u8; 9].into() };
    let changes = [
        Change::Append { entries: vec![entry(3)], epoch: 0 },
        Change::Truncate { from: 2 },
        Change::Put { key: "vote".into(), value: b"mine".to_vec() },
        Change::Purge { before: 1 },
    ];
    let bytes = encode(changes.iter());
    let back = decode(&bytes).unwrap();
    assert_eq!(encode(back.iter()), bytes);
    assert!(matches!(&back[0], Change::Append { entries, .. } if entries[..] == [entry(3)]));
    assert!(matches!(back[1], Change::Truncate { from: 2 }));
    assert!(matches!(&back[2], Change::Put { key, value } if key == "vote" && value == b"mine"));
    assert!(matches!(back[3], Change::Purge { before: 1 }));
    for size in (0..bytes.len()).filter(|size| ![0, 22, 31, 48].contains(size)) {
        assert!(decode(&bytes[..size]).is_none(), "cut at {size}");
    }
    assert!(decode(&[9]).is_none());
}

#[test]
fn what_the_tables_do_not_have_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let journal = written(&dir, &["a", "b", "c"]);
    assert_eq!(journal.written(), Filed { number: 3, ..LIFE });
    assert_eq!(left(&dir, LIFE).unwrap(), ["a", "b", "c"]);
    assert_eq!(left(&dir, Filed { number: 2, ..LIFE }).unwrap(), ["c"]);
    assert_eq!(left(&dir, Filed { number: 3, ..LIFE }).unwrap(), [""; 0]);
}

#[test]
fn nothing_of_another_life_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = written(&dir, &["a", "b", "c"]);
    let next = journal.begin(8).unwrap();
    assert_eq!(left(&dir, next).unwrap(), [""; 0]);
    write(&mut journal, &put("d"));
    assert_eq!(left(&dir, next).unwrap(), ["d"]);
    assert_eq!(left(&dir, Filed::default()).unwrap(), [""; 0], "before the tables know of any life");
}

#[test]
fn segments_are_used_one_after_the_other_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = written(&dir, &[]);
    let in_a_segment = SEGMENT_SIZE_BYTES / RECORD;
    let records = in_a_segment * SEGMENTS + 3;
    for number in 1..=records {
        write(&mut journal, &put("a"));
        assert_eq!(journal.number, number as u64);
    }
    assert_eq!((journal.segment, journal.used_bytes), (0, 3 * RECORD));
    // The first segment is written anew, so the tables have what was in it.
    let filed = Filed { number: in_a_segment as u64, ..LIFE };
    assert_eq!(left(&dir, filed).unwrap().len(), records - in_a_segment);
    assert!(is_damage(&left(&dir, LIFE), "record 1 "), "what is gone is not nothing");
}

#[test]
fn a_record_fills_a_segment_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = written(&dir, &[]);
    assert!(journal.has_room_for(CHANGES_SIZE_MAX_BYTES) && !journal.has_room_for(CHANGES_SIZE_MAX_BYTES + 1));
    journal.write(&[]).unwrap();
    assert!(!journal.has_room_for(CHANGES_SIZE_MAX_BYTES - BLOCK_SIZE_BYTES + 1));
    assert!(journal.has_room_for(CHANGES_SIZE_MAX_BYTES - BLOCK_SIZE_BYTES));
}

#[test]
fn a_last_record_that_was_cut_off_was_never_told_of() {
    for (what, from, to) in [("header", 2 * RECORD, 2 * RECORD + 512), ("changes", 3 * RECORD - 4000, 3 * RECORD)] {
        let dir = tempfile::tempdir().unwrap();
        written(&dir, &["a", "b", "c"]);
        change_file(&dir, |bytes| bytes[from..to].fill(0));
        assert_eq!(left(&dir, LIFE).unwrap(), ["a", "b"], "without its {what}");
    }
}

#[test]
fn a_record_that_others_follow_was_on_the_disk() {
    for (what, at) in [("header", RECORD + 3), ("changes", RECORD + 4096)] {
        let dir = tempfile::tempdir().unwrap();
        written(&dir, &["a", "b", "c"]);
        change_file(&dir, |bytes| bytes[at] ^= 1);
        let found = left(&dir, LIFE);
        assert!(is_damage(&found, "record 2 "), "{what}: {found:?}");
        assert_eq!(left(&dir, Filed { number: 2, ..LIFE }).unwrap(), ["c"], "the tables have that one");
    }
}

#[test]
fn an_empty_record_vouches_for_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = written(&dir, &["a"]);
    journal.vouch().unwrap();
    assert_eq!(left(&dir, LIFE).unwrap(), ["a"]);
    let flip = |bytes: &mut Vec<u8>| bytes[100] ^= 1;
    change_file(&dir, flip);
    assert!(is_damage(&left(&dir, LIFE), "record 1 "));
    change_file(&dir, flip);
    // It was never synced, so the next one takes its place: were it behind it, that could be on the disk without it.
    write(&mut journal, &put("b"));
    assert_eq!(left(&dir, LIFE).unwrap(), ["a", "b"]);
    assert_eq!((journal.number, journal.used_bytes), (2, 2 * RECORD));
}

#[test]
fn a_record_in_another_place_is_none() {
    let dir = tempfile::tempdir().unwrap();
    written(&dir, &["a", "b"]);
    change_file(&dir, |bytes| bytes.copy_within(RECORD..2 * RECORD, 5 * RECORD));
    assert_eq!(left(&dir, LIFE).unwrap(), ["a", "b"]);
    change_file(&dir, |bytes| bytes.copy_within(RECORD..2 * RECORD, 0));
    assert!(is_damage(&left(&dir, LIFE), "record 1 "));
}

#[test]
fn what_somebody_writes_who_knows_the_format_is_no_record() {
    let other = tempfile::tempdir().unwrap();
    written(&other, &["a", "b", "c", "forged"]);
    let forged = std::fs::read(other.path().join(NAME)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), Filed::default()).unwrap();
    let filed = journal.begin(8).unwrap();
    // At the start of a block, and for that place.
    let mut value = forged[HEADER_SIZE_BYTES..4 * RECORD].to_vec();
    value.drain(..FRAME_SIZE_BYTES + 1 + 4 + 1 + 4);
    write(&mut journal, &[Change::Put { key: "v".into(), value }]);
    let bytes = std::fs::read(dir.path().join(NAME)).unwrap();
    assert_eq!(bytes[3 * RECORD..4 * RECORD], forged[3 * RECORD..4 * RECORD], "it lies where it would count");
    change_file(&dir, |bytes| bytes[HEADER_SIZE_BYTES + 30] ^= 1);
    assert_eq!(left(&dir, filed).unwrap(), [""; 0]);
}

#[test]
fn a_journal_that_is_missing_or_cut_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    written(&dir, &["a"]);
    change_file(&dir, |bytes| bytes.truncate(SEGMENT_SIZE_BYTES));
    assert!(is_damage(&left(&dir, LIFE), "(it is cut)"));
    std::fs::remove_file(dir.path().join(NAME)).unwrap();
    assert!(is_damage(&left(&dir, LIFE), "(it is missing)"));
    assert_eq!(left(&dir, Filed::default()).unwrap(), [""; 0], "there was none");
}

#[test]
fn the_record_of_a_later_build_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    written(&dir, &["a"]);
    let header = [&1u64.to_be_bytes()[..], &5u32.to_be_bytes()].concat();
    let newer = record::tests::seal_newer(&key(LIFE.life, 0), &header);
    change_file(&dir, |bytes| bytes[..newer.len()].copy_from_slice(&newer));
    assert!(matches!(left(&dir, LIFE), Err(StoreError::Newer { .. })));
}
