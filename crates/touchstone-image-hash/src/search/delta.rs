//! The few hashes that were added since the segments were built: scanned, and cheap to change.

use std::collections::BTreeMap;

use super::chunks::{Bits, Probe};
use super::simd::{self, Level};

#[derive(Debug, Clone, Default)]
pub(super) struct Delta {
    /// In no order, beside the item of each.
    hashes: Vec<Bits>,
    items: Vec<usize>,
    slot_of: BTreeMap<usize, usize>,
}

impl Delta {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Bits)> + '_ {
        self.items.iter().copied().zip(self.hashes.iter().copied())
    }

    pub(super) fn get(&self, item: usize) -> Option<&Bits> {
        self.slot_of.get(&item).map(|&slot| &self.hashes[slot])
    }

    /// Adds an item that is not here yet.
    pub(super) fn insert(&mut self, item: usize, hash: Bits) {
        self.slot_of.insert(item, self.items.len());
        self.items.push(item);
        self.hashes.push(hash);
    }

    /// Takes an item out, putting the last in its slot; false if it was not here.
    pub(super) fn remove(&mut self, item: usize) -> bool {
        let Some(slot) = self.slot_of.remove(&item) else { return false };
        self.items.swap_remove(slot);
        self.hashes.swap_remove(slot);
        if let Some(&moved) = self.items.get(slot) {
            self.slot_of.insert(moved, slot);
        }
        true
    }

    /// Visits the items that `probe` is for, with their distance.
    pub(super) fn search(
        &self,
        level: Level,
        query: &Bits,
        probe: &Probe,
        mut visit: impl FnMut(usize, u16),
    ) {
        simd::scan(level, &self.hashes, query, probe.radius, |slot, distance| {
            if probe.accepts(query, &self.hashes[slot]) {
                visit(self.items[slot], distance);
            }
        });
    }
}
