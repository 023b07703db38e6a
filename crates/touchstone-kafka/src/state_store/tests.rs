//! Both forms of the store against a map, and what becomes of the file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::file::COMMITS_TO_DURABLE;
use super::memory::ENTRY_OVERHEAD;
use super::{Change, Entry, MIN_CACHE_BYTES, StateStore, StoreError};

/// One thing that is done with a store.
#[derive(Debug, Clone)]
enum Act {
    Apply(Vec<Change>),
    Get(Vec<u8>),
    Walk(Option<Vec<u8>>, usize),
}

/// Few keys, so that they meet again; one can be empty, and the key of the cursors is one that no text is.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => "[ab]{0,4}".prop_map(String::into_bytes), 1 => Just(b"\xffcursors".to_vec())]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let large = (any::<u8>(), 4_000_usize..100_000).prop_map(|(byte, n)| vec![byte; n]);
    prop_oneof![20 => prop::collection::vec(any::<u8>(), 0..120), 1 => large]
}

fn act() -> impl Strategy<Value = Act> {
    let change = (key(), prop::option::weighted(0.7, value()));
    prop_oneof![
        prop::collection::vec(change, 0..12).prop_map(Act::Apply),
        key().prop_map(Act::Get),
        (prop::option::of(key()), 0_usize..8).prop_map(|(key, n)| Act::Walk(key, n)),
    ]
}

/// What a walk over all of the map finds.
fn walk(map: &BTreeMap<Vec<u8>, Vec<u8>>, after: Option<&Vec<u8>>, n: usize) -> Vec<Entry> {
    let rest = map.iter().filter(|(key, _)| after.is_none_or(|after| *key > after));
    rest.take(n).map(|(key, value)| (key.clone(), value.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(29), failure_persistence: None, cases: 200, ..Default::default()
    })]

    #[test]
    fn a_store_answers_the_same_wherever_it_is(max in 0_usize..1_500, acts in prop::collection::vec(act(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let mut stores = [StateStore::new(folder.path(), max), StateStore::new(folder.path(), usize::MAX)];
        let mut map = BTreeMap::new();
        for act in acts {
            if let Act::Apply(changes) = &act {
                for (key, value) in changes.iter().cloned() {
                    match value {
                        Some(value) => map.insert(key, value),
                        None => map.remove(&key),
                    };
                }
            }
            for store in &mut stores {
                match &act {
                    Act::Apply(changes) => store.apply(changes.iter().cloned()).unwrap(),
                    Act::Get(key) => {
                        let found = store.get(key).unwrap().map(Cow::into_owned);
                        prop_assert_eq!(found.as_ref(), map.get(key));
                    }
                    Act::Walk(key, n) => {
                        prop_assert_eq!(store.after(key.as_deref(), *n).unwrap(), walk(&map, key.as_ref(), *n));
                    }
                }
                prop_assert_eq!(store.len(), map.len());
            }
            let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len() + ENTRY_OVERHEAD).sum();
            prop_assert_eq!(stores[1].memory_bytes(), bytes);
            prop_assert!(stores[0].is_in_file() || bytes <= max);
            prop_assert!(!stores[1].is_in_file());
        }
        for store in &stores {
            prop_assert_eq!(store.after(None, usize::MAX).unwrap(), walk(&map, None, usize::MAX));
        }
    }
}

fn set(key: &str, value: &[u8]) -> Change {
    (key.as_bytes().to_vec(), Some(value.to_vec()))
}

/// A store in a file in this folder.
fn in_file(folder: &Path) -> StateStore {
    let mut store = StateStore::new(folder, 0);
    store.apply([set("EX-1001", b"{}")]).unwrap();
    assert!(store.is_in_file());
    store
}

#[test]
fn a_store_moves_when_it_holds_more_than_it_may_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (set("EX-1001", b"{}"), set("EX-1002", b"{}"));
    let mut store = StateStore::new(folder.path(), 2 * (7 + 2 + ENTRY_OVERHEAD));
    store.apply([first, second]).unwrap();
    assert!(!store.is_in_file());

    store.apply([set("", b"")]).unwrap();
    assert!(store.is_in_file());
    assert_eq!(store.len(), 3);

    store.apply([(b"EX-1001".to_vec(), None), (Vec::new(), None)]).unwrap();
    assert!(store.is_in_file(), "it stays in the file");
    assert_eq!(store.len(), 1);
}

#[test]
fn in_a_file_the_memory_no_longer_grows() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = in_file(folder.path());
    store.apply([set("EX-1002", &vec![b'x'; 3 * MIN_CACHE_BYTES])]).unwrap();
    assert_eq!(store.memory_bytes(), MIN_CACHE_BYTES);
}

#[test]
fn many_transactions_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = in_file(folder.path());
    for i in 0..2 * COMMITS_TO_DURABLE {
        let number = i.to_le_bytes();
        store.apply([set(&format!("EX-{}", i % 7), b"{}"), set("EX-last", &number)]).unwrap();
        assert_eq!(store.get(b"EX-last").unwrap().as_deref(), Some(number.as_slice()));
    }
    assert_eq!(store.len(), 9);
}

/// The files that this process has open in a folder, those without a name too.
#[cfg(target_os = "linux")]
fn open_files(folder: &Path) -> Vec<PathBuf> {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    let targets = descriptors.filter_map(|descriptor| fs::read_link(descriptor.unwrap().path()).ok());
    targets.filter(|target| target.starts_with(folder)).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn the_file_has_no_name_and_goes_with_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let store = in_file(&path);
    assert_eq!(open_files(&path).len(), 1, "the file is in the folder");
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "a killed process would leave nothing there");
    drop(store);
    assert_eq!(open_files(&path), Vec::<PathBuf>::new());
}

#[test]
fn a_folder_that_is_not_there_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("states").join("7");
    in_file(&inner);
    assert!(inner.is_dir());
}

#[test]
fn an_error_names_the_folder_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    fs::write(&file, "").unwrap();
    let mut store = StateStore::new(&file, 0);
    let error = store.apply([set("EX-1001", b"{}")]).unwrap_err();
    assert!(matches!(error, StoreError::Create { .. }), "{error:?}");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    assert!(error.to_string().contains("raise state.max_partition_bytes"), "{error}");
    assert!(error.source().is_some());
    assert_eq!(store.get(b"EX-1001").unwrap().as_deref(), Some(b"{}".as_slice()));
    assert!(!store.is_in_file());
}
