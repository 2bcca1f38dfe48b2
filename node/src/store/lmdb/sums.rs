//! What the log's pages must add up to. LMDB trusts every page that it reads, and a page in another's place may be an older one of the
//! same table: each row of it whole, and the table as it was some transactions before.

use super::journal::Filed;
use crate::store::record;

/// What a transaction of the log leaves, beside the names of the tables: in a page that every transaction writes anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// The transaction that wrote this, by LMDB's count.
    pub(super) transaction: u64,
    pub(super) entries: Sum,
    pub(super) records: Sum,
    /// How far the tables have the journal.
    pub(super) filed: Filed,
}

/// The sum of the checksums of a table's frames, in any order. A sum rather than XOR: CRCs are linear, and the same change to two rows
/// would cancel out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(u64);

impl Sum {
    pub(super) fn add(&mut self, frame: &[u8]) {
        self.0 = self.0.wrapping_add(record::checksum_in(frame).into());
    }

    pub(super) fn remove(&mut self, frame: &[u8]) {
        self.0 = self.0.wrapping_sub(record::checksum_in(frame).into());
    }
}

impl Sums {
    /// The key of its row among the names of the tables.
    pub(super) const KEY: &[u8] = b"sums";

    pub(super) fn encode(self) -> Vec<u8> {
        let Filed { life, number } = self.filed;
        let payload = [self.transaction, self.entries.0, self.records.0, life, number].map(u64::to_be_bytes).concat();
        record::seal(Self::KEY, &payload)
    }

    /// None where it is damaged.
    pub(super) fn decode(frame: &[u8]) -> Option<Self> {
        let payload = record::open(Self::KEY, frame, String::new, String::new).ok()?;
        let (numbers, rest) = payload.as_chunks();
        let numbers: Vec<_> = numbers.iter().copied().map(u64::from_be_bytes).collect();
        let (transaction, entries, records, filed) = match numbers[..] {
            // As builds before the journal left it.
            [transaction, entries, records] => (transaction, entries, records, Filed::default()),
            [transaction, entries, records, life, number] => (transaction, entries, records, Filed { life, number }),
            _ => return None,
        };
        rest.is_empty().then_some(Self { transaction, entries: Sum(entries), records: Sum(records), filed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_leaves_what_was_there_before() {
        let (one, two) = (record::seal(b"1", b"one"), record::seal(b"2", b"two"));
        let mut sum = Sum::default();
        sum.add(&one);
        let before = sum;
        sum.add(&two);
        assert_ne!(sum, before);
        sum.remove(&two);
        assert_eq!(sum, before);
    }

    #[test]
    fn the_same_change_to_two_rows_is_a_change() {
        let sum = |payload: &[u8]| {
            let mut sum = Sum::default();
            for key in [b"1", b"2"] {
                sum.add(&record::seal(key, payload));
            }
            sum
        };
        assert_ne!(sum(b"term 3"), sum(b"term 4"));
    }

    #[test]
    fn it_is_read_as_it_was_written_and_damage_is_not_read() {
        let filed = Filed { life: 9, number: 4 };
        let sums = Sums { transaction: 7, entries: Sum(u64::MAX), records: Sum(3), filed };
        let mut frame = sums.encode();
        assert_eq!(Sums::decode(&frame), Some(sums));
        let earlier = record::seal(Sums::KEY, &[7, u64::MAX, 3].map(u64::to_be_bytes).concat());
        assert_eq!(Sums::decode(&earlier), Some(Sums { filed: Filed::default(), ..sums }));
        frame[9] ^= 1;
        assert_eq!(Sums::decode(&frame), None);
        assert_eq!(Sums::decode(&record::seal(Sums::KEY, b"short")), None);
    }
}
