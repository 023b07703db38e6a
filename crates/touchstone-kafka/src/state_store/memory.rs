//! States in memory.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::Entry;

/// What an entry takes besides the bytes of its key and its value: the place in a node of the tree, nodes being about two thirds full,
/// and what the allocator rounds up. It was 65 bytes with mimalloc and 86 with the system's allocator, for keys of 12 bytes and
/// values of 110.
pub(super) const ENTRY_OVERHEAD: usize = 72;

#[derive(Debug, Default)]
pub(super) struct MemoryForm {
    map: BTreeMap<Box<[u8]>, Box<[u8]>>,
    bytes: usize,
}

impl MemoryForm {
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.map.get(key).map(AsRef::as_ref)
    }

    /// Sets the value of a key, or deletes the key.
    pub(super) fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let n_key = key.len();
        let added = value.as_ref().map_or(0, |value| entry_bytes(n_key, value.len()));
        let before = match value {
            Some(value) => self.map.insert(key.into(), value.into()),
            None => self.map.remove(key.as_slice()),
        };
        let removed = before.map_or(0, |before| entry_bytes(n_key, before.len()));
        self.bytes = self.bytes + added - removed;
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// About what the entries take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn after(&self, key: Option<&[u8]>, n: usize) -> Vec<Entry> {
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.map.range::<[u8], _>((from, Bound::Unbounded)).take(n);
        entries.map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
    }

    /// All entries in the order of their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.map.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }
}

const fn entry_bytes(n_key: usize, n_value: usize) -> usize {
    n_key + n_value + ENTRY_OVERHEAD
}
