//! The store in a file answers like the one in memory.

use proptest::prelude::*;

use super::*;

type Change = (Vec<u8>, Option<Vec<u8>>);

fn changes() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let key = prop_oneof![prop::collection::vec(0_u8..3, 0..3), Just(vec![255; 400])];
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..200));
    prop::collection::vec(prop::collection::vec((key, value), 0..12), 1..8)
}

fn all(store: &StateStore) -> Vec<KeyValue> {
    let (mut found, mut last): (Vec<KeyValue>, Option<Vec<u8>>) = (Vec::new(), None);
    loop {
        let next = store.after(last.as_deref(), 2).unwrap();
        let Some((key, _)) = next.last() else { return found };
        last = Some(key.clone());
        found.extend(next);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_in_a_file_answers_like_one_in_memory(batches in changes(), max in 0_usize..2_000) {
        let folder = tempfile::tempdir().unwrap();
        let mut plain = StateStore::new(folder.path(), usize::MAX);
        let mut moving = StateStore::new(folder.path(), max);
        for batch in batches {
            plain.apply(batch.clone()).unwrap();
            moving.apply(batch.clone()).unwrap();
            for (key, _) in &batch {
                prop_assert_eq!(plain.get(key).unwrap(), moving.get(key).unwrap());
            }
            prop_assert_eq!(plain.len(), moving.len());
            prop_assert_eq!(all(&plain), all(&moving));
        }
        prop_assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "the file has a name");
    }
}

#[test]
fn memory_is_counted_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StateStore::new(folder.path(), 1_000);
    let put = |key: u8, bytes: usize| (vec![key], Some(vec![0; bytes]));
    store.apply([put(1, 100), put(1, 10), put(2, 100), (vec![2], None)]).unwrap();
    assert_eq!(store.memory_bytes(), 1 + 10 + ENTRY_BYTES);
    store.apply((0..10).map(|key| put(key, 100))).unwrap();
    assert_eq!((store.memory_bytes(), store.len()), (file::CACHE_BYTES, 10));
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let mut store = StateStore::new(Path::new("/nowhere/at/all"), 0);
    let error = store.apply([(vec![1], Some(vec![1]))]).unwrap_err();
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    assert!(error.to_string().contains("state.spill_path"), "{error}");
}
