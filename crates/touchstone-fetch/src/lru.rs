//! A map of bounded number and weight that forgets what was not used for longest.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A map of at most `capacity` entries that weigh at most `max_weight` together; when it is full, the entries that were used
/// longest ago make room.
#[derive(Debug)]
pub(crate) struct LruMap<K, V> {
    capacity: usize,
    max_weight: u64,
    weight: u64,
    /// Counts uses, and so dates them.
    now: u64,
    entries: HashMap<K, Entry<V>>,
    by_use: BTreeMap<u64, K>,
}

#[derive(Debug)]
struct Entry<V> {
    used: u64,
    weight: u64,
    value: V,
}

impl<K: Clone + Eq + Hash, V> LruMap<K, V> {
    /// An empty map; a capacity of zero keeps nothing.
    pub(crate) fn new(capacity: usize, max_weight: u64) -> Self {
        Self { capacity, max_weight, weight: 0, now: 0, entries: HashMap::new(), by_use: BTreeMap::new() }
    }

    /// The value under `key`, which counts as used.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        let entry = self.entries.get_mut(key)?;
        self.by_use.remove(&entry.used);
        self.now += 1;
        entry.used = self.now;
        self.by_use.insert(self.now, key.clone());
        Some(&entry.value)
    }

    /// Puts `value` under `key`, in place of what was there. What weighs more than all may is not kept.
    pub(crate) fn insert(&mut self, key: K, value: V, weight: u64) {
        self.remove(&key);
        if self.capacity == 0 || weight > self.max_weight {
            return;
        }
        while (self.entries.len() >= self.capacity || self.weight > self.max_weight - weight)
            && let Some((_, oldest)) = self.by_use.first_key_value()
        {
            self.remove(&oldest.clone());
        }
        self.now += 1;
        self.weight += weight;
        self.by_use.insert(self.now, key.clone());
        self.entries.insert(key, Entry { used: self.now, weight, value });
    }

    /// Forgets what stands under `key`.
    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.weight -= entry.weight;
            self.by_use.remove(&entry.used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_unused_for_longest_makes_room() {
        let mut map = LruMap::new(2, 9);
        map.insert("a", 1, 0);
        map.insert("b", 2, 0);
        assert_eq!(map.get(&"a"), Some(&1));
        map.insert("c", 3, 0);
        assert_eq!((map.get(&"a").copied(), map.get(&"b").copied()), (Some(1), None));
        map.insert("a", 4, 0);
        assert_eq!((map.get(&"a").copied(), map.get(&"c").copied()), (Some(4), Some(3)));
        map.remove(&"a");
        assert_eq!((map.entries.len(), map.by_use.len()), (1, 1));
    }

    #[test]
    fn a_map_without_capacity_keeps_nothing() {
        let mut map = LruMap::new(0, 9);
        map.insert(1, 1, 0);
        assert_eq!(map.get(&1), None);
    }

    #[test]
    fn the_entries_weigh_no_more_than_allowed() {
        let mut map = LruMap::new(9, 10);
        map.insert("a", 1, 4);
        map.insert("b", 2, 4);
        map.insert("c", 3, 2);
        assert_eq!((map.entries.len(), map.weight), (3, 10));
        map.insert("d", 4, 5);
        assert_eq!(
            (map.get(&"a").copied(), map.get(&"b").copied(), map.weight),
            (None, None, 7),
            "both made room"
        );
        map.insert("d", 5, 1);
        assert_eq!((map.get(&"d").copied(), map.weight), (Some(5), 3), "what is replaced weighs nothing");
        map.insert("c", 6, 11);
        assert_eq!((map.get(&"c").copied(), map.weight), (None, 1), "too heavy for the map");
        map.remove(&"d");
        assert_eq!(map.weight, 0);
    }
}
