//! Sorted runs of changes in memory, and the merging of several.

use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::Bound;
use std::slice;

/// Changes to a table that are still being made. A row without a value was removed.
pub(super) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A key, and its value if it was not removed.
pub(super) type Row<'a> = (&'a [u8], Option<&'a [u8]>);

/// Changes to all tables, table by table. They never change again, so readers share them.
#[derive(Debug)]
pub(super) struct Layer(Vec<Sorted>);

impl Layer {
    /// What was changed, table by table.
    pub(super) fn of(changes: &[Changes]) -> Self {
        Self(changes.iter().map(Sorted::of).collect())
    }

    /// Those of both. Of the changes to a row the newer counts.
    pub(super) fn merged(newer: &Self, older: &Self) -> Self {
        Self(newer.0.iter().zip(&older.0).map(|(newer, older)| Sorted::merged(&[newer, older])).collect())
    }

    /// Those to the table of this number.
    pub(super) fn table(&self, number: usize) -> &Sorted {
        &self.0[number]
    }

    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|table| table.places.len()).sum()
    }

    pub(super) fn size_bytes(&self) -> usize {
        let of_table = |table: &Sorted| table.bytes.len() + table.places.len() * size_of::<Place>();
        self.0.iter().map(of_table).sum()
    }
}

/// Changes to one table, ascending by key. All bytes lie in one piece of memory: they are merged far more often than looked into.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Where in the bytes a row lies: its value behind its key.
#[derive(Debug)]
pub(super) struct Place {
    key_at: usize,
    value_at: usize,
    end: usize,
    is_removed: bool,
}

impl Sorted {
    fn of(changes: &Changes) -> Self {
        let size_of = |(key, value): Row<'_>| key.len() + value.map_or(0, <[u8]>::len);
        let size_bytes = changes.iter().map(borrowed).map(size_of).sum();
        Self::with_room(size_bytes, changes.len()).with(changes.iter().map(borrowed))
    }

    /// The newest first.
    fn merged(several: &[&Self]) -> Self {
        let size_bytes = several.iter().map(|sorted| sorted.bytes.len()).sum();
        let count = several.iter().map(|sorted| sorted.places.len()).sum();
        let runs = several.iter().map(|sorted| sorted.range(&[], None)).collect();
        Self::with_room(size_bytes, count).with(Merged::of(runs))
    }

    fn with_room(size_bytes: usize, count: usize) -> Self {
        Self { bytes: Vec::with_capacity(size_bytes), places: Vec::with_capacity(count) }
    }

    fn with<'a>(mut self, rows: impl Iterator<Item = Row<'a>>) -> Self {
        for (key, value) in rows {
            let key_at = self.bytes.len();
            self.bytes.extend_from_slice(key);
            let value_at = self.bytes.len();
            self.bytes.extend_from_slice(value.unwrap_or_default());
            self.places.push(Place { key_at, value_at, end: self.bytes.len(), is_removed: value.is_none() });
        }
        self
    }

    /// What it says of a row, if it says anything.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let found = self.places.binary_search_by(|place| self.key(place).cmp(key)).ok()?;
        Some(self.row(self.places.get(found)?).1)
    }

    /// The rows in `from..to` (`to` None: to the end).
    pub(super) fn range(&self, from: &[u8], to: Option<&[u8]>) -> Run<'_> {
        let place_of = |key: &[u8]| self.places.partition_point(|place| self.key(place) < key);
        let (begin, end) = (place_of(from), to.map_or(self.places.len(), place_of));
        Run::Sorted(self, self.places.get(begin..end).unwrap_or_default().iter())
    }

    fn key(&self, place: &Place) -> &[u8] {
        &self.bytes[place.key_at..place.value_at]
    }

    fn row(&self, place: &Place) -> Row<'_> {
        let value = &self.bytes[place.value_at..place.end];
        (self.key(place), (!place.is_removed).then_some(value))
    }
}

fn borrowed<'a>((key, value): (&'a Vec<u8>, &'a Option<Vec<u8>>)) -> Row<'a> {
    (key, value.as_deref())
}

/// The changes in `from..to` (`to` None: to the end).
pub(super) fn range_of<'a>(changes: &'a Changes, from: &[u8], to: Option<&[u8]>) -> Run<'a> {
    if to.is_some_and(|to| to <= from) {
        return Run::Changes(btree_map::Range::default());
    }
    let to = to.map_or(Bound::Unbounded, Bound::Excluded);
    Run::Changes(changes.range::<[u8], _>((Bound::Included(from), to)))
}

/// Some rows of a table, of one layer or of what is still being changed.
pub(super) enum Run<'a> {
    Sorted(&'a Sorted, slice::Iter<'a, Place>),
    Changes(btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>),
}

impl<'a> Iterator for Run<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        match self {
            Self::Sorted(sorted, places) => places.next().map(|place| sorted.row(place)),
            Self::Changes(rows) => rows.next().map(borrowed),
        }
    }
}

impl DoubleEndedIterator for Run<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Sorted(sorted, places) => places.next_back().map(|place| sorted.row(place)),
            Self::Changes(rows) => rows.next_back().map(borrowed),
        }
    }
}

/// Several runs as one, ascending; of rows with the same key the one in the first run that has it.
pub(super) struct Merged<'a>(Vec<Peekable<Run<'a>>>);

impl<'a> Merged<'a> {
    /// Of these, the newest first.
    pub(super) fn of(runs: Vec<Run<'a>>) -> Self {
        Self(runs.into_iter().map(Iterator::peekable).collect())
    }
}

impl<'a> Iterator for Merged<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        let mut least: Option<(usize, &[u8])> = None;
        // Runs, by their places, that have nothing to say of the row, because a newer one does.
        let mut passed_over = 0..0;
        for (place, run) in self.0.iter_mut().enumerate() {
            let Some((key, _)) = run.peek() else { continue };
            match least.map_or(Ordering::Less, |(_, least)| (*key).cmp(least)) {
                Ordering::Less => {
                    least = Some((place, *key));
                    passed_over = 0..0;
                }
                Ordering::Equal if passed_over.is_empty() => passed_over = place..place + 1,
                Ordering::Equal => passed_over.end = place + 1,
                Ordering::Greater => {}
            }
        }
        let (place, key) = least?;
        for run in self.0.get_mut(passed_over)?.iter_mut() {
            run.next_if(|(other, _)| *other == key);
        }
        self.0.get_mut(place)?.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(rows: &[(&str, Option<&str>)]) -> Sorted {
        let owned = |(key, value): &(&str, Option<&str>)| (key.as_bytes().to_vec(), value.map(|value| value.into()));
        Sorted::of(&rows.iter().map(owned).collect())
    }

    fn all(sorted: &Sorted) -> String {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let row = |(key, value): Row<'_>| format!("{}={} ", text(key), value.map_or("-".to_owned(), text));
        sorted.range(b"", None).map(row).collect()
    }

    #[test]
    fn of_the_changes_to_a_row_the_newest_counts() {
        let oldest = sorted(&[("a", Some("1")), ("b", Some("1")), ("c", Some("1")), ("d", None)]);
        let middle = sorted(&[("b", None), ("c", Some("2")), ("d", Some("2"))]);
        let newest = sorted(&[("", Some("3")), ("c", Some("3")), ("e", None)]);
        assert_eq!(all(&Sorted::merged(&[&newest, &middle, &oldest])), "=3 a=1 b=- c=3 d=2 e=- ");
    }

    #[test]
    fn a_row_is_found_and_so_is_that_it_is_gone() {
        let sorted = sorted(&[("a", Some("1")), ("b", None), ("c", Some(""))]);
        assert_eq!(sorted.get(b"a"), Some(Some(&b"1"[..])));
        assert_eq!(sorted.get(b"b"), Some(None));
        assert_eq!(sorted.get(b"c"), Some(Some(&b""[..])));
        assert_eq!(sorted.get(b"bb"), None);
    }

    #[test]
    fn a_range_has_its_first_key_and_not_the_one_behind_it() {
        let sorted = sorted(&[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))]);
        let keys = |from: &str, to: Option<&str>| {
            let rows = sorted.range(from.as_bytes(), to.map(str::as_bytes));
            rows.map(|(key, _)| char::from(key[0])).collect::<String>()
        };
        assert_eq!(keys("a", Some("c")), "ab");
        assert_eq!(keys("aa", None), "bc");
        assert_eq!(keys("c", Some("a")), "");
        assert_eq!(sorted.range(b"a", Some(b"c")).next_back(), Some((&b"b"[..], Some(&b"2"[..]))));
    }
}
