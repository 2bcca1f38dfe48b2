//! The application's tables: ordered bytes, in transactions.

use std::fmt;

use super::StoreError;

/// A table, by its name. The application declares which it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub &'static str);

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// The tables at one moment. Values are checked against their CRC as they are read.
pub trait Read {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Calls `each` with the rows whose keys lie in `from..to` (`to` None: to the table's end),
    /// ascending, until it returns false.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError>;

    /// The last row whose key lies in `from..before`.
    fn last(&self, table: Table, from: &[u8], before: &[u8]) -> Result<Option<Row>, StoreError>;
}

/// The tables within the one write transaction. Reads see what was written before in it.
pub trait Write: Read {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// There need not be such a row.
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError>;
}

/// The application's storage.
pub trait StateStore: Send + Sync + fmt::Debug + 'static {
    /// The tables as last committed. Hold it briefly: pages freed meanwhile cannot be used again.
    fn read(&self) -> Result<Box<dyn Read + Send>, StoreError>;

    /// Runs `work` in one transaction and commits it; if `work` fails nothing is written. Once this
    /// returns, readers see the changes. They survive the death of the process and the loss of power once
    /// [`StateStore::sync`] has returned; what is lost before that is the latest writes, each as a whole.
    fn write(&self, work: &mut dyn FnMut(&mut dyn Write) -> Result<(), StoreError>) -> Result<(), StoreError>;

    /// Everything written so far survives the loss of power.
    fn sync(&self) -> Result<(), StoreError>;

    /// A second, empty store beside this one, to receive a snapshot in. Clears what an earlier
    /// attempt left.
    fn stage(&self) -> Result<Box<dyn Staged>, StoreError>;

    /// Puts the staged store in this one's place: after a power cut it is either wholly the old or
    /// wholly the new. Reads that began before go on seeing the old one.
    fn adopt(&self, staged: Box<dyn Staged>) -> Result<(), StoreError>;

    /// How many more it may take, whatever its disk has room for.
    fn room_bytes(&self) -> u64;
}

/// A store being filled, invisible until adopted. Dropping it discards it.
pub trait Staged: Send {
    /// Appends rows, each table's in ascending order. Durable only with `adopt`.
    fn fill(&mut self, rows: &mut dyn Iterator<Item = (Table, Row)>) -> Result<(), StoreError>;

    /// For `adopt`'s implementation.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any>;
}

#[cfg(test)]
pub(super) mod tests {
    //! What every state store must keep, whatever it is made of.

    use super::*;

    pub(in crate::store) const A: Table = Table("a");
    pub(in crate::store) const B: Table = Table("b");
    pub(in crate::store) const TABLES: &[Table] = &[A, B];

    pub(in crate::store) fn put(store: &dyn StateStore, table: Table, key: &str, value: &str) {
        store.write(&mut |rows| rows.put(table, key.as_bytes(), value.as_bytes())).unwrap();
    }

    pub(in crate::store) fn get(store: &dyn StateStore, table: Table, key: &str) -> Option<String> {
        text(store.read().unwrap().get(table, key.as_bytes()).unwrap()?)
    }

    fn text(bytes: Vec<u8>) -> Option<String> {
        Some(String::from_utf8(bytes).unwrap())
    }

    fn keys(rows: &dyn Read, from: &str, to: Option<&str>) -> String {
        let mut keys = String::new();
        let mut each = |key: &[u8], _: &[u8]| {
            keys.push_str(std::str::from_utf8(key).unwrap());
            true
        };
        rows.scan(A, from.as_bytes(), to.map(str::as_bytes), &mut each).unwrap();
        keys
    }

    fn last(rows: &dyn Read, from: &str, before: &str) -> Option<String> {
        text(rows.last(A, from.as_bytes(), before.as_bytes()).unwrap()?.0)
    }

    pub(in crate::store) fn keeps_its_promises(store: &dyn StateStore) {
        for key in ["b", "d", "c", "e"] {
            put(store, A, key, key);
        }
        put(store, B, "x", "of the other table");
        rows_come_in_order(&*store.read().unwrap());
        a_write_sees_itself_and_all_or_nothing_of_it_stays(store);
        a_reader_sees_one_moment(store);
        a_staged_store_takes_the_place_of_the_old(store);
        store.sync().unwrap();
    }

    fn rows_come_in_order(rows: &dyn Read) {
        assert_eq!(keys(rows, "", None), "bcde");
        assert_eq!(keys(rows, "c", Some("e")), "cd");
        assert_eq!(keys(rows, "c", Some("c")), "");
        assert_eq!(keys(rows, "d", Some("c")), "");
        assert_eq!(last(rows, "b", "dd").as_deref(), Some("d"));
        assert_eq!(last(rows, "b", "d").as_deref(), Some("c"));
        assert_eq!(last(rows, "c", "c"), None);
        assert_eq!(last(rows, "f", "z"), None);
        assert_eq!(last(rows, "z", "a"), None);
        let mut count = 0;
        let mut each = |_: &[u8], _: &[u8]| {
            count += 1;
            count < 2
        };
        rows.scan(A, b"", None, &mut each).unwrap();
        assert_eq!(count, 2, "a scan stops when it is told to");
    }

    fn a_write_sees_itself_and_all_or_nothing_of_it_stays(store: &dyn StateStore) {
        let refused = StoreError::InUse("refused".to_owned());
        let result = store.write(&mut |rows| {
            rows.put(A, b"f", b"f")?;
            rows.delete(A, b"b")?;
            rows.delete(A, b"b")?;
            assert_eq!(rows.get(A, b"b")?, None);
            assert_eq!(rows.get(A, b"f")?, Some(b"f".to_vec()));
            assert_eq!(keys(rows, "", None), "cdef");
            assert_eq!(last(rows, "a", "z").as_deref(), Some("f"));
            assert_eq!(keys(&*store.read()?, "", None), "bcde", "readers neither see it nor wait for it");
            Err(refused.clone())
        });
        assert_eq!(result, Err(refused));
        assert_eq!(keys(&*store.read().unwrap(), "", None), "bcde");
    }

    fn a_reader_sees_one_moment(store: &dyn StateStore) {
        let before = store.read().unwrap();
        put(store, A, "f", "f");
        assert_eq!(keys(&*before, "", None), "bcde");
        assert_eq!(keys(&*store.read().unwrap(), "", None), "bcdef");
    }

    fn a_staged_store_takes_the_place_of_the_old(store: &dyn StateStore) {
        let row = |key: &str| (A, (key.as_bytes().to_vec(), b"new".to_vec()));
        let mut dropped = store.stage().unwrap();
        dropped.fill(&mut [row("dropped")].into_iter()).unwrap();
        drop(dropped);

        let before = store.read().unwrap();
        let mut staged = store.stage().unwrap();
        staged.fill(&mut [row("m"), row("n")].into_iter()).unwrap();
        staged.fill(&mut [row("o"), row("a")].into_iter()).unwrap();
        assert_eq!(keys(&*store.read().unwrap(), "", None), "bcdef");
        store.adopt(staged).unwrap();
        assert_eq!(keys(&*store.read().unwrap(), "", None), "amno");
        assert_eq!(get(store, B, "x"), None);
        assert_eq!(keys(&*before, "", None), "bcdef", "who began to read before goes on seeing the old one");
        drop(before);
        put(store, A, "p", "p");
        assert_eq!(keys(&*store.read().unwrap(), "", None), "amnop");
    }
}
