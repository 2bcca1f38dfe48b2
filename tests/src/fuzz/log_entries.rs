//! Entries of the log, layer by layer: the frame with version and checksum, Raft's entry, and the application's in it.

use bytes::Bytes;
use node::app::Entry;
use node::raft::bytes::{CodecError, reread_entry, write_entry};
use node::store::{StoreError, record};

use super::draw::Draw;
use super::memory::modest;
use super::samples::{behind, unhex};
use super::{Target, commands};

pub(super) const TARGET: Target =
    Target { name: "log_entries", run, seeds, words: &[b"\x01\x01", b"\x01\0", b"\xff\xff\xff\xff\x0f"] };

/// The only version that there is of each layer.
const VERSION: u8 = 1;

/// Entries as they were written when they were first released: those of `node/src/raft/entry.rs` and `node/src/app/tests/golden.rs`.
const RAFT: &[&str] = &["0103020700", "0103020801636f6d6d616e64"];
const APP: &[&str] = &["01000503010405", "010004ac02050108090003626f62026869d00f", "010103"];

/// Of a record: version and CRC32C.
const HEADER_SIZE_BYTES: usize = 5;

/// One byte says which layer, the rest lies there.
fn run(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    match kind % 4 {
        0 => open_record(bytes),
        1 => damage_record(bytes),
        2 => reread_raft(&Bytes::copy_from_slice(bytes)),
        _ => reread_app(bytes),
    }
}

/// Key and frame. What is opened is what the checksum says, and only that; a second opinion on the checksum is not the store's own.
fn open_record(bytes: &[u8]) {
    let Some((key, frame)) = bytes.split_first_chunk::<8>() else { return };
    let opened = modest(frame.len(), || record::open(key, frame, || "here".to_owned(), || "it".to_owned()));
    let Some((header, payload)) = frame.split_at_checked(HEADER_SIZE_BYTES) else {
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "a record without a header is opened");
        return;
    };
    let sum = crc32c::crc32c(&[&[header[0]], &key[..], payload].concat());
    match opened {
        Ok(found) => {
            assert_eq!(header[1..], sum.to_be_bytes(), "a record is opened whose checksum is wrong");
            assert_eq!((header[0], found), (VERSION, payload));
            reread_raft(&Bytes::copy_from_slice(found));
        }
        Err(StoreError::Newer { found, .. }) => {
            assert_eq!(header[1..], sum.to_be_bytes(), "damage is taken for a newer version");
            assert_eq!(found, u32::from(header[0]));
        }
        Err(StoreError::Damaged { .. }) => {
            assert_ne!(header[1..], sum.to_be_bytes(), "a whole record is taken for a damaged one");
        }
        Err(other) => panic!("a record cannot be opened for another reason: {other}"),
    }
}

/// A whole record, damaged in up to three places as the input says: never opened as another one. (Of a CRC32C that holds for every
/// record of up to some hundred megabytes.)
fn damage_record(bytes: &[u8]) {
    let mut draw = Draw(bytes);
    let places = [(); 3].map(|()| (draw.short(), draw.byte()));
    let cut = draw.byte();
    let index = draw.long();
    let key = index.to_be_bytes();
    let whole = record::seal(&key, &write_entry(draw.long(), 1, index, Bytes::copy_from_slice(draw.0)));
    let mut damaged = whole.clone();
    for (place, flip) in places {
        let at = usize::from(place) % damaged.len();
        // One bit of each.
        damaged[at] ^= 1 << (flip % 8);
    }
    damaged.truncate(damaged.len() - usize::from(cut).min(damaged.len()));
    let opened = record::open(&key, &damaged, || "here".to_owned(), || "it".to_owned());
    if damaged == whole {
        let found = opened.unwrap_or_else(|error| panic!("a whole record is refused: {error}"));
        let entry = reread_entry(&Bytes::copy_from_slice(found)).expect("what was written is understood");
        assert_eq!(entry.index, index);
        assert_eq!(entry.command.as_deref(), Some(draw.0));
    } else if cut == 0 {
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "a damaged record is taken for {opened:?}");
    }
}

fn reread_raft(bytes: &Bytes) {
    match modest(bytes.len(), || reread_entry(bytes)) {
        Ok(entry) => {
            let again = reread_entry(&Bytes::from(entry.bytes.clone()));
            assert_eq!(again.as_ref(), Ok(&entry), "an entry changes when it is written and read");
            let longer = reread_entry(&Bytes::from([bytes, &[0][..]].concat()));
            match (&entry.command, longer) {
                (Some(command), Ok(longer)) => assert_eq!(longer.command.map(|it| it.len()), Some(command.len() + 1)),
                (None, Err(CodecError::Malformed)) => {}
                (_, longer) => panic!("what follows an entry is taken for {longer:?}"),
            }
            entry.command.iter().for_each(|command| reread_app(command));
        }
        Err(CodecError::Newer(version)) => assert!(version > VERSION && bytes.first() == Some(&version)),
        Err(CodecError::Malformed) => assert!(bytes.first().is_none_or(|version| *version <= VERSION)),
    }
}

fn reread_app(bytes: &[u8]) {
    match modest(bytes.len(), || Entry::decode(bytes)) {
        Ok(entry) => {
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry), "a command changes when it is written and read");
            assert!(Entry::decode(&[bytes, &[0]].concat()).is_err(), "what follows a command is passed over");
        }
        Err(StoreError::Newer { found, .. }) => {
            assert!(found > u32::from(VERSION) && bytes.first().copied().map(u32::from) == Some(found));
        }
        Err(StoreError::Damaged { .. }) => assert!(bytes.first().is_none_or(|version| *version <= VERSION)),
        Err(other) => panic!("an entry cannot be read for another reason: {other}"),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for raft in RAFT.iter().map(|digits| Bytes::from(unhex(digits))) {
        assert!(reread_entry(&raft).is_ok(), "an entry of an earlier build is not understood");
        seeds.push(behind(2, &raft));
        seeds.push(sealed(7, &raft));
    }
    for app in APP.iter().map(|digits| unhex(digits)) {
        assert!(Entry::decode(&app).is_ok(), "a command of an earlier build is not understood");
        seeds.push(behind(3, app));
    }
    for (index, command) in (1..).zip(commands::story()) {
        let app = Entry::Chat(command).encode();
        let raft = write_entry(3, 2, index, app.clone());
        seeds.extend([behind(3, &app), behind(2, &raft), sealed(index, &raft)]);
        // Three places where nothing is damaged, as each comes twice or is beyond what is drawn; then all kinds.
        seeds.push(behind(1, [&[0, 9, 1, 0, 3, 2, 0, 9, 1, 0][..], &index.to_be_bytes(), &[0; 8], &app].concat()));
    }
    seeds
}

fn sealed(index: u64, entry: &[u8]) -> Vec<u8> {
    let key = index.to_be_bytes();
    behind(0, [&key[..], &record::seal(&key, entry)].concat())
}
