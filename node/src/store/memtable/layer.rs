//! Sorted runs of changes in memory, and the merging of several.
//!
//! The bytes of a row lie in a piece of memory that the rows of one transaction share, and merging does not move them: what is sorted and
//! merged are the places where they lie.

use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::slice;
use std::sync::Arc;

use super::key::{KeyRef, OwnKey, Prefix};
use crate::store::StoreError;

/// Rows of a transaction go into one piece until it is this large.
const PIECE_SIZE_BYTES: usize = 256 * 1024;

/// A key, and its value if it was not removed.
pub(super) type Row<'a> = (KeyRef<'a>, Option<&'a [u8]>);

/// Where the bytes of a row lie: its value behind its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Which piece.
    piece: u32,
    at: u32,
    value_size: u32,
    key_size: u16,
    is_removed: bool,
}

impl Place {
    fn row(self, pieces: &[impl AsRef<[u8]>], prefix: Prefix) -> Row<'_> {
        let at = self.at as usize;
        let value_at = at + usize::from(self.key_size);
        let bytes = pieces[self.piece as usize].as_ref();
        let value = &bytes[value_at..value_at + self.value_size as usize];
        (KeyRef { prefix, bytes: &bytes[at..value_at] }, (!self.is_removed).then_some(value))
    }
}

/// Changes to all tables, still being made.
#[derive(Debug)]
pub(super) struct Changes {
    pieces: Vec<Vec<u8>>,
    /// Table by table.
    places: Vec<BTreeMap<OwnKey, Place>>,
}

impl Changes {
    /// None yet, to so many tables.
    pub(super) fn none(tables: usize) -> Self {
        Self { pieces: Vec::new(), places: vec![BTreeMap::new(); tables] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// From here on this is the row's value; without one, it is removed.
    pub(super) fn change(&mut self, table: usize, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        let is_removed = value.is_none();
        let value = value.unwrap_or_default();
        if self.pieces.last().is_none_or(|piece| piece.len() >= PIECE_SIZE_BYTES) {
            self.pieces.push(Vec::new());
        }
        let last = self.pieces.len() - 1;
        let piece = &mut self.pieces[last];
        let place = Place {
            piece: number(last)?,
            at: number(piece.len())?,
            value_size: number(value.len())?,
            key_size: number(key.len())?,
            is_removed,
        };
        piece.extend_from_slice(key);
        piece.extend_from_slice(value);
        self.places[table].insert(OwnKey::of(key), place);
        Ok(())
    }

    /// What they say of a row, if they say anything.
    pub(super) fn get(&self, table: usize, key: KeyRef<'_>) -> Option<Option<&[u8]>> {
        let place = self.places[table].get(&OwnKey::of(key.bytes))?;
        Some(place.row(&self.pieces, key.prefix).1)
    }

    /// Those to the rows of a table in `from..to` (`to` None: to the end).
    pub(super) fn range(&self, table: usize, from: KeyRef<'_>, to: Option<KeyRef<'_>>) -> Run<'_> {
        let (places, from) = (&self.places[table], OwnKey::of(from.bytes));
        let found = match to.map(|to| OwnKey::of(to.bytes)) {
            Some(to) if to <= from => btree_map::Range::default(),
            Some(to) => places.range(from..to),
            None => places.range(from..),
        };
        Run::Changes(&self.pieces, found)
    }
}

/// A number of bytes or pieces; an error where it is beyond all that may be.
fn number<N: TryFrom<usize>>(number: usize) -> Result<N, StoreError> {
    N::try_from(number).map_err(|_| {
        let reason = format!("{number} bytes are too long for a row");
        StoreError::Io { action: "put a row into", place: "the changes in memory".to_owned(), reason }
    })
}

/// Changes to all tables. They never change again, so readers share them.
#[derive(Debug)]
pub(super) struct Layer {
    pieces: Vec<Arc<[u8]>>,
    /// Table by table, ascending by key.
    tables: Vec<Vec<Slot>>,
}

/// A row, told by its key's first bytes and where all of it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    prefix: Prefix,
    place: Place,
}

impl Layer {
    /// What was changed.
    pub(super) fn of(changes: Changes) -> Self {
        let slots = |places: BTreeMap<OwnKey, Place>| {
            places.into_iter().map(|(key, place)| Slot { prefix: key.prefix(), place }).collect()
        };
        Self {
            pieces: changes.pieces.into_iter().map(Arc::from).collect(),
            tables: changes.places.into_iter().map(slots).collect(),
        }
    }

    /// Those of both. Of the changes to a row the newer counts.
    pub(super) fn merged(newer: &Self, older: &Self) -> Self {
        let pieces = [newer.pieces.as_slice(), older.pieces.as_slice()].concat();
        let offset = u32::try_from(newer.pieces.len()).expect("a layer is flushed before it has so many pieces");
        let moved = |slot: &Slot| Slot { place: Place { piece: slot.place.piece + offset, ..slot.place }, ..*slot };
        let tables = newer.tables.iter().zip(&older.tables);
        let tables = tables.map(|(newer, older)| {
            let older = older.iter().map(moved).collect::<Vec<_>>();
            if newer.is_empty() || older.is_empty() {
                [newer.as_slice(), &older].concat()
            } else {
                merge(&pieces, newer, &older)
            }
        });
        let tables = tables.collect();
        Self { pieces, tables }
    }

    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.tables.iter().map(Vec::len).sum()
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len()).sum::<usize>() + self.len() * size_of::<Slot>()
    }

    /// What it says of a row, if it says anything.
    pub(super) fn get(&self, table: usize, key: KeyRef<'_>) -> Option<Option<&[u8]>> {
        let slots = &self.tables[table];
        let found = slots.binary_search_by(|slot| self.row(slot).0.cmp(&key)).ok()?;
        Some(self.row(slots.get(found)?).1)
    }

    /// The rows of a table in `from..to` (`to` None: to the end).
    pub(super) fn range(&self, table: usize, from: KeyRef<'_>, to: Option<KeyRef<'_>>) -> Run<'_> {
        let slots = &self.tables[table];
        let place_of = |key: KeyRef<'_>| slots.partition_point(|slot| self.row(slot).0 < key);
        let (begin, end) = (place_of(from), to.map_or(slots.len(), place_of));
        Run::Layer(&self.pieces, slots.get(begin..end).unwrap_or_default().iter())
    }

    /// All rows of a table.
    pub(super) fn all(&self, table: usize) -> Run<'_> {
        Run::Layer(&self.pieces, self.tables[table].iter())
    }

    fn row(&self, slot: &Slot) -> Row<'_> {
        slot.place.row(&self.pieces, slot.prefix)
    }
}

/// Both in one row, and of the same key the newer.
fn merge(pieces: &[Arc<[u8]>], newer: &[Slot], older: &[Slot]) -> Vec<Slot> {
    let key = |slot: &Slot| slot.place.row(pieces, slot.prefix).0;
    let mut merged = Vec::with_capacity(newer.len() + older.len());
    let (mut newer, mut older) = (newer.iter().peekable(), older.iter().peekable());
    while let (Some(new), Some(old)) = (newer.peek(), older.peek()) {
        let order = key(new).cmp(&key(old));
        if order.is_ge() {
            let old = older.next();
            merged.extend(old.filter(|_| order.is_gt()));
        }
        if order.is_le() {
            merged.extend(newer.next());
        }
    }
    merged.extend(newer);
    merged.extend(older);
    merged
}

/// Some rows of a table, of one layer or of what is still being changed.
pub(super) enum Run<'a> {
    Layer(&'a [Arc<[u8]>], slice::Iter<'a, Slot>),
    Changes(&'a [Vec<u8>], btree_map::Range<'a, OwnKey, Place>),
}

impl<'a> Iterator for Run<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        match self {
            Self::Layer(pieces, slots) => slots.next().map(|slot| slot.place.row(pieces, slot.prefix)),
            Self::Changes(pieces, places) => places.next().map(|(key, place)| place.row(pieces, key.prefix())),
        }
    }
}

impl DoubleEndedIterator for Run<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Layer(pieces, slots) => slots.next_back().map(|slot| slot.place.row(pieces, slot.prefix)),
            Self::Changes(pieces, places) => places.next_back().map(|(key, place)| place.row(pieces, key.prefix())),
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
        let mut least: Option<(usize, KeyRef<'_>)> = None;
        // Runs, by their places, that have nothing to say of the row, because a newer one does.
        let mut passed_over = 0..0;
        for (place, run) in self.0.iter_mut().enumerate() {
            let Some((key, _)) = run.peek() else { continue };
            match least.map_or(Ordering::Less, |(_, least)| key.cmp(&least)) {
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

    fn layer(rows: &[(&str, Option<&str>)]) -> Layer {
        let mut changes = Changes::none(1);
        for (key, value) in rows {
            changes.change(0, key.as_bytes(), value.map(str::as_bytes)).unwrap();
        }
        Layer::of(changes)
    }

    fn all(run: Run<'_>) -> String {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let row = |(key, value): Row<'_>| format!("{}={} ", text(key.bytes), value.map_or("-".to_owned(), text));
        run.map(row).collect()
    }

    #[test]
    fn of_the_changes_to_a_row_the_newest_counts() {
        let oldest = layer(&[("a", Some("1")), ("b", Some("1")), ("c", Some("1")), ("d", None)]);
        let middle = layer(&[("b", None), ("c", Some("2")), ("d", Some("2"))]);
        let newest = layer(&[("c", Some("2½")), ("", Some("3")), ("c", Some("3")), ("e", None)]);
        let expected = "=3 a=1 b=- c=3 d=2 e=- ";
        let one_after_the_other = Layer::merged(&newest, &Layer::merged(&middle, &oldest));
        assert_eq!(all(one_after_the_other.all(0)), expected);
        assert_eq!(all(Layer::merged(&Layer::merged(&newest, &middle), &oldest).all(0)), expected);
        assert_eq!(one_after_the_other.len(), 6);
        let at_once = Merged::of(vec![newest.all(0), middle.all(0), oldest.all(0)]);
        let at_once = at_once.map(|(key, value)| (key.bytes.to_vec(), value.map(<[u8]>::to_vec)));
        let merged = one_after_the_other.all(0).map(|(key, value)| (key.bytes.to_vec(), value.map(<[u8]>::to_vec)));
        assert!(at_once.eq(merged));
    }

    #[test]
    fn a_row_is_found_and_so_is_that_it_is_gone() {
        let layer = layer(&[("a", Some("1")), ("b", None), ("c", Some(""))]);
        let get = |key: &str| layer.get(0, KeyRef::of(key.as_bytes()));
        assert_eq!(get("a"), Some(Some(&b"1"[..])));
        assert_eq!(get("b"), Some(None));
        assert_eq!(get("c"), Some(Some(&b""[..])));
        assert_eq!(get("bb"), None);
    }

    #[test]
    fn a_range_has_its_first_key_and_not_the_one_behind_it() {
        let layer = layer(&[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))]);
        let range = |from: &'static str, to: Option<&'static str>| {
            layer.range(0, KeyRef::of(from.as_bytes()), to.map(|to| KeyRef::of(to.as_bytes())))
        };
        assert_eq!(all(range("a", Some("c"))), "a=1 b=2 ");
        assert_eq!(all(range("aa", None)), "b=2 c=3 ");
        assert_eq!(all(range("c", Some("a"))), "");
        assert_eq!(range("a", Some("c")).next_back().map(|(_, value)| value), Some(Some(&b"2"[..])));
    }

    #[test]
    fn many_rows_lie_in_several_pieces() {
        let value = "v".repeat(PIECE_SIZE_BYTES / 2);
        let keys = ["a", "b", "c", "d", "e"];
        let rows = keys.map(|key| (key, Some(value.as_str())));
        let merged = Layer::merged(&layer(&rows[3..]), &layer(&rows[..4]));
        assert_eq!(merged.pieces.len(), 3);
        assert_eq!(all(merged.all(0)), keys.map(|key| format!("{key}={value} ")).concat());
    }

    #[test]
    fn a_key_that_cannot_be_is_refused() {
        let mut changes = Changes::none(1);
        assert!(changes.change(0, &[0; 1 << 16], None).is_err());
        assert!(changes.change(0, &[0; (1 << 16) - 1], None).is_ok());
    }
}
