//! Bytes as text that people carry around: a prefix that says what it is, then base 32 with a
//! checksum, so that a slip of the pen is noticed rather than tried.

use data_encoding::BASE32_NOPAD;

/// Enough to miss a slip once in four thousand million.
const CHECKSUM_SIZE_BYTES: usize = 4;

/// The text form.
pub(crate) fn seal(prefix: &str, bytes: &[u8]) -> String {
    let mut sealed = bytes.to_vec();
    sealed.extend(checksum(prefix, bytes));
    format!("{prefix}{}", BASE32_NOPAD.encode(&sealed).to_lowercase())
}

/// The bytes of a text form; capitals and white space do not matter. None where the text is anything
/// else than what [`seal`] made with this prefix.
pub(crate) fn open(prefix: &str, text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_whitespace().collect::<String>().to_ascii_lowercase();
    let mut bytes = BASE32_NOPAD.decode(text.strip_prefix(prefix)?.to_ascii_uppercase().as_bytes()).ok()?;
    let sum = bytes.split_off(bytes.len().checked_sub(CHECKSUM_SIZE_BYTES)?);
    (sum == checksum(prefix, &bytes)).then_some(bytes)
}

fn checksum(prefix: &str, bytes: &[u8]) -> [u8; CHECKSUM_SIZE_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key("five9s text checksum v1");
    hasher.update(prefix.as_bytes()).update(bytes);
    let mut sum = [0; CHECKSUM_SIZE_BYTES];
    hasher.finalize_xof().fill(&mut sum);
    sum
}
