//! A map of bounded size that forgets what was not used for longest.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A map of at most `capacity` entries; when it is full, the entry that was used longest ago makes room.
#[derive(Debug)]
pub(crate) struct LruMap<K, V> {
    capacity: usize,
    /// Counts uses, and so dates them.
    now: u64,
    entries: HashMap<K, (u64, V)>,
    by_use: BTreeMap<u64, K>,
}

impl<K: Clone + Eq + Hash, V> LruMap<K, V> {
    /// An empty map; a capacity of zero keeps nothing.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, now: 0, entries: HashMap::new(), by_use: BTreeMap::new() }
    }

    /// The value under `key`, which counts as used.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        let (used, value) = self.entries.get_mut(key)?;
        self.by_use.remove(used);
        self.now += 1;
        *used = self.now;
        self.by_use.insert(self.now, key.clone());
        Some(value)
    }

    /// Puts `value` under `key`, in place of what was there.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.remove(&key);
        if self.capacity == 0 {
            return;
        }
        if self.entries.len() >= self.capacity
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.now += 1;
        self.by_use.insert(self.now, key.clone());
        self.entries.insert(key, (self.now, value));
    }

    /// Forgets what stands under `key`.
    pub(crate) fn remove(&mut self, key: &K) {
        if let Some((used, _)) = self.entries.remove(key) {
            self.by_use.remove(&used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_unused_for_longest_makes_room() {
        let mut map = LruMap::new(2);
        map.insert("a", 1);
        map.insert("b", 2);
        assert_eq!(map.get(&"a"), Some(&1));
        map.insert("c", 3);
        assert_eq!((map.get(&"a").copied(), map.get(&"b").copied()), (Some(1), None));
        map.insert("a", 4);
        assert_eq!((map.get(&"a").copied(), map.get(&"c").copied()), (Some(4), Some(3)));
        map.remove(&"a");
        assert_eq!((map.entries.len(), map.by_use.len()), (1, 1));
    }

    #[test]
    fn a_map_without_capacity_keeps_nothing() {
        let mut map = LruMap::new(0);
        map.insert(1, 1);
        assert_eq!(map.get(&1), None);
    }
}
