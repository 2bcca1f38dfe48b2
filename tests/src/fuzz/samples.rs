//! Frames as they were written when they were first released: the golden files of `wire` and `node`.

use std::path::Path;

/// The frames in a golden file, such as `wire/golden/v1/ask.hex`, their lengths in front.
pub(super) fn golden(file: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let frame = |line: &str| unhex(line.rsplit(' ').next().unwrap_or_default());
    text.lines().map(frame).collect()
}

/// The bodies of the frames in a golden file: version and value.
pub(super) fn golden_bodies(file: &str) -> Vec<Vec<u8>> {
    golden(file).into_iter().map(|frame| frame[super::frames::LENGTH_SIZE_BYTES..].to_vec()).collect()
}

/// The bytes that hex digits stand for.
pub(super) fn unhex(digits: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    digits.as_bytes().chunks(2).map(|pair| byte(pair).expect("golden files have pairs of hex digits")).collect()
}

/// The input with a byte in front, which says to a target what to make of the rest.
pub(super) fn behind(first: u8, input: impl AsRef<[u8]>) -> Vec<u8> {
    [&[first], input.as_ref()].concat()
}
