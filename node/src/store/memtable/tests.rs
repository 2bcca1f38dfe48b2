use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use std::sync::{OnceLock, Weak};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::store::lmdb::LmdbState;
use crate::store::memory::MemoryState;
use crate::store::state::Row;
use crate::store::state::tests::{A, B, TABLES, get, keeps_its_promises, put};

/// Whose writes end when, and as, they are told to.
struct Slow {
    below: Arc<MemoryState>,
    begun: SyncSender<()>,
    outcomes: Mutex<Receiver<Result<(), StoreError>>>,
    /// What lies over it, where its reads are to be looked at.
    over: OnceLock<Weak<Shared>>,
    reads: AtomicUsize,
}

impl fmt::Debug for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slow").finish_non_exhaustive()
    }
}

impl Slow {
    fn over(below: Arc<MemoryState>) -> (Arc<Self>, Receiver<()>, SyncSender<Result<(), StoreError>>) {
        let (begun, begins) = sync_channel(100);
        let (outcome, outcomes) = sync_channel(100);
        let outcomes = Mutex::new(outcomes);
        (Arc::new(Self { below, begun, outcomes, over: OnceLock::new(), reads: AtomicUsize::new(0) }), begins, outcome)
    }
}

impl StateStore for Slow {
    fn read(&self) -> Result<Box<dyn Read + Send>, StoreError> {
        if let Some(over) = self.over.get().and_then(Weak::upgrade) {
            assert!(over.layers.try_write().is_err(), "the layers must not change before the tables are taken");
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
        self.below.read()
    }

    fn write(&self, work: &mut dyn FnMut(&mut dyn Write) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.begun.send(()).unwrap();
        // What nobody has an outcome for should not have been written.
        self.outcomes.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap()?;
        self.below.write(work)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.below.sync()
    }

    fn stage(&self) -> Result<Box<dyn Staged>, StoreError> {
        self.below.stage()
    }

    fn adopt(&self, staged: Box<dyn Staged>) -> Result<(), StoreError> {
        self.below.adopt(staged)
    }

    fn room_bytes(&self) -> u64 {
        1_000
    }
}

fn refused() -> StoreError {
    StoreError::Full { place: "there".to_owned() }
}

fn rows_of(rows: &dyn Read, table: Table) -> Vec<Row> {
    let mut all = Vec::new();
    let mut each = |key: &[u8], value: &[u8]| {
        all.push((key.to_vec(), value.to_vec()));
        true
    };
    rows.scan(table, b"", None, &mut each).unwrap();
    all
}

#[test]
fn it_keeps_the_promises_of_a_state_store() {
    keeps_its_promises(&*MemtableState::in_place(MemoryState::new(TABLES), TABLES));
    keeps_its_promises(&*MemtableState::start(MemoryState::new(TABLES), TABLES).unwrap());
    let dir = tempfile::tempdir().unwrap();
    keeps_its_promises(&*MemtableState::start(LmdbState::open(dir.path(), TABLES).unwrap(), TABLES).unwrap());
}

#[test]
fn what_is_synced_is_below_and_nothing_before() {
    let below = MemoryState::new(TABLES);
    let store = MemtableState::in_place(below.clone(), TABLES);
    put(&*store, A, "k", "v");
    assert_eq!(get(&*store, A, "k").as_deref(), Some("v"));
    assert_eq!(get(&*below, A, "k"), None);
    store.sync().unwrap();
    assert_eq!(get(&*below.crash(), A, "k").as_deref(), Some("v"));
    assert!(store.shared.layers().frozen.is_empty());
}

#[test]
fn what_waits_is_flushed_after_a_while_and_when_it_ends() {
    let (below, begins, outcome) = Slow::over(MemoryState::new(TABLES));
    let store = MemtableState::start(below.clone(), TABLES).unwrap();
    put(&*store, A, "k", "one");
    // Its time comes, and it is flushed without anybody asking.
    begins.recv().unwrap();
    put(&*store, A, "k", "two");
    outcome.send(Ok(())).unwrap();
    outcome.send(Ok(())).unwrap();
    drop(store);
    assert_eq!(get(&*below, A, "k").as_deref(), Some("two"));
}

#[test]
fn much_is_flushed_in_place() {
    let below = MemoryState::new(TABLES);
    let store = MemtableState::in_place(below.clone(), TABLES);
    let text = "v".repeat(IN_PLACE_SIZE_BYTES / 2);
    put(&*store, A, "a", &text);
    assert_eq!(get(&*below, A, "a"), None);
    put(&*store, A, "b", &text);
    assert_eq!(get(&*below, A, "a"), Some(text));
    drop(store);
}

#[test]
fn what_is_on_its_way_is_seen_and_so_is_what_comes_after() {
    let (below, begins, outcome) = Slow::over(MemoryState::new(TABLES));
    let store = MemtableState::in_place(below.clone(), TABLES);
    put(&*store, A, "a", "1");
    put(&*store, A, "b", "1");
    std::thread::scope(|scope| {
        let flushing = scope.spawn(|| store.sync());
        begins.recv().unwrap();
        let before = store.read().unwrap();
        put(&*store, A, "b", "2");
        store.write(&mut |to| to.delete(A, b"a")).unwrap();
        put(&*store, A, "c", "2");
        assert_eq!(rows_of(&*store.read().unwrap(), A), rows(&[("b", "2"), ("c", "2")]));
        assert_eq!(rows_of(&*below.below.read().unwrap(), A), []);
        outcome.send(Ok(())).unwrap();
        flushing.join().unwrap().unwrap();
        assert_eq!(rows_of(&*before, A), rows(&[("a", "1"), ("b", "1")]));
    });
    assert_eq!(rows_of(&*below.below.read().unwrap(), A), rows(&[("a", "1"), ("b", "1")]));
    assert_eq!(rows_of(&*store.read().unwrap(), A), rows(&[("b", "2"), ("c", "2")]));
}

fn rows(rows: &[(&str, &str)]) -> Vec<Row> {
    rows.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

#[test]
fn after_a_flush_that_failed_nothing_is_written_any_more() {
    let (below, _begins, outcome) = Slow::over(MemoryState::new(TABLES));
    let store = MemtableState::start(below, TABLES).unwrap();
    put(&*store, A, "k", "v");
    outcome.send(Err(refused())).unwrap();
    assert_eq!(store.sync(), Err(refused()));
    assert_eq!(store.write(&mut |to| to.put(A, b"k", b"w")), Err(refused()));
    assert_eq!(store.sync(), Err(refused()));
    assert_eq!(get(&*store, A, "k").as_deref(), Some("v"), "what was seen once is seen again");
}

#[test]
fn what_waits_takes_room() {
    let (below, _begins, _outcome) = Slow::over(MemoryState::new(TABLES));
    let store = MemtableState::in_place(below, TABLES);
    put(&*store, A, "k", &"v".repeat(600));
    assert!((1..400).contains(&store.room_bytes()), "{}", store.room_bytes());
}

#[test]
fn a_table_that_was_not_declared_is_refused() {
    let store = MemtableState::in_place(MemoryState::new(TABLES), TABLES);
    let other = Table("other");
    assert!(store.write(&mut |to| to.put(other, b"k", b"v")).is_err());
    assert!(store.write(&mut |to| to.delete(other, b"k")).is_err());
    assert!(store.read().unwrap().get(other, b"k").is_err());
}

#[test]
fn there_are_few_layers() {
    let store = MemtableState::in_place(MemoryState::new(TABLES), TABLES);
    for number in 0u32..200 {
        store.write(&mut |to| to.put(A, &number.to_be_bytes(), b"v")).unwrap();
    }
    let layers = store.shared.layers().open.iter().map(|layer| layer.len()).collect::<Vec<_>>();
    assert_eq!(layers.iter().sum::<usize>(), 200);
    assert!(layers.windows(2).all(|pair| pair[0] > pair[1]), "{layers:?}");
}

#[test]
fn a_reader_has_the_tables_that_its_layers_lie_over() {
    let (below, _begins, _outcome) = Slow::over(MemoryState::new(TABLES));
    let store = MemtableState::in_place(below.clone(), TABLES);
    below.over.set(Arc::downgrade(&store.shared)).unwrap();
    assert_eq!(get(&*store, A, "k"), None);
    put(&*store, A, "k", "v");
    assert_eq!(below.reads.load(Ordering::Relaxed), 2);
}

#[test]
fn a_reader_beside_flushes_and_adoptions_sees_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = MemtableState::start(LmdbState::open(dir.path(), TABLES).unwrap(), TABLES).unwrap();
    // Both rows always say the same, whoever wrote them.
    let write = |number: u32| {
        let value = number.to_be_bytes();
        store.write(&mut |to| to.put(A, b"one", &value).and_then(|()| to.put(B, b"two", &value))).unwrap();
    };
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..2_000).for_each(write);
            ended.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            for number in 0..100_u32 {
                store.sync().unwrap();
                let rows = [(A, b"one"), (B, b"two")]
                    .map(|(table, key)| (table, (key.to_vec(), number.to_be_bytes().to_vec())));
                let mut staged = store.stage().unwrap();
                staged.fill(&mut rows.into_iter()).unwrap();
                store.adopt(staged).unwrap();
            }
        });
        while !ended.load(Ordering::Acquire) {
            let view = store.read().unwrap();
            assert_eq!(view.get(A, b"one").unwrap(), view.get(B, b"two").unwrap());
        }
    });
}

/// What is done to a store.
#[derive(Clone, Debug)]
enum Step {
    /// A row of the first or the second table; without a value it is removed.
    Write(Vec<(bool, u8, Option<u8>)>),
    Flush,
    Freeze,
    Adopt(Vec<u8>),
    Begin,
}

fn step() -> impl Strategy<Value = Step> {
    let row = (any::<bool>(), 0u8..24, proptest::option::of(any::<u8>()));
    prop_oneof![
        8 => proptest::collection::vec(row, 0..12).prop_map(Step::Write),
        2 => Just(Step::Flush),
        2 => Just(Step::Freeze),
        1 => proptest::collection::vec(0u8..24, 0..4).prop_map(Step::Adopt),
        2 => Just(Step::Begin),
    ]
}

fn table(of: bool) -> Table {
    if of { A } else { B }
}

fn write(store: &dyn StateStore, rows: &[(bool, u8, Option<u8>)], looks: &mut Vec<Vec<Row>>) {
    store
        .write(&mut |to| {
            for (of, key, value) in rows {
                match value {
                    Some(value) => to.put(table(*of), &[*key], &[*value])?,
                    None => to.delete(table(*of), &[*key])?,
                }
            }
            looks.extend([rows_of(to, A), rows_of(to, B)]);
            Ok(())
        })
        .unwrap();
}

fn adopt(store: &dyn StateStore, keys: &[u8]) {
    let keys = keys.iter().copied().collect::<std::collections::BTreeSet<_>>();
    let mut staged = store.stage().unwrap();
    staged.fill(&mut keys.into_iter().map(|key| (A, (vec![key], vec![0])))).unwrap();
    store.adopt(staged).unwrap();
}

/// Of both it is the same, however one looks at it.
fn look(one: &dyn Read, other: &dyn Read) {
    for table in [A, B] {
        assert_eq!(rows_of(one, table), rows_of(other, table));
        for from in (0u8..25).step_by(3) {
            assert_eq!(one.get(table, &[from]).unwrap(), other.get(table, &[from]).unwrap());
            for before in (0u8..26).step_by(4) {
                assert_eq!(
                    one.last(table, &[from], &[before]).unwrap(),
                    other.last(table, &[from], &[before]).unwrap()
                );
                let (mut some, mut others) = (VecDeque::new(), VecDeque::new());
                for (rows, found) in [(one, &mut some), (other, &mut others)] {
                    let mut each = |key: &[u8], value: &[u8]| {
                        found.push_back((key.to_vec(), value.to_vec()));
                        found.len() < 5
                    };
                    rows.scan(table, &[from], Some(&[before]), &mut each).unwrap();
                }
                assert_eq!(some, others);
            }
        }
    }
}

proptest! {
    #[test]
    fn it_is_as_if_everything_were_in_the_tables(steps in proptest::collection::vec(step(), 1..40)) {
        let plain = MemoryState::new(TABLES);
        let store = MemtableState::in_place(MemoryState::new(TABLES), TABLES);
        let (mut began, mut looks, mut plain_looks) = (Vec::new(), Vec::new(), Vec::new());
        for step in &steps {
            match step {
                Step::Write(rows) => {
                    write(&*store, rows, &mut looks);
                    write(&*plain, rows, &mut plain_looks);
                }
                Step::Flush => store.sync().unwrap(),
                // As if a flush had begun, and not ended yet.
                Step::Freeze => store.shared.freeze(&lock(&store.shared.writer)),
                Step::Adopt(keys) => {
                    adopt(&*store, keys);
                    adopt(&*plain, keys);
                }
                Step::Begin => began.push((store.read().unwrap(), plain.read().unwrap())),
            }
            look(&*store.read().unwrap(), &*plain.read().unwrap());
        }
        prop_assert_eq!(looks, plain_looks);
        for (one, other) in began {
            look(&*one, &*other);
        }
    }
}
