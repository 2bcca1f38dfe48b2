//! Keys, compared by their first bytes as numbers: that is the cheapest of what sorting and merging does, and for most keys it is all.

use std::cmp::Ordering;

/// So many of a key's first bytes: no key of a row that messages leave behind is longer.
const PREFIX_SIZE_BYTES: usize = 24;

/// The first bytes of a key as numbers, with zeros where it is shorter: in the order of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix([u64; PREFIX_SIZE_BYTES / 8]);

impl Prefix {
    fn of(key: &[u8]) -> Self {
        let mut bytes = [0; PREFIX_SIZE_BYTES];
        let size = key.len().min(PREFIX_SIZE_BYTES);
        bytes[..size].copy_from_slice(&key[..size]);
        let (words, _) = bytes.as_chunks::<8>();
        Self([0, 1, 2].map(|word| u64::from_be_bytes(words[word])))
    }
}

/// A key that lies elsewhere. In the order of the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyRef<'a> {
    pub(super) prefix: Prefix,
    pub(super) bytes: &'a [u8],
}

impl<'a> KeyRef<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { prefix: Prefix::of(bytes), bytes }
    }
}

impl Ord for KeyRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (size, other_size) = (self.bytes.len(), other.bytes.len());
        self.prefix.cmp(&other.prefix).then_with(|| {
            // Where both are wholly in their prefixes, one is the other with zeros behind it.
            if size.max(other_size) <= PREFIX_SIZE_BYTES { size.cmp(&other_size) } else { self.bytes.cmp(other.bytes) }
        })
    }
}

impl PartialOrd for KeyRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for KeyRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for KeyRef<'_> {}

/// A key of its own, without a piece of memory for most. In the order of the bytes, so its parts are in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OwnKey {
    prefix: Prefix,
    /// What is behind the prefix.
    rest: Box<[u8]>,
    /// Tells zeros at the end of a short key from those that are not there.
    size: usize,
}

impl OwnKey {
    pub(super) fn of(key: &[u8]) -> Self {
        let rest = key.get(PREFIX_SIZE_BYTES..).unwrap_or_default().into();
        Self { prefix: Prefix::of(key), rest, size: key.len() }
    }

    pub(super) fn prefix(&self) -> Prefix {
        self.prefix
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Often alike up to some place around the prefix's end.
    fn key() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![4 => Just(0u8), 1 => 0u8..3, 1 => any::<u8>()];
        proptest::collection::vec(byte, 0..30)
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_their_bytes(one in key(), other in key(), common in key()) {
            let behind = |end: &[u8]| [&common[..], end].concat();
            for (one, other) in [(one.clone(), other.clone()), (behind(&one), behind(&other)), (common.clone(), behind(&one))] {
                let order = one.cmp(&other);
                prop_assert_eq!(KeyRef::of(&one).cmp(&KeyRef::of(&other)), order);
                prop_assert_eq!(OwnKey::of(&one).cmp(&OwnKey::of(&other)), order);
            }
        }
    }
}
