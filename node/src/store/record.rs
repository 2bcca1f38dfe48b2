//! The frame around everything that lies on a disk: a version, so that an older program does not misread
//! what a newer one wrote, and a checksum, because neither LMDB nor a file system has one. A single bit
//! that flips must stop the node, not spread to others.

use super::StoreError;

/// The version of the frame and of what every store puts in it.
const VERSION: u8 = 1;

/// Version and CRC32C, before the payload.
const HEADER_SIZE_BYTES: usize = 5;

/// Frames a payload. `key` is where it will be found again; it goes into the checksum, so that a record in
/// a wrong place is as damaged as a wrong record.
pub fn seal(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_SIZE_BYTES + payload.len());
    seal_onto(&mut frame, key, payload);
    frame
}

/// The same, behind what is in `frame`.
pub fn seal_onto(frame: &mut Vec<u8>, key: &[u8], payload: &[u8]) {
    seal_as(VERSION, frame, key, payload);
}

/// Checks a frame and returns its payload. `place` and `what` name the record in the error.
pub fn open<'a>(
    key: &[u8],
    frame: &'a [u8],
    place: impl Fn() -> String,
    what: impl Fn() -> String,
) -> Result<&'a [u8], StoreError> {
    let damaged = || StoreError::Damaged { place: place(), what: what() };
    let (header, payload) = frame.split_at_checked(HEADER_SIZE_BYTES).ok_or_else(damaged)?;
    let version = header[0];
    // The checksum first: a version that a flipped bit made newer is damage, not news.
    if header[1..] != checksum(version, key, payload).to_be_bytes() {
        return Err(damaged());
    }
    if version != VERSION {
        return Err(StoreError::Newer { place: place(), found: version.into(), known: VERSION.into() });
    }
    Ok(payload)
}

/// The checksum that a frame says it has; 0 where it is cut.
pub fn checksum_in(frame: &[u8]) -> u32 {
    frame.get(1..HEADER_SIZE_BYTES).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn seal_as(version: u8, frame: &mut Vec<u8>, key: &[u8], payload: &[u8]) {
    frame.push(version);
    frame.extend(checksum(version, key, payload).to_be_bytes());
    frame.extend(payload);
}

fn checksum(version: u8, key: &[u8], payload: &[u8]) -> u32 {
    let head = crc32c::crc32c(&[version]);
    crc32c::crc32c_append(crc32c::crc32c_append(head, key), payload)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A frame as some later version of this program would write it.
    pub(in crate::store) fn seal_newer(key: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        seal_as(VERSION + 1, &mut frame, key, payload);
        frame
    }

    fn open(key: &[u8], frame: &[u8]) -> Result<Vec<u8>, StoreError> {
        super::open(key, frame, || "here".to_owned(), || "it".to_owned()).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        assert_eq!(open(b"key", &seal(b"key", b"payload")), Ok(b"payload".to_vec()));
        assert_eq!(open(b"", &seal(b"", b"")), Ok(vec![]));
    }

    #[test]
    fn the_frame_never_changes() {
        assert_eq!(seal(b"vote", b"abc"), [1, 201, 175, 200, 41, b'a', b'b', b'c']);
    }

    #[test]
    fn any_flipped_bit_is_damage() {
        let frame = seal(b"key", b"payload");
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(open(b"key", &flipped), Err(StoreError::Damaged { .. })), "bit {bit}");
        }
    }

    #[test]
    fn a_cut_record_is_damage() {
        let frame = seal(b"key", b"payload");
        for size in 0..frame.len() {
            assert!(matches!(open(b"key", &frame[..size]), Err(StoreError::Damaged { .. })), "size {size}");
        }
    }

    #[test]
    fn a_record_under_anothers_key_is_damage() {
        assert!(matches!(open(b"other", &seal(b"key", b"payload")), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let newer = StoreError::Newer { place: "here".to_owned(), found: 2, known: 1 };
        assert_eq!(open(b"key", &seal_newer(b"key", b"payload")), Err(newer));
    }
}
