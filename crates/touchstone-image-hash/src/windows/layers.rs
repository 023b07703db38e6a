//! Windows in two layers: a large index that stays as it is, less what was removed from it, and a small one beside it.
//!
//! What is found is what one index of the live references finds. Windows are passed over by how many have a piece in common, so
//! those are counted over both layers, without the removed.

use std::collections::BTreeMap;

use super::Window;
use super::hash::WindowHash;
use super::tables::{RADIUS, WindowIndex, piece_of};
use crate::marks::Marks;

/// The two layers, which have pieces of one size. Slots of the delta follow those of the base.
pub(crate) struct Layers<'a> {
    pub(crate) base: &'a WindowIndex,
    pub(crate) n_base: usize,
    /// Removed references of the base.
    pub(crate) removed: &'a Marks,
    pub(crate) removed_windows: &'a RemovedWindows,
    pub(crate) delta: &'a WindowIndex,
    /// A piece that more windows have in common tells none of them from the others, as a word that stands in every text.
    pub(crate) max_common: usize,
}

/// How many windows of a base were removed, also in each of its crowded buckets: to count these there would take too long.
#[derive(Debug, Clone, Default)]
pub(crate) struct RemovedWindows {
    n: usize,
    /// By piece and value.
    of_crowded: BTreeMap<(u32, usize), usize>,
}

impl RemovedWindows {
    /// Counts the windows of one more reference that was removed from `base`.
    pub(crate) fn add(&mut self, base: &WindowIndex, windows: &[Window], max_common: usize) {
        self.n += windows.len();
        for hash in windows.iter().map(|window| window.hashes[0]) {
            for piece in 0..base.n_pieces() {
                if base.bucket(hash, piece).len() > max_common {
                    let value = piece_of(hash, piece, base.piece_bits());
                    *self.of_crowded.entry((piece, value)).or_default() += 1;
                }
            }
        }
    }

    /// How many windows were removed.
    pub(crate) fn len(&self) -> usize {
        self.n
    }
}

impl Layers<'_> {
    /// Visits the windows that have a piece in common with `hash` and lie within the radius, with their reference's slot and their
    /// distance: once for each such piece.
    pub(crate) fn look_up(&self, hash: WindowHash, mut found: impl FnMut(usize, u16, u32)) {
        let mut compare = |layer: &WindowIndex, first: usize, numbers: &[u32]| {
            for &number in numbers {
                let item = layer.item(number);
                let distance = (item.hash ^ hash).count_ones();
                if distance <= RADIUS {
                    found(first + item.reference as usize, item.window, distance);
                }
            }
        };
        for piece in 0..self.base.n_pieces() {
            let (base, delta) = (self.base.bucket(hash, piece), self.delta.bucket(hash, piece));
            if self.n_common(hash, piece, base, delta) <= self.max_common {
                compare(self.base, 0, base);
                compare(self.delta, self.n_base, delta);
            }
        }
    }

    /// How many live windows have a piece in common with `hash`: those in these two buckets.
    fn n_common(&self, hash: WindowHash, piece: u32, base: &[u32], delta: &[u32]) -> usize {
        let n = base.len() + delta.len();
        if n <= self.max_common || self.removed_windows.n == 0 {
            return n;
        }
        if base.len() > self.max_common {
            let place = (piece, piece_of(hash, piece, self.base.piece_bits()));
            return n - self.removed_windows.of_crowded.get(&place).copied().unwrap_or(0);
        }
        let is_removed = |number: &&u32| self.removed.contains(self.base.item(**number).reference as usize);
        n - base.iter().filter(is_removed).count()
    }
}
